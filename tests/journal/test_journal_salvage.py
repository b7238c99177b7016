"""A journal file that SQLite cannot read any more: what can be read is carried over, what is lost is said."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from journal.journal import Journal
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
