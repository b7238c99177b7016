"""The journal: what append returned for is there, in order, whatever happens; positions are never used twice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.journal import TRIM_ROWS, Journal
from journal.message import Kind, decode, encode_body, encode_readings
from plant.errors import StorageError
from plant.reading import Readings

KILLS = 10
WRITER = """
import sys
from pathlib import Path
from journal.journal import Journal
from journal.message import encode_body

journal = Journal(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    size = number % 7 + 1
    pad = "x" * (number % 3000)
    last = journal.append([("tick", encode_body({"time": number + i, "pad": pad})) for i in range(size)])
    number += size
    sys.stdout.write(f"{last} {number}\\n")
    sys.stdout.flush()
"""


def tick(time: int) -> tuple[Kind, bytes]:
    """A tick to append."""
    return "tick", encode_body({"time": time})


def batch() -> Readings:
    """Three readings of two points, one of them no number."""
    return Readings.build(
        ("a", "b"),
        np.array([0, 1, 0], np.int32),
        np.array([1, 2, 3], np.int64),
        np.array([4, 5, 6], np.int64),
        np.array([1.5, np.nan, -2.0]),
        finding=np.array([0, 1, 0], np.uint8),
        findings=("", "not available"),
    )


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    """Messages come in one order, with rising positions, and can be read from any of them."""
    journal = Journal(tmp_path)
    assert journal.append([tick(1), tick(2)]) == 2
    assert journal.append([("readings", encode_readings(batch()))]) == 3
    assert journal.append([]) == 3
    assert [(message.position, message.kind) for message in journal.read(0)] == [
        (1, "tick"),
        (2, "tick"),
        (3, "readings"),
    ]
    assert [message.position for message in journal.read(1, limit=1)] == [2]
    assert journal.read(3) == []
    assert journal.last() == 3
    found = journal.read(2)[0].readings
    assert found is not None
    for name in ("point", "time", "received", "quality", "finding"):
        np.testing.assert_array_equal(getattr(found, name), getattr(batch(), name))
    np.testing.assert_array_equal(found.value, batch().value)
    assert (found.points, found.findings) == (("a", "b"), ("", "not available"))


def test_an_append_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Promise 1: all messages of an append, or none."""
    journal = Journal(tmp_path)
    journal.append([tick(1)])
    with pytest.raises(StorageError):
        journal.append([tick(2), ("tick", None)])  # type: ignore[list-item]

    def broken():  # type: ignore[no-untyped-def]
        yield tick(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.append(broken())
    assert [message.body["time"] for message in journal.read(0)] == [1]
    assert journal.append([tick(4)]) == 2


def test_positions_are_not_used_again_once_the_table_was_emptied(tmp_path: Path) -> None:
    """Promise 1: a reader that remembers its position never skips a new row, however often all was trimmed."""
    journal = Journal(tmp_path)
    journal.append([tick(n) for n in range(5)])
    journal.publish_served(5)
    assert journal.trim() == 5
    assert journal.read(0) == []
    journal.close()
    again = Journal(tmp_path)
    assert again.last() == 5
    assert again.append([tick(9)]) == 6
    assert [message.position for message in again.read(5)] == [6]


def test_trimming_stops_at_what_is_served(tmp_path: Path) -> None:
    """Promise 1: only what serve has stored goes, a few rows at a time, all but the last `keep`."""
    journal = Journal(tmp_path)
    journal.append([tick(n) for n in range(3 * TRIM_ROWS)])
    assert journal.trim() == 0
    journal.publish_served(2 * TRIM_ROWS + 10)
    assert journal.served() == 2 * TRIM_ROWS + 10
    assert [journal.trim(keep=10) for _ in range(3)] == [TRIM_ROWS, TRIM_ROWS, 0]
    assert journal.read(0, 1)[0].position == 2 * TRIM_ROWS + 1


def test_a_served_file_that_is_no_position_is_an_error(tmp_path: Path) -> None:
    """Nothing is trimmed on a guess."""
    journal = Journal(tmp_path)
    (tmp_path / "served").write_text("garbage")
    with pytest.raises(StorageError, match="not a position"):
        journal.trim()


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x00", encode_readings(batch())[:-9], encode_body({"time": 1}), encode_readings(batch())[3:]],
    ids=["empty", "zero", "cut off", "another kind's body", "beginning lost"],
)
def test_a_damaged_row_is_read_as_a_notice_and_the_rest_goes_on(tmp_path: Path, damage: bytes) -> None:
    """A row whose bytes do not fit their checksum becomes a notice that names it; the rows after it are read."""
    journal = Journal(tmp_path)
    journal.append([tick(60_000_000), ("readings", encode_readings(batch())), tick(120_000_000)])
    with sqlite3.connect(journal.path) as other:
        other.execute("UPDATE message SET body = ? WHERE position = 2", (damage,))
    other.close()
    first, lost, last = journal.read(0)
    assert (first.body["time"], last.body["time"]) == (60_000_000, 120_000_000)
    assert (lost.kind, lost.position, lost.body["finding"]) == ("notice", 2, "journal damaged")
    assert lost.body["start"] == 60_000_000
    assert "row 2 (readings" in lost.body["evidence"]


def test_marks_are_written_with_their_messages_or_not_at_all(tmp_path: Path) -> None:
    """Promise 1: what a collector remembers is on disk exactly when its readings are; an empty mark is forgotten."""
    journal = Journal(tmp_path)
    journal.append([tick(1)], {"mqtt/1": b"a", "mqtt/2": b"b", "files/1": b"c"})
    with pytest.raises(StorageError):
        journal.append([("tick", None)], {"mqtt/1": b"x"})  # type: ignore[list-item]
    assert journal.marks("mqtt/") == {"mqtt/1": b"a", "mqtt/2": b"b"}
    journal.append([], {"mqtt/1": b"", "mqtt/2": b"d"})
    assert Journal(tmp_path).marks("mqtt/") == {"mqtt/2": b"d"}
    with sqlite3.connect(journal.path) as other:
        other.execute("UPDATE mark SET body = x'00' WHERE name = 'mqtt/2'")
    other.close()
    assert Journal(tmp_path).marks("") == {"files/1": b"c"}, "a damaged mark says nothing"


def test_columns_of_different_length_are_damage() -> None:
    """A column that lost its end is found."""
    body = encode_readings(batch())
    whole = batch().value.tobytes()
    assert whole in body
    cut = body.replace(b"\xc4\x18" + whole, b"\xc4\x10" + whole[:16])
    assert cut != body
    with pytest.raises(StorageError, match="differ in length"):
        decode(7, "readings", cut)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("point", [0, 1, 9]), ("point", [-1, 0, 1]), ("finding", [0, 0, 7]), ("quality", [0, 0, 4])],
)
def test_an_index_that_leads_nowhere_is_damage(column: str, wrong: list[int]) -> None:
    """A body whose checksum is right may still be none: a point, finding or quality that does not exist is found."""
    own = getattr(batch(), column)
    body = encode_readings(replace(batch(), **{column: np.array(wrong, own.dtype)}))
    with pytest.raises(StorageError, match="damaged"):
        decode(7, "readings", body)


