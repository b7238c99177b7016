"""Plant time: anchor + speed × monotonic clock, handed by `monitor` to every process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from plant.reading import SECOND


def to_datetime(time_us: int) -> datetime:
    """The UTC datetime of a time in microseconds."""
    return datetime.fromtimestamp(time_us // SECOND, UTC).replace(microsecond=time_us % SECOND)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime.

    >>> to_us(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    60000000
    """
    return int(moment.timestamp()) * SECOND + moment.microsecond


@dataclass(frozen=True)
class PlantClock:
    """Plant time [µs UTC]; readings, ticks, shifts and limits use it, sockets and retries use real time.

    `anchor_us` is the plant time at `anchor_monotonic_s` of the machine's monotonic clock, which all processes of a
    machine share; at speed 60 a plant minute passes in a real second. Before that instant it stands still.
    """

    anchor_us: int
    anchor_monotonic_s: float
    speed: float = 1.0
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def real(cls) -> PlantClock:
        """Plant time that is the wall clock's time, and never steps back."""
        return cls(int(time.time() * SECOND), time.monotonic())

    def now_us(self) -> int:
        """The plant time now [µs UTC]."""
        return self.anchor_us + int(max(0.0, self._elapsed_s()) * self.speed * SECOND)

    def real_seconds(self, plant_us: int) -> float:
        """How many real seconds a plant duration takes [s]."""
        return plant_us / SECOND / self.speed

    def real_seconds_until(self, time_us: int) -> float:
        """Real seconds from now to a plant time; 0 when it has passed."""
        return max(0.0, self.real_seconds(time_us - self.anchor_us) - self._elapsed_s())

    def _elapsed_s(self) -> float:
        return self.monotonic() - self.anchor_monotonic_s
