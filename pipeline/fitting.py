"""Proposing baselines: the fit, its held-out figures and the charts' limits, from stored minute facts.

A proposal becomes a baseline when a person accepts it: it is appended to the journal as a message of kind "baseline"
and from then on frozen. Refitting is another act.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from historian.reader import Reader
from kpis.baseline import Fit, fit
from kpis.design import design
from pipeline.charts import block_edges
from pipeline.expected import block_values, driver_name
from pipeline.minutes import STEP, Minutes
from pipeline.plans import HORIZON, PlantPlan
from plant.reading import MINUTE, SECOND

CHARTS = (0.5, 1.5, 2.5)
LIMIT_LEAST = 3.0
DAYS_PER_BUDGET = 30


def propose(
    plan: PlantPlan, reader: Reader, names: Iterable[str], start_us: int, end_us: int, time_us: int, by: str, why: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Baselines fitted on [start, end), as bodies for the journal, and why others could not be.

    `time_us` is the plant time of the act; it must lie at least the horizon after the span's end, so that no late
    reading can change what was fitted. Raises ValueError when it does not. A body holds `baseline`, `fit` (frozen
    coefficients), `charts` and `limits` (k and h [σ] of each CUSUM), `span` [µs UTC], `time`, `by`, `why`.
    """
    if time_us < end_us + HORIZON:
        raise ValueError(
            "a baseline is fitted at least 24 h after the end of its span, when no late reading can change it"
        )
    wanted = list(names)
    points = {point for name in wanted for point in (plan.plant.baselines[name].response, *_drivers(plan, name))}
    facts = load_minutes(plan, reader, sorted(points), start_us, end_us)
    share = (plan.plant.alarms.false_alarms_per_30_days if plan.plant.alarms else 2.0) / DAYS_PER_BUDGET
    share /= max(len(plan.plant.baselines), 1)
    bodies, refused = [], {}
    for name in wanted:
        baseline = plan.plant.baselines[name]
        length = int(baseline.block * SECOND) // MINUTE
        edges = block_edges(plan, length, start_us // MINUTE, end_us // MINUTE)
        summed = tuple(plan.points[driver.point].summable for driver in baseline.drivers)
        response, drivers, _ = block_values(baseline, summed, facts, edges)
        day = np.array([plan.calendar.day(int(edge) * MINUTE).start // MINUTE for edge in edges[:-1]])
        driver_names = tuple(driver_name(driver) for driver in baseline.drivers)
        found = fit(response, drivers, driver_names, day)
        if not isinstance(found, Fit):
            refused[name] = found.reason
            continue
        sigma = found.held_out_sigma if np.isfinite(found.held_out_sigma) else found.sigma
        sign = 1.0 if baseline.drift == "rise" else -1.0
        # the seed is the chart's own name: one span, one answer, whatever else is fitted beside it
        rng = np.random.default_rng([zlib.crc32(name.encode()), start_us // MINUTE, end_us // MINUTE])
        limits = design(sign * found.held_out / sigma, day, CHARTS, share, rng)
        if limits is None:
            refused[name] = "fewer than seven days are known: no limit can be designed"
            continue
        body = {
            "baseline": name,
            "fit": found.to_dict(),
            "charts": CHARTS,
            # a generous budget must not make an alarm of a single odd block
            "limits": [max(limit, LIMIT_LEAST) for limit in limits],
            "span": [start_us, end_us],
        }
        bodies.append({**body, "time": time_us, "by": by, "why": why})
    return bodies, refused


def _drivers(plan: PlantPlan, name: str) -> list[str]:
    return [driver.point for driver in plan.plant.baselines[name].drivers]


def load_minutes(plan: PlantPlan, reader: Reader, points: list[str], start_us: int, end_us: int) -> dict[str, Minutes]:
    """Stored minute facts of points over [start, end), unknown where there are none."""
    columns = ["amount", "mean", "min", "max", "last", "coverage", "estimated", "quality"]
    frame = reader.table("facts", start_us, end_us, {"point": points}, columns)
    first, last = start_us // MINUTE, end_us // MINUTE
    codes = {"good": 0, "estimated": 1, "suspect": 2, "bad": 3}
    found = {}
    for (name,), rows in frame.group_by("point"):
        whole = Minutes.unknown(first, last)
        at = rows["minute"].cast(pl.Int64).to_numpy() // MINUTE - first
        amount = rows["amount"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        whole.amount[at] = np.rint(np.nan_to_num(amount) / STEP).astype(np.int64)
        for column in ("mean", "min", "max", "last"):
            getattr(whole, column)[at] = rows[column].fill_null(np.nan).to_numpy()
        # stored in single precision: nine tenths must be nine tenths again
        whole.coverage[at] = rows["coverage"].cast(pl.Float64).round(6).to_numpy()
        whole.estimated[at] = rows["estimated"].cast(pl.Float64).to_numpy()
        whole.has[at] = np.isfinite(amount) | np.isfinite(whole.mean[at])
        whole.quality[at] = rows["quality"].replace_strict(codes, return_dtype=pl.UInt8).to_numpy()
        found[str(name)] = whole
    return {name: found.get(name, Minutes.unknown(first, last)) for name in points}
