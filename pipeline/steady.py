"""What new readings change, point by point, and which points need more than a running difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Columns, Lookup, group_starts
from pipeline.judge import Finding
from pipeline.minutes import STEP
from pipeline.point_table import PointTable
from pipeline.series import Ints, Status, counts
from pipeline.unit_state import NEVER, UnitState
from plant.clock import to_us
from plant.reading import MINUTE

FAR = 2**62


@dataclass
class Changes:
    """For each of `points`: its first new reading [µs] (FAR: none), the first minute whose facts it may change, and
    whether readings are needed for that which are no longer held."""

    points: Ints
    first: Ints
    since: Ints
    late: NDArray[np.bool_]

    def at(self, point: int) -> int:
        """Where a point stands here."""
        return int(np.searchsorted(self.points, point))


def changes(table: PointTable, state: UnitState, columns: Columns, points: Ints, start: int) -> Changes:
    """What the new readings in `columns` change; minutes from `start` on are worked out anyway."""
    first = np.full(len(points), FAR)
    fresh = np.flatnonzero(columns.fresh)
    at = fresh[group_starts(columns.point.take(fresh))]
    of, time = columns.point[at], columns.time[at]
    local = np.searchsorted(points, of)
    first[local] = time
    since = np.full(len(points), start, np.int64)
    begin = time - np.where(table.spread[of] & ~table.begins[of], table.span_us[of], 0)
    minute = begin // MINUTE
    chained = table.counted[of] | table.events[of]
    alone = np.zeros(len(of), np.bool_)
    if chained.any():
        # what lies before a reading depends on when the one before it was taken
        held = np.flatnonzero(~columns.fresh & counts(columns.status))
        lookup = Lookup(columns.point[held], columns.time[held], len(table))
        before = lookup.last(of, time, "left")
        alone = chained & (before < lookup.begin[of])
        there = chained & ~alone
        minute[there] = columns.time[held[before[there]]] // MINUTE
    since[local] = np.minimum(start, minute)
    if table.events[points].any():
        _fallen_silent(table, state, columns, points, since, start)
    late = np.zeros(len(points), np.bool_)
    forgot = state.complete_from[of] > NEVER
    needs = forgot & (alone | (time < state.complete_from[of]))
    back = forgot & (since[local] < start)
    if back.any():
        # what the minutes before the last settled one begin from must be held as well
        edge = since[local] * MINUTE - np.where(table.spread[of], table.span_us[of], 0)
        held = np.flatnonzero(~columns.fresh & ((columns.status == Status.USED) | table.held[columns.point]))
        lookup = Lookup(columns.point[held], columns.time[held], len(table))
        needs |= back & (lookup.last(of, edge) < lookup.begin[of])
    late[local] = needs
    return Changes(points, first, since, late)


def _fallen_silent(
    table: PointTable, state: UnitState, columns: Columns, points: Ints, since: Ints, start: int
) -> None:
    """A source of events was taken to be alive for its reach; once that has passed in silence it was not: in place."""
    assert state.settled is not None
    rows = np.flatnonzero(table.events[columns.point] & counts(columns.status))
    if not len(rows):
        return
    last = rows[np.append(columns.point[rows[1:]] != columns.point[rows[:-1]], True)]
    of, time = columns.point[last], columns.time[last]
    gone = (start * MINUTE - time <= table.reach_us[of]) & (state.settled * MINUTE - time > table.reach_us[of])
    local = np.searchsorted(points, of[gone])
    since[local] = np.minimum(since[local], time[gone] // MINUTE)


def unsteady(table: PointTable, columns: Columns) -> Ints:
    """Points with new readings, and a conflict, something pending or resolved, a counter that falls or leaps, or an
    exchange."""
    if not len(columns):
        return np.empty(0, np.int64)
    twice = (columns.point[1:] == columns.point[:-1]) & (columns.time[1:] == columns.time[:-1])
    looked = (columns.status >= Status.RESOLVED) & (columns.status <= Status.DROPPED)
    found = [columns.point[1:][twice], columns.point[looked]]
    rows = columns.up_to(Status.USED, table.counted & ~table.net)
    point, time = columns.point[rows], columns.time[rows]
    if len(point) > 1:
        value = table.steps(point, columns.value[rows])
        rise, to = np.diff(value), point[1:]
        span = np.maximum(np.diff(time), table.interval_us[to])
        with np.errstate(invalid="ignore"):
            allowed = table.rise_per_us[to] * span / STEP + table.resolution[to] / STEP
        leaps = (point[:-1] == to) & ~((rise >= 0) & (rise <= allowed))
        found.append(to[leaps])
    bounds = columns.bounds(len(table))
    for exchanged in table.exchanged:
        low, high = bounds[exchanged : exchanged + 2]
        if high > low:
            begin, end = columns.time[low], columns.time[high - 1]
            if any(begin < to_us(one.at) <= end for one in table.plans[exchanged].exchanges):
                found.append(np.array([exchanged]))
    new = np.zeros(len(table), np.bool_)
    first = group_starts(columns.point)
    new[columns.point[first]] = np.logical_or.reduceat(columns.fresh, first)
    odd: Ints = np.unique(np.concatenate(found))
    return np.asarray(odd[new[odd]])


def running_totals(table: PointTable, columns: Columns, judged: set[int]) -> None:
    """Sets, in place, the running amount of new readings of counters that only rise: it goes on from those held."""
    mine = table.counted[columns.point] & columns.fresh & counts(columns.status)
    if judged:
        plain = np.ones(len(table), np.bool_)
        plain[list(judged)] = False
        mine &= plain[columns.point]
    if not mine.any():
        return
    offset = np.zeros(len(table), np.int64)
    held = np.flatnonzero(table.counted[columns.point] & ~columns.fresh & counts(columns.status))
    if len(held):
        last = held[np.append(np.flatnonzero(np.diff(columns.point[held])), len(held) - 1)]
        point = columns.point[last]
        offset[point] = columns.total[last] - table.steps(point, columns.value[last])
    point = columns.point[mine]
    columns.total[mine] = table.steps(point, columns.value[mine]) + offset[point]


def gaps(table: PointTable, columns: Columns) -> list[tuple[str, Finding]]:
    """Stretches without a usable reading that a new one of a counter has closed."""
    rows = columns.up_to(Status.BROKEN, table.counted)
    point, time = columns.point[rows], columns.time[rows]
    if len(point) < 2:
        return []
    length = np.diff(time)
    wide = (point[1:] == point[:-1]) & (length > table.reach_us[point[1:]])
    if not wide.any():
        return []
    at = np.arange(len(columns))[rows]
    found = []
    for i in np.flatnonzero(wide & columns.fresh[at[1:]]).tolist():
        if not (columns.status[at[i] + 1 : at[i + 1]] == Status.FROZEN).any():
            minutes = int(length[i]) // MINUTE
            text = f"{minutes} min without a usable reading; {minutes} min of amount are spread over it"
            found.append((table.names[int(point[i])], Finding("gap", int(time[i]), int(time[i + 1]), text)))
    return found
