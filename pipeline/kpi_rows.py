"""KPIs over windows: from a scope's sums to rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from historian.tables import KPI
from kpis.ratio import GRADES
from pipeline.charges import charges
from pipeline.expected import Expected
from pipeline.figures import REASONS, Figures, Peaked, figures
from pipeline.formulas import PIECE_MINUTES
from pipeline.minutes import Minutes
from pipeline.plans import PlantPlan, ScopePlan
from pipeline.running import Sums
from pipeline.sums import HOUR_MINUTES, Field, KpiSums
from pipeline.windows import Spans
from plant.reading import DAY, MINUTE

GRADED = frozenset({"month", "30d", "year", "12mo", "audit"})
MONTH_US = 28 * DAY
LOOK_BACK = 64
PATIENCE_HOURS = DAY // MINUTE // HOUR_MINUTES - 1
TEXTS = ("kpi", "scope", "product", "window", "unit", "config", "factors")
QUALITIES = ("good", "estimated", "suspect", "bad")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KpiPart:
    """Rows of all KPIs of one scope over some windows, window by window: texts as numbers of their own lists."""

    texts: dict[str, tuple[list[str], NDArray[np.intp]]]
    columns: dict[str, NDArray[Any]]
    revision: int

    def __len__(self) -> int:
        return len(self.columns["value"])


def sum_minutes(
    scope: ScopePlan,
    sums: KpiSums,
    facts: Callable[[int, int], dict[str, Minutes]],
    expected: dict[str, Expected],
    first: int,
    end: int,
) -> int:
    """Sums the minutes [first, end), with the gaps that they close or change; the first minute whose sums changed.

    `facts` gives the minutes [start, end) of every point that the scope reads, unknown where there are none.
    """
    formulas = scope.formulas
    # a stock's change in the first minute needs what was there before it
    fresh = formulas.minute_sums(facts(first - 1, end), expected, end - first)
    if not sums.closes(first, fresh):
        sums.put(first, fresh)
        return first
    # a gap that ends where the minutes begin is summed at its last one
    since = first - 1 if sums.holds(first - 1) else first
    back, begun = LOOK_BACK, True
    while begun:
        low = first - min(back, PIECE_MINUTES + 2)
        fresh, pieces, begun = formulas.with_pieces(facts(low - 1, end), expected, end - low, since)
        begun = begun and back < PIECE_MINUTES + 2
        back *= 4
    sums.put(since, fresh[since - low :], pieces)
    return since


def parts(plan: PlantPlan, scope: ScopePlan, sums: KpiSums, spans: list[Spans], revision: int) -> list[KpiPart]:
    """What every KPI of a scope is over windows."""
    if not spans or not scope.kpis:
        return []
    starts, ends, settled = (
        np.concatenate([getattr(span, name) for span in spans]) for name in ("starts", "ends", "settled")
    )
    totals = np.concatenate([sums.between(span.starts, span.ends, span.coarse) for span in spans])
    whole = np.concatenate([sums.whole(span.starts, span.coarse) for span in spans])
    window = np.repeat(np.arange(len(spans)), [len(span.ends) for span in spans])
    graded = np.array([_is_graded(plan, span) for span in spans], np.bool_)
    late = _late(sums, totals[:, : len(scope.kpis)], ends)
    peaked = _peaked(plan, scope, sums, spans) if scope.formulas.peaked else None
    found = figures(scope.formulas.rules, totals, whole, ends - starts, late, graded[window], peaked)
    return [_part(plan, scope, spans, window, starts, ends, settled, found, revision)]


def recomputed(
    plan: PlantPlan, scope: ScopePlan, facts: dict[str, Minutes], window: str, start: int, end: int
) -> KpiPart:
    """What the KPIs of a scope are over one window [start, end) [min], from minute facts alone; one row a KPI.

    `facts` holds the minutes of the window of every point the scope reads, two before them and one after: what a gap
    that begins or ends with the window is must be seen.
    """
    formulas = scope.formulas
    sums = KpiSums(len(formulas.columns), plan.calendar, formulas.peaked)
    fresh, pieces, _ = formulas.with_pieces(facts, {}, end - start + 2, start)
    inside = [piece for piece in pieces if piece.start >= start and piece.end <= end]
    sums.put(start, fresh[1:-1], inside)
    ends = np.array([end])
    coarse = "day" if (start * MINUTE == plan.calendar.day(start * MINUTE).start) else ""
    span = Spans(window, np.array([start]), ends, np.ones(1, np.bool_), coarse)
    return parts(plan, scope, sums, [span], 0)[0]


def _is_graded(plan: PlantPlan, span: Spans) -> bool:
    """Whether windows are judged by index grades: those of a month or longer, the plant's own periods included."""
    if span.window not in plan.calendar.periods or not len(span.starts):
        return span.window in GRADED
    period = plan.calendar.named(span.window, int(span.starts[0]) * MINUTE)
    return period is not None and period.end - period.start >= MONTH_US


