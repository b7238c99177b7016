"""Promise 6: whatever lies in a folder, under whatever name, costs nothing but itself: the other files are read."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from collectors_folders import HEAD, NOON, Bench
from collectors_plant import plant

from collectors.files import blocks, disk, read_files, stream
from collectors.files.inbox import LOOK_EVERY_S, UNENDED_QUIET_S, UNREADABLE
from collectors.files.marks import FileMark
from collectors.files.samples import Due
from collectors.status import FILE
from plant.errors import ConfigurationError

SHOWN = r"\xb5\xe7\xb1\xed"
"""The GBK bytes of 电表 (electricity meter)."""
ROW = "2026-04-03 11:00,100,7"
READ = [("kwh", -60, 100.0), ("water", -60, 7.0)]


def gbk(folder: Path, ending: str, content: bytes) -> Path:
    """A file whose name is GBK, as on a share of Chinese machines."""
    path = Path(os.fsdecode(os.fsencode(folder) + "/电表".encode("gbk") + ending.encode()))
    try:
        path.write_bytes(content)
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    return path


def text(*lines: str) -> bytes:
    """Lines of a CSV."""
    return "".join(f"{line}\n" for line in lines).encode()


def healthy(bench: Bench) -> None:
    """The status can be written, and everything that went to disk is UTF-8."""
    bench.status.write(bench.place)
    msgspec.json.decode((bench.place / FILE).read_bytes())
    for name in bench.disk.journal.marks("file/"):
        name.encode()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_with_a_gbk_name_is_read_once(tmp_path: Path, ending: str) -> None:
    """Its bytes stand in the mark's name as they are written; also after a restart it is known."""
    bench = Bench(tmp_path)
    path = gbk(tmp_path / "rounds", ending, text(HEAD, ROW))
    if ending == ".parquet":
        with path.open("wb") as file:
            pl.DataFrame({"time": ["2026-04-03 11:00"], "kwh": [100.0], "water": [7.0]}).write_parquet(file)
    bench.looks()
    bench.restart()
    bench.looks()
    assert sorted(bench.disk.rows()) == READ
    assert list(bench.disk.journal.marks("file/")) == [f"file/rounds/{SHOWN}{ending}"]
    healthy(bench)


def test_a_gbk_name_of_a_file_that_is_not_understood_is_told(tmp_path: Path) -> None:
    """Header and rows: status and notice name the file, and the next file is read."""
    bench = Bench(tmp_path)
    path = gbk(tmp_path / "rounds", ".csv", text("a,a", "1,2"))
    bench.put("rounds/\u96f6.csv", HEAD, ROW)
    bench.looks()
    assert bench.status.device("rounds").last_error.startswith(f"{SHOWN}.csv:1: the header has")
    healthy(bench)
    path.write_bytes(text(HEAD, "?,1,1"))
    bench.looks()
    assert bench.status.device("rounds").rejected.reason == f"{SHOWN}.csv:2: not a time that exists"
    assert [notice["evidence"].split(":")[0] for notice in bench.disk.notices()] == [f"{SHOWN}.csv"] * 2
    assert bench.disk.rows() == READ
    healthy(bench)


@pytest.mark.parametrize("name", ["a[1].csv", "*.csv", "a{b}?.csv"])
def test_history_of_any_name_is_read(tmp_path: Path, name: str) -> None:
    """A name is one file's, never a pattern; its faults can be printed."""
    described = plant({"hand": {"protocol": "manual"}}, {"kwh": ("hand", "kwh", "level", "kW")})
    content = text("time,point,value", "2026-01-01T00:00:00Z,kwh,1", "?,kwh,2")
    (tmp_path / name).write_bytes(content)
    history = read_files(described, [tmp_path / name, gbk(tmp_path, ".csv", content)])
    assert (len(history), history.rejected_count) == (2, 2)
    assert [one.samples[0].text for one in history.rejected] == ["?,kwh,2"] * 2
    with pytest.raises(ConfigurationError) as raised:
        read_files(described, [gbk(tmp_path, ".parquet", b"x")])
    assert f"{SHOWN}.parquet:1: cannot be read" in str(raised.value).encode().decode()


