"""The readings of one point that the step still holds: sorted by source time, each with what became of it.

Identity: a reading is (point, source time). The same value again is dropped; another value makes all of that instant
`conflict`, none of which is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from plant.reading import MINUTE, Quality

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


class Status(IntEnum):
    """What the step made of a reading; USED and above RESOLVED count."""

    USED = 0
    RESOLVED = 1
    BROKEN = 2
    PENDING = 3
    DROPPED = 4
    FROZEN = 5
    BAD = 6


def counts(status: Codes) -> NDArray[np.bool_]:
    """Which readings are used. RESOLVED: accepted by looking ahead; BROKEN: likewise, what lay before is unknown."""
    return status <= Status.BROKEN


@dataclass
class Series:
    """Columns of equal length; `total` is a counter's running amount [STEP] at each used reading."""

    time: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    value: Floats = field(default_factory=lambda: np.empty(0, np.float64))
    status: Codes = field(default_factory=lambda: np.empty(0, np.uint8))
    suspect: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    total: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.time)

    def drop_before(self, time_us: int) -> bool:
        """Forgets readings older than a time, all but the last used one before it, what its minute needs, and the one
        that ended it.

        Returns whether there were any. A gap of any length can be closed from what is kept.
        """
        first = int(np.searchsorted(self.time, time_us))
        used = np.flatnonzero(counts(self.status[:first]))
        if len(used):
            minute = int(self.time[used[-1]]) // MINUTE * MINUTE
            used = used[max(int(np.searchsorted(self.time[used], minute, "right")) - 1, 0) :]
            after = used[-1] + 1
            if after < first and self.status[after] >= Status.FROZEN:
                used = np.append(used, after)
        if len(used) == first:
            return False
        keep = np.concatenate([used, np.arange(first, len(self.time))])
        self.time, self.value, self.status = self.time[keep], self.value[keep], self.status[keep]
        self.suspect, self.total = self.suspect[keep], self.total[keep]
        return True


@dataclass(frozen=True)
class Merged:
    """What a merge changed: the first index touched (None: nothing) and the times in conflict."""

    first: int | None
    conflicts: Ints


def merge(series: Series, time: Ints, value: Floats, quality: Codes) -> Merged:
    """Adds readings (any order, repeats allowed) to a series."""
    none = np.empty(0, np.int64)
    if not len(time):
        return Merged(None, none)
    bad = (quality == Quality.BAD) | ~np.isfinite(value)
    status = np.where(bad, Status.BAD, Status.USED).astype(np.uint8)
    suspect = quality == Quality.SUSPECT
    rising = bool(np.all(np.diff(time) > 0)) if len(time) > 1 else True
    if rising and (not len(series) or time[0] > series.time[-1]):
        first = len(series)
        series.time = np.concatenate([series.time, time])
        series.value = np.concatenate([series.value, value])
        series.status = np.concatenate([series.status, status])
        series.suspect = np.concatenate([series.suspect, suspect])
        series.total = np.concatenate([series.total, np.zeros(len(time), np.int64)])
        return Merged(first, none)
    return _merge_any(series, time, value, status, suspect)


def _merge_any(series: Series, time: Ints, value: Floats, status: Codes, suspect: NDArray[np.bool_]) -> Merged:
    old = len(series)
    all_time = np.concatenate([series.time, time])
    all_value = np.concatenate([series.value, value])
    fresh = np.arange(len(all_time)) >= old
    # NaN sorts last and compares equal here: two unreadable values of one instant are the same reading
    order = np.lexsort((fresh, all_value, all_time))
    t, v, is_fresh = all_time[order], all_value[order], fresh[order]
    st = np.concatenate([series.status, status])[order]
    sus = np.concatenate([series.suspect, suspect])[order]
    tot = np.concatenate([series.total, np.zeros(len(time), np.int64)])[order]
    same_time = np.concatenate([[False], t[1:] == t[:-1]])
    same = same_time & np.concatenate([[False], (v[1:] == v[:-1]) | (np.isnan(v[1:]) & np.isnan(v[:-1]))])
    t, v, st, sus, tot, is_fresh = (column[~same] for column in (t, v, st, sus, tot, is_fresh))
    again = np.concatenate([[False], t[1:] == t[:-1]])
    clash = again | np.concatenate([again[1:], [False]])
    newly = clash & (st != Status.BAD)
    st = np.where(clash, Status.BAD, st).astype(np.uint8)
    touched = np.flatnonzero(is_fresh | newly)
    series.time, series.value, series.status, series.suspect, series.total = t, v, st, sus, tot
    conflicts = np.unique(t[clash & is_fresh]) if clash.any() else np.empty(0, np.int64)
    return Merged(int(touched[0]) if len(touched) else None, conflicts)
