"""The demo's page: breaking something in the simulated plant, its truth, and running ahead in lock step."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from journal.journal import Journal
from monitor.clock_file import ClockFile
from monitor.describe import Described
from monitor.lockstep import LockStepRun, Progress
from monitor.server import Server
from plant.errors import DeviceError
from simulators.catalogue import fault_catalogue
from simulators.control import ControlClient
from simulators.lockstep import LockStep
from simulators.main import STATE, TRUTH

REQUEST, PORTS = "advance.json", "ports.json"
MINUTES_PER_DAY = 24 * 60
WAIT_S = 30.0


class Advance:
    """Running ahead: the page asks, the demo ends simulator and collectors, the pipeline runs the lock step.

    `advance.json` carries the word between the processes: {"state": "asked" | "quiet" | "done", "days", "now_us"}.
    """

    def __init__(self, data: Path, clock: ClockFile) -> None:
        self._path = data / REQUEST
        self._data, self._clock = data, clock
        self._progress: Progress | None = None
        self._asked = threading.Event()
        self._handed_back = False

    def ask(self, days: int) -> None:
        """Asks for a run of whole days; one at a time."""
        if self.progress() is None:
            self._asked.set()
            write_request(self._data, {"state": "asked", "days": days})

    def due(self) -> bool:
        """Whether the run may begin: simulator and collectors have ended. Follows the clock when they run again."""
        if self._handed_back and not read_request(self._data):
            self._clock.reload()
            self._handed_back = False
        return self._asked.is_set() and read_request(self._data).get("state") == "quiet"

    def progress(self) -> dict[str, Any] | None:
        """Days done and in all; None when nothing is under way."""
        if not self._asked.is_set():
            return None
        found = self._progress
        done = found.minutes / MINUTES_PER_DAY if found else 0.0
        return {"done": done, "total": read_request(self._data).get("days", 0)}

    def run(self, described: Described, journal: Journal, server: Server) -> None:
        """Runs the lock step in the calling thread, then hands the new time back to the demo."""
        days = int(read_request(self._data)["days"])
        while server.step():
            pass
        simulator = LockStep.load(self._data / STATE, truth=self._data / TRUTH)
        self._clock.hold(simulator.now_us)
        run = LockStepRun(described.plant, described.folder, simulator, journal, server)

        def note(progress: Progress) -> None:
            self._progress = progress
            self._clock.hold(simulator.now_us)

        run.run(days * MINUTES_PER_DAY, note)
        simulator.save(self._data / STATE)
        simulator.close()
        write_request(self._data, {"state": "done", "days": days, "now_us": simulator.now_us})
        self._progress = None
        self._handed_back = True
        self._asked.clear()


def read_request(data: Path) -> dict[str, Any]:
    """What `advance.json` says; empty when nothing was asked."""
    try:
        found: dict[str, Any] = json.loads((data / REQUEST).read_text())
        return found
    except (OSError, ValueError):
        return {}


def write_request(data: Path, body: Mapping[str, Any]) -> None:
    """Replaces `advance.json`."""
    fresh = data / "advance.new"
    fresh.write_text(json.dumps(body))
    fresh.replace(data / REQUEST)


class DemoConsole:
    """Answers `console.sources.DemoControl` from the simulator's control port."""

    def __init__(self, data: Path, clock: ClockFile, advance: Advance) -> None:
        self._data, self._clock, self._advance = data, clock, advance
        self.speed = clock.speed

    def _client(self) -> ControlClient:
        try:
            return ControlClient(int(json.loads((self._data / PORTS).read_text())["control"]))
        except (OSError, ValueError, KeyError) as error:
            raise DeviceError("the simulated shop is not up yet") from error

    def catalogue(self) -> Sequence[Mapping[str, Any]]:
        """Every fault on offer."""
        return [asdict(offer) for offer in fault_catalogue()]

    def active(self) -> Sequence[Mapping[str, Any]]:
        """The faults that are on; none while the shop is away."""
        try:
            return self._client().active()
        except DeviceError:
            return []

    def switch(self, fault: str, target: str, size: float, on: bool) -> None:
        """Switches a fault. Raises DeviceError when the shop cannot be reached or refuses."""
        self._client().switch(fault, target, size=size, on=on)

    def truth(self) -> Sequence[Mapping[str, Any]]:
        """Every fault of the run with its true onset and size; none while the shop is away."""
        try:
            faults = self._client().truth()["faults"]
        except DeviceError:
            return []
        names = {"onset": "onset_us", "end": "end_us", "per_hour": "size_per_hour"}
        return [{names.get(key, key): value for key, value in fault.items()} for fault in faults]

    def advance(self, days: int) -> None:
        """Asks for a run ahead."""
        self._advance.ask(days)

    def progress(self) -> Mapping[str, Any] | None:
        """How far a run ahead is."""
        return self._advance.progress()