def test_what_is_no_file_never_blocks_and_is_told_once(tmp_path: Path) -> None:
    """A pipe, a folder and a link to nothing that are called like files; the file behind them is read."""
    bench = Bench(tmp_path)
    os.mkfifo(tmp_path / "rounds/a.csv")
    os.mkfifo(tmp_path / "rounds/a.parquet")
    (tmp_path / "rounds/b.csv").mkdir()
    (tmp_path / "rounds/c.csv").symlink_to(tmp_path / "nothing")
    (tmp_path / "rounds/d.csv").symlink_to("d.csv")
    bench.put("rounds/e.csv", HEAD, ROW)
    turning = threading.Thread(target=bench.looks, args=(6,), daemon=True)
    turning.start()
    turning.join(20)
    assert not turning.is_alive()
    assert bench.disk.rows() == READ
    assert bench.status.device("rounds").errors == 5
    assert bench.disk.notices() == []
    (tmp_path / "nothing").write_bytes(text(HEAD, "2026-04-03 11:30,101,8"))
    bench.looks()
    assert bench.disk.rows()[2:] == [("kwh", -30, 101.0), ("water", -30, 8.0)]


@pytest.mark.parametrize("open_one", [disk.opened, disk.size_and_time])
def test_a_pipe_is_refused_at_once(tmp_path: Path, open_one: Any) -> None:
    """Also one that took a file's place after it was looked at."""
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(OSError, match="is not a file"):
        open_one(tmp_path / "a.csv")


def test_a_file_deleted_between_look_and_read_is_nobodys_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an error nor a notice; and it is read when it is put there again, however alike."""
    bench = Bench(tmp_path)
    path = bench.put("rounds/a.csv", HEAD, ROW)
    known, before = stream.open_table, path.stat()

    def late(path: Path) -> Any:
        path.unlink()
        return known(path)

    monkeypatch.setattr(stream, "open_table", late)
    bench.looks()
    monkeypatch.undo()
    assert (bench.status.device("rounds").errors, bench.disk.notices()) == (0, [])
    bench.put("rounds/a.csv", HEAD, ROW)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    bench.looks()
    assert bench.disk.rows() == READ


NOBODY = 65534


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Path]:
    """A folder of a user who may not read everything; root becomes nobody for so long."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="keepclean-test-"))
    os.chown(folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


def test_what_may_not_be_read_is_read_once_it_may(unprivileged: Path) -> None:
    """A folder and a file without permission: told once each, tried again at every look."""
    tmp_path = unprivileged
    bench = Bench(tmp_path)
    bench.put("lab/a.csv", "time,cod", "2026-04-03 11:00,50")
    shut = [tmp_path / "lab", bench.put("rounds/a.csv", HEAD, ROW)]
    for path in shut:
        path.chmod(0)
    bench.looks(5)
    assert [bench.status.device(name).errors for name in ("lab", "rounds")] == [1, 1]
    assert bench.status.device("rounds").last_error == "a.csv: Permission denied"
    for path in shut:
        path.chmod(0o700)
    bench.looks()
    assert sorted(bench.disk.rows()) == [("cod", -60, 50.0), *READ]
    assert bench.disk.notices() == []


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_of_no_bytes_is_told_once_and_read_when_it_is_written(tmp_path: Path, name: str) -> None:
    """It may be one that somebody only begins to write: it is left alone for a while first."""
    bench = Bench(tmp_path)
    path = tmp_path / "rounds" / name
    path.touch()
    bench.looks()
    assert bench.disk.notices() == []
    bench.hand.now += UNENDED_QUIET_S
    bench.looks()
    bench.restart()
    bench.hand.now += UNENDED_QUIET_S
    bench.looks()
    assert [notice["finding"] for notice in bench.disk.notices()] == [UNREADABLE]
    path.write_bytes(text(HEAD, ROW))
    if name == "a.parquet":
        pl.DataFrame({"time": ["2026-04-03 11:00"], "kwh": [100.0], "water": [7.0]}).write_parquet(path)
    bench.looks()
    assert sorted(bench.disk.rows()) == READ


class Odd(Exception):
    """What nobody foresaw."""


@pytest.mark.parametrize(
    ("step", "error"), [("open", Odd), ("part", Odd), ("open", pl.exceptions.PanicException), ("part", MemoryError)]
)
def test_what_nobody_foresaw_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException]
) -> None:
    """The status and one notice tell, over restarts too; the file is left alone until it changes, the next is read."""
    # what it logs holds half a character, which the messages between test processes cannot carry
    monkeypatch.setattr(logging.getLogger("collectors.files.inbox"), "disabled", True)
    bench = Bench(tmp_path)
    bench.put("rounds/a.csv", HEAD, "2026-04-03 11:30,1,2")
    bench.put("rounds/b.csv", HEAD, ROW)
    known, tries = getattr(stream.FileReader, step), 0

    def odd(self: stream.FileReader, first: Any, *rest: Any) -> Any:
        nonlocal tries
        if (first if isinstance(first, Path) else first.path).name == "a.csv":
            tries += 1
            raise error("\udcb1")
        return known(self, first, *rest)

    monkeypatch.setattr(stream.FileReader, step, odd)
    bench.looks(6)
    assert tries == 1
    assert bench.disk.rows() == READ
    reason = rf"a.csv: not foreseen: {error.__name__}: \udcb1"
    assert bench.status.device("rounds").last_error == reason
    healthy(bench)
    bench.restart()
    bench.looks()
    assert tries == 2
    assert [(notice["finding"], notice["evidence"]) for notice in bench.disk.notices()] == [(UNREADABLE, reason)]
    monkeypatch.setattr(stream.FileReader, step, known)
    bench.put("rounds/a.csv", HEAD, "2026-04-03 11:30,1,3")
    bench.looks()
    assert bench.disk.rows()[2:] == [("kwh", -30, 1.0), ("water", -30, 3.0)]


