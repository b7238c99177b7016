"""A plant under load whose keepclean is killed again and again.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml
from kill_judge import Deeds, Judgement, Load, judge
from kill_peers import BARE, SAME, TIMED, point_of, sent_and_acked

from historian.reader import Reader
from journal.journal import Journal
from monitor.clock_file import write_clock
from plant.clock import PlantClock
from plant.errors import StorageError

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
UP_S = 90.0  # a busy machine takes 15 s for a start, and the supervisor's pause grows to 15 s as well
STOP_S = 20.0
COMMIT_S = 0.003
COMMIT_SHARE = 0.5


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
        assert time.monotonic() < end, f"nothing within {deadline_s:g} s"
        time.sleep(0.05)


def describe_plant(folder: Path, broker: int, meters: list[int]) -> Path:
    """Writes a plant of equal and of bare numbers, messages with a time of their own, and polled counts."""
    level = {"in": "site", "kind": "level", "unit": "1"}
    devices: dict[str, Any] = {
        kind: {"protocol": "mqtt", "title": kind, "topic": f"{kind}/{{read}}", "payload": "number"}
        for kind in ("same", "bare")
    }
    points: dict[str, Any] = {
        f"{kind}_{n}": {"title": f"{kind} {n}", **level, "from": kind, "read": str(n)}
        for kind, count in (("same", SAME), ("bare", BARE))
        for n in range(count)
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
        self._collect: psutil.Process | None = None
        self._others: list[psutil.Process] = []
        self._wal = self.data / "journal" / "journal.sqlite-wal"
        self.deeds = Deeds()
        self.commit_kills_ms: list[float] = []

    @contextmanager
    def running(self) -> Iterator[Rig]:
        """Everything up; everything down afterwards."""
        with (self.folder / "log").open("wb") as log:
            self._log = log
            try:
                self.start_broker()
                self.start()
                self.up()
                until(self.connected, UP_S)
                self._peer("serve", *map(str, self._meters))
                self._publisher, self._loaded = (
                    self._peer("publish", str(self._port), str(self._rate)),
                    time.monotonic(),
                )
                yield self
            finally:
                self._end_all()

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

        until(listens, 30)

    def restart_broker(self) -> None:
        """An orderly end (sessions and queues are saved) and a new start."""
        assert self._broker is not None
        self._broker.terminate()
        self._broker.wait(20)
        self.start_broker()
        self.deeds.broker_restarts += 1

    def start(self) -> None:
        """`keepclean run`, or its collect process."""
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

    def up(self) -> None:
        """Waits until collect has reached the broker, and notes who is who: no kill begins with a look for its victim.

        Its status would say so as well, up to two seconds later.
        """
        until(self._resolved, UP_S)

    def connected(self) -> bool:
        """Whether collect says that it is connected to the broker."""
        with suppress(OSError):
            return '"connected": true' in (self.data / "collect.json").read_text()
        return False

    def disturb(self) -> None:
        """SIGKILL of collect, alone or with everything, at a random instant or within a commit; then a new start."""
        while True:
            self.pause(0.2, 1.5)
            alone = self._whole and self.chance.random() < 0.4
            if self._kill_collect(alone):
                break
            self.deeds.ended_alone += 1
            assert self.deeds.ended_alone < 5, "collect ends by itself again and again"
            self.up()
        self.deeds.kills += 1
        if not alone:
            self.process.wait()
            self.start()
        self.up()

    def kill_parent(self) -> None:
        """SIGKILL of the parent alone; what it left has to end by itself, and a new start to wait for that."""
        assert self._whole
        self.pause(0.2, 1.5)
        left = [one for one in (self._collect, *self._others) if one is not None]
        self.process.kill()
        self.process.wait()
        self.deeds.parent_kills += 1
        self.start()
        until(lambda: all(map(_gone, left)), UP_S)
        self.up()

    def stop(self) -> None:
        """An orderly end and a new start."""
        self.pause(0.2, 1.5)
        self.stop_ours()
        self.deeds.stops += 1
        self.start()
        self.up()

    def stop_ours(self) -> None:
        """SIGTERM; nothing of it may be left."""
        self.process.terminate()
        self.process.wait(STOP_S)
        assert all(map(_gone, self._others))

    def pause(self, least_s: float, most_s: float) -> None:
        """Lets the load run for a while."""
        time.sleep(self.chance.uniform(least_s, most_s))

    def finish(self) -> Judgement:
        """Ends the load, waits until the last message is stored, settles the facts and judges."""
        assert self._publisher.poll() is None, "the publisher has failed: its reason is in the log"
        load = Load(self._rate, round(time.monotonic() - self._loaded, 1), len(self._meters))
        self._publisher.terminate()
        assert self._publisher.wait(60) == 0, "the publisher has failed: its reason is in the log"
        _, acked = sent_and_acked(self.folder / "publish.log")
        last = max((number for number in acked if not point_of(number).startswith("same")), default=0)
        assert last, "nothing was acknowledged"
        until(lambda: self._has(last), UP_S)
        self.stop_ours()
        for process in self._processes:
            process.terminate()
            assert process.wait(10) == 0
        return judge(self.folder, self.seed, self.deeds, self.commit_kills_ms, load)

    def _has(self, number: int) -> bool:
        point = point_of(number)
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

    def _kill_collect(self, alone: bool) -> bool:
        """Collect goes first, then, unless `alone`, its parent and serve; whether there was a collect to kill."""
        collect = self._collect
        if collect is None or _gone(collect):
            return False
        pids = [collect.pid] if alone or not self._whole else [collect.pid, self.process.pid]
        pids += [] if alone else [one.pid for one in self._others]
        began = self._commit() if self.chance.random() < COMMIT_SHARE else None
        after_ms = (time.perf_counter() - began) * 1e3 if began else None
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if after_ms is not None:
            self.commit_kills_ms.append(round(after_ms, 2))
        until(lambda: _gone(collect), 10)
        return True

    def _commit(self) -> float | None:
        """Returns up to 3 ms after a commit began to write: when that was noticed [s of perf_counter].

        A tight loop, which notices within 0.2 ms; then a wait, more often short than long: a commit takes 1-2 ms.
        """
        wait_s = self.chance.random() ** 2 * COMMIT_S
        end, before = time.perf_counter() + 2, _changed(self._wal)
        while _changed(self._wal) == before:
            if time.perf_counter() > end:
                return None
        began = time.perf_counter()
        while time.perf_counter() < began + wait_s:
            pass
        return began

    def _resolved(self) -> bool:
        """Whether collect has reached the broker; then its process and the others are known."""
        with suppress(psutil.NoSuchProcess):
            ours = psutil.Process(self.process.pid)
            family = ours.children(recursive=True) if self._whole else [ours]
            for one in family:
                if "collect" in one.cmdline() and any(
                    peer.raddr and peer.raddr.port == self._port and peer.status == psutil.CONN_ESTABLISHED
                    for peer in one.net_connections("tcp")
                ):
                    self._collect = one
                    self._others = [other for other in family if other != one]
                    return True
        return False

    def _end_all(self) -> None:
        """The parent first, so that it starts nothing again, then its children, then the peers."""
        if self._ours is not None and self._ours.poll() is None:
            children = psutil.Process(self._ours.pid).children(recursive=True)
            self._ours.kill()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            self._ours.wait()
        for process in (*self._processes, self._broker):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def _peer(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(PEERS), what, str(self.folder / f"{what}.log"), *arguments]
        process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._processes.append(process)
        return process


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _gone(process: psutil.Process) -> bool:
    """Whether it has ended, even if nobody has asked for its status yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def run(
    folder: Path,
    seed: int,
    kills: int,
    stops: int,
    broker_restarts: int,
    parent_kills: int = 0,
    rate: float = 2000,
    *,
    whole: bool = True,
) -> Judgement:
    """The whole of it, in an order that the seed decides."""
    rig = Rig(folder, seed, rate, whole=whole)
    deeds = [rig.disturb] * kills + [rig.stop] * stops + [rig.restart_broker] * broker_restarts
    deeds += [rig.kill_parent] * parent_kills
    rig.chance.shuffle(deeds)
    with rig.running():
        for deed in deeds:
            deed()
        rig.pause(1.0, 1.0)
        return rig.finish()
