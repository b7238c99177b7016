"""A journal file that SQLite cannot read any more: what can be read is carried over, what is lost is said."""

from __future__ import annotations

import random
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from journal.journal import Journal
from journal.lock import FolderLock
from journal.message import encode_body
from journal.salvage import LEAP, salvage
from plant.errors import DamagedError, StorageError

ROWS = 400
NOW = 1_700_000_000_000_000


def filled(folder: Path) -> Journal:
    """A journal of many pages, with a mark."""
    journal = Journal(folder)
    for number in range(ROWS):
        body = encode_body({"time": number * 60_000_000, "pad": f"{number}" * 100})
        journal.append([("tick", body)], {"mqtt/1": b"mark"})
    return journal


def spoil(path: Path, first: int, last: int) -> None:
    """Overwrites some pages."""
    raw = bytearray(path.read_bytes())
    raw[first * 4096 : last * 4096] = random.Random(5).randbytes((last - first) * 4096)
    path.write_bytes(raw)


def test_a_sound_journal_is_left_alone(tmp_path: Path) -> None:
    """Nothing is touched that is in order, and a journal that does not exist yet is none."""
    assert salvage(tmp_path, NOW) is None
    filled(tmp_path).close()
    before = (tmp_path / "journal.sqlite").read_bytes()
    assert salvage(tmp_path, NOW) is None
    assert (tmp_path / "journal.sqlite").read_bytes() == before


def test_damaged_pages_cost_their_rows_and_no_more(tmp_path: Path) -> None:
    """Promise 1: the rows on sound pages are carried over in order, the loss is a notice, positions go on above."""
    filled(tmp_path).close()
    spoil(tmp_path / "journal.sqlite", 20, 23)
    found = salvage(tmp_path, NOW)
    assert found is not None
    assert 0 < found.lost < ROWS / 4
    assert found.rows + found.lost == ROWS
    assert found.kept.exists()
    journal = Journal(tmp_path)
    messages = journal.read(0, 10_000)
    ticks = [message for message in messages if message.kind == "tick"]
    assert len(ticks) == found.rows
    assert all(message.body["time"] == (message.position - 1) * 60_000_000 for message in ticks)
    notice = messages[-1]
    assert (notice.kind, notice.body["finding"], notice.body["start"]) == ("notice", "journal damaged", NOW)
    assert f"at least {found.lost} are lost" in notice.body["evidence"]
    assert notice.position > LEAP
    assert salvage(tmp_path, NOW) is None


def test_a_file_that_is_no_database_at_all(tmp_path: Path) -> None:
    """Nothing can be carried over; the new journal counts on from what was served, and says what happened."""
    journal = filled(tmp_path)
    journal.publish_served(123)
    journal.close()
    (tmp_path / "journal.sqlite").write_bytes(b"not a database at all, and long enough for a header " * 200)
    found = salvage(tmp_path, NOW)
    assert found is not None
    assert found.rows == 0
    [notice] = Journal(tmp_path).read(123)
    assert notice.body["finding"] == "journal damaged"
    assert "nothing of what collectors remembered" in notice.body["evidence"]
    assert notice.position > 123 + LEAP


def test_a_reader_follows_to_the_new_file(tmp_path: Path) -> None:
    """Serve keeps its journal open while collect, at its start, puts the damaged file aside."""
    filled(tmp_path).close()
    spoil(tmp_path / "journal.sqlite", 2, 90)
    reader = Journal(tmp_path)
    with pytest.raises(StorageError):
        reader.read(0, 10_000)
    assert salvage(tmp_path, NOW) is not None
    assert reader.read(0, 10_000)[-1].body["finding"] == "journal damaged"
    assert reader.append([("tick", encode_body({"time": 1}))]) > LEAP


def test_damage_is_told_apart_from_a_full_disk(tmp_path: Path) -> None:
    """Waiting helps against a full disk, not against damage: collect ends on it and salvages at its next start."""
    journal = filled(tmp_path)
    journal.close()
    spoil(tmp_path / "journal.sqlite", 1, 90)
    with pytest.raises(DamagedError):
        Journal(tmp_path).append([("tick", encode_body({"time": 1}))])


