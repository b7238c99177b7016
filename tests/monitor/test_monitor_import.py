"""`keepclean import` as a user meets it: what it says, what it writes, and that nothing interrupts it for good."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from collectors.files import blocks
from historian.reader import Reader
from historian.store import Historian
from journal.journal import Journal
from journal.message import Kind, encode_body
from monitor import import_files as importing
from monitor.cli import app
from monitor.describe import Described, describe
from monitor.server import Server
from plant.clock import to_us
from plant.errors import ConfigurationError, StorageError
from plant.reading import HOUR, MINUTE, SECOND

RUN = CliRunner()
PLANT = """
format: keepclean/1
site: {id: works, name: Works, time_zone: Asia/Shanghai}
audit: {name: a, period: [2026-01-01, 2026-12-31], baseline_year: 2025}
devices:
  rounds: {protocol: manual, title: Rounds, interval: 60 min}
points:
  kwh: {title: {en: Mains, zh: 总电表}, in: site, kind: counter, unit: kWh, from: rounds, read: M7}
  cod: {title: COD, in: site, kind: sample, unit: mg/L, from: rounds, read: cod, valid: 8 h}
"""
FIRST = datetime(2026, 3, 2, 4, tzinfo=UTC)
"""Noon in Shanghai."""


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """A plant of a hand-read meter and a laboratory value."""
    (tmp_path / "plant.yaml").write_text(PLANT)
    return describe(tmp_path / "plant.yaml")


def hourly(path: Path, hours: int, start: datetime = FIRST, first: int = 0) -> Path:
    """A meter that rises by one kWh an hour, `first` at the start."""
    lines = [f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ},{first + hour}" for hour in range(hours)]
    path.write_text("\n".join(["time,kwh", *lines]) + "\n")
    return path


def imported(described: Described, *files: Path, dry_run: bool = False) -> list[importing.Imported]:
    """Imports into data/ beside the description."""
    return importing.import_files(described, files, described.folder / "data", dry_run, Console(quiet=True))


def written(described: Described) -> list[tuple[int, float]]:
    """Every reading in the journal: hours since FIRST, value."""
    journal = Journal(described.folder / "data" / "journal")
    messages = journal.read(0, 100_000)
    journal.close()
    found = [message.readings for message in messages if message.readings is not None]
    return [
        ((moment - to_us(FIRST)) // HOUR, value)
        for one in found
        for moment, value in zip(one.time.tolist(), one.value.tolist(), strict=True)
    ]


def stepped(described: Described) -> Reader:
    """Serves what the journal holds."""
    data = described.folder / "data"
    journal, historian = Journal(data / "journal"), Historian(data)
    server = Server(described.plan, journal, historian)
    while server.step():
        pass
    server.checkpoint()
    journal.close()
    historian.close()
    return Reader(data)


def test_a_plant_that_does_not_run_counts_what_is_imported(described: Described) -> None:
    """Promise 4: into an empty folder, then more days later: the facts sum to the counter's own difference."""
    imported(described, hourly(described.folder / "a.csv", 24 * 20))
    reader = stepped(described)
    assert reader.head("tick") == to_us(FIRST + timedelta(hours=24 * 20 - 1))
    imported(described, hourly(described.folder / "b.csv", 240, FIRST + timedelta(hours=470), 470))
    facts = stepped(described).table("facts")
    assert facts.filter(facts["point"] == "kwh")["amount"].sum() == pytest.approx(708, abs=2)
    assert reader.table("notices").filter(reader.table("notices")["finding"].is_in(["future", "late"])).is_empty()


def test_the_same_content_is_imported_once(described: Described) -> None:
    """Also under another name; and it says so."""
    path = hourly(described.folder / "a.csv", 10)
    imported(described, path)
    again = path.rename(described.folder / "b.csv")
    [found] = imported(described, again)
    assert [value for _, value in written(described)] == [float(hour) for hour in range(10)]
    assert "imported before" in "\n".join(importing.report(found, False, str))


def test_nothing_is_written_when_one_file_is_wrong(described: Described) -> None:
    """Promise 8: every file that is not understood is named, with line and hint, before anything is written."""
    good, bad = hourly(described.folder / "a.csv", 10), described.folder / "b.csv"
    bad.write_text("time,steam\n2026-03-02 12:00,1\n")
    done = RUN.invoke(app, ["import", str(described.path), str(good), str(bad), str(described.folder / "no.csv")])
    assert done.exit_code == 1
    text = done.output.replace("\n", "")
    assert f"{bad}:1: 'steam' is not a point" in text
    assert "no.csv:1: cannot be read: No such file or directory" in text
    assert "hint: head it with a point's name, read or title" in text
    assert not (described.folder / "data" / "journal").exists()


