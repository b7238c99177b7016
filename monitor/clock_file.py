"""The plant clock as a small file that every process of a plant reads; the demo replaces it when it runs ahead."""

from __future__ import annotations

import json
from pathlib import Path

from plant.clock import PlantClock
from plant.errors import StorageError


def write_clock(path: Path, clock: PlantClock) -> None:
    """Writes the clock, atomically."""
    body = {"anchor_us": clock.anchor_us, "anchor_monotonic_s": clock.anchor_monotonic_s, "speed": clock.speed}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(body))
    fresh.replace(path)


def read_clock(path: Path) -> PlantClock:
    """The clock that the file describes. Raises StorageError when there is none."""
    try:
        return PlantClock(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"{path}: not a clock: {error}") from error


class ClockFile:
    """A clock that follows its file, for the process that lives on while the demo runs ahead."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = read_clock(path)

    def reload(self) -> None:
        """Takes the file's clock from now on."""
        self._clock = read_clock(self._path)

    def hold(self, time_us: int) -> None:
        """Stands still at a time until the file is read again."""
        self._clock = PlantClock(time_us, self._clock.monotonic(), 1e-9)

    def now_us(self) -> int:
        """The plant time now [µs UTC]."""
        return self._clock.now_us()

    @property
    def speed(self) -> float:
        """Plant time per real time."""
        return self._clock.speed