def test_rows_far_above_what_was_served_are_carried_over(tmp_path: Path) -> None:
    """Promise 1: `served` may be missing, and positions may have leapt before: the rows that exist are what counts."""
    journal = filled(tmp_path)
    journal.count_above(5_000_000)
    for number in range(50):
        journal.append([("tick", encode_body({"time": number, "pad": "x" * 5000}))])
    journal.close()
    spoil(tmp_path / "journal.sqlite", 20, 23)
    found = salvage(tmp_path, NOW)
    assert found is not None
    positions = [message.position for message in Journal(tmp_path).read(0, 10_000)]
    assert positions[-2] == 5_000_050, "the last row before the notice"
    assert found.rows + found.lost >= ROWS + 50 - 1
    assert positions[-1] > 5_000_050 + LEAP


@pytest.mark.parametrize("renames", range(4))
def test_killed_while_it_puts_the_files_in_place(tmp_path: Path, renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1: after SIGKILL between any two renames the next start finishes, and nothing readable is lost."""
    filled(tmp_path).close()
    spoil(tmp_path / "journal.sqlite", 20, 23)
    left = renames
    rename = Path.rename

    def killed(self: Path, target: str | Path) -> Path:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with suppress(KeyboardInterrupt):
        salvage(tmp_path, NOW)
    monkeypatch.undo()
    salvage(tmp_path, NOW)
    ticks = [message for message in Journal(tmp_path).read(0, 10_000) if message.kind == "tick"]
    assert len(ticks) > ROWS * 3 / 4
    assert Journal(tmp_path).append([("tick", encode_body({"time": 1}))]) > LEAP
    assert not (tmp_path / "salvage").exists()
    assert salvage(tmp_path, NOW) is None


def test_what_cannot_be_opened_is_not_damaged(tmp_path: Path) -> None:
    """Promise 1: a full disk or missing rights are waited for; a sound journal is never put aside for them."""
    filled(tmp_path).close()

    def refuse(*_: object, **__: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with pytest.MonkeyPatch.context() as patch, pytest.raises(StorageError, match="cannot be checked"):
        patch.setattr("journal.salvage.sqlite3.connect", refuse)
        salvage(tmp_path, NOW)
    assert salvage(tmp_path, NOW) is None
    assert len(Journal(tmp_path).read(0, 10_000)) == ROWS


def test_a_journal_younger_than_its_reader_counts_on_above_it(tmp_path: Path) -> None:
    """Promise 1: after the file was lost or replaced, no new row is trimmed before it is read."""
    journal = Journal(tmp_path)
    journal.publish_served(5000)
    assert journal.count_above(5000)
    assert journal.append([("tick", encode_body({"time": 1}))]) == 5001
    assert journal.trim() == 0
    assert len(journal.read(5000)) == 1
    assert not journal.count_above(5000)


def test_a_file_that_vanished_is_an_error(tmp_path: Path) -> None:
    """Promise 1: what is written into a file without a name is gone at the next start."""
    journal = filled(tmp_path)
    (tmp_path / "journal.sqlite").unlink()
    with pytest.raises(StorageError):
        journal.append([("tick", encode_body({"time": 1}))])


def test_serve_asks_for_a_repair(tmp_path: Path) -> None:
    """A page that only serve reads is repaired too: it says so, and the next start of collect looks."""
    journal = filled(tmp_path)
    assert not journal.damage_reported()
    journal.report_damage()
    assert Journal(tmp_path).damage_reported()
    assert salvage(tmp_path, NOW) is None
    assert not journal.damage_reported()


def test_one_process_to_a_folder(tmp_path: Path) -> None:
    """Promise 1: two that collect would count everything twice; the second waits, then says so."""
    first = FolderLock(tmp_path / "collect.lock")
    with pytest.raises(StorageError, match="stop that one first"):
        FolderLock(tmp_path / "collect.lock", wait_s=0.0)
    first.release()
    FolderLock(tmp_path / "collect.lock", wait_s=0.0).release()
