"""The folders of manual devices: read once, when nobody writes any more, each row exactly once whatever is killed."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from collectors_folders import HEAD, NOON, ROUNDS, Bench, Killed
from collectors_plant import until
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.collect import collect
from collectors.files import blocks, inbox
from collectors.files.inbox import FLYING_MAX, LOOK_EVERY_S, REJECTED, UNENDED_QUIET_S, UNREADABLE
from collectors.files.samples import MARKS as SAMPLE_MARKS
from journal.journal import Journal
from plant.clock import PlantClock
from plant.reading import HOUR, MINUTE, Quality


def test_a_meter_round_is_read_once(tmp_path: Path) -> None:
    """A file put into the folder is read, stays where it is, and is read again neither later nor after a restart."""
    bench = Bench(tmp_path)
    path = bench.put("rounds/april.csv", HEAD, "2026-04-03 11:00,100,7", "2026-04-03 11:30,101,")
    bench.look()
    assert bench.disk.rows() == []
    bench.looks()
    bench.restart()
    bench.looks()
    assert bench.disk.rows() == [("kwh", -60, 100.0), ("water", -60, 7.0), ("kwh", -30, 101.0)]
    assert path.exists()
    assert bench.disk.notices() == []


def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    """Nothing is read while size or time of change move; a name that begins with a dot, or another kind, never is."""
    bench = Bench(tmp_path)
    lines = [HEAD]
    for minute in range(5):
        lines.append(f"2026-04-03 11:0{minute},{minute},1")
        bench.put("rounds/slow.csv", *lines)
        bench.put("rounds/.hidden.csv", *lines)
        bench.put("rounds/other.csv.part", *lines)
        bench.look()
        assert bench.disk.rows() == []
    bench.looks()
    assert len(bench.disk.rows()) == 10
    (bench.place / "rounds/other.csv.part").rename(bench.place / "rounds/other.csv")
    bench.looks()
    assert len(bench.disk.rows()) == 20


def test_a_last_line_without_an_end_waits_longer(tmp_path: Path) -> None:
    """A copy that stalled in the middle of a number is not taken for a whole file."""
    bench = Bench(tmp_path)
    bench.put("rounds/a.csv", HEAD, "2026-04-03 11:00,100,7", end="")
    bench.looks(3)
    assert bench.disk.rows() == []
    bench.hand.now += UNENDED_QUIET_S
    bench.look()
    assert len(bench.disk.rows()) == 2


def test_a_changed_file_is_read_again_and_a_touched_one_is_not(tmp_path: Path) -> None:
    """The mark knows the content: a new time of change alone brings nothing."""
    bench = Bench(tmp_path)
    path = bench.put("rounds/a.csv", HEAD, "2026-04-03 11:00,100,7")
    bench.looks()
    os.utime(path, ns=(1, 1))
    bench.looks()
    assert len(bench.disk.rows()) == 2
    bench.put("rounds/a.csv", HEAD, "2026-04-03 11:00,99,7", "2026-04-03 11:01,101,8")
    bench.looks()
    assert bench.disk.rows()[2:] == [("kwh", -60, 99.0), ("water", -60, 7.0), ("kwh", -59, 101.0), ("water", -59, 8.0)]


def test_of_a_file_that_grows_only_the_new_lines_are_read(tmp_path: Path) -> None:
    """A sheet to which a line is added every day does not bring its old lines again, too late to be used."""
    bench = Bench(tmp_path)
    lines = [HEAD, "2026-04-03 11:00,100,7", "?,1,1"]
    for minute in range(1, 4):
        bench.put("rounds/a.csv", *lines)
        bench.looks()
        lines.append(f"2026-04-03 11:0{minute},{100 + minute},8")
        bench.restart()
    assert [row for row in bench.disk.rows() if row[0] == "kwh"] == [("kwh", m - 60, 100.0 + m) for m in range(3)]
    assert len(bench.disk.notices()) == 1


def test_what_is_refused_is_counted_shown_and_told(tmp_path: Path) -> None:
    """Promise 3: wrong rows, and points that are another device's, are in the status with a sample, and in a notice."""
    bench = Bench(tmp_path)
    bench.put("rounds/a.csv", "time,point,value", "2026-04-03 11:00,cod,50", "2026-04-03 11:00,kwh,1", "?,kwh,2")
    bench.looks()
    assert bench.disk.rows() == [("kwh", -60, 1.0)]
    rejected = bench.status.device("rounds").rejected
    assert (rejected.count, rejected.reason) == (2, "a.csv:2: a point of another device")
    assert rejected.sample == "2026-04-03 11:00,cod,50"
    [notice] = bench.disk.notices()
    assert notice["finding"] == REJECTED
    assert notice["evidence"].startswith("a.csv: 2 of about 3 values; line 2: a point of another device")


