"""The readings of many messages, gathered as columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collectors.mqtt.times import NOT_SET
from plant.reading import Quality, Readings

FINDINGS = (
    "",
    "not available",
    "not a number",
    "clock not set",
    "device offline",
    "bad at its source",
    "stale at its source",
    "in another unit",
)
(
    SOUND,
    NOT_AVAILABLE,
    NOT_A_NUMBER,
    CLOCK_NOT_SET,
    OFFLINE,
    BAD_AT_SOURCE,
    STALE_AT_SOURCE,
    OTHER_UNIT,
) = range(len(FINDINGS))
_QUALITY = np.full(len(FINDINGS), Quality.BAD, np.uint8)
_QUALITY[SOUND], _QUALITY[CLOCK_NOT_SET] = Quality.GOOD, Quality.SUSPECT


class Columns:
    """Three lists to append a value to, the few rows that are not sound, and which message brought which rows.

    `point` is the index among the plant's MQTT points, `time` the source time [µs UTC], `value` as it was sent. At the
    end of a message its receipt [µs UTC] goes to `received`, the number of rows so far to `ends`.
    """

    def __init__(self) -> None:
        self.point: list[int] = []
        self.time: list[int] = []
        self.value: list[float] = []
        self._found: list[tuple[int, int]] = []
        self.received: list[int] = []
        self.ends: list[int] = []

    def add(self, point: int, time: int, received: int, value: float, finding: int = SOUND) -> None:
        """One reading; a time of NOT_SET gives way to the receipt, with the finding that says so."""
        if time == NOT_SET:
            time, finding = received, finding or CLOCK_NOT_SET
        if finding:
            self._found.append((len(self.point), finding))
        self.point.append(point)
        self.time.append(time)
        self.value.append(value)

    def cut(self, rows: int) -> None:
        """Takes back all but so many rows."""
        for column in (self.point, self.time, self.value):
            del column[rows:]
        self._found = [found for found in self._found if found[0] < rows]

    def readings(self, points: tuple[str, ...], scales: NDArray[np.float64]) -> Readings:
        """All of it; values times the scale of their points, what is not a finite number then is bad."""
        point = np.array(self.point, np.int32)
        value = np.array(self.value, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            value *= scales[point]
        finding = np.zeros(len(point), np.uint8)
        for row, found in self._found:
            finding[row] = found
        no_number = ~np.isfinite(value)
        finding[no_number & (_QUALITY[finding] < Quality.BAD)] = NOT_A_NUMBER
        value[no_number] = np.nan
        ends = np.array([0, *self.ends], np.int64)
        received = np.repeat(np.array(self.received, np.int64), ends[1:] - ends[:-1])
        return Readings(
            points, point, np.array(self.time, np.int64), received, value, _QUALITY[finding], finding, FINDINGS
        )
