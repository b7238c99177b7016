"""`keepclean demo`: five weeks of history of the simulated shop, then the shop live, watched end to end."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from historian.reader import Reader
from historian.spool import spools
from historian.store import Historian
from journal.journal import Journal
from journal.lock import FolderLock
from journal.message import encode_body
from monitor.clock_file import write_clock
from monitor.demo_control import MINUTES_PER_DAY, PORTS, read_request, write_request
from monitor.describe import Described
from monitor.lockstep import LockStepRun
from monitor.lockstep import Progress as Done
from monitor.processes import Supervisor
from monitor.server import Server, announce_plant
from monitor.status import data_bytes
from pipeline.fitting import propose
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.reading import SECOND
from simulators.lockstep import LockStep
from simulators.main import STATE, TRUTH
from simulators.scenario import Scenario, load_scenario

_log = logging.getLogger("keepclean.demo")

BASELINE_DAYS = 28
HISTORY_DAYS = 35
MORNING_MINUTES = 9 * 60
READY_WITHIN_S = 60.0
LEAD_S = 8.0
MIB = 2**20


@dataclass(frozen=True)
class History:
    """What building the history took."""

    points: int
    readings: int
    journal_bytes: int
    data_bytes: int
    seconds: float


def local_midnight(described: Described, scenario: Scenario, day: int) -> int:
    """The start of a day of the scenario (0: its first) [µs UTC], for a scenario that starts at a local midnight."""
    calendar = described.plan.calendar
    first = calendar.local(scenario.start_us).date()
    return calendar.midnight(first + timedelta(days=day))


def build_history(described: Described, scenario_path: Path, data: Path, screen: Console) -> History:
    """Runs the shop in lock step; the baselines of its first four weeks are accepted a day after their end."""
    began = time.monotonic()
    scenario = load_scenario(scenario_path)
    simulator = LockStep(scenario, truth=data / TRUTH)
    journal, historian = Journal(data / "journal"), Historian(data, spools(described.plant))
    announce_plant(journal, Reader(data), described, scenario.start_us)
    server = Server(described.plan, journal, historian)
    run = LockStepRun(described.plant, described.folder, simulator, journal, server)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[readings]}"),
        TimeElapsedColumn(),
    )
    peak = 0
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task(
            "five weeks of history", total=HISTORY_DAYS * MINUTES_PER_DAY + MORNING_MINUTES, readings=""
        )
        past = 0

        def show(done: Done) -> None:
            nonlocal peak
            peak = max(peak, journal.bytes_on_disk())
            bar.update(task, completed=past + done.minutes, readings=f"{done.readings:,} readings")

        fitted = BASELINE_DAYS + 1
        run.run(fitted * MINUTES_PER_DAY, show)
        accept_baselines(described, journal, server, scenario)
        past = fitted * MINUTES_PER_DAY
        # the page opens on the morning after five whole weeks, when the shop is at work
        run.run((HISTORY_DAYS - fitted) * MINUTES_PER_DAY + MORNING_MINUTES, show)
    simulator.save(data / STATE)
    simulator.close()
    journal.close()
    historian.close()
    return History(len(described.plant.points), run.readings, peak, data_bytes(data), time.monotonic() - began)


def accept_baselines(described: Described, journal: Journal, server: Server, scenario: Scenario) -> dict[str, str]:
    """The scenario's act: baselines fitted on days 1 to 28, accepted a day later; why others could not be."""
    start, end = local_midnight(described, scenario, 0), local_midnight(described, scenario, BASELINE_DAYS)
    names = list(described.plant.baselines)
    bodies, refused = propose(
        described.plan,
        server.reader,
        names,
        start,
        end,
        local_midnight(described, scenario, BASELINE_DAYS + 1),
        "demo scenario",
        f"the first {BASELINE_DAYS} days after the audit's options were commissioned",
    )
    journal.append([("baseline", encode_body(body)) for body in bodies])
    for name, reason in refused.items():
        _log.warning("no baseline for %s: %s", name, reason)
    return refused


