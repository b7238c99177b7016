"""`keepclean run`: one to a folder, and a device that never answers is told on the terminal, once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from journal.journal import Journal
from journal.lock import FolderLock
from monitor.clock_file import ClockFile, write_clock
from monitor.describe import describe
from monitor.run import _silent, run_plant
from monitor.serve import Pipeline
from monitor.server import Server
from plant.clock import PlantClock
from plant.errors import DamagedError, StorageError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "steel" / "plant.yaml"


def test_a_second_run_on_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: it touches nothing of the first one's, and says what to do."""
    monkeypatch.setattr("monitor.run.RUN_LOCK_S", 0.0)
    (tmp_path / "serve.json").write_text("{}")
    with FolderLock(tmp_path / "run.lock"), pytest.raises(StorageError, match="stop that one first"):
        run_plant(describe(EXAMPLE), tmp_path, 0, None)
    assert (tmp_path / "serve.json").exists()
    assert not (tmp_path / "clock.json").exists()


def test_a_device_that_never_answers_is_told_once(tmp_path: Path) -> None:
    """A wrong address shows on the terminal where it was started, not only on a page that nobody has opened yet."""
    assert _silent(tmp_path, set()) == []
    devices = {
        "meter": {"last_success": None, "errors": 2, "last_error": "no answer within 1 s"},
        "waiting": {"last_success": None, "errors": 0, "last_error": ""},
        "sound": {"last_success": 5, "errors": 1, "last_error": "no answer within 1 s"},
    }
    (tmp_path / "collect.json").write_text(json.dumps({"devices": devices}))
    told: set[str] = set()
    assert _silent(tmp_path, told) == [("meter", "no answer within 1 s")]
    assert _silent(tmp_path, told) == []


def test_a_pipeline_that_cannot_go_on_ends_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: a page that stands still would let the journal grow to its budget; the process starts anew instead."""
    write_clock(tmp_path / "clock.json", PlantClock.real())
    stop = threading.Event()
    pipeline = Pipeline(describe(EXAMPLE), tmp_path, ClockFile(tmp_path / "clock.json"), None, stop)

    def fails(_server: Server, _limit: int = 0) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Server, "step", fails)
    pipeline.start()
    pipeline.join(10)
    assert stop.is_set()
    assert pipeline.failed


def test_damage_that_serve_meets_is_told_to_collect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: collect alone repairs the journal; serve asks it to, and goes on trying."""
    monkeypatch.setattr("monitor.serve.RETRY_S", 0.01)
    write_clock(tmp_path / "clock.json", PlantClock.real())
    pipeline = Pipeline(describe(EXAMPLE), tmp_path, ClockFile(tmp_path / "clock.json"), None, threading.Event())
    tries = 0

    def damaged(_server: Server, _limit: int = 0, units_at_once: int | None = None) -> int:
        nonlocal tries
        tries += 1
        if tries == 3:
            pipeline.stopping.set()
        raise DamagedError("database disk image is malformed")

    monkeypatch.setattr(Server, "step", damaged)
    pipeline.start()
    pipeline.join(10)
    assert tries == 4  # and once more on the way out
    assert not pipeline.failed
    assert Journal(tmp_path / "journal").damage_reported()
