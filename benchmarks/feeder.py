"""The collectors' half of a plant at 1 Hz: polls' register words through decoding and commit thread to the journal.

`python -m benchmarks.feeder POINTS PER_UNIT SECONDS FOLDER` runs on the second core, at the pace of the wall clock,
with everything that collect does of a poll but the sockets (`benchmarks.modbus` measures those); `feeder.json` in the
folder then says what it cost.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.large_plant import POLL_US, START, Feed, plant
from collectors.commit import Committer
from collectors.modbus.plan import requests
from collectors.modbus.request import Request
from collectors.modbus.settings import Limits, Value
from collectors.modbus.source import ModbusSource, Polled
from collectors.source import Decoded
from collectors.status import Status
from journal.journal import Journal
from plant.clock import PlantClock
from plant.model import Kind, Plant
from plant.reading import SECOND, Readings

SLOT_US = SECOND // 10
IRREGULAR = (Kind.INTERVAL, Kind.COUNT, Kind.SAMPLE)


class Told:
    """A source whose items are readings already."""

    enough = 10_000

    def decode(self, items: Sequence[Readings]) -> Decoded:
        """The readings as they are."""
        return Decoded(Readings.join(list(items)))

    def committed(self, items: Sequence[Readings]) -> None:
        """Nobody waits for it."""


class Polls:
    """What every device's answer to its one request looks like, beat by beat."""

    def __init__(self, described: Plant) -> None:
        self._index = {name: number for number, name in enumerate(described.points)}
        by_device: dict[str, list[str]] = {}
        for name, point in described.points.items():
            if point.kind not in IRREGULAR:
                by_device.setdefault(point.device, []).append(name)
        self._regular = np.array([point.kind not in IRREGULAR for point in described.points.values()])
        self._devices: list[tuple[Request, NDArray[np.intp]]] = []
        for names in by_device.values():
            values = [
                Value(name, 3, 4 * i, "float64", 4, "big", "big", Fraction(1), 0.0) for i, name in enumerate(names)
            ]
            [request] = requests(values, Limits())
            self._devices.append((request, np.array([self._index[name] for name in names])))

    def split(self, readings: Readings) -> tuple[list[Polled], Readings]:
        """A beat's readings as polls, and those that no poll brings."""
        values, times = np.full(len(self._index), np.nan), np.zeros(len(self._index), np.int64)
        values[readings.point], times[readings.point] = readings.value, readings.time
        polls = [
            Polled(request, values[of].astype(">f8").tobytes(), int(times[of[0]]), int(times[of[0]]) + POLL_US)
            for request, of in self._devices
            if times[of[0]]
        ]
        return polls, readings.take(~self._regular[readings.point])


def main() -> None:
    """Feeds until so many plant seconds have passed."""
    points, per_unit, seconds = map(int, sys.argv[1:4])
    folder = Path(sys.argv[4])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(os.getppid()) ^ _all_cores() or _all_cores())})
    described = plant(points, per_unit)
    feed, polls = Feed(described), Polls(described)
    clock = PlantClock(START, time.monotonic())
    status = Status(clock, {name: device.protocol for name, device in described.devices.items()}, plant=described)
    committer = Committer(Journal(folder / "journal"), clock, status)
    modbus, told = ModbusSource(), Told()
    thread = threading.Thread(target=committer.run)
    thread.start()
    began, generated = time.process_time(), 0.0
    for second in range(seconds):
        at = time.thread_time()
        answers, rest = polls.split(feed.beats())
        slots: dict[int, list[Polled]] = {}
        for answer in answers:
            slots.setdefault((answer.received - START) // SLOT_US, []).append(answer)
        generated += time.thread_time() - at
        for slot in sorted(slots):
            time.sleep(clock.real_seconds_until(START + (slot + 1) * SLOT_US))
            committer.put(modbus, slots[slot])
        if len(rest):
            committer.put(told, [rest])
        time.sleep(clock.real_seconds_until(START + (second + 1) * SECOND))
    committer.stop()
    thread.join()
    if committer.broken is not None:
        raise committer.broken
    found = {"readings": status.journal.readings, "commits": status.journal.commits}
    core = round((time.process_time() - began - generated) / seconds, 3)
    (folder / "feeder.json").write_text(json.dumps(found | {"core": core}))


def _all_cores() -> set[int]:
    return set(range(os.cpu_count() or 1))


if __name__ == "__main__":
    main()