def reachable(url: str) -> bool:
    """Whether something listens at a broker's address."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 1883), timeout=0.5):
            return True
    except OSError:
        return False


class Demo:
    """The live part: simulator, collectors and serve as processes of their own."""

    def __init__(
        self, described: Described, scenario: Path, data: Path, port: int, speed: float, broker: str | None
    ) -> None:
        self.described, self.scenario, self.data = described, scenario, data
        self.port, self.speed, self.broker = port, speed, broker
        self.supervisor = Supervisor()

    def run(self, screen: Console) -> None:
        """Until SIGTERM or Ctrl-C; everything has then ended within five seconds."""
        self.supervisor.catch_signals()
        try:
            self._start_plant(self._now_us())
            common = ("--data", str(self.data), "--clock", str(self.data / "clock.json"))
            self.supervisor.add(
                "serve", ("serve", str(self.described.path), *common, "--port", str(self.port), "--demo")
            )
            page = self._await(self.data / "serve.json")
            if page:
                screen.print(f"\n[bold]keepclean is up: {page['url']}[/bold]   (Ctrl-C ends everything)")
                self._say_broker(screen)
            while not self.supervisor.wait():
                self.supervisor.watch()
                self._run_ahead()
        finally:
            self.supervisor.close()

    def _say_broker(self, screen: Console) -> None:
        ports = json.loads((self.data / PORTS).read_text())
        if ports["embedded"]:
            screen.print(
                "MQTT broker: embedded, for the demo only. It does not redeliver after a crash: "
                "promise 1 is not claimed on it."
            )
        else:
            screen.print(f"MQTT broker: {ports['broker']}")

    def _now_us(self) -> int:
        return LockStep.load(self.data / STATE).now_us

    def _start_plant(self, now_us: int) -> None:
        """Starts simulator and collectors from a plant time on."""
        # the plant's time stands still until its collectors are there: what they could not see did not happen; it
        # starts a second early, so that the poll of the very next minute is not missed
        clock = PlantClock(now_us - SECOND, time.monotonic() + LEAD_S, self.speed)
        write_clock(self.data / "clock.json", clock)
        ports = self.data / PORTS
        ports.unlink(missing_ok=True)
        clock_option = ("--clock", str(self.data / "clock.json"))
        broker = ("--broker", self.broker) if self.broker else ()
        self.supervisor.add(
            "simulate",
            ("shop", str(self.scenario), "--data", str(self.data), *clock_option, "--ports", str(ports), *broker),
        )
        found = self._await(ports)
        if not found:
            return
        (self.data / "addresses.json").write_text(json.dumps(self._addresses(found["modbus"])))
        self.supervisor.add(
            "collect",
            (
                "collect",
                str(self.described.path),
                "--data",
                str(self.data),
                *clock_option,
                "--addresses",
                str(self.data / "addresses.json"),
                "--broker",
                found["broker"] + ("?version=3.1.1" if found["embedded"] else ""),
            ),
        )

    def _addresses(self, modbus: dict[str, int]) -> dict[str, str]:
        return {f"127.0.0.1:{wanted}": f"127.0.0.1:{actual}" for wanted, actual in modbus.items()}

    def _await(self, path: Path) -> dict[str, Any] | None:
        """The JSON that a child writes when it is ready; None when told to stop meanwhile."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not path.exists():
            if self.supervisor.wait():
                return None
            self.supervisor.watch()
            if time.monotonic() > deadline:
                raise DeviceError(f"{path.name} did not appear within {READY_WITHIN_S:g} s")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def _run_ahead(self) -> None:
        """Gives way to a run ahead that the page asked for, and goes on from where it ended."""
        request = read_request(self.data)
        if request.get("state") == "asked":
            self.supervisor.end("collect")
            self.supervisor.end("simulate")
            write_request(self.data, {**request, "state": "quiet"})
        elif request.get("state") == "done":
            self._start_plant(int(request["now_us"]))
            write_request(self.data, {})


def run_demo(described: Described, scenario: Path, data: Path, port: int, speed: float, broker: str | None) -> None:
    """The whole demo, from an empty data folder. Raises StorageError when another demo runs in it."""
    with FolderLock(data.with_name(f"{data.name}.lock"), wait_s=1.0):
        _run_demo(described, scenario, data, port, speed, broker)


def _run_demo(described: Described, scenario: Path, data: Path, port: int, speed: float, broker: str | None) -> None:
    screen = Console()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    history = build_history(described, scenario, data, screen)
    screen.print(
        f"{history.points} points, {history.readings:,} readings, "
        f"journal at most {history.journal_bytes / MIB:.1f} MiB, "
        f"data {history.data_bytes / MIB:.0f} MiB, {history.seconds:.1f} s "
        f"({history.readings / history.seconds:,.0f} readings/s)"
    )
    url = broker or (described.plant.broker.url if described.plant.broker else None)
    Demo(described, scenario, data, port, speed, url if url and reachable(url) else None).run(screen)
