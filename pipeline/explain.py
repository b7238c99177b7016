"""Where a KPI value comes from: recomputed from stored minute facts, which are recomputed from stored readings.

Both steps use the step's own code. What disagrees is named: a fact that its readings do not give, a KPI value that its
facts do not give, and where raw readings ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from historian.reader import Reader
from pipeline.corrections import Correction, Corrections
from pipeline.editions import QUANTITIES, Editions
from pipeline.fitting import load_minutes
from pipeline.kpi_rows import recomputed
from pipeline.messages import UnitMessages
from pipeline.minutes import PER_UNIT, Minutes
from pipeline.plans import PlantPlan
from pipeline.recompute_readings import Counted, cut_off, lead_of
from pipeline.terms import Amounts, evaluate, known_minutes
from pipeline.unit_step import step_unit
from plant.clock import to_datetime
from plant.model import Kpi, Term
from plant.reading import DAY, HOUR, MINUTE

RELATIVE = 1e-9
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
class EditionShare:
    """The factor editions in force over a part [start, end) [µs UTC] of a window, and that part's share of the
    numerator (None: there was none)."""

    editions: tuple[str, ...]
    start: int
    end: int
    share: float | None


@dataclass(frozen=True)
class Raw:
    """What readings there were: how many by point, how many of them came too late and count since a recompute, the time
    of the first one read, and since when they are kept where older ones were deleted [µs UTC]."""

    counted: dict[str, int]
    late: dict[str, int]
    first: int | None
    kept_from: int | None


@dataclass(frozen=True)
class Story:
    """Everything that leads to one KPI value; `row` is the stored row of table `kpi`.

    `corrections` are those in force that touch the window, `revised` is the correction or recompute that wrote the row
    last (None: the row came with its data), `editions` parts the window where a factor changed.
    """

    row: dict[str, Any]
    recomputed: float | None
    agrees: bool
    numerator: list[TermStory]
    denominator: list[TermStory]
    disagreements: list[Disagreement]
    raw: Raw
    corrections: tuple[Correction, ...]
    revised: dict[str, Any] | None
    editions: list[EditionShare]
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
    names = sorted(kpi.names())
    first, last = start // MINUTE, end // MINUTE
    # whether a gap lies in the window shows beside it; a stock's change needs what was there before its first minute
    around = load_minutes(plan, reader, names, start - 2 * MINUTE, end + MINUTE)
    earlier = {name: minutes.cut(first - 1, last) for name, minutes in around.items()}
    facts = {name: minutes.cut(first, last) for name, minutes in around.items()}
    unknown = Minutes.unknown(first - 2, last + 1)
    whole = {name: around.get(name, unknown) for name in scope.points}
    part = recomputed(plan, scope, whole, row["window"], first, last)
    value = float(part.columns["value"][list(scope.kpis).index(row["kpi"])])
    again = value if np.isfinite(value) else None
    agrees = _same(row["value"], again)
    ledger = reader.ledger("correction")
    corrections = Corrections.of_ledger(ledger)
    disagreements, raw = _check_facts(plan, reader, corrections, names, facts, start, end)
    return Story(
        row,
        again,
        agrees,
        [_term(plan, term, earlier) for term in kpi.numerator],
        [_term(plan, term, earlier) for term in kpi.denominator],
        disagreements,
        raw,
        corrections.touching(names, start, end),
        next((entry for entry in ledger if entry["position"] == row["revision"]), None),
        _editions(plan, kpi, earlier, start, end),
        [entry for entry in reader.ledger("plant") if entry["name"] == row["config"]],
    )


def _editions(plan: PlantPlan, kpi: Kpi, earlier: dict[str, Minutes], start: int, end: int) -> list[EditionShare]:
    """The parts of a window between changes of factor editions; none when the KPI uses no factors."""
    if not any(term.as_ in QUANTITIES for term in kpi.terms()):
        return []
    editions = Editions.of(plan.plant, kpi, plan.calendar)
    bounds = [int(bound) for bound in editions.bounds if start < bound < end]
    edges = [start, *bounds, end]
    n = (end - start) // MINUTE
    terms = [evaluate(plan, term, earlier, n) for term in kpi.terms()]
    known = np.logical_and.reduce([term.known for term in terms])
    upper: list[Amounts] = terms[: len(kpi.numerator)]
    amount = np.where(known, np.sum([term.amount for term in upper], axis=0), 0.0)
    total = float(amount.sum())
    found = []
    for low, high in pairwise(edges):
        part = float(amount[(low - start) // MINUTE : (high - start) // MINUTE].sum())
        names = editions.names[int(np.searchsorted(editions.bounds, low, "right"))]
        found.append(EditionShare(names, low, high, part / total if total else None))
    return found


def _us(moment: Any) -> int:
    return int(moment.timestamp()) * 1_000_000


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return abs(a - b) <= RELATIVE * max(abs(a), abs(b), 1e-300)


def _term(plan: PlantPlan, term: Term, earlier: dict[str, Minutes]) -> TermStory:
    """One term over the window, from its minutes and one before them."""
    facts = {name: earlier[name].cut(earlier[name].start + 1, earlier[name].end) for name in term.names()}
    amounts = evaluate(plan, term, earlier, len(facts[term.point].amount))
    points = {}
    for name in term.names():
        part = facts[name]
        has_mean = np.isfinite(part.mean)
        points[name] = {
            "amount": float(part.amount[part.has].sum()) / PER_UNIT if plan.points[name].summable else float("nan"),
            "mean": float(part.mean[has_mean].mean()) if has_mean.any() else float("nan"),
            "coverage": float(part.coverage.mean()),
            "estimated": float(part.estimated.mean()),
        }
    return TermStory(term, float(amounts.amount[amounts.known].sum()) / PER_UNIT, points)


def _check_facts(
    plan: PlantPlan,
    reader: Reader,
    corrections: Corrections,
    names: list[str],
    facts: dict[str, Minutes],
    start: int,
    end: int,
) -> tuple[list[Disagreement], Raw]:
    """Facts against what the stored readings give, as far back as these are kept; and which readings there were."""
    found: list[Disagreement] = []
    counted, late = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    firsts: list[int] = []
    kept_from = cut_off(reader)
    for unit in sorted({plan.plant.points[name].unit_of for name in names}):
        lead = lead_of(plan.units[unit])
        # the first hours of what is kept cannot be judged as they were live
        begin = start if kept_from is None else max(start, -(-(kept_from + lead) // MINUTE) * MINUTE)
        if begin >= end:
            continue
        again, rows = recompute_facts(plan, reader, corrections, unit, begin, end)
        own = [name for name in names if plan.plant.points[name].unit_of == unit]
        inside = rows.filter((pl.col("time") >= to_datetime(start)) & (pl.col("time") < to_datetime(end)))
        for name in own:
            mine = inside.filter(pl.col("point") == name)
            counted[name] = len(mine)
            late[name] = len(mine.filter((pl.col("finding") == "late") & (pl.col("quality") != "bad")))
            times = rows.filter(pl.col("point") == name)["time"]
            if not len(times):
                continue
            firsts.append(_us(times.min()))
            if name in again and firsts[-1] <= begin:
                fresh = again[name].cut(begin // MINUTE, end // MINUTE)
                found += _compare(name, facts[name], fresh, plan.points[name].summable)
    return found, Raw(counted, late, min(firsts, default=None), kept_from)


def recompute_facts(
    plan: PlantPlan, reader: Reader, corrections: Corrections, unit: str, start: int, end: int
) -> tuple[dict[str, Minutes], pl.DataFrame]:
    """Minute facts of a unit's points from its stored readings as they count, by the step itself, day by day.

    Returns the facts and the rows of table `readings` that were read.
    """
    source = Counted(reader, plan.units[unit], corrections, None)
    lead = start - lead_of(source.plan)
    edges = [*range(lead, end + AFTER, DAY), end + AFTER]
    state = source.fresh(lead - 1, lead)
    facts: dict[str, Minutes] = {}
    read = []
    for low, high in pairwise(edges):
        rows = source.rows(low, high)
        read.append(rows)
        readings = source.readings([rows], low, high)
        position = state.position
        messages = UnitMessages(position + 1, position, readings, np.full(len(readings), high), high)
        for block in step_unit(source.plan, state, messages, source.stored).facts:
            for number, name in enumerate(block.names):
                part = source.corrections.overlay(name, block.of(number))
                if name in facts:
                    facts[name].put(part)
                else:
                    facts[name] = part.copy()
    return facts, pl.concat(read)


def _compare(name: str, stored: Minutes, again: Minutes, summable: bool) -> list[Disagreement]:
    low = again.start - stored.start
    here = stored.cut(again.start, again.end)
    found: list[Disagreement] = []
    if low > 0 or len(here.amount) != len(again.amount):
        return found
    columns = {
        "amount": (
            np.where(here.has, here.amount / PER_UNIT, np.nan),
            np.where(again.has, again.amount / PER_UNIT, np.nan),
        ),
        "mean": (here.mean, again.mean),
        "coverage": (np.round(here.coverage, 5), np.round(again.coverage, 5)),
    }
    if not summable:
        del columns["amount"]
    for column, (a, b) in columns.items():
        differs = ~(np.isclose(a, b, rtol=1e-6, atol=1e-9) | (np.isnan(a) & np.isnan(b)))
        if column != "coverage":
            # the other end of an unknown stretch may lie beyond what was read: then nothing is spread over it here
            differs &= known_minutes(here) | known_minutes(again) | again.has
        for at in np.flatnonzero(differs):
            numbers = (None if np.isnan(x) else float(x) for x in (a[at], b[at]))
            found.append(Disagreement(name, int(here.start + at), column, *numbers))
    return found