def _late(sums: KpiSums, totals: Sums, ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a KPI's production is not booked yet at the end of each window, and still may be: [window, KPI]."""
    candidates = totals[..., Field.LATE] > 0
    if not candidates.any():
        return candidates
    kpis = totals.shape[1]
    last = sums.between(ends - 1, ends)[:, :kpis, Field.LATE] > 0
    hour = ends // HOUR_MINUTES
    silent = sums.hours.between(hour - PATIENCE_HOURS, hour)[:, :kpis, Field.LATE]
    found: NDArray[np.bool_] = candidates & last & (silent < PATIENCE_HOURS * HOUR_MINUTES)
    return found


def _peaked(plan: PlantPlan, scope: ScopePlan, sums: KpiSums, spans: list[Spans]) -> Peaked:
    peaks = []
    for span in spans:
        days = sums.day_spans(span.starts, span.ends) if span.coarse == "day" else []
        peaks.append(sums.peaks.between(span.starts, span.ends, span.coarse, days))
    charged, amounts = charges(plan.calendar, scope.formulas.charges, sums, spans)
    return Peaked(np.concatenate(peaks), amounts, charged)


def _part(
    plan: PlantPlan,
    scope: ScopePlan,
    spans: list[Spans],
    window: NDArray[np.intp],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    settled: NDArray[np.bool_],
    found: Figures,
    revision: int,
) -> KpiPart:
    kpis, n = len(scope.kpis), len(ends)
    number = np.tile(np.arange(kpis, dtype=np.intp), n)
    row = np.repeat(np.arange(n, dtype=np.intp), kpis)
    start, end = starts * MINUTE, ends * MINUTE
    editions, edition = scope.formulas.editions.of(start, end)
    once = np.zeros(n * kpis, np.intp)
    texts = {
        "kpi": (list(scope.kpis), number),
        "scope": ([scope.name], once),
        "product": ([kpi.product or "" for kpi in scope.kpis.values()], number),
        "window": ([span.window for span in spans], window[row]),
        "unit": ([kpi.unit for kpi in scope.kpis.values()], number),
        "config": ([plan.config], once),
        "factors": (editions, edition[row] * kpis + number),
    }
    columns: dict[str, NDArray[Any]] = {field.name: getattr(found, field.name).ravel() for field in fields(found)}
    columns |= {
        "start": start[row],
        "end": end[row],
        "settled": settled[row],
        "target": scope.formulas.rules.target[number],
    }
    return KpiPart(texts, columns, revision)


def rows(parts: Sequence[KpiPart]) -> pl.DataFrame:
    """Parts as rows of the table."""
    if not parts:
        return KPI.empty()
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    codes = {"reason": REASONS, "quality": QUALITIES, "grade": GRADES}
    series: dict[str, pl.Series] = {
        name: pl.Series(list(words)).gather(columns.pop(name)) for name, words in codes.items()
    }
    for name in TEXTS:
        words: list[str] = []
        index = []
        for part in parts:
            own, numbers = part.texts[name]
            index.append(numbers + len(words))
            words += own
        series[name] = pl.Series(words, dtype=pl.String).gather(np.concatenate(index))
    series |= {name: pl.Series(column, nan_to_null=True) for name, column in columns.items()}
    revision = np.repeat([part.revision for part in parts], [len(part) for part in parts])
    frame = pl.DataFrame({**series, "revision": revision})
    return frame.select(pl.col(column).cast(kind) for column, kind in KPI.schema.items())
