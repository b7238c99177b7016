"""Local days and minutes of the day of many instants at once, days of 23 and 25 hours included."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from plant.reading import DAY, MINUTE, SECOND, Times

_QUARTER = 15 * MINUTE
_EPOCH = date(1970, 1, 1).toordinal()


def local_us(times: Times, zone: ZoneInfo) -> Times:
    """Wall-clock time, as microseconds since 1970-01-01 00:00 of the wall clock, of each instant.

    Arguments: `times` int64[n] [µs UTC], `zone`. Returns int64[n] [µs local]. The zone is asked once a quarter of an
    hour: every transition since 1972 lies on one (IANA time-zone database).

    >>> noon = np.array([1_772_424_000_000_000])
    >>> str((local_us(noon, ZoneInfo("Asia/Shanghai")) - noon)[0] / 3.6e9)
    '8.0'
    """
    quarters, back = np.unique(times // _QUARTER, return_inverse=True)
    offsets = np.empty(len(quarters), np.int64)
    for row, quarter in enumerate(quarters.tolist()):
        offset = datetime.fromtimestamp(quarter * (_QUARTER // SECOND), UTC).astimezone(zone).utcoffset()
        offsets[row] = 0 if offset is None else round(offset.total_seconds() * SECOND)
    return times + offsets[back]


def date_of(day: int) -> date:
    """The date of a day counted since 1970-01-01."""
    return date.fromordinal(_EPOCH + day)


def local_days(times: Times, zone: ZoneInfo) -> tuple[list[date], NDArray[np.intp]]:
    """The local days that the instants fall on, in order, and for each instant the index of its day.

    Arguments: `times` int64[n] [µs UTC], `zone`. Returns the days and intp[n].
    """
    days, index = np.unique(local_us(times, zone) // DAY, return_inverse=True)
    return [date_of(day) for day in days.tolist()], index
