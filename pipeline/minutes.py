"""Minute facts of one point as columns over consecutive minutes.

`amount` is int64 in STEP and means nothing where `has` is false; `mean`, `min`, `max`, `last` are NaN where unknown;
`coverage` and `estimated` are shares 0..1 of the minute; `quality` holds `Quality` codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from plant.reading import Quality

STEP = 1e-6
PER_UNIT = 1_000_000
"""STEPs in a unit: whole numbers divide by it to the nearest decimal, where a product with STEP would not."""
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
UNKNOWN: dict[str, float] = {
    **{"amount": 0, "has": False, "mean": np.nan, "min": np.nan, "max": np.nan, "last": np.nan},
    **{"coverage": 0.0, "estimated": 0.0, "quality": Quality.BAD},
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
        return cls(start, **{name: np.full(n, UNKNOWN[name], kind) for name, kind in COLUMNS.items()})

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

    def moved(self) -> NDArray[np.bool_]:
        """Which minutes the point is known to have moved in: an amount, or a level other than 0."""
        amounts = (self.amount > 0) & self.has
        return np.where(np.isnan(self.mean), amounts, self.mean != 0) & (self.coverage > 0)


@dataclass
class FactBlock:
    """Facts of several points over the same minutes: columns [point, minute], in the order of `names`."""

    names: tuple[str, ...]
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
    def unknown(cls, names: tuple[str, ...], start: int, end: int) -> FactBlock:
        """Minutes of which nothing is known."""
        shape = (len(names), max(end - start, 0))
        columns = {name: np.full(shape, UNKNOWN[name], kind) for name, kind in COLUMNS.items()}
        return cls(names, start, **columns)

    @property
    def end(self) -> int:
        """The minute after the last one."""
        return self.start + int(self.amount.shape[1])

    def of(self, number: int) -> Minutes:
        """The minutes of one point (views)."""
        return Minutes(self.start, **{name: getattr(self, name)[number] for name in COLUMNS})

    def take(self, rows: NDArray[np.intp]) -> FactBlock:
        """Some of the points."""
        names = tuple(self.names[row] for row in rows.tolist())
        return FactBlock(names, self.start, **{name: getattr(self, name)[rows] for name in COLUMNS})


def chained(parts: Sequence[Minutes]) -> Minutes:
    """Consecutive parts as one; what lies before a hole between them is left out."""
    first = max((i for i in range(1, len(parts)) if parts[i].start != parts[i - 1].end), default=0)
    held = parts[first:]
    return Minutes(held[0].start, **{name: np.concatenate([getattr(part, name) for part in held]) for name in COLUMNS})


def grade(coverage: NDArray[np.float64], estimated: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Quality of minutes by what is known of them."""
    quality = np.where(estimated > 0, Quality.ESTIMATED, Quality.GOOD).astype(np.uint8)
    quality[(coverage <= 0) & (estimated <= 0)] = Quality.BAD
    return quality
