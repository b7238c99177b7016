"""Minute facts of one point as columns over consecutive minutes.

`amount` is int64 in STEP and means nothing where `has` is false; `mean`, `min`, `max`, `last` are NaN where unknown;
`coverage` and `estimated` are shares 0..1 of the minute; `quality` holds `Quality` codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from plant.reading import MINUTE, Quality

STEP = 1e-6
COLUMNS: dict[str, np.dtype[np.generic]] = {
    "amount": np.dtype(np.int64),
    "has": np.dtype(np.bool_),
    "mean": np.dtype(np.float64),
    "min": np.dtype(np.float64),
    "max": np.dtype(np.float64),
    "last": np.dtype(np.float64),
    "coverage": np.dtype(np.float64),
    "estimated": np.dtype(np.float64),
    "quality": np.dtype(np.uint8),
}


@dataclass
class Minutes:
    """Facts of the minutes `start`, `start` + 1, … (minutes since 1970 UTC)."""

    start: int
    amount: NDArray[np.int64]
    has: NDArray[np.bool_]
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]
    coverage: NDArray[np.float64]
    estimated: NDArray[np.float64]
    quality: NDArray[np.uint8]

    @classmethod
    def unknown(cls, start: int, end: int) -> Minutes:
        """Minutes of which nothing is known."""
        n = max(end - start, 0)
        nan = np.full(n, np.nan)
        return cls(
            start,
            np.zeros(n, np.int64),
            np.zeros(n, np.bool_),
            nan.copy(),
            nan.copy(),
            nan.copy(),
            nan.copy(),
            np.zeros(n),
            np.zeros(n),
            np.full(n, Quality.BAD, np.uint8),
        )

    @property
    def end(self) -> int:
        """The minute after the last one."""
        return self.start + len(self.amount)

    def cut(self, start: int, end: int) -> Minutes:
        """The minutes of [start, end) that are here (views)."""
        low, high = max(start, self.start) - self.start, max(min(end, self.end) - self.start, 0)
        low = min(low, high)
        columns = {name: getattr(self, name)[low:high] for name in COLUMNS}
        return replace(self, start=self.start + low, **columns)

    def units(self) -> NDArray[np.float64]:
        """The amounts in the point's own unit."""
        return self.amount.astype(np.float64) * STEP

    def copy(self) -> Minutes:
        """The same minutes in arrays of their own."""
        return replace(self, **{name: getattr(self, name).copy() for name in COLUMNS})

    def put(self, newer: Minutes) -> None:
        """Replaces and appends minutes, in place; minutes between are unknown."""
        if not len(newer.amount):
            return
        if not len(self.amount):
            for field in fields(newer):
                setattr(self, field.name, getattr(newer, field.name))
            return
        if newer.start > self.end:
            self.put(Minutes.unknown(self.end, newer.start))
        if newer.start < self.start:
            before = Minutes.unknown(newer.start, self.start)
            for name in COLUMNS:
                setattr(self, name, np.concatenate([getattr(before, name), getattr(self, name)]))
            self.start = newer.start
        low = newer.start - self.start
        overlap = min(self.end, newer.end) - newer.start
        for name in COLUMNS:
            own, new = getattr(self, name), getattr(newer, name)
            if overlap < len(new):
                own = np.concatenate([own[:low], new])
            else:
                own = own.copy()
                own[low : low + overlap] = new
            setattr(self, name, own)

    def drop_before(self, minute: int) -> None:
        """Forgets the minutes before one."""
        low = min(max(minute - self.start, 0), len(self.amount))
        if low:
            for name in COLUMNS:
                setattr(self, name, getattr(self, name)[low:])
            self.start += low

    def changed_from(self, newer: Minutes) -> int | None:
        """The first minute of `newer` that differs from what is here; None when none does."""
        old = self.cut(newer.start, newer.end)
        if old.start != newer.start or not len(old.amount):
            return newer.start if len(newer.amount) else None
        n = len(old.amount)
        differs = np.zeros(n, np.bool_)
        for name in COLUMNS:
            a, b = getattr(old, name), getattr(newer, name)[:n]
            differs |= (a != b) & ~(_missing(a) & _missing(b))
        where = np.flatnonzero(differs)
        if len(where):
            return newer.start + int(where[0])
        return newer.start + n if n < len(newer.amount) else None

    def moved_us(self, start_us: int, end_us: int) -> int:
        """How long, within [start, end), the point is known to have moved (an amount, or a level other than 0) [µs]."""
        part = self.cut(start_us // MINUTE, -(-end_us // MINUTE))
        moved = np.where(np.isnan(part.mean), (part.amount > 0) & part.has, part.mean != 0) & (part.coverage > 0)
        return int(np.count_nonzero(moved)) * MINUTE


def chained(parts: Sequence[Minutes]) -> Minutes:
    """Consecutive parts as one; what lies before a hole between them is left out."""
    first = max((i for i in range(1, len(parts)) if parts[i].start != parts[i - 1].end), default=0)
    held = parts[first:]
    return Minutes(held[0].start, **{name: np.concatenate([getattr(part, name) for part in held]) for name in COLUMNS})


def _missing(column: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), np.bool_)


def grade(coverage: NDArray[np.float64], estimated: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Quality of minutes by what is known of them."""
    quality = np.where(estimated > 0, Quality.ESTIMATED, Quality.GOOD).astype(np.uint8)
    quality[(coverage <= 0) & (estimated <= 0)] = Quality.BAD
    return quality
