"""Baselines: actual against expected per block, the cumulative sum, and how good the fit in force is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from console.figures import MINUS, SPACE, significant, us
from plant.model import Baseline, Driver, Plant, Text


@dataclass(frozen=True)
class Blocks:
    """A baseline's blocks, times in µs UTC: what was used, what should have been, and the chart that watches it."""

    times: list[int] = field(default_factory=list)
    actual: list[float | None] = field(default_factory=list)
    expected: list[float | None] = field(default_factory=list)
    cumulative: list[float | None] = field(default_factory=list)
    chart: list[float | None] = field(default_factory=list)
    limit: list[float | None] = field(default_factory=list)
    unit: str = ""

    @property
    def last_excess(self) -> float | None:
        """Actual less expected of the newest block that has both."""
        for actual, expected in zip(reversed(self.actual), reversed(self.expected), strict=True):
            if actual is not None and expected is not None:
                return actual - expected
        return None


@dataclass(frozen=True)
class Fit:
    """A baseline in force; `entry` is None while none has been fitted. CV(RMSE) and NMBE as shares."""

    name: str
    title: Text
    scope: str
    formula: str
    derived: bool
    entry: Mapping[str, Any] | None
    n: int | None = None
    cv_rmse: float | None = None
    cv_rmse_heldout: float | None = None
    nmbe_heldout: float | None = None
    span_start: int | None = None
    span_end: int | None = None
    by: str = ""
    why: str = ""


def blocks(frame: pl.DataFrame, baseline: str) -> Blocks:
    """The blocks of a baseline in a frame of table `blocks`; the cumulative sum starts at 0 where the frame does."""
    rows = frame.filter(pl.col("baseline") == baseline).sort("end")
    if rows.is_empty():
        return Blocks()
    known = rows["cumulative"].drop_nulls()
    start = (known[0] - (rows.filter(pl.col("cumulative").is_not_null())["residual"][0] or 0.0)) if len(known) else 0.0
    return Blocks(
        times=[us(moment) or 0 for moment in rows["end"]],
        actual=rows["actual"].to_list(),
        expected=rows["expected"].to_list(),
        cumulative=(rows["cumulative"] - start).to_list(),
        chart=rows["chart"].to_list(),
        limit=rows["limit"].to_list(),
        unit=rows["unit"][-1] or "",
    )


def fits(ledger: Sequence[Mapping[str, Any]], plant: Plant) -> list[Fit]:
    """Every baseline of the plant with its entry in the ledger, in the order of the description."""
    entries = {str(entry["baseline"]): entry for entry in ledger}
    return [_fit(name, baseline, entries.get(name)) for name, baseline in plant.baselines.items()]


def _fit(name: str, baseline: Baseline, entry: Mapping[str, Any] | None) -> Fit:
    drivers = [_driver(driver) for driver in baseline.drivers]
    fit = Fit(name, baseline.title, baseline.scope, _model(drivers), baseline.derived_driver, entry)
    if entry is None:
        return fit
    frozen = entry["fit"]
    start, end = entry["span"]
    return replace(
        fit,
        formula=_formula(baseline, frozen),
        n=frozen["n"],
        cv_rmse=frozen["cv_rmse"],
        cv_rmse_heldout=frozen["held_out_cv_rmse"],
        nmbe_heldout=frozen["held_out_nmbe"],
        span_start=start,
        span_end=end,
        by=str(entry.get("by") or ""),
        why=str(entry.get("why") or ""),
    )


def _driver(driver: Driver) -> str:
    if driver.above is not None:
        return f"({driver.point}{SPACE}>{SPACE}{significant(driver.above)})"
    if driver.below is not None:
        return f"({driver.point}{SPACE}<{SPACE}{significant(driver.below)})"
    return driver.point


def _model(drivers: Sequence[str]) -> str:
    return " + ".join(["A", *(f"b·{driver}" for driver in drivers)])


def _formula(baseline: Baseline, frozen: Mapping[str, Any]) -> str:
    """The fitted model in print, with the drivers that the fit has kept."""
    printed = {driver.point: _driver(driver) for driver in baseline.drivers}
    text = significant(frozen["intercept"])
    for name, slope in zip(frozen["names"], frozen["coefficients"], strict=True):
        text += f" {MINUS if slope < 0 else '+'} {significant(abs(slope))}·{printed.get(name, name)}"
    return text
