"""A reading and its quality; a batch of readings as columns.

Times are int64 microseconds since 1970-01-01 UTC everywhere inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

STILL_VALID = "still valid"
"""The finding of a sample's value said again because it is valid for longer than its point declares."""
NO_LONGER_VALID = "no longer valid"
"""The finding of the reading without a value that ends a sample earlier: nothing is wrong with it."""


class Quality(IntEnum):
    """How far a value may be trusted; a sum has the worst of its parts."""

    GOOD = 0
    ESTIMATED = 1
    SUSPECT = 2
    BAD = 3


@dataclass(frozen=True)
class Readings:
    """A batch of readings as columns of equal length.

    `points` names the points, `point` indexes into it; `time` is source time [µs UTC], `received` the time of
    receipt [µs UTC]; `value` is in the point's own unit after scale and ratio; `quality` holds `Quality` codes and
    `finding` an index into `findings` ("" when there is none).
    """

    points: tuple[str, ...]
    point: NDArray[np.int32]
    time: Times
    received: Times
    value: Values
    quality: NDArray[np.uint8]
    finding: NDArray[np.uint8]
    findings: tuple[str, ...] = field(default=("",))

    def __len__(self) -> int:
        return len(self.point)

    @classmethod
    def build(
        cls,
        points: tuple[str, ...],
        point: NDArray[np.int32],
        time: Times,
        received: Times,
        value: Values,
        quality: NDArray[np.uint8] | None = None,
        finding: NDArray[np.uint8] | None = None,
        findings: tuple[str, ...] = ("",),
    ) -> Readings:
        """Readings from columns; without `quality` they are good, unless the value is not finite."""
        if quality is None:
            quality = np.where(np.isfinite(value), Quality.GOOD, Quality.BAD).astype(np.uint8)
        if finding is None:
            finding = np.zeros(len(point), np.uint8)
        return cls(points, point, time, received, value, quality, finding, findings)

    @classmethod
    def join(cls, batches: list[Readings]) -> Readings:
        """Several batches as one, in their order."""
        names: dict[str, int] = {}
        findings: dict[str, int] = {"": 0}
        point, finding = [], []
        for batch in batches:
            to_name = np.array([names.setdefault(name, len(names)) for name in batch.points], np.int32)
            to_finding = np.array([findings.setdefault(name, len(findings)) for name in batch.findings], np.uint8)
            point.append(to_name[batch.point] if len(batch) else batch.point)
            finding.append(to_finding[batch.finding] if len(batch) else batch.finding)
        if not batches:
            empty = np.empty(0, np.int64)
            return cls.build((), np.empty(0, np.int32), empty, empty, np.empty(0))
        return cls(
            tuple(names),
            np.concatenate(point),
            np.concatenate([batch.time for batch in batches]),
            np.concatenate([batch.received for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
            np.concatenate(finding),
            tuple(findings),
        )

    def cut(self, spans: Sequence[tuple[int, int]]) -> Readings:
        """The rows [low, high) of each span, in their order; names are kept."""

        def cut(column: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([column[:0], *(column[low:high] for low, high in spans)])

        return replace(
            self,
            point=cut(self.point),
            time=cut(self.time),
            received=cut(self.received),
            value=cut(self.value),
            quality=cut(self.quality),
            finding=cut(self.finding),
        )

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Readings:
        """The rows chosen by index or mask; names are kept."""
        return Readings(
            self.points,
            self.point[rows],
            self.time[rows],
            self.received[rows],
            self.value[rows],
            self.quality[rows],
            self.finding[rows],
            self.findings,
        )