def test_what_it_tells(described: Described) -> None:
    """Readings, points, span in local time, rejected rows with their lines; a dry run writes nothing."""
    path = described.folder / "a.csv"
    path.write_text("时间,总电表,COD,备注\n2026-03-02 12:00,1,,\n2026-03-02 25:00,2,,x\n2026/3/2 13:00,2,40,\n")
    done = RUN.invoke(app, ["import", str(described.path), str(path), "--dry-run"])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].endswith("a.csv: 3 readings of 2 points, 2026-03-02 12:00 to 2026-03-02 13:00; nothing was written")
    assert lines[1] == "  1 values rejected, for instance:"
    assert lines[2].endswith("a.csv:3: not a time that exists: 2026-03-02 25:00,2,,x")
    assert not (described.folder / "data" / "journal").exists()


def test_what_comes_too_late_is_told_and_changes_nothing(described: Described) -> None:
    """Readings more than 24 h behind are kept as bad, `late`: said beforehand, and true afterwards."""
    imported(described, hourly(described.folder / "a.csv", 24 * 10))
    before = stepped(described).table("facts")
    [found] = imported(described, hourly(described.folder / "b.csv", 24, FIRST - timedelta(days=3)))
    assert found.late == 24
    assert "about 24 readings lie more than 24 h behind" in "\n".join(importing.report(found, False, str))
    reader = stepped(described)
    late = reader.table("readings").filter(reader.table("readings")["finding"] == "late")
    assert (late.height, set(late["quality"])) == (24, {"bad"})
    assert reader.table("facts").equals(before)


def test_into_a_running_plant_no_tick_is_written(described: Described) -> None:
    """Ticks are collect's: while it runs, the import writes readings alone, received at the plant's own time."""
    data = described.folder / "data"
    data.mkdir()
    now = to_us(FIRST)
    status = {"time": now, "real_time": int(time.time() * SECOND), "speed": 1.0}
    (data / "collect.json").write_text(json.dumps(status))
    imported(described, hourly(described.folder / "a.csv", 10))
    journal = Journal(data / "journal")
    messages = journal.read(0, 100)
    assert {message.kind for message in messages} == {"readings"}
    assert messages[0].readings is not None
    assert abs(int(messages[0].readings.received[0]) - now) < 5 * MINUTE


def test_a_demo_that_is_not_running_keeps_its_own_time(described: Described) -> None:
    """The wall clock says nothing about a plant whose time was never its."""
    data = described.folder / "data"
    data.mkdir()
    real = int(time.time() * SECOND)
    (data / "collect.json").write_text(json.dumps({"time": 0, "real_time": real - HOUR, "speed": 60.0}))
    imported(described, hourly(described.folder / "a.csv", 10))
    journal = Journal(data / "journal")
    assert {message.kind for message in journal.read(0, 100)} == {"readings"}


