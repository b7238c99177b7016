"""The shop's own calendar of minutes: local day, minute of the day, weekday and day of the year, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from plant.reading import HOUR, MINUTE

Integers = NDArray[np.int64]
Values = NDArray[np.float64]

EPOCH = datetime(1970, 1, 1)
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class Minutes:
    """A block of minutes.

    `epoch` counts minutes since 1970 UTC, `day` local days since the scenario's first, `of_day` minutes since local
    midnight, `weekday` 0 = Monday, `of_year` days since 1 January (approximately, for the seasons).
    """

    epoch: Integers
    day: Integers
    of_day: Integers
    weekday: Integers
    of_year: Values

    def __len__(self) -> int:
        return len(self.epoch)


class LocalTime:
    """Turns minutes of UTC into the plant's local time; the offset is looked up once an hour."""

    def __init__(self, zone: ZoneInfo, start_us: int) -> None:
        self._zone = zone
        self._offsets: dict[int, int] = {}
        self._first_day = 0
        self._first_day = int(self.minutes(start_us // MINUTE, 1).day[0])

    def minutes(self, first: int, count: int) -> Minutes:
        """`count` minutes from minute `first` (since 1970 UTC) on."""
        epoch = np.arange(first, first + count, dtype=np.int64)
        hours = epoch // 60
        known = {hour: self._offset(hour) for hour in range(int(hours[0]), int(hours[-1]) + 1)}
        local = epoch + np.array([known[int(hour)] for hour in hours], np.int64)
        days = local // 1440
        year = (EPOCH + timedelta(days=int(days[0]))).year
        new_year = (datetime(year, 1, 1) - EPOCH).days
        return Minutes(
            epoch,
            days - self._first_day,
            local % 1440,
            (days + EPOCH_WEEKDAY) % 7,
            (local - new_year * 1440) / 1440,
        )

    def _offset(self, hour: int) -> int:
        if hour not in self._offsets:
            if len(self._offsets) > 1000:
                self._offsets.clear()
            moment = datetime.fromtimestamp(hour * HOUR // 1_000_000, UTC).astimezone(self._zone)
            offset = moment.utcoffset() or timedelta()
            self._offsets[hour] = int(offset.total_seconds()) // 60
        return self._offsets[hour]
