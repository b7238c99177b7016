"""Drifts with what the plant description says of them: where they stand, what they cost, what they endanger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from alerts.priority import endangered
from console.figures import us
from plant.calendar import Calendar
from plant.model import Baseline, Plant, Text
from plant.reading import DAY

OPEN_STATES = ("open", "worse")


@dataclass(frozen=True)
class Drift:
    """A drift; sizes are per hour in `unit`, cost per day in the site's currency, times in µs UTC."""

    name: str
    watched: str
    title: Text
    scope: str
    onset: int | None
    onset_low: int | None
    onset_high: int | None
    found: int | None
    cleared: int | None
    size: float | None
    size_low: float | None
    size_high: float | None
    unit: str
    cost_per_day: float | None
    direction: str
    state: str
    evidence: str
    baseline: Baseline | None
    options: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether it still stands."""
        return self.state in OPEN_STATES and self.cleared is None

    @property
    def asks(self) -> bool:
        """Whether it goes in the direction that asks for a person; the other way is a notice."""
        return self.baseline is None or self.direction == self.baseline.drift


@dataclass(frozen=True)
class Cost:
    """What a drift has cost in a period [currency]; None when its cost is not known."""

    drift: Drift
    since: int
    until: int
    money: float | None


def drifts(frame: pl.DataFrame, plant: Plant) -> list[Drift]:
    """Every drift of a frame of table `drift`, the newest first; withdrawn ones are left out."""
    found = [_drift(row, plant) for row in frame.iter_rows(named=True) if row["state"] != "withdrawn"]
    return sorted(found, key=lambda drift: drift.found or 0, reverse=True)


def standing(found: Iterable[Drift]) -> list[Drift]:
    """The drifts that are open and ask for a person, the costliest first."""
    return sorted(
        (drift for drift in found if drift.open and drift.asks), key=lambda drift: -(drift.cost_per_day or 0.0)
    )


def touches(drift: Drift, kpi: str, plant: Plant) -> bool:
    """Whether a drift shows in a KPI: a term reads its meter, or it wastes what the KPI counts, within its scope."""
    definition = plant.kpis.get(kpi)
    if definition is None:
        return False
    if drift.watched == kpi or any(plant.options[name].kpi == kpi for name in drift.options):
        return True
    if drift.baseline is None or drift.baseline.response not in plant.points:
        return False
    read = {name for term in definition.numerator for name in term.names()}
    carrier = plant.points[drift.baseline.response].carrier
    carriers = {plant.points[name].carrier for name in read if name in plant.points} - {None}
    return drift.baseline.response in read or (carrier in carriers and plant.within(drift.scope, definition.scope))


def costs_of_day(found: Iterable[Drift], calendar: Calendar, now_us: int) -> list[Cost]:
    """What each drift has cost since midnight in the plant, the costliest first."""
    midnight = calendar.day(now_us).start
    costs = []
    for drift in found:
        since = max(midnight, drift.onset if drift.onset is not None else midnight)
        until = min(now_us, drift.cleared if drift.cleared is not None else now_us)
        if drift.asks and until > since and (drift.open or drift.cleared is not None):
            money = None if drift.cost_per_day is None else drift.cost_per_day * (until - since) / DAY
            costs.append(Cost(drift, since, until, money))
    return sorted(costs, key=lambda cost: -(cost.money or 0.0))


def total(costs: Iterable[Cost]) -> float | None:
    """The sum of what is known [currency]; None when nothing is."""
    known = [cost.money for cost in costs if cost.money is not None]
    return sum(known) if known else None


def _drift(row: dict[str, Any], plant: Plant) -> Drift:
    baseline = plant.baselines.get(row["kpi"])
    title = baseline.title if baseline else Text(en=row["kpi"], zh=row["kpi"])
    if baseline is None and row["kpi"] in plant.kpis:
        title = plant.kpis[row["kpi"]].title
    return Drift(
        name=row["drift"],
        watched=row["kpi"],
        title=title,
        scope=row["scope"],
        onset=us(row["onset"]),
        onset_low=us(row["onset_low"]),
        onset_high=us(row["onset_high"]),
        found=us(row["found"]),
        cleared=us(row["cleared"]),
        size=row["size_per_hour"],
        size_low=row["size_low"],
        size_high=row["size_high"],
        unit=row["unit"] or "",
        cost_per_day=row["cost_per_day"],
        direction=row["direction"] or "",
        state=row["state"] or "",
        evidence=row["evidence"] or "",
        baseline=baseline,
        options=tuple(endangered(plant, row["kpi"], row["onset"])),
    )
