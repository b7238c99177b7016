"""Points of keepclean itself: its own status, read once an interval and brought to the journal like any device's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan, nan
from typing import NamedTuple

import numpy as np

from collectors.keeping import keep
from collectors.modbus.poller import Sink
from collectors.own_fields import SECTIONS, Read, split
from collectors.source import Decoded
from collectors.status import Status
from plant.clock import PlantClock
from plant.model import Own, Plant
from plant.reading import SECOND, Quality, Readings
from plant.units import conversion

NOT_AVAILABLE = "not available"
NOT_POLLED = "not read: the journal cannot be written"


@dataclass(frozen=True)
class OwnDevice:
    """A device that is keepclean itself, with its points: what each reads, and the factor to its unit."""

    name: str
    interval_us: int
    points: tuple[str, ...]
    reads: tuple[Read, ...]
    scales: tuple[float, ...]


class Observed(NamedTuple):
    """The values of a device's points, NaN where unknown, at a time [µs UTC plant time]."""

    device: OwnDevice
    time: int
    values: tuple[float, ...]


def plan(plant: Plant) -> tuple[OwnDevice, ...]:
    """The devices of a plant that are keepclean itself.

    Raises KeyError for a field that does not exist, ValueError for a unit that it does not convert to;
    `collectors.own_check` says so beforehand.
    """
    found = []
    for name, device in plant.devices.items():
        if isinstance(device, Own):
            fed = {key: point for key, point in plant.points.items() if point.device == name}
            reads = tuple(split(point.read) for point in fed.values())
            scales = tuple(
                point.scale * conversion(SECTIONS[read.section][read.field].unit, point.unit)
                for point, read in zip(fed.values(), reads, strict=True)
            )
            found.append(OwnDevice(name, round(device.interval * SECOND), tuple(fed), reads, scales))
    return tuple(found)


class OwnSource:
    """Makes readings of what was observed; nobody waits for an acknowledgement."""

    enough = 10_000

    def decode(self, items: Sequence[Observed]) -> Decoded:
        """The readings; a value that is not known is a bad one."""
        return Decoded(Readings.join([_readings(item) for item in items]))

    def committed(self, items: Sequence[Observed]) -> None:
        """Nothing to do."""


def _readings(item: Observed) -> Readings:
    count = len(item.values)
    values = np.array(item.values, np.float64)
    unknown = np.isnan(values)
    times = np.full(count, item.time, np.int64)
    return Readings(
        item.device.points,
        np.arange(count, dtype=np.int32),
        times,
        times,
        values,
        np.where(unknown, Quality.BAD, Quality.GOOD).astype(np.uint8),
        unknown.astype(np.uint8),
        ("", NOT_AVAILABLE),
    )


class Observers:
    """Reads the status for each own device at the full intervals of plant time."""

    def __init__(self, planned: Sequence[OwnDevice], clock: PlantClock, sink: Sink, status: Status) -> None:
        self._planned, self._clock, self._sink, self._status = planned, clock, sink, status
        self._source = OwnSource()

    def start(self) -> list[asyncio.Task[None]]:
        """A task for each device; they run until cancelled."""
        return [
            asyncio.create_task(keep(device.name, partial(self.run, device), self._status.failure))
            for device in self._planned
        ]

    async def run(self, device: OwnDevice) -> None:
        """Observes until cancelled."""
        due = 0
        while True:
            due = (max(self._clock.now_us(), due) // device.interval_us + 1) * device.interval_us
            await asyncio.sleep(self._clock.real_seconds_until(due))
            self.observe(device)

    def observe(self, device: OwnDevice) -> None:
        """Hands over what the status says now."""
        if not self._sink.accepts():
            self._status.failure(device.name, NOT_POLLED)
            return
        status = self._status.plain()
        found = (read.value(status) for read in device.reads)
        values = tuple(
            nan if value is None else value * scale for value, scale in zip(found, device.scales, strict=True)
        )
        self._sink.put(self._source, (Observed(device, status["time"], values),))
        self._status.success(device.name, None, sum(not isnan(value) for value in values))
