"""Values that stand still: where each stretch of equal readings began, across what is held and what was forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Columns
from pipeline.series import Ints
from pipeline.unit_state import UnitState
from plant.reading import MINUTE


@dataclass(frozen=True)
class Runs:
    """Stretches of equal values in sorted columns: rows [low, high) of a point, since `begin` [µs] up to `end` [µs].

    `begin` lies before the first row where the stretch goes on from readings that were forgotten.
    """

    point: Ints
    low: Ints
    high: Ints
    begin: Ints
    end: Ints
    first: NDArray[np.bool_]
    last: NDArray[np.bool_]

    @classmethod
    def of(cls, state: UnitState, columns: Columns) -> Runs:
        """The stretches of every point in `columns`."""
        if not len(columns):
            none = np.empty(0, np.int64)
            return cls(none, none, none, none, none, np.empty(0, np.bool_), np.empty(0, np.bool_))
        other = columns.point[1:] != columns.point[:-1]
        changed = other | (columns.value[1:] != columns.value[:-1])
        low = np.concatenate([[0], np.flatnonzero(changed) + 1])
        high = np.append(low[1:], len(columns))
        point = columns.point[low]
        first = np.concatenate([[True], point[1:] != point[:-1]])
        begin, end = columns.time[low], columns.time[high - 1]
        goes_on = first & (state.run_value[point] == columns.value[low]) & (state.run_since[point] < begin)
        goes_on &= begin <= state.run_end[point]
        begin = np.where(goes_on, state.run_since[point], begin)
        return cls(point, low, high, begin, end, first, np.append(first[1:], True))

    def at_edge(self, state: UnitState) -> Ints:
        """Of each point the stretch at the last settled minute: what comes after it is held, what came before is judged.

        (Whether a stretch is frozen is known when its witness's minutes have settled up to its end.)
        """
        assert state.settled is not None
        open_yet = np.flatnonzero(self.first | (self.begin <= state.settled * MINUTE))
        return (
            open_yet[np.append(self.point[open_yet[1:]] != self.point[open_yet[:-1]], True)]
            if len(self.low)
            else open_yet
        )

    def remember(self, state: UnitState, columns: Columns) -> None:
        """Keeps the stretch at the last settled minute for the next step."""
        rows = self.at_edge(state)
        point = self.point[rows]
        state.run_since[point], state.run_end[point] = self.begin[rows], self.end[rows]
        state.run_value[point] = columns.value[self.low[rows]]