def test_a_file_that_breaks_in_the_middle_brings_its_rows_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: what was read before a line that ends it is not read again at every start; nor when it is touched."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr(blocks, "LINE_BYTES_MAX", 256)
    bench = Bench(tmp_path)
    rows = [f"2026-04-03 11:{minute:02d},{minute},1" for minute in range(10)]
    path = bench.put("rounds/a.csv", HEAD, *rows, "x" * 1000)
    for time in range(3):
        bench.looks()
        os.utime(path, ns=(time, time))
        bench.looks()
        bench.restart()
    assert len(bench.disk.rows()) == 20
    [notice] = bench.disk.notices()
    assert notice["evidence"].endswith("; 20 readings before that were read")


def test_a_parquet_file_cut_while_it_is_read_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where polars panics: it is being written, and nothing is wrong with it."""
    monkeypatch.setattr(blocks, "FETCHED_CELLS", 30)
    monkeypatch.setattr(blocks, "BLOCK_CELLS", 30)
    bench = Bench(tmp_path)
    times = [f"2026-04-03 {hour:02d}:{minute:02d}" for hour in range(11) for minute in range(60)]
    frame = pl.DataFrame({"time": times, "kwh": [float(one) for one in range(len(times))]})
    path = gbk(tmp_path / "rounds", ".parquet", b"")
    with path.open("wb") as file:
        frame.write_parquet(file, row_group_size=15)
    whole = path.read_bytes()
    bench.hand.now += LOOK_EVERY_S
    for _ in range(2):
        bench.inbox.turn()
        bench.hand.now += LOOK_EVERY_S
    path.write_bytes(whole[:3000])
    bench.inbox.turn()
    path.write_bytes(whole)
    bench.looks()
    assert {row[2] for row in bench.disk.rows()} == set(frame["kwh"].to_list())
    assert bench.disk.notices() == []


def test_marks_of_another_version_do_not_stop_the_start(tmp_path: Path) -> None:
    """What they are of is not known: a file is read, a sample left as it is."""
    bench = Bench(tmp_path)
    other = msgspec.msgpack.encode({"v": 2, "size": "large"})
    bench.disk.append([], {"file/rounds/a.csv": other, f"sample/cod/{NOON}": other, "file/rounds/b.csv": b"\xc1"})
    bench.restart()
    bench.put("rounds/a.csv", HEAD, ROW)
    bench.looks()
    assert bench.disk.rows() == READ


@pytest.mark.parametrize("kind", [FileMark, Due])
@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", b"\x91" * 100_000, b"\xa2\xff\xff"])
def test_no_mark_raises(kind: Any, body: bytes) -> None:
    """Whatever stands in it."""
    assert kind.decode(body) is None


def test_the_thread_outlives_what_no_file_brought_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The status of every folder's device tells, and the folders are looked at again."""
    bench = Bench(tmp_path)
    known, calls = bench.inbox.turn, 0

    def turn() -> float:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Odd
        bench.inbox.stop()
        return known()

    monkeypatch.setattr("collectors.files.inbox.LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(bench.inbox, "turn", turn)
    with caplog.at_level(logging.CRITICAL):
        bench.inbox.run()
    assert calls == 2
    assert [bench.status.device(name).errors for name in ("lab", "rounds")] == [1, 1]
