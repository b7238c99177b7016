"""Readings of many points as columns, sorted by point and source time: what the step works on.

`point` indexes into the unit's points. One sort and one pass serve thousands of points: nothing here loops over them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.series import Codes, Floats, Ints, Series, Status

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """Columns of equal length; `total` is a counter's running amount [STEP], `fresh` marks readings new to the step."""

    point: Ints
    time: Ints
    value: Floats
    status: Codes
    suspect: Flags
    total: Ints
    fresh: Flags

    def __len__(self) -> int:
        return len(self.point)

    @classmethod
    def empty(cls) -> Columns:
        """No readings."""
        none = np.empty(0, np.int64)
        flags = np.empty(0, np.bool_)
        return cls(none, none, np.empty(0), np.empty(0, np.uint8), flags, none, flags)

    @classmethod
    def received(cls, point: Ints, time: Ints, value: Floats, bad: Flags, suspect: Flags) -> Columns:
        """Readings as they come, in any order."""
        status = np.where(bad | ~np.isfinite(value), Status.BAD, Status.USED).astype(np.uint8)
        n = len(point)
        return cls(point, time, value, status, suspect, np.zeros(n, np.int64), np.ones(n, np.bool_))

    @classmethod
    def of(cls, point: int, series: Series, fresh: bool = False) -> Columns:
        """The readings of one point."""
        n = len(series)
        return cls(
            np.full(n, point, np.int64),
            series.time,
            series.value,
            series.status,
            series.suspect,
            series.total,
            np.full(n, fresh),
        )

    @classmethod
    def join(cls, parts: list[Columns]) -> Columns:
        """Several as one, in their order."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def take(self, rows: Flags | NDArray[np.intp] | slice) -> Columns:
        """The rows chosen by index or mask; a slice gives views."""
        if isinstance(rows, slice):
            return Columns(*(getattr(self, one.name)[rows] for one in fields(self)))
        # one pass over a mask, and gathering by index costs half of what choosing by brackets does
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Columns(*(getattr(self, one.name).take(at) for one in fields(self)))

    def series(self, low: int, high: int) -> Series:
        """The rows [low, high), all of one point, as arrays of their own."""
        return Series(
            *(getattr(self, name)[low:high].copy() for name in ("time", "value", "status", "suspect", "total"))
        )

    def sorted(self) -> Columns:
        """By point and time; what is said twice (same time, same value) once: what is held, unless that was bad."""
        if not len(self):
            return self
        order, point = None, self.point
        if not bool(np.all(point[1:] >= point[:-1])):
            # 16-bit keys are sorted by radix, and batches come in the order of time: one pass, seldom more
            key = point.astype(np.uint16) if int(point.max()) < 2**16 else point
            order = np.argsort(key, kind="stable")
            point = point.take(order)
        time = self.time if order is None else self.time.take(order)
        astray = (point[1:] == point[:-1]) & (time[1:] <= time[:-1])
        if not astray.any():
            return self if order is None else self._ordered(order, point, time)
        if order is None:
            order = np.arange(len(self))
        # only the points whose readings came in another order, or twice, are sorted by time as well
        member = np.zeros(int(point[-1]) + 1, np.bool_)
        member[point[1:][astray]] = True
        rows = np.flatnonzero(member[point])
        mine = order[rows]
        bad = self.status[mine] == Status.BAD
        keys = (self.fresh[mine], bad, self.value[mine], time[rows], point[rows])
        mine = mine[np.lexsort(keys)]
        time, value = self.time[mine], self.value[mine]
        same = (point[rows[1:]] == point[rows[:-1]]) & (time[1:] == time[:-1])
        same &= (value[1:] == value[:-1]) | (np.isnan(value[1:]) & np.isnan(value[:-1]))
        order[rows] = mine
        return self.take(np.delete(order, rows[1:][same]) if same.any() else order)

    def _ordered(self, order: NDArray[np.intp], point: Ints, time: Ints) -> Columns:
        """The rows in an order in which points and times are known already."""
        return replace(
            self,
            point=point,
            time=time,
            **{name: getattr(self, name).take(order) for name in ("value", "status", "suspect", "total", "fresh")},
        )

    def rows_of(self, points: Ints, size: int) -> slice | Flags:
        """Where the rows of some ascending points are; `size` is how many points there may be."""
        if len(points) and int(points[-1]) - int(points[0]) + 1 == len(points):
            low, high = np.searchsorted(self.point, [points[0], points[-1] + 1])
            return slice(int(low), int(high))
        member = np.zeros(size, np.bool_)
        member[points] = True
        return np.asarray(member[self.point])

    def up_to(self, most: Status, points: Flags) -> slice | Flags | NDArray[np.intp]:
        """Where the rows of the points marked are whose status is at most so; a slice where they are neighbours."""
        rows = self.rows_of(np.flatnonzero(points), len(points))
        if not isinstance(rows, slice):
            return np.asarray(rows & (self.status <= most))
        fit = self.status[rows] <= most
        return rows if fit.all() else np.flatnonzero(fit) + rows.start

    def of_points(self, points: Ints, size: int) -> Columns:
        """The rows of some ascending points; `size` is how many points there may be."""
        return self.take(self.rows_of(points, size))

    def bounds(self, points: int) -> Ints:
        """Where each point's rows begin, and the end: `points` + 1 indices of sorted columns."""
        return np.searchsorted(self.point, np.arange(points + 1)).astype(np.int64)


class Lookup:
    """Finds, for points and times at once, the last of sorted rows at or before each time."""

    def __init__(self, point: Ints, time: Ints, points: int) -> None:
        """`point` and `time` are sorted; `points` is how many there may be."""
        self._base = int(time.min()) if len(time) else 0
        self._width = (int(time.max()) if len(time) else 0) - self._base + 2
        self._key = point * self._width + (time - self._base + 1)
        self.begin = np.searchsorted(point, np.arange(points)).astype(np.int64)

    def last(self, point: Ints, time: Ints, side: str = "right") -> Ints:
        """Row index for each pair (arrays that broadcast); below `begin[point]` where there is none.

        `side` "left" wants a row strictly before the time.
        """
        at = np.clip(time - self._base + 1, 0, self._width - 1)
        key = point * self._width + at
        found: Ints = np.searchsorted(self._key, key, side).astype(np.int64) - 1  # type: ignore[call-overload]
        if side == "left":
            # a time beyond all rows was clipped onto the last of them
            beyond = np.broadcast_to(time - self._base + 1 > self._width - 1, found.shape)
            found = np.where(beyond, np.searchsorted(self._key, key, "right") - 1, found)
        return np.asarray(np.maximum(found, self.begin[point] - 1))


def group_starts(point: Ints) -> Ints:
    """Where each point's rows begin in a sorted column that holds some points."""
    if not len(point):
        return np.empty(0, np.int64)
    return np.append(0, np.flatnonzero(point[1:] != point[:-1]) + 1)


def greatest(cell: Ints, value: Ints, cells: int, none: int) -> Ints:
    """The greatest value of each cell, `none` where there is no value; values of a cell mostly come side by side."""
    found = np.full(cells, none, np.int64)
    starts = group_starts(cell)
    if len(starts):
        np.maximum.at(found, cell[starts], np.maximum.reduceat(value, starts))
    return found
