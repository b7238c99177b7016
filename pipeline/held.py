"""What of a unit's readings is held for the next step: those of open minutes, and what comes before them.

A point's held readings begin with one that its last used reading's whole minute can be worked out from, so that a
source that falls silent and comes back needs nothing else.
"""

from __future__ import annotations

import numpy as np

from pipeline.columns import Columns, Lookup
from pipeline.late import note_odd
from pipeline.point_table import PointTable
from pipeline.series import Ints, Status
from pipeline.unit_state import UnitState
from plant.reading import MINUTE

LONG = 512


def keep(table: PointTable, state: UnitState, columns: Columns, points: Ints) -> Columns:
    """The readings of `points` that the next step needs; the rest is forgotten."""
    assert state.settled is not None
    if not len(columns):
        return columns
    edge = state.settled * MINUTE
    bounds = columns.bounds(len(table))
    first, end = bounds[:-1], bounds[1:]
    low = first.copy()
    for kinds, most in (
        (table.held, Status.BAD),
        (table.spread, Status.USED),
        (table.counted | table.events, Status.USED),
    ):
        mine = points[kinds[points]]
        rows = columns.up_to(most, kinds)
        point, time = columns.point[rows], columns.time[rows]
        if not len(point) or not len(mine):
            continue
        lookup = Lookup(point, time, len(table))
        if kinds is table.spread:
            begin = lookup.last(mine, edge - 2 * table.span_us[mine] - MINUTE)
        else:
            last = lookup.last(mine, np.full(len(mine), edge))
            there = last >= lookup.begin[mine]
            minute = time[np.maximum(last, 0)] // MINUTE * MINUTE
            begin = np.where(there, lookup.last(mine, minute), last)
        found = begin >= lookup.begin[mine]
        at = begin[found] + rows.start if isinstance(rows, slice) else np.arange(len(columns))[rows][begin[found]]
        low[mine[found]] = at
    count = end - low
    if int(count.sum()) == len(columns):
        return _compact(table, state, columns, edge)
    stays = np.repeat(low - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    if ((columns.status >= Status.RESOLVED) & (columns.status <= Status.FROZEN)).any():
        gone = np.ones(len(columns), np.bool_)
        gone[stays] = False
        note_odd(table, state, columns, gone)
    cut = np.flatnonzero(low > first)
    state.complete_from[cut] = np.maximum(state.complete_from[cut], columns.time[low[cut]])
    return _compact(table, state, columns.take(stays), edge)


def _compact(table: PointTable, state: UnitState, columns: Columns, edge: int) -> Columns:
    """Of a point that has sent nothing usable for long, only the first such reading after a used one stays."""
    bounds = columns.bounds(len(table))
    long = np.flatnonzero(np.diff(bounds) > LONG)
    if not len(long):
        return columns
    unused = columns.status >= Status.DROPPED
    after = np.concatenate([[False], unused[:-1] & (columns.point[1:] == columns.point[:-1])])
    gone = unused & after & (columns.time < edge) & np.isin(columns.point, long)
    if not gone.any():
        return columns
    note_odd(table, state, columns, gone)
    rows = np.flatnonzero(gone)
    last = rows[np.append(np.flatnonzero(np.diff(columns.point[rows])), len(rows) - 1)]
    state.complete_from[columns.point[last]] = columns.time[last] + 1
    return columns.take(~gone)
