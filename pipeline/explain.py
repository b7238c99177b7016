"""Where a KPI value comes from: recomputed from stored minute facts, which are recomputed from stored readings.

Both steps use the step's own code. What disagrees is named: a fact that its readings do not give, a KPI value that its
facts do not give, and where raw readings ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from historian.reader import Reader
from pipeline.fitting import load_minutes
from pipeline.kpi_rows import minute_sums, values
from pipeline.messages import UnitMessages
from pipeline.minutes import STEP, Minutes
from pipeline.plans import HORIZON, PlantPlan
from pipeline.sums import Field
from pipeline.terms import evaluate, known_minutes
from pipeline.unit_state import UnitState
from pipeline.unit_step import step_unit
from plant.clock import to_datetime
from plant.model import Term
from plant.reading import DAY, HOUR, MINUTE, Quality, Readings

RELATIVE = 1e-9
LEAD = HORIZON + 2 * HOUR
AFTER = 26 * HOUR


@dataclass(frozen=True)
class Disagreement:
    """A stored fact that differs from what its readings give."""

    point: str
    minute: int
    column: str
    stored: float | None
    recomputed: float | None


@dataclass(frozen=True)
class TermStory:
    """One term of the KPI over the window."""

    term: Term
    total: float
    points: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Story:
    """Everything that leads to one KPI value; `row` is the stored row of table `kpi`."""

    row: dict[str, Any]
    recomputed: float | None
    agrees: bool
    numerator: list[TermStory]
    denominator: list[TermStory]
    disagreements: list[Disagreement]
    readings: dict[str, int]
    raw_from: int | None
    versions: list[dict[str, Any]]


def find_row(reader: Reader, kpi: str, window: str, at_us: int) -> dict[str, Any] | None:
    """The stored row of a KPI and window that ends last at or before a time; None when there is none."""
    for back in (2 * DAY, 32 * DAY, 400 * DAY):
        rows = reader.table("kpi", at_us - back, at_us + 1, {"kpi": kpi, "window": window})
        if len(rows):
            return rows.sort("end", "start").row(-1, named=True)
    return None


def explain(plan: PlantPlan, reader: Reader, row: dict[str, Any]) -> Story:
    """The story of one stored KPI row."""
    kpi = plan.plant.kpis[row["kpi"]]
    scope = plan.scopes[row["scope"]]
    start, end = _us(row["start"]), _us(row["end"])
    names = sorted({name for term in kpi.terms() for name in term.names()})
    facts = load_minutes(plan, reader, names, start, end)
    whole = {name: facts.get(name, Minutes.unknown(start // MINUTE, end // MINUTE)) for name in scope.points}
    number = list(scope.kpis).index(row["kpi"])
    totals = minute_sums(plan, scope, whole, {}, (end - start) // MINUTE).sum(axis=0)[number : number + 1]
    value = float(values(kpi, totals, np.array([(end - start) // MINUTE]))[0][0])
    known = int(totals[0, Field.KNOWN])
    enough = known > 0 and known / ((end - start) // MINUTE) >= kpi.coverage_limit
    recomputed = value if enough and np.isfinite(value) else None
    stored = row["value"]
    agrees = _same(stored, recomputed)
    disagreements, counted, raw_from = _check_facts(plan, reader, names, facts, start, end)
    return Story(
        row,
        recomputed,
        agrees,
        [_term(plan, term, facts) for term in kpi.numerator],
        [_term(plan, term, facts) for term in kpi.denominator],
        disagreements,
        counted,
        raw_from,
        [entry for entry in reader.ledger("plant") if entry["name"] == row["config"]],
    )


def _us(moment: Any) -> int:
    return int(moment.timestamp()) * 1_000_000


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return abs(a - b) <= RELATIVE * max(abs(a), abs(b), 1e-300)


def _term(plan: PlantPlan, term: Term, facts: dict[str, Minutes]) -> TermStory:
    amounts = evaluate(plan, term, facts)
    points = {}
    for name in term.names():
        part = facts[name]
        has_mean = np.isfinite(part.mean)
        points[name] = {
            "amount": float(part.amount[part.has].sum()) * STEP if plan.points[name].summable else float("nan"),
            "mean": float(part.mean[has_mean].mean()) if has_mean.any() else float("nan"),
            "coverage": float(part.coverage.mean()),
            "estimated": float(part.estimated.mean()),
        }
    return TermStory(term, float(amounts.amount[amounts.known].sum()) * STEP, points)


def _check_facts(
    plan: PlantPlan, reader: Reader, names: list[str], facts: dict[str, Minutes], start: int, end: int
) -> tuple[list[Disagreement], dict[str, int], int | None]:
    """Facts against what the stored readings give; how many readings there were, and where raw data began."""
    found: list[Disagreement] = []
    counted: dict[str, int] = {}
    raw_from: int | None = None
    for unit in sorted({plan.plant.points[name].unit_of for name in names}):
        own = [name for name in names if plan.plant.points[name].unit_of == unit]
        again, held = recompute_facts(plan, reader, unit, start, end)
        for name in own:
            counted[name] = held.get(name, (0, None))[0]
            first = held.get(name, (0, None))[1]
            raw_from = first if raw_from is None else min(raw_from, first or raw_from)
            if name not in again or first is None or first > start:
                continue
            found += _compare(
                name, facts[name], again[name].cut(start // MINUTE, end // MINUTE), plan.points[name].summable
            )
    return found, counted, raw_from


def recompute_facts(
    plan: PlantPlan, reader: Reader, unit: str, start: int, end: int
) -> tuple[dict[str, Minutes], dict[str, tuple[int, int | None]]]:
    """Minute facts of a unit's points from its stored readings, by the step itself, day by day.

    Returns the facts and, by point, how many readings of the window there were and the time of the first one read.
    """
    unit_plan = plan.units[unit]
    lead = max([LEAD, *(2 * point.span_us for point in unit_plan.points.values())])
    lead = max([lead, *(point.reach_us for point in unit_plan.points.values())])
    frame = reader.table(
        "readings", start - lead, end + AFTER, {"point": list(unit_plan.points)}, ["received", "quality", "finding"]
    ).filter(~pl.col("finding").is_in(["late", "future"]))
    state = UnitState()
    facts: dict[str, Minutes] = {}
    held: dict[str, tuple[int, int | None]] = {}
    for (name,), rows in frame.group_by("point"):
        inside = rows.filter((pl.col("time") >= to_datetime(start)) & (pl.col("time") < to_datetime(end)))
        held[str(name)] = (len(inside), _us(rows["time"].min()))
    edges = [*range(start - lead, end + AFTER, DAY), end + AFTER]
    for number in range(len(edges) - 1):
        part = frame.filter(
            (pl.col("time") >= to_datetime(edges[number])) & (pl.col("time") < to_datetime(edges[number + 1]))
        )
        messages = UnitMessages(
            number + 1, number, _readings(unit_plan.points, part), np.full(len(part), edges[-1]), edges[number + 1]
        )
        for name, minutes in step_unit(unit_plan, state, messages).facts.items():
            if name in facts:
                facts[name].put(minutes)
            else:
                facts[name] = minutes.copy()
    return facts, held


def _readings(points: dict[str, Any], frame: pl.DataFrame) -> Readings:
    names = tuple(points)
    index = {name: number for number, name in enumerate(names)}
    codes = {quality.name.lower(): quality.value for quality in Quality}
    # out of range and the like is found again by the step; what the collectors refused stays refused
    return Readings.build(
        names,
        frame["point"].replace_strict(index, return_dtype=pl.Int32).to_numpy(),
        frame["time"].cast(pl.Int64).to_numpy(),
        frame["received"].cast(pl.Int64).to_numpy(),
        frame["value"].fill_null(np.nan).to_numpy(),
        frame["quality"].replace_strict(codes, return_dtype=pl.UInt8).to_numpy(),
    )


def _compare(name: str, stored: Minutes, again: Minutes, summable: bool) -> list[Disagreement]:
    low = again.start - stored.start
    here = stored.cut(again.start, again.end)
    found: list[Disagreement] = []
    if low > 0 or len(here.amount) != len(again.amount):
        return found
    columns = {
        "amount": (np.where(here.has, here.amount * STEP, np.nan), np.where(again.has, again.amount * STEP, np.nan)),
        "mean": (here.mean, again.mean),
        "coverage": (np.round(here.coverage, 5), np.round(again.coverage, 5)),
    }
    if not summable:
        del columns["amount"]
    for column, (a, b) in columns.items():
        differs = ~(np.isclose(a, b, rtol=1e-6, atol=1e-9) | (np.isnan(a) & np.isnan(b)))
        if column != "coverage":
            # what is spread over an unknown stretch counts nowhere, and its other end may lie beyond what was read
            differs &= known_minutes(here) | known_minutes(again)
        for at in np.flatnonzero(differs):
            numbers = (None if np.isnan(x) else float(x) for x in (a[at], b[at]))
            found.append(Disagreement(name, int(here.start + at), column, *numbers))
    return found
