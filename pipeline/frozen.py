"""Frozen meters: a value that stands still while the point it moves with goes on.

A run of equal values is frozen when its witness moved during it for longer than the point's longest normal flat stretch
(`flat_limit`). All readings of the run but its first are then unusable: unknown back to the last change, not zero. A
counter without a witness that stands still for longer than `flat_after` is told of, and suspect from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Columns
from pipeline.judge import Finding
from pipeline.point_plan import PointPlan
from pipeline.point_table import PointTable
from pipeline.runs import Runs, run_start
from pipeline.series import Series, Status
from pipeline.unit_state import Moved
from plant.reading import HOUR, MINUTE


def suspects(table: PointTable, runs: Runs, columns: Columns, moved: Mapping[str, Moved]) -> dict[int, int]:
    """Points with a stretch whose readings must be looked at again, and since when [µs].

    Those that stand still while their witness moves and are not marked yet, and those that are marked and should not
    be. What goes on standing still in a stretch that was found frozen is marked here, in place.
    """
    found: dict[int, int] = {}
    mine = table.witness[runs.point] >= 0
    if not mine.any():
        return found
    status = columns.status[runs.rows]
    is_frozen = status == Status.FROZEN
    marked = np.add.reduceat(is_frozen, runs.low)
    # the first reading of a stretch stays in use
    long = runs.end - runs.begin > table.flat_us[runs.point]
    again = runs.whole & is_frozen[runs.low]
    odd = np.where(long, marked < runs.high - runs.low - runs.whole, marked > 0) | again
    for run in np.flatnonzero(mine & odd).tolist():
        point, begin, end = int(runs.point[run]), int(runs.begin[run]), int(runs.end[run])
        witness = moved.get(table.plans[point].witness or "")
        known = runs.frozen[run] or marked[run]
        if long[run] and known and not again[run]:
            rows = runs.rows[runs.low[run] + int(runs.whole[run]) : runs.high[run]]
            columns.status[rows] = np.maximum(columns.status[rows], Status.FROZEN)
        elif known or (witness is not None and witness.us(begin, end) > table.flat_us[point]):
            found[point] = min(begin, found.get(point, begin))
    return found


def mark_frozen(
    plan: PointPlan, series: Series, first: int, witness: Moved | None, known: Sequence[tuple[int, int]]
) -> tuple[int, list[Finding]]:
    """Marks frozen readings from the run that holds the one before `first` on, in place.

    `witness` says when the witness moved; without one nothing is frozen. What it did long ago is forgotten: then what
    was found before holds, spans [µs] that are `known`. Returns the first index whose status changed (the length when
    none did) and the findings.
    """
    rows = np.flatnonzero(series.status != Status.BAD)
    value = series.value[rows]
    start = run_start(value, int(np.searchsorted(rows, first)))
    changed, findings = len(series), list[Finding]()
    if start >= len(rows):
        return changed, findings
    lows = np.append(0, np.flatnonzero(value[start + 1 :] != value[start:-1]) + 1) + start
    highs = np.append(lows[1:], len(rows))
    time, limit = series.time[rows], plan.flat_limit_us
    spans = time[highs - 1] - time[lows]
    marked = np.add.reduceat(series.status[rows[start:]] == Status.FROZEN, lows - start) > 0
    for run in np.flatnonzero((spans > limit) | marked).tolist():
        mine = rows[lows[run] : highs[run]]
        begin, end = int(series.time[mine[0]]), int(series.time[mine[-1]])
        stands = bool(spans[run] > limit) and witness is not None and witness.us(begin, end) > limit
        if witness is not None and spans[run] > limit and begin < witness.start * MINUTE:
            stands |= bool(marked[run]) or any(low <= end and begin <= high for low, high in known)
        wrong = (series.status[mine] == Status.FROZEN) != stands
        # the first reading stays in use
        wrong[0] = series.status[mine[0]] == Status.FROZEN
        if not wrong.any():
            continue
        changed = min(changed, int(mine[wrong][0]))
        series.status[mine[1:][wrong[1:]]] = Status.FROZEN if stands else Status.USED
        if wrong[0]:
            series.status[mine[0]] = Status.USED
        if stands and wrong[1:].any():
            text = f"{series.value[mine[0]]:g} for {(end - begin) // MINUTE} min while {plan.witness} moved"
            findings.append(Finding("frozen", begin, end, text))
    return changed, findings


def flat_findings(table: PointTable, runs: Runs, columns: Columns) -> list[tuple[str, Finding]]:
    """Counters without a witness that stand still: told when the stretch is longer than it may be, and hourly then."""
    span = runs.end - runs.begin
    plain = table.counted[runs.point] & (table.witness[runs.point] < 0)
    long = np.flatnonzero(plain & (span > table.flat_us[runs.point]))
    found = []
    for run in long.tolist():
        rows = runs.rows[runs.low[run] : runs.high[run]]
        known = columns.time[rows][~columns.fresh[rows]]
        before = int(known[-1] - runs.begin[run]) if len(known) else -1
        point, length = int(runs.point[run]), int(span[run])
        if len(known) == len(rows) or (before > table.flat_us[point] and before // HOUR == length // HOUR):
            continue
        text = f"{columns.value[rows[0]]:g} for {length // MINUTE} min"
        found.append((table.names[point], Finding("flat", int(runs.begin[run]), int(runs.end[run]), text)))
    return found


def standing(table: PointTable, runs: Runs, columns: Columns) -> NDArray[np.bool_]:
    """Which readings of counters without a witness stand still for longer than such a counter does."""
    plain = table.counted[runs.point] & (table.witness[runs.point] < 0)
    long = np.flatnonzero(plain & (runs.end - runs.begin > table.flat_us[runs.point]))
    found = np.zeros(len(columns), np.bool_)
    for run in long.tolist():
        rows = runs.rows[runs.low[run] : runs.high[run]]
        found[rows] = columns.time[rows] > runs.begin[run] + table.flat_us[runs.point[run]]
    return found
