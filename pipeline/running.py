"""Running totals over consecutive slots (minutes, hours, local days): any span's sum is a difference of two rows.

Appending, changing the last slots and forgetting the first ones cost the same however many are held. A change further
back costs what lies behind it. Sums are int64, exact modulo 2^64 however long a total has been running.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.int64]
Ints = NDArray[np.int64]
SLACK = 16


class RunningSums:
    """Sums of the slots `start`, `start` + 1, …; each slot holds an int64 array of one shape."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.start = 0
        self._rows: Sums = np.zeros((1, *shape), np.int64)
        self._low, self._high = 0, 1

    def __len__(self) -> int:
        return self._high - self._low - 1

    @property
    def end(self) -> int:
        """The slot after the last one."""
        return self.start + len(self)

    def before(self, slots: Ints | int) -> Sums:
        """The running total before each slot held; before the first for earlier ones, after the last for later ones."""
        found: Sums = self._rows[self._low + np.clip(slots, self.start, self.end) - self.start]
        return found

    def between(self, starts: Ints, ends: Ints) -> Sums:
        """The sums of the slots held of each [start, end)."""
        return self.before(np.maximum(starts, ends)) - self.before(starts)

    def values(self, start: int, end: int) -> Sums:
        """What the slots held of [start, end) hold, one by one."""
        low = min(max(start, self.start), self.end) - self.start + self._low
        high = max(min(end, self.end) - self.start + self._low, low)
        found: Sums = self._rows[low + 1 : high + 1] - self._rows[low:high]
        return found

    def put(self, start: int, values: Sums) -> Sums:
        """Sets consecutive slots; those behind stay what they are. Returns by how much each slot changed."""
        difference = values.copy()
        if len(self) and start < self.end:
            known = self.values(start, start + len(values))
            first = max(self.start - start, 0)
            difference[first : first + len(known)] -= known
        self.add(start, difference)
        return difference

    def add(self, start: int, difference: Sums) -> None:
        """Changes consecutive slots by so much; slots between those held and new ones hold nothing."""
        if not len(difference):
            return
        if not len(self):
            self.start = start
        self._prepend(self.start - start)
        self._append(start + len(difference) - self.end)
        first = self._low + start - self.start + 1
        rows = self._rows[first : self._high]
        running = np.cumsum(difference, axis=0) if len(difference) > 1 else difference
        rows[: len(running)] += running
        rows[len(running) :] += running[-1]

    def drop_before(self, slot: int) -> None:
        """Forgets the slots before one."""
        gone = min(max(slot - self.start, 0), len(self))
        self.start += gone
        self._low += gone

    def _prepend(self, count: int) -> None:
        if count > 0:
            held = self._rows[self._low : self._high]
            self._rows = np.concatenate([np.repeat(held[:1], count, axis=0), held])
            self._low, self._high = 0, len(self._rows)
            self.start -= count

    def _append(self, count: int) -> None:
        if count <= 0:
            return
        if self._high + count > len(self._rows):
            held = self._rows[self._low : self._high]
            room = len(held) + count
            self._rows = np.empty((room + room // SLACK + SLACK, *held.shape[1:]), np.int64)
            self._rows[: len(held)] = held
            self._low, self._high = 0, len(held)
        self._rows[self._high : self._high + count] = self._rows[self._high - 1]
        self._high += count