def test_a_file_that_is_not_understood_is_told_once_and_harms_no_other(tmp_path: Path) -> None:
    """Promise 6: a wrong header costs one notice, also over restarts; put right, the file is read."""
    bench = Bench(tmp_path)
    bench.put("rounds/a.csv", "time,kwh,steam", "2026-04-03 11:00,1,2")
    bench.put("rounds/b.csv", HEAD, "2026-04-03 11:00,1,2")
    (bench.place / "rounds/c.parquet").write_bytes(b"no such thing PAR1")
    bench.looks(4)
    bench.restart()
    bench.looks(4)
    assert len(bench.disk.rows()) == 2
    assert [notice["finding"] for notice in bench.disk.notices()] == [UNREADABLE, UNREADABLE]
    assert bench.disk.notices()[0]["evidence"] == "a.csv:1: 'steam' is not a point"
    assert "c.parquet:1: cannot be read" in bench.status.device("rounds").last_error
    bench.put("rounds/a.csv", "time,kwh", "2026-04-03 11:30,1")
    bench.looks()
    assert bench.disk.rows()[2:] == [("kwh", -30, 1.0)]


def test_a_folder_that_is_away_is_a_failure_of_its_device(tmp_path: Path) -> None:
    """Promise 6: a share that is not mounted stops no other folder, and is read when it comes back."""
    bench = Bench(tmp_path)
    (tmp_path / "lab").rmdir()
    bench.put("rounds/b.csv", HEAD, "2026-04-03 11:00,1,2")
    bench.looks()
    assert len(bench.disk.rows()) == 2
    assert bench.status.device("lab").errors == 1
    (tmp_path / "lab").mkdir()
    bench.put("lab/a.csv", "time,cod", "2026-04-03 11:00,50")
    bench.looks()
    assert len(bench.disk.rows()) == 3


def test_no_more_is_read_than_the_disk_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk stops the reading of a file; when it takes readings again, the file goes on."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    bench = Bench(tmp_path)
    bench.put("rounds/a.csv", HEAD, *(f"2026-04-03 11:{minute:02d},{minute},1" for minute in range(60)))
    bench.hand.now += LOOK_EVERY_S
    bench.inbox.turn()
    bench.hand.now += LOOK_EVERY_S
    for _ in range(20):
        bench.inbox.turn()
    assert bench.committer.waiting() == FLYING_MAX
    bench.looks()
    assert len(bench.disk.rows()) == 120


def test_a_file_changed_while_it_is_read_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of the newer content arrives."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    bench = Bench(tmp_path)
    bench.put("rounds/a.csv", HEAD, *(f"2026-04-03 11:{minute:02d},{minute},1" for minute in range(60)))
    bench.hand.now += LOOK_EVERY_S
    bench.inbox.turn()
    bench.inbox.turn()
    bench.inbox.turn()
    bench.put("rounds/a.csv", HEAD, *(f"2026-04-03 11:{minute:02d},{minute + 1},1" for minute in range(60)))
    bench.looks(4)
    assert {row for row in bench.disk.rows() if row[0] == "kwh"} >= {("kwh", m - 60, m + 1.0) for m in range(60)}


LINES = 12