def test_killed_anywhere_it_goes_on(described: Described, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: ended before or after any commit and started again, every row is in the journal exactly once."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(importing, "PARTS_A_COMMIT", 2)
    path = hourly(described.folder / "a.csv", 60)
    whole = Journal.append
    turn = 0

    class Killed(BaseException):
        """The process is gone."""

    def append(self: Journal, messages: Iterable[tuple[Kind, bytes]], marks: Mapping[str, bytes] | None = None) -> int:
        nonlocal turn
        turn += 1
        if turn % 3 == 1:
            raise Killed
        position = whole(self, messages, marks)
        if turn % 3 == 0:
            raise Killed
        return position

    monkeypatch.setattr(Journal, "append", append)
    kills, done = 0, None
    while done is None:
        try:
            [done] = imported(described, path)
        except Killed:
            kills += 1
    assert kills > 5
    assert done.known > 0
    assert sorted(written(described)) == [(hour, float(hour)) for hour in range(60)]


def test_a_full_journal_says_what_to_do(described: Described, monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget holds for imports too; what was written stays, and the next import goes on from there."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(importing, "PARTS_A_COMMIT", 1)
    path = hourly(described.folder / "a.csv", 300)
    monkeypatch.setattr(importing, "GIB", 2e6 / 100)
    small = described.plant.model_copy(
        update={"storage": described.plant.storage.model_copy(update={"journal_gib": 2.0})}
    )
    with pytest.raises(StorageError, match="the journal has reached its budget of 2 GiB"):
        imported(Described(described.path, described.text, described.config, small, described.plan), path)
    assert 0 < len(written(described)) < 300
    monkeypatch.undo()
    imported(described, path)
    assert len(written(described)) == 300


def test_a_file_that_changes_meanwhile(described: Described, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read of two contents is never taken for one file."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(importing, "PARTS_A_COMMIT", 1)
    path = hourly(described.folder / "a.csv", 50)
    known: Any = Journal.append

    def append(self: Journal, *given: Any) -> int:
        hourly(path, 49)
        return int(known(self, *given))

    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(ConfigurationError, match="was changed while it was read"):
        imported(described, path)


def test_a_sample_that_ends_later_is_left_to_collect(described: Described) -> None:
    """Its end lies ahead of plant time: a mark says so, which collect reads."""
    data = described.folder / "data"
    data.mkdir()
    status = {"time": to_us(FIRST), "real_time": int(time.time() * SECOND), "speed": 1.0}
    (data / "collect.json").write_text(json.dumps(status))
    path = described.folder / "lab.csv"
    path.write_text("from,to,cod\n2026-03-02 11:00,2026-03-02 15:00,50\n")
    imported(described, path)
    journal = Journal(data / "journal")
    assert list(journal.marks("sample/")) == [f"sample/cod/{to_us(FIRST) - HOUR}"]
    path.write_text("from,to,cod\n2026-03-02 11:30,2026-03-02 11:50,60\n")
    imported(described, path)
    assert journal.marks("sample/") == {}
    journal.append([("tick", encode_body({"time": to_us(FIRST)}))])


SHOWN = r"\xb5\xe7\xb1\xed.csv"
"""The name 电表.csv (electricity meter) in GBK, as it is shown."""


def gbk(folder: Path, *lines: str) -> Path:
    """A file whose name is GBK, as on a share of Chinese machines."""
    path = Path(os.fsdecode(os.fsencode(folder) + "/电表.csv".encode("gbk")))
    try:
        path.write_text("\n".join(lines) + "\n")
    except OSError:
        pytest.skip("this file system takes no names but UTF-8")
    return path


def test_a_file_with_a_gbk_name_is_imported_and_shown(described: Described) -> None:
    """Promise 8: whatever is said of it can be printed: what it holds, what is refused, what is wrong with it."""
    path = gbk(described.folder, "time,kwh", "2026-03-02 12:00,1", "2026-03-02 25:00,2")
    [found] = imported(described, path)
    lines = list(importing.report(found, False, str))
    assert "".join(lines).encode().count(SHOWN.encode()) == 2
    assert written(described) == [(0, 1.0)]
    [again] = imported(described, path)
    assert again.known == 1
    gbk(described.folder, "a,a", "1,2")
    with pytest.raises(ConfigurationError) as raised:
        imported(described, path)
    assert f"{SHOWN}:1: the header has an empty name".encode() in str(raised.value).encode()


@pytest.mark.parametrize("name", ["pipe.csv", "folder.csv", "pipe.parquet", "link.csv"])
def test_what_is_no_file_is_refused_at_once(described: Described, name: str) -> None:
    """Promise 8: a pipe would block for ever, and be read only once."""
    path = described.folder / name
    if name.startswith("pipe"):
        os.mkfifo(path)
    elif name == "link.csv":
        path.symlink_to("nothing")
    else:
        path.mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot be read: (is|No such file)"):
        imported(described, path)
    assert not (described.folder / "data" / "journal").exists()


def test_a_mark_of_another_version_is_unknown(described: Described) -> None:
    """What it says is not understood: the file is read from its start, and remembered."""
    path = hourly(described.folder / "a.csv", 3)
    imported(described, path)
    journal = Journal(described.folder / "data" / "journal")
    journal.append([], dict.fromkeys([*journal.marks("import/"), f"sample/cod/{to_us(FIRST)}"], b"\xa5other"))
    imported(described, path)
    [again] = imported(described, path)
    assert again.known == 3
    assert len(written(described)) == 6
    journal.close()
