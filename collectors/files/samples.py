"""Samples valid from and to: the readings that make the pipeline end them, or go on with them, at the right time.

The pipeline holds a sample until the next reading of its point, at most for the point's declared `valid`. One that is
valid for less is ended by a reading without a value, a microsecond before its end, so that the next sample may begin
there; one that is valid for longer is said again each time its `valid` is over. What lies ahead of the plant's time is
kept as `Due` until it has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, nan
from typing import NamedTuple

import msgspec

from plant.model import Kind, Plant
from plant.reading import SECOND, Readings

MARKS = "sample/"
SAID_AGAIN_MAX = 10_000
"""So often a value is said again at most: after that its point's `valid` is plainly not meant."""


class Extra(NamedTuple):
    """A reading that follows from a sample's validity: point number, time [µs UTC], value (NaN: no longer valid)."""

    point: int
    time: int
    value: float


@dataclass(frozen=True)
class Due:
    """A sample that is still valid: what of it is to be read next, at `time` [µs UTC]."""

    point: str
    since: int
    until: int
    value: float
    time: int

    @property
    def name(self) -> str:
        """The name of its mark."""
        return f"{MARKS}{self.point}/{self.since}"

    def encode(self) -> bytes:
        """Its mark."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, mark: bytes) -> Due | None:
        """The one that a mark holds; None when another version wrote it."""
        try:
            return msgspec.msgpack.decode(mark, type=cls)
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            return None


def known_dues(marks: Mapping[str, bytes]) -> dict[str, Due]:
    """The dues that marks hold, by name."""
    return {name: due for name, body in marks.items() if (due := Due.decode(body)) is not None}


class Validity:
    """What follows from samples' ends, for one plant."""

    def __init__(self, plant: Plant) -> None:
        self._names = list(plant.points)
        self._valid = {
            number: int((point.valid or 3 * plant.devices[point.device].interval) * SECOND)
            for number, point in enumerate(plant.points.values())
            if point.kind is Kind.SAMPLE
        }
        self.points = frozenset(self._valid)

    def extras(
        self, rows: Iterable[tuple[int, int, float | None, int | None]], now: int
    ) -> tuple[list[Extra], list[Due]]:
        """What follows from samples (point, from, value, to) that came together, up to `now` and after it.

        A sample ends where the next one of its point begins, if that is earlier.
        """
        by_point: dict[int, list[tuple[int, float | None, int | None]]] = {}
        for point, since, value, until in rows:
            if point in self._valid:
                by_point.setdefault(point, []).append((since, value, until))
        extras: list[Extra] = []
        dues: list[Due] = []
        for point, found in by_point.items():
            ordered = sorted(found, key=lambda one: one[0])
            starts = sorted({since for since, _, _ in ordered})
            following = dict(pairwise(starts))
            for since, value, until in ordered:
                if until is None or value is None or not isfinite(value):
                    continue
                after = following.get(since)
                for time, said in self._course(point, since, value, until):
                    if after is not None and time >= after:
                        break
                    if time > now:
                        dues.append(Due(self._names[point], since, until, value, time))
                        break
                    extras.append(Extra(point, time, said))
        return extras, dues

    def due(self, due: Due, now: int) -> tuple[list[Extra], Due | None]:
        """What of a sample has come by `now`, and what is to come."""
        point = self._names.index(due.point) if due.point in self._names else -1
        extras: list[Extra] = []
        if point in self._valid:
            for time, said in self._course(point, due.since, due.value, due.until):
                if time > now:
                    return extras, Due(due.point, due.since, due.until, due.value, time)
                if time >= due.time:
                    extras.append(Extra(point, time, said))
        return extras, None

    def _course(self, point: int, since: int, value: float, until: int) -> Iterator[tuple[int, float]]:
        """The readings after the first one: the value each time `valid` is over, and none at the end."""
        valid = self._valid[point]
        for number in range(1, SAID_AGAIN_MAX + 1):
            if since + number * valid >= until:
                break
            yield since + number * valid, value
        if (until - since) % valid:
            yield until - 1, nan


def superseded(dues: Mapping[str, Due], readings: Readings) -> set[str]:
    """The names of the dues that a reading of their point makes void: one that begins no earlier than theirs."""
    found = set()
    for name, due in dues.items():
        if due.point in readings.points:
            times = readings.time[readings.point == readings.points.index(due.point)]
            if ((times >= due.since) & (times < due.until)).any():
                found.add(name)
    return found
