"""What collect knows of its own health: per device, broker and journal; written as `collect.json` for the page."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np

from collectors.source import Rejected
from plant.clock import PlantClock
from plant.model import Plant
from plant.reading import MINUTE, SECOND, Quality, Readings

FILE = "collect.json"
RECENT = 60
PARTS = 12
NEVER = np.iinfo(np.int64).min


class RecentRate:
    """Readings per plant second over the last minute, or over as many whole intervals as make one.

    Counted in twelfths of that span. Only whole twelfths count, so that a device that is polled once an interval has
    the same rate at every instant.
    """

    def __init__(self, interval_s: float, start_us: int) -> None:
        interval_us = max(1, round(interval_s * SECOND))
        self._part_us = max(1, ceil(MINUTE / interval_us) * interval_us // PARTS)
        self._first = start_us // self._part_us + 1
        self._parts: deque[list[int]] = deque(maxlen=PARTS + 1)

    def add(self, now_us: int, count: int) -> None:
        """Counts readings that came now."""
        part = now_us // self._part_us
        if self._parts and self._parts[-1][0] == part:
            self._parts[-1][1] += count
        else:
            self._parts.append([part, count])

    def per_s(self, now_us: int) -> float | None:
        """The rate [1/s]; None in the first moments, when no twelfth is over."""
        end = now_us // self._part_us
        begin = max(end - PARTS, self._first)
        if begin >= end:
            return None
        count = sum(count for part, count in self._parts if begin <= part < end)
        return count / ((end - begin) * self._part_us / SECOND)


@dataclass
class DeviceStatus:
    """One device: its last success [µs UTC plant time], latency, lag, errors and rejected payloads.

    `lag_s` is the time of receipt less the source time of the newest reading of those that came together last.
    """

    protocol: str
    rate: RecentRate
    last_success: int | None = None
    latency_ms: float | None = None
    readings: int = 0
    successes: int = 0
    errors: int = 0
    last_error: str = ""
    last_error_at: int | None = None
    retained: int = 0
    lag_s: float | None = None
    rejected: Rejected = field(default_factory=Rejected)
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def plain(self, now_us: int) -> dict[str, Any]:
        """The status as a JSON object; what was never measured is None.

        `error_rate` is the share of failures among the last 60 attempts, `latency_median_ms` the median of the last 60
        answers, `readings_per_s` as `RecentRate` counts.
        """
        return {
            "protocol": self.protocol,
            "last_success": self.last_success,
            "latency_ms": self.latency_ms,
            "latency_median_ms": round(median(self.latencies), 3) if self.latencies else None,
            "readings": self.readings,
            "readings_per_s": self.rate.per_s(now_us),
            "lag_s": self.lag_s,
            "successes": self.successes,
            "errors": self.errors,
            "error_rate": 1 - sum(self.recent) / len(self.recent) if self.recent else None,
            "last_error": self.last_error,
            "last_error_at": self.last_error_at,
            "retained": self.retained,
            "rejected": vars(self.rejected).copy(),
        }


@dataclass
class BrokerStatus:
    """The MQTT session; `doubts` are the reasons why this broker may lose what it has acknowledged to publishers."""

    url: str
    connected: bool = False
    protocol: str = ""
    session_present: bool = False
    connections: int = 0
    dropped: int = 0
    last_error: str = ""
    doubts: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """The status as a JSON object."""
        return {**vars(self), "doubts": list(self.doubts)}


@dataclass
class JournalStatus:
    """The commit thread: what is on disk, what waits, and why it does not get there.

    `waiting` counts items that are not on disk yet, `damage` says what was lost when a damaged journal was put aside
    at the start.
    """

    position: int = 0
    commits: int = 0
    readings: int = 0
    messages: int = 0
    last_commit: int | None = None
    commit_ms: float | None = None
    waiting: int = 0
    storage_error: str = ""
    trim_error: str = ""
    damage: str = ""
    used_bytes: int = 0
    budget_bytes: int | None = None
    paused: bool = False


class Status:
    """Thread-safe record of all of them."""

    def __init__(
        self,
        clock: PlantClock,
        devices: Mapping[str, str],
        broker_url: str | None = None,
        plant: Plant | None = None,
    ) -> None:
        """`devices` gives each device's protocol, `plant` which points are whose and how often a device speaks."""
        self._clock = clock
        self._lock = threading.Lock()
        start = clock.now_us()
        intervals = {name: device.interval for name, device in plant.devices.items()} if plant else {}
        self._devices = {
            name: DeviceStatus(protocol, RecentRate(intervals.get(name, 1.0), start))
            for name, protocol in devices.items()
        }
        self._places = {name: place for place, name in enumerate(self._devices)}
        self._owners = {name: self._places.get(one.device, -1) for name, one in plant.points.items()} if plant else {}
        self.broker = BrokerStatus(broker_url) if broker_url else None
        self.journal = JournalStatus()

    def success(self, device: str, latency_s: float | None, readings: int) -> None:
        """A request answered, or messages that held so many good readings."""
        found = self._devices[device]
        with self._lock:
            found.last_success = now = self._clock.now_us()
            if latency_s is not None:
                found.latency_ms = latency_ms = round(latency_s * 1e3, 3)
                found.latencies.append(latency_ms)
            found.readings += readings
            found.rate.add(now, readings)
            found.successes += 1
            found.recent.append(True)

    def failure(self, device: str, reason: str) -> None:
        """A poll that failed."""
        with self._lock:
            found = self._devices[device]
            found.errors += 1
            found.last_error = reason
            found.last_error_at = self._clock.now_us()
            found.recent.append(False)

    def rejected(self, device: str, rejected: Rejected) -> None:
        """Payloads that could not be used."""
        with self._lock:
            found = self._devices[device]
            found.rejected.count += rejected.count
            found.rejected.sample, found.rejected.reason = rejected.sample, rejected.reason
            found.errors += rejected.count
            found.recent.extend([False] * min(rejected.count, RECENT))
            found.last_error, found.last_error_at = rejected.reason, self._clock.now_us()

    def retained(self, device: str) -> None:
        """A retained message, which is never taken for a fresh reading."""
        with self._lock:
            self._devices[device].retained += 1

    def accepted(self, readings: Readings) -> None:
        """Readings that go to disk together: each device's lag is that of its newest good one."""
        owners = np.array([self._owners.get(name, -1) for name in readings.points], np.int64)
        good = readings.quality < Quality.BAD
        whose, times, received = owners[readings.point[good]], readings.time[good], readings.received[good]
        newest = np.full(len(self._places) + 1, NEVER)  # the last place is for points of nobody: index -1
        np.maximum.at(newest, whose, times)
        last = times == newest[whose]
        lags = dict(zip(whose[last].tolist(), ((received - times)[last] / SECOND).tolist(), strict=True))
        with self._lock:
            for name, place in self._places.items():
                if place in lags:
                    self._devices[name].lag_s = lags[place]

    def device(self, name: str) -> DeviceStatus:
        """The status of one device."""
        return self._devices[name]

    def plain(self) -> dict[str, Any]:
        """Everything as a JSON object; times in µs UTC, `time` plant time, `real_time` the wall clock's."""
        with self._lock:
            now = self._clock.now_us()
            return {
                "time": now,
                "real_time": int(time.time() * SECOND),
                "speed": self._clock.speed,
                "devices": {name: found.plain(now) for name, found in self._devices.items()},
                "broker": self.broker.plain() if self.broker else None,
                "journal": vars(self.journal).copy(),
            }

    def write(self, folder: Path) -> None:
        """Replaces `collect.json` in the data folder. Raises OSError when it cannot."""
        fresh = folder / f"{FILE}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self.plain()), indent=1))
        fresh.replace(folder / FILE)
