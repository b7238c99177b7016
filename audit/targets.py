"""Distance to the audit's targets and grade of the index, judged on windows of a month or longer."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from historian.tables import KPI
from kpis.ratio import distance, grade
from plant.model import Kpi, Plant, Target

JUDGED_WINDOWS = ("30d", "month", "12mo", "year", "audit")
JUDGED_DAYS = 28

TARGET_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **{name: KPI.schema[name] for name in ("kpi", "scope", "product", "window", "start", "end", "value", "unit")},
    "better": pl.String,
    "limiting": pl.Boolean,
    "baseline": pl.Float64,
    "near_term": pl.Float64,
    "long_term": pl.Float64,
    "from_baseline": pl.Float64,
    "to_near_term": pl.Float64,
    "to_long_term": pl.Float64,
    "achieved": pl.Float64,
    "grade": pl.String,
    "verdict": pl.String,
    **{name: KPI.schema[name] for name in ("coverage", "quality", "reason", "settled")},
}


def judged_windows(plant: Plant) -> tuple[str, ...]:
    """The windows on which targets are judged: the fixed ones of about a month or longer, the plant's own periods."""
    return (*JUDGED_WINDOWS, *plant.periods)


def target_table(plant: Plant, kpis: pl.DataFrame) -> pl.DataFrame:
    """One row for each KPI with a target and each judged window: the newest, against baseline year and targets.

    `kpis` has the schema of table `kpi`. `from_baseline`, `to_near_term` and `to_long_term` are distances [%],
    positive = worse whatever the direction; `achieved` is how much of the way from the baseline year to the near-term
    target is gone [%]. `verdict`: "long-term reached", "near-term reached", "improved", "not improved"; "unknown" with
    its `reason` where there is no value; "too short" for a window to date, or a period, that does not span 28 days.
    """
    rows: list[dict[str, Any]] = []
    judged = judged_windows(plant)
    for row in newest(kpis.filter(pl.col("window").is_in(judged))).iter_rows(named=True):
        kpi = plant.kpis.get(row["kpi"])
        if kpi is not None and kpi.target is not None:
            rows.append({**{name: row.get(name) for name in TARGET_SCHEMA}, **_judge(kpi, kpi.target, row)})
    frame = pl.DataFrame(rows, schema=TARGET_SCHEMA)
    order = {name: number for number, name in enumerate(plant.kpis)}
    windows = {name: number for number, name in enumerate(judged)}
    return frame.sort(
        pl.col("kpi").replace_strict(order, return_dtype=pl.Int64),
        pl.col("window").replace_strict(windows, return_dtype=pl.Int64),
        "scope",
        "product",
    )


def newest(kpis: pl.DataFrame) -> pl.DataFrame:
    """The newest row of each KPI, scope, product and window."""
    ordered = kpis.sort("end", "start", "revision", maintain_order=True)
    return ordered.unique(["kpi", "scope", "product", "window"], keep="last", maintain_order=True)


def _judge(kpi: Kpi, target: Target, row: dict[str, Any]) -> dict[str, Any]:
    value = row["value"]
    known = value is not None and np.isfinite(value)
    found: dict[str, Any] = {
        "better": kpi.better,
        "limiting": target.limiting,
        "baseline": target.baseline,
        "near_term": target.near_term,
        "long_term": target.long_term,
        "grade": "",
        "verdict": "unknown",
    }
    if not known:
        return {**found, "value": None}
    worse = {
        "from_baseline": _distance(value, target.baseline, kpi),
        "to_near_term": _distance(value, target.near_term, kpi),
        "to_long_term": _distance(value, target.long_term, kpi),
    }
    way = target.baseline - target.near_term
    achieved = (target.baseline - value) / way * 100 if way else None
    if (row["end"] - row["start"]).days < JUDGED_DAYS:
        return {**found, **worse, "achieved": achieved, "verdict": "too short"}
    graded = grade(value, target.grades, kpi.better) if target.grades else ""
    return {**found, **worse, "achieved": achieved, "grade": graded, "verdict": _verdict(kpi, target, value)}


def _distance(value: float, target: float, kpi: Kpi) -> float | None:
    found = float(distance(np.array([value]), target, kpi.better)[0])
    return found if np.isfinite(found) else None


def _verdict(kpi: Kpi, target: Target, value: float) -> str:
    sign = 1.0 if kpi.better == "lower" else -1.0
    for limit, verdict in ((target.long_term, "long-term reached"), (target.near_term, "near-term reached")):
        if sign * value <= sign * limit:
            return verdict
    return "improved" if sign * value < sign * target.baseline else "not improved"
