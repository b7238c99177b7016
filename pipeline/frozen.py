"""Frozen meters: a value that stands still while the point it moves with goes on.

A run of equal values is frozen when its witness moved during it for longer than the point's longest normal flat stretch
(`flat_limit`). All readings of the run but its first are then unusable: unknown back to the last change, not zero. A
counter without a witness that stands still for longer than `flat_after` is told of, and suspect from then on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Columns
from pipeline.judge import Finding
from pipeline.point_plan import PointPlan
from pipeline.point_table import PointTable
from pipeline.runs import Runs
from pipeline.series import Ints, Series, Status
from pipeline.unit_state import Moved, UnitState
from plant.reading import HOUR, MINUTE


def suspects(table: PointTable, state: UnitState, runs: Runs, columns: Columns) -> tuple[Ints, Ints]:
    """Points with a stretch whose readings must be looked at again, and since when [µs].

    Those that stand still while their witness moves and are not marked yet. What goes on standing still in a stretch
    that was found frozen is marked here, in place.
    """
    span = runs.end - runs.begin
    witnessed = table.witness[runs.point] >= 0
    marked = np.add.reduceat(columns.status == Status.FROZEN, runs.low) > 0 if len(runs.low) else np.empty(0, np.bool_)
    unmarked = np.add.reduceat(columns.status < Status.FROZEN, runs.low) if len(runs.low) else np.empty(0)
    # its first reading stays in use
    own = columns.time[runs.low] <= runs.begin if len(runs.low) else np.empty(0, np.bool_)
    plain = unmarked > np.where(own, 1, 0)
    todo = np.flatnonzero(witnessed & (span > table.flat_us[runs.point]) & plain)
    found: dict[int, int] = {}
    for run in todo.tolist():
        point, begin, end = int(runs.point[run]), int(runs.begin[run]), int(runs.end[run])
        moved = state.moved.get(table.plans[point].witness or "")
        if moved is None or moved.us(begin, end) <= table.flat_us[point]:
            continue
        if (runs.first[run] and state.frozen[point] and not own[run]) or marked[run]:
            rows = slice(int(runs.low[run]) + int(own[run]), int(runs.high[run]))
            columns.status[rows] = np.maximum(columns.status[rows], Status.FROZEN)
        else:
            found[point] = min(begin, found.get(point, begin))
    return np.array(list(found), np.int64), np.array(list(found.values()), np.int64)


def mark_frozen(plan: PointPlan, series: Series, first: int, witness: Moved | None) -> tuple[int, list[Finding]]:
    """Marks frozen readings from the run that holds `first` on, in place.

    `witness` says when the witness moved; without one nothing is frozen. Returns the first index whose status changed
    (`first` when none before it did) and the findings.
    """
    start = run_start(series, first)
    value = series.value[start:]
    if not len(value):
        return first, []
    lows = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]])) + start
    highs = np.append(lows[1:], len(series))
    spans = series.time[highs - 1] - series.time[lows]
    marked = np.add.reduceat(series.status[start:] == Status.FROZEN, lows - start) > 0
    limit = plan.flat_limit_us
    changed, findings = first, list[Finding]()
    for run in np.flatnonzero((spans > limit) | marked):
        low, high, span = int(lows[run]), int(highs[run]), int(spans[run])
        begin, end = int(series.time[low]), int(series.time[high - 1])
        inside = series.status[low + 1 : high]
        if span > limit and witness is not None and witness.us(begin, end) > limit:
            fresh = inside < Status.FROZEN
            if fresh.any():
                text = f"{series.value[low]:g} for {span // MINUTE} min while {plan.witness} moved"
                findings.append(Finding("frozen", begin, end, text))
                changed = min(changed, low + 1)
            inside[fresh] = Status.FROZEN
        elif marked[run]:
            inside[inside == Status.FROZEN] = Status.USED
            changed = min(changed, low + 1)
    return changed, findings


def run_start(series: Series, index: int) -> int:
    """The index at which the run of equal values that holds `index - 1` begins: a change there may concern it all."""
    if index <= 0:
        return 0
    changed = np.flatnonzero(series.value[1:index] != series.value[: index - 1])
    return int(changed[-1]) + 1 if len(changed) else 0


def flat_findings(table: PointTable, runs: Runs, columns: Columns) -> list[tuple[str, Finding]]:
    """Counters without a witness that stand still: told when the stretch is longer than it may be, and hourly then."""
    span = runs.end - runs.begin
    plain = table.counted[runs.point] & (table.witness[runs.point] < 0)
    long = np.flatnonzero(plain & (span > table.flat_us[runs.point]))
    found = []
    for run in long.tolist():
        rows = slice(int(runs.low[run]), int(runs.high[run]))
        known = columns.time[rows][~columns.fresh[rows]]
        before = int(known[-1] - runs.begin[run]) if len(known) else -1
        point, length = int(runs.point[run]), int(span[run])
        if len(known) == rows.stop - rows.start or (before > table.flat_us[point] and before // HOUR == length // HOUR):
            continue
        text = f"{columns.value[rows.start]:g} for {length // MINUTE} min"
        found.append((table.names[point], Finding("flat", int(runs.begin[run]), int(runs.end[run]), text)))
    return found


def standing(table: PointTable, runs: Runs, columns: Columns) -> NDArray[np.bool_]:
    """Which readings of counters without a witness stand still for longer than such a counter does."""
    plain = table.counted[runs.point] & (table.witness[runs.point] < 0)
    long = np.flatnonzero(plain & (runs.end - runs.begin > table.flat_us[runs.point]))
    found = np.zeros(len(columns), np.bool_)
    for run in long.tolist():
        rows = slice(int(runs.low[run]), int(runs.high[run]))
        found[rows] = columns.time[rows] > runs.begin[run] + table.flat_us[runs.point[run]]
    return found


def keep_frozen(state: UnitState, runs: Runs, columns: Columns) -> None:
    """Remembers of which points the stretch at the last settled minute was found frozen."""
    if len(runs.low):
        marked: NDArray[np.bool_] = np.add.reduceat(columns.status == Status.FROZEN, runs.low) > 0
        again = runs.first & state.frozen[runs.point] & (runs.begin == state.run_since[runs.point])
        rows = runs.at_edge(state)
        state.frozen[runs.point[rows]] = (marked | again)[rows]
