"""What collect knows of its own health: per device, broker and journal; written as `collect.json` for the page."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from collectors.source import Rejected
from plant.clock import PlantClock
from plant.reading import SECOND

FILE = "collect.json"
RECENT = 60


@dataclass
class DeviceStatus:
    """One device: its last success [µs UTC plant time], latency, errors and rejected payloads."""

    protocol: str
    last_success: int | None = None
    latency_ms: float | None = None
    readings: int = 0
    successes: int = 0
    errors: int = 0
    last_error: str = ""
    last_error_at: int | None = None
    retained: int = 0
    rejected: Rejected = field(default_factory=Rejected)
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))

    def plain(self) -> dict[str, Any]:
        """The status as a JSON object; `error_rate` is the share of failures among the last 60 attempts."""
        found = {name: value for name, value in vars(self).items() if name not in {"recent", "rejected"}}
        rate = 1 - sum(self.recent) / len(self.recent) if self.recent else 0.0
        return {**found, "error_rate": rate, "rejected": vars(self.rejected).copy()}


@dataclass
class BrokerStatus:
    """The MQTT session."""

    url: str
    connected: bool = False
    protocol: str = ""
    session_present: bool = False
    connections: int = 0
    dropped: int = 0
    last_error: str = ""


@dataclass
class JournalStatus:
    """The commit thread: what is on disk, what waits, and why it does not get there."""

    position: int = 0
    commits: int = 0
    readings: int = 0
    messages: int = 0
    last_commit: int | None = None
    commit_ms: float | None = None
    waiting: int = 0
    storage_error: str = ""
    trim_error: str = ""
    used_bytes: int = 0
    paused: bool = False


class Status:
    """Thread-safe record of all of them."""

    def __init__(self, clock: PlantClock, devices: dict[str, str], broker_url: str | None = None) -> None:
        """`devices` gives each device's protocol."""
        self._clock = clock
        self._lock = threading.Lock()
        self._devices = {name: DeviceStatus(protocol) for name, protocol in devices.items()}
        self.broker = BrokerStatus(broker_url) if broker_url else None
        self.journal = JournalStatus()

    def success(self, device: str, latency_s: float | None, readings: int) -> None:
        """A request answered, or messages that held so many good readings."""
        with self._lock:
            found = self._devices[device]
            found.last_success = self._clock.now_us()
            if latency_s is not None:
                found.latency_ms = round(latency_s * 1e3, 3)
            found.readings += readings
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

    def device(self, name: str) -> DeviceStatus:
        """The status of one device."""
        return self._devices[name]

    def plain(self) -> dict[str, Any]:
        """Everything as a JSON object; times in µs UTC, `time` plant time, `real_time` the wall clock's."""
        with self._lock:
            return {
                "time": self._clock.now_us(),
                "real_time": int(time.time() * SECOND),
                "speed": self._clock.speed,
                "devices": {name: found.plain() for name, found in self._devices.items()},
                "broker": vars(self.broker).copy() if self.broker else None,
                "journal": vars(self.journal).copy(),
            }

    def write(self, folder: Path) -> None:
        """Replaces `collect.json` in the data folder. Raises OSError when it cannot."""
        fresh = folder / f"{FILE}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self.plain()), indent=1))
        fresh.replace(folder / FILE)
