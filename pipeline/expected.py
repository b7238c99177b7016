"""What an accepted baseline says the production of each minute and block should have needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpis.baseline import Fit
from pipeline.minutes import STEP, Minutes
from pipeline.plans import PlantPlan
from pipeline.terms import known_minutes
from plant.model import Baseline, Driver
from plant.reading import MINUTE, SECOND

Floats = NDArray[np.float64]
COVERAGE = 0.9


def driver_name(driver: Driver) -> str:
    """A driver's name in a fit: its point, with the base it counts degrees from."""
    above = f" above {driver.above:g}" if driver.above is not None else ""
    below = f" below {driver.below:g}" if driver.below is not None else ""
    return f"{driver.point}{above}{below}"


def driver_values(driver: Driver, value: Floats) -> Floats:
    """A driver's value from its point's amount or mean: as it is, or the part beyond its base."""
    if driver.above is not None:
        return np.maximum(value - driver.above, 0.0)
    if driver.below is not None:
        return np.maximum(driver.below - value, 0.0)
    return value


@dataclass(frozen=True)
class Expected:
    """A baseline in force: response [amount unit per block] = intercept + Σ coefficient · driver."""

    name: str
    baseline: Baseline
    fit: Fit
    limits: tuple[float, ...]
    charts: tuple[float, ...]
    since_us: int
    position: int
    summed: tuple[bool, ...]

    @classmethod
    def accepted(cls, plan: PlantPlan, body: dict[str, Any]) -> Expected:
        """The baseline that a journal message of kind "baseline" accepted."""
        baseline = plan.plant.baselines[body["baseline"]]
        summed = tuple(plan.points[driver.point].summable for driver in baseline.drivers)
        return cls(
            body["baseline"],
            baseline,
            Fit.from_dict(body["fit"]),
            tuple(body["limits"]),
            tuple(body["charts"]),
            int(body["span"][1]),
            int(body["position"]),
            summed,
        )

    @property
    def sigma(self) -> float:
        """Standard deviation of a block's residual, from days the fit has not seen where there were some."""
        return self.fit.held_out_sigma if np.isfinite(self.fit.held_out_sigma) else self.fit.sigma

    @property
    def block_minutes(self) -> int:
        """Length of a block [min]."""
        return int(self.baseline.block * SECOND // MINUTE)

    def points(self) -> list[str]:
        """The response and the drivers' points."""
        return [self.baseline.response, *(driver.point for driver in self.baseline.drivers)]

    def minutes(self, facts: dict[str, Minutes]) -> Floats:
        """Expected amount of each minute; NaN where a driver is unknown."""
        total: Floats | None = None
        coefficients = dict(zip(self.fit.names, self.fit.coefficients, strict=True))
        for driver, summed in zip(self.baseline.drivers, self.summed, strict=True):
            own = facts[driver.point]
            raw = own.amount * STEP if summed else own.mean
            value = driver_values(driver, np.where(known_minutes(own), raw, np.nan))
            share = coefficients.get(driver_name(driver), 0.0) * (1.0 if summed else 1 / self.block_minutes)
            total = share * value if total is None else total + share * value
        constant = self.fit.intercept / self.block_minutes
        if total is None:
            return np.full(len(facts[self.baseline.response].amount), constant)
        return total + constant


def block_values(
    baseline: Baseline, summed: tuple[bool, ...], facts: dict[str, Minutes], edges: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Response [n], drivers [n, p] and coverage [n] of blocks between consecutive `edges` (minutes since 1970).

    A block in which less than nine tenths of the minutes are known for response and drivers alike is NaN; else sums
    are scaled up to the full block.
    """
    own = facts[baseline.response]
    known = known_minutes(own)
    for driver in baseline.drivers:
        known = known & known_minutes(facts[driver.point])
    at = edges - own.start
    length = np.diff(edges)
    found = np.add.reduceat(np.append(known, False).astype(np.int64), at)[:-1]
    coverage = found / length
    scale = np.divide(length, found, out=np.full(len(length), np.nan), where=coverage >= COVERAGE)

    def over(column: NDArray[Any]) -> Floats:
        return np.asarray(np.add.reduceat(np.append(np.where(known, column, 0), 0), at)[:-1], np.float64)

    response = over(own.amount) * STEP * scale
    drivers = np.empty((len(length), len(baseline.drivers)))
    for number, (driver, is_sum) in enumerate(zip(baseline.drivers, summed, strict=True)):
        part = facts[driver.point]
        column = over(part.amount) * STEP * scale if is_sum else over(np.nan_to_num(part.mean)) * scale / length
        drivers[:, number] = driver_values(driver, column)
    return response, drivers, coverage
