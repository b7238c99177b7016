"""The live program as real processes: it comes up, survives kills, ends in order and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest
from plant_runs import EXAMPLE, described, scenario

from historian.reader import Reader
from journal.journal import Journal
from plant.errors import StorageError
from simulators.lockstep import LockStep
from simulators.main import STATE

pytestmark = pytest.mark.server

DEADLINE_S = 60.0
PROGRAM = """
import sys
from pathlib import Path
from rich.console import Console
from monitor.demo import Demo
from monitor.describe import describe
plant, scenario, data = map(Path, sys.argv[1:4])
Demo(describe(plant), scenario, data, 0, 60.0, None).run(Console(quiet=True))
"""


def until(what: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Waits for a condition."""
    end = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < end, "deadline"
        time.sleep(0.1)


def readings(data: Path) -> int:
    """How many readings are stored."""
    try:
        return len(Reader(data).table("readings", columns=["received"]))
    except StorageError:
        return 0


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The demo's live part without its history: shop, collect and serve."""
    data = tmp_path / "data"
    data.mkdir()
    LockStep(scenario(faults=[])).save(data / STATE)
    plant = described(tmp_path / "plant")
    command = [sys.executable, "-c", PROGRAM, str(plant.path), str(EXAMPLE / "scenario.yaml"), str(data)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).resolve().parents[2])
        try:
            until((data / "serve.json").exists)
            until(lambda: readings(data) > 200)
            yield process, data
        finally:
            for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()


def child(process: subprocess.Popen[bytes], name: str) -> psutil.Process | None:
    """The child that runs one of the program's processes."""
    for one in psutil.Process(process.pid).children():
        try:
            if name in one.cmdline():
                return one
        except psutil.NoSuchProcess:
            continue
    return None


def test_kills_lose_nothing_and_the_end_is_orderly(live: tuple[subprocess.Popen[bytes], Path]) -> None:
    """Promise 1: after SIGKILLs every committed reading is stored, once; SIGTERM then ends everything within 5 s."""
    process, data = live
    for name in ("serve", "collect"):
        victim = child(process, name)
        assert victim is not None
        victim.kill()
        before = readings(data)
        until(lambda was=victim.pid, what=name: (new := child(process, what)) is not None and new.pid != was)
        until(lambda was=before: readings(data) > was + 200)
    children = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)
    assert time.monotonic() - began <= 5.0
    assert not [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    journal = Journal(data / "journal")
    assert journal.last() == journal.served() == Reader(data).head("position")
    journal.close()
    stored = Reader(data).table("readings")
    assert stored.select(pl.struct("point", "time").is_duplicated().any()).item() is False


def test_nothing_is_orphaned_when_the_parent_is_killed(live: tuple[subprocess.Popen[bytes], Path]) -> None:
    """A child whose parent is gone ends by itself."""
    process, _ = live
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE], 15.0)
