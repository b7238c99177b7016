"""What the audit team sees: targets, implemented options and what endangers them, the configuration in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from console.views_drifts import Drift, standing
from console.views_kpis import Value
from plant.model import Kpi, Option, Plant

JUDGING_WINDOWS = ("month", "30d", "7d", "day")


@dataclass(frozen=True)
class OptionState:
    """An implemented option: its KPI in the baseline year, as targeted and now, and the drifts that endanger it."""

    name: str
    option: Option
    kpi: Kpi | None
    now: Value | None
    endangered_by: tuple[Drift, ...]


@dataclass(frozen=True)
class Versions:
    """The plant description and the factor edition that the newest KPI row was computed with; "" when unknown."""

    config: str
    factors: str


def judged(by_window: dict[str, Sequence[Value]]) -> list[Value]:
    """For each KPI its value over the longest window that is known, else its unknown month."""
    found: list[Value] = []
    for value in by_window[JUDGING_WINDOWS[0]]:
        same = [
            other
            for window in JUDGING_WINDOWS
            for other in by_window.get(window, ())
            if (other.kpi, other.scope, other.product) == (value.kpi, value.scope, value.product)
        ]
        found.append(next((other for other in same if other.value is not None), value))
    return found


def options(plant: Plant, found: Sequence[Drift], now: Sequence[Value]) -> list[OptionState]:
    """Every option in the order of the description."""
    open_now = standing(found)
    values = {value.kpi: value for value in reversed(now)}
    return [
        OptionState(
            name,
            option,
            plant.kpis.get(option.kpi),
            values.get(option.kpi),
            tuple(drift for drift in open_now if name in drift.options),
        )
        for name, option in plant.options.items()
    ]


def versions(latest: pl.DataFrame) -> Versions:
    """The versions named by the newest row of table `kpi`."""
    if latest.is_empty():
        return Versions("", "")
    newest = latest.sort("revision", "end").row(-1, named=True)
    return Versions(newest["config"] or "", newest["factors"] or "")