@pytest.mark.parametrize("body", [b"\x91" * 5000, b"\x81" * 5000, encode_body({"points": "abc"}), encode_body({})])
def test_a_body_of_another_form_is_damage(body: bytes) -> None:
    """Whatever bytes a row holds, only StorageError escapes."""
    with pytest.raises(StorageError, match="damaged"):
        decode(7, "readings", body)


def test_another_format_is_refused() -> None:
    """What a later version wrote is not guessed at."""
    with pytest.raises(StorageError, match="format"):
        decode(1, "tick", encode_body({"time": 1}).replace(b"\xa1v\x01", b"\xa1v\x02"))


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    """StorageError, not an error of SQLite's; at opening or at the first read."""
    journal = Journal(tmp_path)
    journal.append([tick(n) for n in range(2000)])
    journal.close()
    raw = bytearray(journal.path.read_bytes())
    raw[4096:] = b"\x5a" * (len(raw) - 4096)
    journal.path.write_bytes(raw)
    with pytest.raises(StorageError):
        Journal(tmp_path).read(0)
    journal.path.write_bytes(b"not a database at all, and long enough to be taken for a header of one" * 30)
    with pytest.raises(StorageError):
        Journal(tmp_path)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_readings_survive_the_journals_bytes(data: st.DataObject) -> None:
    """Whatever readings there are, decoding gives back what was encoded, bit by bit."""
    points = data.draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    size = data.draw(st.integers(0, 6))

    def column(elements: st.SearchStrategy[int] | st.SearchStrategy[float], dtype: type) -> np.ndarray:  # type: ignore[type-arg]
        return np.array(data.draw(st.lists(elements, min_size=size, max_size=size)), dtype)

    times = st.integers(-(2**63), 2**63 - 1)
    told = Readings(
        tuple(points),
        column(st.integers(0, len(points) - 1), np.int32),
        column(times, np.int64),
        column(times, np.int64),
        column(st.floats(), np.float64),
        column(st.integers(0, 3), np.uint8),
        column(st.just(0), np.uint8),
    )
    found = decode(1, "readings", encode_readings(told)).readings
    assert found is not None
    assert found.points == told.points
    for name in ("point", "time", "received", "value", "quality", "finding"):
        assert getattr(found, name).tobytes() == getattr(told, name).tobytes()


@pytest.mark.server
def test_whatever_append_returned_for_survives_sigkill(tmp_path: Path) -> None:
    """Promise 1: killed at any instant, again and again: all that append returned for is there, once and in order."""
    said: dict[int, int] = {}
    number = 0
    for kill in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(3 + 11 * kill):
                position, number = map(int, writer.stdout.readline().split())
                said[position] = number
            writer.kill()
            for line in writer.stdout:
                if line.endswith("\n"):
                    position, number = map(int, line.split())
                    said[position] = number
        journal = Journal(tmp_path)
        messages = journal.read(0, 10**6)
        times = [message.body["time"] for message in messages]
        assert times == list(range(len(times)))
        assert [message.position for message in messages] == list(range(1, len(times) + 1))
        assert len(times) >= number
        for position, count in said.items():
            assert messages[position - 1].body["time"] == count - 1
        number = len(times)
        journal.close()


@pytest.mark.server
def test_two_processes_append_to_one_journal(tmp_path: Path) -> None:
    """Ticks come from collect, a person's acts from elsewhere: each batch stays together, no row is lost."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(start)], stdout=subprocess.PIPE, text=True)
        for start in (0, 1_000_000)
    ]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(40):
            writer.stdout.readline()
    for writer in writers:
        writer.kill()
        writer.communicate()
    times = [message.body["time"] for message in Journal(tmp_path).read(0, 10**6)]
    for own in ([time for time in times if time < 1_000_000], [time for time in times if time >= 1_000_000]):
        assert len(own) >= 40
        assert own == list(range(own[0], own[0] + len(own)))
