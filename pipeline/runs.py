"""Values that stand still: where each stretch of equal readings began, across what is held and what was forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Columns, Lookup, group_starts
from pipeline.point_table import PointTable
from pipeline.series import Ints, Status
from pipeline.unit_state import UnitState


@dataclass(frozen=True)
class Runs:
    """Stretches of equal values in sorted columns: of a point, since `begin` [µs] up to `end` [µs].

    A stretch has the rows `rows[low:high]`; bad readings neither break it nor have a part in it. `begin` lies before
    the first row (`whole` is false) where the stretch goes on from readings that were forgotten, and `frozen` tells
    whether those were found frozen.
    """

    rows: NDArray[np.intp]
    point: Ints
    low: Ints
    high: Ints
    begin: Ints
    end: Ints
    whole: NDArray[np.bool_]
    frozen: NDArray[np.bool_]

    @classmethod
    def of(cls, table: PointTable, state: UnitState, columns: Columns) -> Runs:
        """The stretches of every point for which it matters that it stands still."""
        found = columns.up_to(Status.FROZEN, table.still)
        value, of = columns.value[found], columns.point[found]
        if not len(of):
            none, no = np.empty(0, np.int64), np.empty(0, np.bool_)
            return cls(none, none, none, none, none, none, no, no)
        rows = np.arange(len(columns))[found]
        low = np.append(0, np.flatnonzero((of[1:] != of[:-1]) | (value[1:] != value[:-1])) + 1)
        high = np.append(low[1:], len(of))
        point = of[low]
        begin, end = columns.time[rows[low]], columns.time[rows[high - 1]]
        goes_on = np.append(True, point[1:] != point[:-1])
        goes_on &= (state.run_value[point] == value[low]) & (state.run_since[point] < begin)
        begin = np.where(goes_on, state.run_since[point], begin)
        return cls(rows, point, low, high, begin, end, ~goes_on, goes_on & state.frozen[point])

    def remember(self, state: UnitState, columns: Columns, kept: Columns) -> None:
        """Keeps of each point the stretch that holds its first reading of those `kept` for the next step."""
        if not len(self.low) or not len(kept):
            return
        first = group_starts(kept.point)
        of = kept.point[first]
        lookup = Lookup(self.point, columns.time[self.rows[self.low]], len(state.run_since))
        at = lookup.last(of, kept.time[first])
        there = at >= lookup.begin[of]
        of, at = of[there], at[there]
        marked = np.add.reduceat(columns.status[self.rows] == Status.FROZEN, self.low) > 0
        state.run_since[of], state.run_value[of] = self.begin[at], columns.value[self.rows[self.low[at]]]
        state.frozen[of] = (marked | self.frozen)[at]


def run_start(value: NDArray[np.float64], index: int) -> int:
    """The index at which the run of equal values that holds `index - 1` begins: a change there may concern it all."""
    if index <= 0:
        return 0
    changed = np.flatnonzero(value[1:index] != value[: index - 1])
    return int(changed[-1]) + 1 if len(changed) else 0
