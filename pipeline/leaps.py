"""Values that leap: further from the used reading before than the point's `change_per_hour` lets them.

A reading that leaps is used, and suspect. With which reading the first one held is compared is remembered, so that it
does not matter how many were held.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.columns import Columns, Flags, Lookup, group_starts
from pipeline.judge import Finding
from pipeline.late import clean_rows, last
from pipeline.messages import Stored
from pipeline.plans import HORIZON
from pipeline.point_table import PointTable
from pipeline.receive import columns_of, stretch
from pipeline.series import Floats, Ints, counts
from pipeline.unit_state import NEVER, UnitState
from plant.clock import to_us
from plant.reading import HOUR, MINUTE

Told = list[tuple[str, Finding]]


@dataclass(frozen=True)
class Leaps:
    """`suspect` marks the readings of `columns` that leap; of each of `points` the used reading before the first one
    there [µs, value]."""

    columns: Columns
    suspect: Flags
    points: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    time: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    value: Floats = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, table: PointTable, state: UnitState, stored: Stored, columns: Columns, told: Told) -> Leaps:
        """The leaps in sorted columns; `told` gets those that are new."""
        none = np.zeros(len(columns), np.bool_)
        if not table.leaping or not len(columns):
            return cls(columns, none)
        first = group_starts(columns.point)
        first = first[np.isfinite(table.change_per_us[columns.point[first]])]
        points = columns.point[first]
        held = state.leap_from[points] == columns.time[first]
        before = np.where(held, state.leap_time[points], NEVER)
        value = np.where(held, state.leap_value[points], np.nan)
        for place in np.flatnonzero(~held & (state.complete_from[points] > NEVER)).tolist():
            # readings from further back were fetched, since one came late
            since = int(columns.time[first[place]])
            before[place], value[place] = _before(table, state, stored, int(points[place]), since)
        rows = np.flatnonzero(np.isfinite(table.change_per_us[columns.point]) & counts(columns.status))
        if len(rows):
            mine = columns.point[rows]
            begin = group_starts(mine)
            at, was = np.roll(columns.time[rows], 1), np.roll(columns.value[rows], 1)
            known = np.searchsorted(points, mine[begin])
            at[begin], was[begin] = before[known], value[known]
            span = columns.time[rows] - at
            allowed = table.change_per_us[mine] * np.maximum(span, table.interval_us[mine]) + table.resolution[mine]
            with np.errstate(invalid="ignore"):
                leaps = (np.abs(columns.value[rows] - was) > allowed) & (span <= back_us(table, mine))
            none[rows[leaps]] = True
            new = np.flatnonzero(leaps & columns.fresh[rows])
            for point in np.unique(mine[new]).tolist():
                these = new[mine[new] == point]
                one = _finding(table, state, point, columns.take(rows[these]), at[these], was[these])
                told.append((table.names[point], one))
        return cls(columns, none, points, before, value)

    def remember(self, state: UnitState, kept: Columns) -> None:
        """Keeps the used reading before the first one that is held from now on."""
        if not len(self.points):
            return
        at = np.searchsorted(kept.point, self.points)
        first = kept.time[at]
        time, value = self.time, self.value
        rows = np.flatnonzero(counts(self.columns.status) & np.isin(self.columns.point, self.points))
        if len(rows):
            lookup = Lookup(self.columns.point[rows], self.columns.time[rows], int(self.points[-1]) + 1)
            found = lookup.last(self.points, first, "left")
            there = found >= lookup.begin[self.points]
            row = rows[np.maximum(found, 0)]
            time = np.where(there, self.columns.time[row], time)
            value = np.where(there, self.columns.value[row], value)
        state.leap_from[self.points] = first
        state.leap_time[self.points], state.leap_value[self.points] = time, value


def back_us(table: PointTable, points: Ints) -> Ints:
    """How long before a reading the one may lie that it is compared with [µs]."""
    return np.maximum(HORIZON, 3 * table.reach_us[points])


def _before(table: PointTable, state: UnitState, stored: Stored, point: int, first: int) -> tuple[int, float]:
    """The stored and used reading before a time: its time and value."""
    start = first - int(back_us(table, np.array([point]))[0])
    own = columns_of(table, stored([table.names[point]], start, first)).sorted()
    at = last(clean_rows(state, table.names[point], own))
    return (int(own.time[at]), float(own.value[at])) if at is not None else (NEVER, np.nan)


def _finding(table: PointTable, state: UnitState, point: int, new: Columns, at: Ints, was: Floats) -> Finding:
    """One notice for leaps that follow one another within the hour; its evidence is the last of them."""
    start, end, _ = stretch(state, f"{table.names[point]} leap", new.time, HOUR)
    minutes = max(int(new.time[-1] - at[-1]), int(table.interval_us[point])) / MINUTE
    most = table.change_per_us[point] * HOUR
    text = f"from {was[-1]:g} to {new.value[-1]:g} in {minutes:.3g} min, at most {most:g} in an hour"
    return Finding("leap", start, end, text)


def net_exchanges(table: PointTable, columns: Columns) -> Told:
    """Declared exchanges of totalisers that may fall, which nothing else tells of: when the new meter first speaks."""
    found: Told = []
    if not any(table.net[point] for point in table.exchanged):
        return found
    bounds = columns.bounds(len(table))
    for point in table.exchanged:
        rows = np.arange(*bounds[point : point + 2].tolist())
        rows = rows[counts(columns.status[rows])]
        if not table.net[point] or len(rows) < 2:
            continue
        for one in table.plans[point].exchanges:
            first = int(np.searchsorted(columns.time[rows], at := to_us(one.at)))
            if 0 < first < len(rows) and columns.fresh[rows[first]]:
                text = f"closing {one.closing:g}, opening {one.opening:g}, as declared"
                found.append((table.names[point], Finding("exchange", at, at, text)))
    return found
