"""KPIs over windows: from a scope's sums to rows of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from historian.tables import KPI
from kpis.ratio import Range, distance, grade, ratio, ratio_range
from pipeline.expected import Expected
from pipeline.minutes import STEP, Minutes
from pipeline.plans import PlantPlan, ScopePlan
from pipeline.sums import Field, KpiSums, Sums
from pipeline.terms import evaluate
from pipeline.windows import Spans
from plant.model import Kpi
from plant.reading import MINUTE

GRADED = frozenset({"month", "30d", "year", "12mo", "audit"})
LIMIT = 2**52
Floats = NDArray[np.float64]


def minute_sums(
    plan: PlantPlan, scope: ScopePlan, facts: dict[str, Minutes], expected: dict[str, Expected], n: int
) -> Sums:
    """What each minute adds to each KPI: int64 [minute, KPI, field]; `facts` hold the same n minutes of every point."""
    sums = np.zeros((n, len(scope.kpis), len(Field)), np.int64)
    for number, kpi in enumerate(scope.kpis.values()):
        upper = [evaluate(plan, term, facts) for term in kpi.numerator]
        lower = [evaluate(plan, term, facts) for term in kpi.denominator]
        terms = upper + lower
        known = np.logical_and.reduce([term.known for term in terms])
        out = sums[:, number]
        out[:, Field.KNOWN] = known
        out[:, Field.ESTIMATED] = known & np.logical_or.reduce([term.estimated for term in terms])
        out[:, Field.SUSPECT] = known & np.logical_or.reduce([term.suspect for term in terms])
        for field, part in ((Field.NUMERATOR, upper), (Field.DENOMINATOR, lower)):
            if part:
                amount = np.where(known, sum(term.amount for term in part), 0)
                out[:, field] = amount
                low, high = (np.asarray(sum(getattr(term, end) for term in part)) - amount for end in ("low", "high"))
                unbounded = ~(np.abs(low) < LIMIT) | ~(np.abs(high) < LIMIT)
                out[:, Field.UNBOUNDED] |= unbounded
                low_field, high_field = (
                    (Field.NUMERATOR_LOW, Field.NUMERATOR_HIGH)
                    if field is Field.NUMERATOR
                    else (Field.DENOMINATOR_LOW, Field.DENOMINATOR_HIGH)
                )
                out[:, low_field] = np.where(unbounded, 0, low)
                out[:, high_field] = np.where(unbounded, 0, high)
        model = [
            expected.get(term.point) if term.as_ == "amount" and term.times == 1 else None for term in kpi.numerator
        ]
        if all(part is not None for part in model):
            total = sum(part.minutes(facts) for part in model if part is not None)
            since = max((part.since_us // MINUTE for part in model if part is not None), default=0)
            minute = facts[kpi.numerator[0].point].start + np.arange(n)
            there = known & np.isfinite(total) & (minute >= since)
            out[:, Field.EXPECTED] = np.where(there, np.rint(np.nan_to_num(total) / STEP), 0)
            out[:, Field.EXPECTED_KNOWN] = there
    return sums


@dataclass(frozen=True)
class KpiPart:
    """Rows of one KPI and one window: constant texts, columns, and the revision of them all."""

    texts: tuple[str, ...]
    target: float | None
    revision: int
    columns: dict[str, NDArray[Any]]
    factors: list[str]
    grades: list[str]


TEXTS = ("kpi", "scope", "product", "window", "unit", "config")
REASONS = pl.Series(["", "no data", "coverage below limit", "production below minimum"])
QUALITIES = pl.Series(["good", "estimated", "suspect", "bad"])


def parts(plan: PlantPlan, scope: ScopePlan, sums: KpiSums, spans: list[Spans], revision: int) -> list[KpiPart]:
    """What every KPI of a scope is over windows."""
    found = []
    for span in spans:
        totals = sums.between(span.starts, span.ends, span.coarse)
        for number, (name, kpi) in enumerate(scope.kpis.items()):
            found.append(_part(plan, scope, name, kpi, span, totals[:, number], revision))
    return found


def rows(parts: Sequence[KpiPart]) -> pl.DataFrame:
    """Parts as rows of the table."""
    if not parts:
        return KPI.empty()
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    of = np.repeat(np.arange(len(parts)), [len(part.factors) for part in parts])
    frame = pl.DataFrame(
        {
            **{text: pl.Series([part.texts[i] for part in parts]).gather(of) for i, text in enumerate(TEXTS)},
            "target": pl.Series([part.target for part in parts], dtype=pl.Float64).gather(of),
            "factors": [text for part in parts for text in part.factors],
            "grade": [text for part in parts for text in part.grades],
            "reason": REASONS.gather(columns.pop("reason")),
            "quality": QUALITIES.gather(columns.pop("quality")),
            **{name: pl.Series(column, nan_to_null=True) for name, column in columns.items()},
            "revision": pl.Series([part.revision for part in parts]).gather(of),
        }
    )
    return frame.select(pl.col(column).cast(kind) for column, kind in KPI.schema.items())


def _part(plan: PlantPlan, scope: ScopePlan, name: str, kpi: Kpi, span: Spans, totals: Sums, revision: int) -> KpiPart:
    numerator, denominator = totals[:, Field.NUMERATOR] * STEP, totals[:, Field.DENOMINATOR] * STEP
    known, n = totals[:, Field.KNOWN], len(span.ends)
    coverage = known / (span.ends - span.starts)
    value, bounds = values(kpi, totals, span.ends - span.starts)
    enough = (coverage >= kpi.coverage_limit) & (known > 0)
    value = np.where(enough, value, np.nan)
    small = denominator < max(kpi.minimum, STEP) if kpi.denominator else np.zeros(n, np.bool_)
    reason = np.where(known == 0, 1, np.where(~enough, 2, np.where(small, 3, 0)))
    scaled = (known < span.ends - span.starts) & (not kpi.denominator)
    quality = np.where((totals[:, Field.ESTIMATED] > 0) | scaled, 1, 0)
    quality = np.where(totals[:, Field.SUSPECT] > 0, 2, quality)
    quality = np.where(np.isnan(value), 3, quality)
    modelled = (totals[:, Field.EXPECTED_KNOWN] == known) & np.isfinite(value)
    with np.errstate(divide="ignore", invalid="ignore"):
        base = denominator if kpi.denominator else np.ones(n)
        expected = np.where(modelled, kpi.times * totals[:, Field.EXPECTED] * STEP / base, np.nan)
    unbounded = totals[:, Field.UNBOUNDED] > 0
    low, high = (np.where(unbounded | ~np.isfinite(bound), np.nan, bound) for bound in bounds)
    target = kpi.target
    grades = [""] * n
    if target and target.grades and span.window in GRADED:
        grades = [grade(float(v), target.grades, kpi.better) if np.isfinite(v) else "" for v in value]
    start, end = span.starts * MINUTE, span.ends * MINUTE
    columns: dict[str, NDArray[Any]] = {
        "start": start,
        "end": end,
        "value": value,
        "low": low,
        "high": high,
        "numerator": numerator,
        "denominator": denominator if kpi.denominator else np.full(n, np.nan),
        "coverage": coverage,
        "distance": distance(value, target.near_term, kpi.better) if target else np.full(n, np.nan),
        "expected": expected,
        "settled": span.settled,
        "reason": reason,
        "quality": quality,
    }
    factors = scope.editions[name].texts(start, end)
    texts = (name, scope.name, "", span.window, kpi.unit, plan.config)
    return KpiPart(texts, target.near_term if target else None, revision, columns, factors, grades)


def values(kpi: Kpi, totals: Sums, length: NDArray[np.int64]) -> tuple[NDArray[np.float64], Range]:
    """The value of each window and its range over what unknown minutes may have been [the KPI's unit].

    `length` is the windows' [min]. A plain sum over known minutes alone would read too low: it is scaled to the whole
    window, within what unknown minutes can have been.
    """
    numerator: Floats = totals[:, Field.NUMERATOR].astype(np.float64) * STEP
    span = Range(numerator + totals[:, Field.NUMERATOR_LOW] * STEP, numerator + totals[:, Field.NUMERATOR_HIGH] * STEP)
    if not kpi.denominator:
        ends = span.low * kpi.times, span.high * kpi.times
        low, high = np.minimum(*ends), np.maximum(*ends)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = numerator * kpi.times * (length / totals[:, Field.KNOWN])
        bounded = totals[:, Field.UNBOUNDED] == 0
        plain: Floats = np.where(bounded, np.clip(scaled, low, high), scaled)
        return plain, Range(low, high)
    denominator: Floats = totals[:, Field.DENOMINATOR].astype(np.float64) * STEP
    under = Range(
        denominator + totals[:, Field.DENOMINATOR_LOW] * STEP, denominator + totals[:, Field.DENOMINATOR_HIGH] * STEP
    )
    return ratio(numerator, denominator, kpi.times, kpi.minimum), ratio_range(span, under, kpi.times)
