"""A plant under load whose keepclean is killed again and again, and the judgement afterwards.

Mosquitto with the shipped configuration, a publisher, fifty Modbus devices, and `keepclean run`, each a real process.
What must be there comes from the publisher's log of PUBACKs and the meters' log of answers, never from keepclean.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from kill_peers import BARE, TIMED, sent_and_acked, served

from historian.reader import Reader
from historian.store import Historian
from journal.journal import Journal
from journal.message import encode_body
from monitor.clock_file import write_clock
from monitor.describe import describe
from monitor.server import Server
from plant.clock import PlantClock
from plant.errors import StorageError
from plant.reading import MINUTE

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "kill_peers.py"
SHIPPED = ROOT / "deploy" / "mosquitto" / "mosquitto.conf"
PROFILE = """\
make: Test
model: Poll counter
source: this test
fields:
  asked: {title: Polls answered, function: 4, address: 0, type: uint32, unit: "1"}
"""


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def until(what: Callable[[], object], deadline_s: float) -> None:
    """Waits for a condition."""
    end = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < end, "deadline"
        time.sleep(0.05)


def describe_plant(folder: Path, broker: int, meters: list[int]) -> Path:
    """Writes a plant of bare numbers, messages with a time of their own, and polled counts."""
    level = {"in": "site", "kind": "level", "unit": "1"}
    devices: dict[str, Any] = {
        "bare": {"protocol": "mqtt", "title": "Bare", "topic": "bare/{read}", "payload": "number"}
    }
    points: dict[str, Any] = {
        f"bare_{n}": {"title": f"bare {n}", **level, "from": "bare", "read": f"b{n}"} for n in range(BARE)
    }
    for n in range(TIMED):
        devices[f"timed_{n}"] = {
            "protocol": "mqtt",
            "title": f"Timed {n}",
            "topic": f"timed/{n}",
            "payload": "json",
            "time": "ts",
            "time_format": "epoch_ms",
        }
        points[f"timed_{n}"] = {"title": f"timed {n}", **level, "from": f"timed_{n}", "read": "number"}
        points[f"ones_{n}"] = {
            "title": f"ones {n}",
            **level,
            "kind": "count",
            "from": f"timed_{n}",
            "read": "one",
        }
    for n, port in enumerate(meters):
        devices[f"meter_{n}"] = {
            "protocol": "modbus",
            "title": f"Meter {n}",
            "address": f"127.0.0.1:{port}",
            "profile": "polls.yaml",
            "interval": "1 s",
        }
        points[f"polls_{n}"] = {"title": f"polls {n}", **level, "from": f"meter_{n}", "read": "asked"}
    body = {
        "format": "keepclean/1",
        "site": {"id": "kill", "name": "Kill", "time_zone": "UTC"},
        "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
        "broker": {"url": f"mqtt://127.0.0.1:{broker}", "client_id": "keepclean-kill"},
        "devices": devices,
        "points": points,
    }
    (folder / "polls.yaml").write_text(PROFILE)
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False))
    return path


@dataclass
class Judgement:
    """What was counted; `lost`, `doubled` and `foreign` must be empty."""

    seed: int
    kills: int
    stops: int
    broker_restarts: int
    sent: int
    acknowledged: int
    unclear: int
    stored_messages: int
    polls_answered: int
    polls_stored: int
    ones: int
    seconds: float
    lost: list[int]
    doubled: list[int]
    foreign: list[int]
    polls_doubled: int
    polls_foreign: int

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def assert_sound(self) -> None:
        """Every acknowledged message once, none that was not sent, every poll stored at most once."""
        assert not self.lost, f"seed {self.seed}: {len(self.lost)} lost: {self.lost[:10]}"
        assert not self.doubled, f"seed {self.seed}: {len(self.doubled)} twice: {self.doubled[:10]}"
        assert not self.foreign, f"seed {self.seed}: never sent: {self.foreign[:10]}"
        assert (self.polls_doubled, self.polls_foreign) == (0, 0)
        assert self.polls_stored > 0


class Rig:
    """The processes and what is done to them."""

    def __init__(self, folder: Path, seed: int, rate: float = 2000, meters: int = 50, *, whole: bool = True) -> None:
        """`whole` runs `keepclean run`, else the collect process alone, whose journal is stepped at the end."""
        self._whole = whole
        self.folder, self.data, self.seed = folder, folder / "data", seed
        self.chance = random.Random(seed)
        self._rate = rate
        self._port, *self._meters = free_ports(meters + 1)
        self.plant = describe_plant(folder, self._port, self._meters)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._broker: subprocess.Popen[bytes] | None = None
        self._ours: subprocess.Popen[bytes] | None = None
        self.kills = self.stops = self.broker_restarts = 0

    @contextmanager
    def running(self) -> Iterator[Rig]:
        """Everything up; everything down afterwards."""
        with (self.folder / "log").open("wb") as log:
            self._log = log
            try:
                self.start_broker()
                self.start()
                until(self.connected, 30)
                self._peer("serve", *map(str, self._meters))
                self._publisher = self._peer("publish", str(self._port), str(self._rate))
                yield self
            finally:
                self._kill_all()
                for process in (*self._processes, self._broker):
                    if process is not None and process.poll() is None:
                        process.kill()
                        process.wait()

    def start_broker(self) -> None:
        """Mosquitto with the shipped configuration, but for port, place and user."""
        lines = [
            line.replace("listener 1883", f"listener {self._port}")
            for line in SHIPPED.read_text().splitlines()
            if not line.startswith("persistence_location")
        ]
        lines += [f"persistence_location {self.folder}/", *(["user root"] if os.geteuid() == 0 else [])]
        settings = self.folder / "mosquitto.conf"
        settings.write_text("\n".join(lines) + "\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._broker = subprocess.Popen([program, "-c", str(settings)], stdout=self._log, stderr=self._log)

        def listens() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.5):
                return True
            return False

        until(listens, 10)

    def restart_broker(self) -> None:
        """An orderly end (sessions and queues are saved) and a new start."""
        assert self._broker is not None
        self._broker.terminate()
        self._broker.wait(20)
        self.start_broker()
        self.broker_restarts += 1

    def start(self) -> None:
        """`keepclean run`, or its collect process."""
        (self.data / "collect.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "monitor", "run", str(self.plant), "--data", str(self.data), "--port", "0"]
        if not self._whole:
            self.data.mkdir(exist_ok=True)
            write_clock(self.data / "clock.json", PlantClock.real())
            clock = str(self.data / "clock.json")
            command[3:] = ["collect", str(self.plant), "--data", str(self.data), "--clock", clock]
        self._ours = subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """keepclean's own process."""
        assert self._ours is not None
        return self._ours

    def connected(self) -> bool:
        """Whether collect says that it is connected to the broker."""
        with suppress(OSError):
            return '"connected": true' in (self.data / "collect.json").read_text()
        return False

    def disturb(self, everything_share: float = 0.6) -> None:
        """SIGKILL at a random instant, a third of them right when a commit is being written; then a new start."""
        self.pause(0.2, 1.5)
        if self.chance.random() < 1 / 3:
            self._at_a_commit()
        if not self._whole or self.chance.random() < everything_share:
            self._kill_all()
            self.kills += 1
            self.start()
        else:
            before = self._children("collect")
            for victim in before:
                victim.kill()
            self.kills += 1
            (self.data / "collect.json").unlink(missing_ok=True)
            until(lambda: self._children("collect"), 20)
        until(self.connected, 30)

    def stop(self) -> None:
        """An orderly end and a new start."""
        self.pause(0.2, 1.5)
        self.stop_ours()
        self.stops += 1
        self.start()
        until(self.connected, 30)

    def stop_ours(self) -> None:
        """SIGTERM; it has ten seconds."""
        assert self._ours is not None
        self._ours.terminate()
        self._ours.wait(10)

    def pause(self, least_s: float, most_s: float) -> None:
        """Lets the load run for a while."""
        time.sleep(self.chance.uniform(least_s, most_s))

    def finish(self, began: float) -> Judgement:
        """Ends the load, waits until the last message is stored, settles the facts and judges."""
        self._publisher.terminate()
        self._publisher.wait(60)
        sent, acked = sent_and_acked(self.folder / "publish.log")
        until(lambda: self._has(max(acked)), 60 if self._whole else 20)
        self.stop_ours()
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
                process.wait(10)
        self._settle()
        return self._judge(sent, acked, served(self.folder / "serve.log"), began)

    def _judge(self, sent: set[int], acked: set[int], polls: set[tuple[int, int]], began: float) -> Judgement:
        reader = Reader(self.data)
        readings = reader.table("readings", columns=["point", "value"]).select("point", "value")
        stored: Counter[int] = Counter()
        polled: Counter[tuple[int, int]] = Counter()
        for point, value in readings.iter_rows():
            kind, _, number = point.partition("_")
            if kind in ("bare", "timed"):
                stored[int(value)] += 1
            elif kind == "polls":
                polled[int(number), int(value)] += 1
        ones = reader.table("facts", columns=["point", "amount"])
        ones = ones.filter(ones["point"].str.starts_with("ones_"))
        counted = int(ones["amount"].sum())
        timed = sum(count for number, count in stored.items() if number % (BARE + TIMED) >= BARE)
        assert counted == timed, f"seed {self.seed}: facts count {counted} messages, readings {timed}"
        return Judgement(
            seed=self.seed,
            kills=self.kills,
            stops=self.stops,
            broker_restarts=self.broker_restarts,
            sent=len(sent),
            acknowledged=len(acked),
            unclear=len(sent - acked),
            stored_messages=sum(stored.values()),
            polls_answered=len(polls),
            polls_stored=sum(polled.values()),
            ones=counted,
            seconds=round(time.monotonic() - began, 1),
            lost=sorted(acked - stored.keys()),
            doubled=sorted(number for number, count in stored.items() if count > 1),
            foreign=sorted(stored.keys() - sent),
            polls_doubled=sum(count > 1 for count in polled.values()),
            polls_foreign=len(polled.keys() - polls),
        )

    def _settle(self) -> None:
        """Steps what is left, then ten minutes of silence, so that every minute's facts are final."""
        described = describe(self.plant)
        journal, historian = Journal(self.data / "journal"), Historian(self.data)
        server = Server(described.plan, journal, historian)
        while server.step():
            pass
        now = (time.time_ns() // 1000 // MINUTE + 1) * MINUTE
        for minute in range(10):
            journal.append([("tick", encode_body({"time": now + minute * MINUTE}))])
        while server.step():
            pass
        server.checkpoint()
        historian.close()
        journal.close()

    def _has(self, number: int) -> bool:
        index = number % (BARE + TIMED)
        point = f"bare_{index}" if index < BARE else f"timed_{index - BARE}"
        if self._whole:
            with suppress(StorageError):
                rows = Reader(self.data).table("readings", columns=["point", "value"], where={"point": [point]})
                return bool((rows["value"] == number).any())
            return False
        journal = Journal(self.data / "journal")
        try:
            for message in journal.read(max(0, journal.last() - 200), 200):
                found = message.readings
                if found is not None and point in found.points:
                    mine = found.value[found.point == found.points.index(point)]
                    if number in mine:
                        return True
            return False
        finally:
            journal.close()

    def _at_a_commit(self) -> None:
        """Returns while the journal's write-ahead log is being written, or just after."""
        wal = self.data / "journal" / "journal.sqlite-wal"

        def stamp() -> int:
            with suppress(OSError):
                return wal.stat().st_mtime_ns
            return 0

        before, end = stamp(), time.monotonic() + 2
        while stamp() == before and time.monotonic() < end:
            pass

    def _children(self, name: str) -> list[psutil.Process]:
        found = []
        with suppress(psutil.NoSuchProcess):
            for one in psutil.Process(self._ours.pid if self._ours else 0).children():
                with suppress(psutil.NoSuchProcess):
                    if name in one.cmdline():
                        found.append(one)
        return found

    def _kill_all(self) -> None:
        """The parent first, so that it starts nothing again, then its children."""
        if self._ours is None or self._ours.poll() is not None:
            return
        children = psutil.Process(self._ours.pid).children(recursive=True)
        self._ours.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                os.kill(child.pid, signal.SIGKILL)
        self._ours.wait()

    def _peer(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PEERS), what, str(self.folder / f"{what}.log"), *arguments]
        process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._processes.append(process)
        return process


def run(
    folder: Path, seed: int, kills: int, stops: int, broker_restarts: int, rate: float = 2000, *, whole: bool = True
) -> Judgement:
    """The whole of it, in an order that the seed decides."""
    rig = Rig(folder, seed, rate, whole=whole)
    began = time.monotonic()
    deeds = [rig.disturb] * kills + [rig.stop] * stops + [rig.restart_broker] * broker_restarts
    rig.chance.shuffle(deeds)
    with rig.running():
        for deed in deeds:
            deed()
        rig.pause(1.0, 1.0)
        return rig.finish(began)