@given(
    kills=st.dictionaries(st.integers(1, 20), st.booleans(), max_size=8),
    block=st.integers(60, 400),
    more=st.integers(0, 3),
)
@settings(max_examples=15, deadline=None)
def test_every_row_once_whatever_is_killed(kills: dict[int, bool], block: int, more: int) -> None:
    """Promise 1: killed before or after any commits, every row of every file is in the journal exactly once."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block)
        bench = Bench(Path(folder), kills=kills)
        want: Counter[tuple[str, int, float]] = Counter()
        for number in range(1 + more):
            lines = [HEAD]
            for minute in range(LINES):
                lines.append(f"2026-04-03 11:{minute:02d},{number},{minute}")
                want.update([("kwh", minute - 60, float(number)), ("water", minute - 60, float(minute))])
            bench.put(f"rounds/{number}.csv", *lines, "x,1,1")
        for _ in range(len(kills) + 1):
            try:
                bench.looks(3 + more)
                break
            except Killed:
                bench.restart()
        bench.looks(3 + more)
        assert Counter(bench.disk.rows()) == want
        assert len(bench.disk.notices()) == 1 + more
        bench.disk.journal.close()


LAB = ("from,to,cod", "2026-04-03 10:00,2026-04-03 11:00,50", "2026-04-03 11:30,2026-04-03 15:00,60")


@given(kills=st.dictionaries(st.integers(1, 6), st.booleans(), max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_sample_ends_when_its_time_has_come_whatever_is_killed(kills: dict[int, bool]) -> None:
    """Promise 3: a sample's end that lies ahead is written when plant time reaches it, once, also after kills."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), kills=kills)
        bench.put("lab/a.csv", *LAB)
        for _ in range(len(kills) + 1):
            try:
                bench.looks(5)
                bench.hand.now = 3 * 3600 + 60
                bench.looks(5)
                break
            except Killed:
                bench.restart()
        bench.looks()
        values = {(time, value) for _, time, value in bench.disk.rows() if not np.isnan(value)}
        assert values == {(-120, 50.0), (-30, 60.0)}
        ends = sorted(time for _, time, value in bench.disk.rows() if np.isnan(value))
        assert ends == [-61, 179]
        assert len(bench.disk.rows()) == 4
        assert bench.disk.journal.marks(SAMPLE_MARKS) == {}
        bench.disk.journal.close()


def test_a_sample_ends_early_when_a_newer_one_comes(tmp_path: Path) -> None:
    """What was to be read of a sample later is forgotten when another file brings one that begins before its end."""
    bench = Bench(tmp_path)
    bench.put("lab/a.csv", "from,to,cod", "2026-04-03 11:00,2026-04-03 15:00,50")
    bench.looks()
    assert len(bench.disk.journal.marks(SAMPLE_MARKS)) == 1
    bench.put("lab/b.csv", "from,to,cod", "2026-04-03 11:30,2026-04-04 09:30,60")
    bench.looks()
    bench.hand.now = 24 * 3600
    bench.looks()
    assert bench.disk.rows()[1:-1] == [("cod", -30, 60.0), ("cod", 450, 60.0), ("cod", 930, 60.0)]
    assert bench.disk.rows()[-1][1] == 21 * 60 + 29
    found = [message.readings for message in bench.disk.journal.read(0, 100) if message.readings is not None]
    assert [[one.findings[code] for code in one.finding] for one in found] == [
        [""],
        [""],
        ["still valid", "still valid", "no longer valid"],
    ]
    assert found[-1].quality.tolist() == [Quality.GOOD, Quality.GOOD, Quality.BAD]
    assert int(found[-1].time[-1]) == NOON + 21 * HOUR + 30 * MINUTE - 1


@pytest.mark.server
def test_the_process_that_collects_reads_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file put into a folder is in the journal a moment later, and is not read again by the next process."""
    monkeypatch.setattr(inbox, "LOOK_EVERY_S", 0.02)
    for folder in ("rounds", "lab"):
        (tmp_path / folder).mkdir()
    (tmp_path / "rounds/a.csv").write_text(f"{HEAD}\n2026-04-03 11:00,100,7\n")
    journal = Journal(tmp_path / "data" / "journal")

    async def life(name: str) -> None:
        (tmp_path / f"lab/{name}.csv").write_text("time,cod\n2026-04-03 11:00,50\n")
        stop = asyncio.Event()
        running = asyncio.create_task(collect(ROUNDS, tmp_path, tmp_path / "data", PlantClock.real(), {}, None, stop))
        await until(lambda: f"file/lab/{name}.csv" in journal.marks("file/"))
        stop.set()
        await running

    for name in ("first", "second"):
        asyncio.run(life(name))
    rows = [message.readings for message in journal.read(0, 100) if message.readings is not None]
    journal.close()
    assert sum(len(one) for one in rows) == 2 + 2
