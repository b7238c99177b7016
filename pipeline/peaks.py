"""Highest quarter hours: the greatest mean power of a quarter hour of the clock in any window.

Maxima cannot be subtracted as sums can: quarter hours are held for the days that may still be corrected, the highest of
each hour for a month, of each local day for as long as a window reaches. A quarter hour belongs to the window in which
it ends. Every zone's clock is off UTC by whole quarter hours, so that those of the plant's clock are those of UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.running import Ints, Sums

QUARTER = 15
PER_HOUR = 4
KNOWN_SHARE = 0.9
NONE = -(2**62)
BOUNDLESS = 2**62
VALUE, LOW, HIGH = range(3)
Level = Literal["quarter", "hour", "day"]


def quarter_values(amount: Sums, low: Sums, high: Sums, known: Sums, bounded: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Mean power over quarter hours and what it may have been: int64 [..., (value, low, high)] [STEP per hour].

    Arguments: `amount` over the known minutes of each quarter hour, `low` and `high` what it may have been over all of
    them [STEP], `known` minutes [1]; `bounded` says whether `low` and `high` mean anything. A quarter hour with less
    than nine tenths known has no value; one that is known in part is scaled up, within its bounds.
    """
    share = np.maximum(known, 1) / QUARTER
    scaled = np.rint(amount / share)
    value = np.where(bounded, np.clip(scaled, np.minimum(low, high), np.maximum(low, high)), scaled)
    return np.stack(
        [
            np.where(known >= KNOWN_SHARE * QUARTER, PER_HOUR * value, NONE).astype(np.int64),
            np.where(bounded, PER_HOUR * low, NONE),
            np.where(bounded, PER_HOUR * high, BOUNDLESS),
        ],
        axis=-1,
    )


class Peaks:
    """Maxima of some columns of a scope's sums: arrays [column, (value, low, high)] by slot."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.quarters: dict[int, Sums] = {}
        self.hours: dict[int, Sums] = {}
        self.days: dict[int, Sums] = {}
        self.touched: set[tuple[Level, int]] = set()

    def put(self, first: int, values: Sums, day_of: dict[int, int]) -> None:
        """Sets consecutive quarter hours [quarter, column, 3]; `day_of` names the local day of each."""
        slots = range(first, first + len(values))
        self.quarters.update(zip(slots, values, strict=True))
        self.touched.update(("quarter", slot) for slot in slots)
        for hour in range(first // PER_HOUR, slots.stop // PER_HOUR + 1) if len(values) else ():
            inside = [slot for slot in range(hour * PER_HOUR, (hour + 1) * PER_HOUR) if slot in self.quarters]
            if inside:
                self.hours[hour] = self._most(self.quarters, inside)
                self.touched.add(("hour", hour))
        by_day: dict[int, list[int]] = {}
        for slot, day in day_of.items():
            if slot in self.quarters:
                by_day.setdefault(day, []).append(slot)
        for day, inside in by_day.items():
            self.days[day] = self._most(self.quarters, inside)
            self.touched.add(("day", day))

    def _most(self, rows: dict[int, Sums], slots: Iterable[int]) -> Sums:
        """The greatest of some slots; nothing known and no bounds where none of them is held."""
        held = [rows[slot] for slot in slots if slot in rows]
        found: Sums = np.max(held, axis=0) if held else self.nothing()
        return found

    def nothing(self) -> Sums:
        """A row of which nothing is known and that nothing bounds."""
        return np.tile(np.array([NONE, NONE, BOUNDLESS]), (self.columns, 1))

    def between(self, starts: Ints, ends: Ints, coarse: str, days: list[tuple[int, int, int]]) -> Sums:
        """The maxima over each window [start, end) [min]: int64 [window, column, (value, low, high)].

        `coarse` names the level that carries the window; for "day", `days` holds each window's first local day, its
        last one and the minute at which that last one began.
        """
        found = np.empty((len(starts), self.columns, 3), np.int64)
        for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            if coarse == "hour":
                found[number] = self._most(self.hours, range(start // 60, end // 60))
            elif coarse == "day":
                first, last, midnight = days[number]
                whole = [self._most(self.days, range(first, last))] if last > first else []
                rest = range(midnight // QUARTER, end // QUARTER)
                if rest or not whole:
                    whole.append(self._most(self.quarters, rest))
                found[number] = np.max(whole, axis=0)
            else:
                found[number] = self._most(self.quarters, range(start // QUARTER, end // QUARTER))
        return found

    def level(self, name: Level) -> dict[int, Sums]:
        """The rows of a level by slot."""
        return {"quarter": self.quarters, "hour": self.hours, "day": self.days}[name]

    def drop_before(self, quarter: int, hour: int, day: int) -> None:
        """Forgets what lies before a slot of each level."""
        for rows, first in ((self.quarters, quarter), (self.hours, hour), (self.days, day)):
            for slot in [slot for slot in rows if slot < first]:
                del rows[slot]
