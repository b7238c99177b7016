"""Readings to the time-series server: every one that is committed, once, whatever happens on the way; none unasked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from works import PLANT, START

from historian import chunks, spool
from historian.influx import outgoing
from historian.influx.client import ServerError
from historian.influx.line_protocol import lines
from historian.influx.outbox import Outbox
from historian.influx.outgoing import NOT_SENT, Outgoing
from historian.reader import Reader
from historian.spool import spools
from historian.store import Historian
from historian.tables import FACTS, READINGS
from plant.model import Influx
from plant.reading import DAY, MINUTE

ZERO = int(START.timestamp()) * 1_000_000


def readings(minutes: range | list[int], points: range = range(1), value: float | None = None) -> pl.DataFrame:
    """A reading of each point in each minute; its value is the minute, or the one given."""
    grid = pl.DataFrame({"n": list(minutes)}).join(pl.DataFrame({"p": list(points)}), how="cross")
    time = pl.lit(START) + pl.duration(minutes=pl.col("n"))
    found = grid.select(
        time=time,
        received=time,
        point=pl.format("p{}", "p"),
        value=pl.lit(value) if value is not None else pl.col("n").cast(pl.Float64),
        quality=pl.lit("good"),
        finding=pl.lit(""),
    )
    return found.cast(READINGS.schema)  # type: ignore[arg-type]


class Server:
    """Keeps points by series and time, and each line in the order in which it came; may be down."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.lines: list[str] = []
        self.down = False
        self.requests = 0

    def write(self, text: str) -> None:
        """Upserts lines."""
        if self.down:
            raise ServerError("connection refused")
        self.requests += 1
        for line in text.split("\n"):
            self.stored[f"{line.partition(' ')[0]} {line.rpartition(' ')[2]}"] = line
            self.lines.append(line)


class Rig:
    """A historian, the outbox that reads what it stored, and the server, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.server, self.now, self.position = folder, Server(), 0.0, 0
        self.historian = Historian(folder, spools=True)
        self.box = self.outbox()

    def outbox(self) -> Outbox:
        """An outbox on the same files, as after a restart."""
        return Outbox(
            PLANT, self.folder, Reader(self.folder), self.server.write, lambda: self.now, outgoing=Outgoing(self.folder)
        )

    def commit(self, frame: pl.DataFrame, settled_us: int = ZERO, **tables: pl.DataFrame) -> None:
        """Stores readings, and rows of other tables."""
        self.position += 1
        self.historian.commit({"readings": frame, **tables}, [], self.position, settled_us)

    def drain(self, seconds: int = 1) -> list[dict[str, Any]]:
        """A round a second; what was told."""
        told = []
        for _ in range(seconds):
            self.now += 1.0
            told += self.box.drain().notices
        return told

    def waiting(self) -> list[tuple[int, int]]:
        """The spool's chunks: number and rows."""
        return self.historian.db.execute("SELECT id, rows FROM outgoing ORDER BY id").fetchall()

    def close(self) -> None:
        """Closes everything."""
        self.box.close()
        self.historian.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A rig in a folder of its own."""
    made = Rig(tmp_path)
    yield made
    made.close()


def test_nothing_is_kept_unasked(tmp_path: Path) -> None:
    """Without the switch no reading waits or is sent; taken back, what waited is gone, and later ones are sent."""
    plain = Influx(url="http://127.0.0.1:1", bucket="b")
    assert not spools(PLANT)
    assert not spools(PLANT.model_copy(update={"influx": plain}))
    assert spools(PLANT.model_copy(update={"influx": plain.model_copy(update={"readings": True})}))
    rig = Rig(tmp_path)
    rig.commit(readings(range(10)))
    rig.drain()
    rig.commit(readings(range(10, 20)))
    assert len(rig.waiting()) == 1
    rig.close()

    historian = Historian(tmp_path)
    historian.commit({"readings": readings(range(20, 30))}, [], 3, ZERO)
    assert historian.db.execute("SELECT * FROM outgoing").fetchall() == []
    server = Server()
    box = Outbox(PLANT, tmp_path, Reader(tmp_path), server.write)
    assert box.drain().sent == 0
    box.close()
    historian.close()

    rig = Rig(tmp_path)
    rig.commit(readings(range(30, 40)))
    assert rig.drain() == []
    assert rig.server.lines == lines("readings", readings(range(30, 40)), PLANT).to_list()
    rig.close()


def test_every_reading_is_sent_once_and_a_bad_one_is_not_valid(rig: Rig) -> None:
    """Promise 3: each committed reading is one line; what is bad or no number has `valid=0` in its place."""
    frame = readings(range(4)).with_columns(
        value=pl.Series([1.5, float("nan"), 3.0, None]),
        quality=pl.Series(["good", "bad", "bad", "suspect"]),
        finding=pl.Series(["", "no answer", "out of range", ""]),
    )
    rig.commit(frame)
    rig.commit(readings(range(4, 8)))
    rig.drain(3)
    stamp = [int(at) * 1000 for at in readings(range(4))["time"].cast(pl.Int64)]
    assert rig.server.lines[:4] == [
        f'readings,site=works,point=p0 value=1.5,quality="good",valid=1i {stamp[0]}',
        f'readings,site=works,point=p0 quality="bad",finding="no answer",valid=0i {stamp[1]}',
        f'readings,site=works,point=p0 value=3.0,quality="bad",finding="out of range",valid=0i {stamp[2]}',
        f'readings,site=works,point=p0 quality="suspect",valid=0i {stamp[3]}',
    ]
    assert rig.server.lines[4:] == lines("readings", readings(range(4, 8)), PLANT).to_list()
    assert rig.waiting() == []


def test_a_reading_that_comes_late_or_again_is_sent_again(rig: Rig) -> None:
    """Of two values of one point and time the later one stands; a late one of a closed day is sent like any other."""
    rig.commit(readings(range(10)))
    rig.drain()
    rig.commit(readings([3], value=99.0), settled_us=ZERO + 5 * DAY)
    rig.commit(readings([4], value=98.0), settled_us=ZERO + 5 * DAY)
    rig.drain()
    assert len(rig.server.lines) == 12
    assert len(rig.server.stored) == 10
    stand = [line for line in rig.server.stored.values() if "value=9" in line]
    assert [line.split(" ")[1].split(",")[0] for line in stand] == ["value=99.0", "value=98.0", "value=9.0"]


def test_very_many_of_closed_days_are_sent_in_the_order_of_commits(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay brings days that are closed and goes to their files at once: the readings are sent all the same."""
    monkeypatch.setattr("historian.store.DIRECT_ROWS", 1_000)
    both = range(0, 4_000), range(4_000, 8_000)
    for minutes in both:
        rig.commit(readings(minutes, range(2)), settled_us=ZERO + 9 * DAY)
    assert all(rows <= spool.CHUNK_ROWS for _, rows in rig.waiting())
    rig.drain(5)
    assert rig.server.lines == [
        line for minutes in both for line in lines("readings", readings(minutes, range(2)), PLANT)
    ]


def test_a_day_without_the_server_leaves_no_gap_and_no_doubling(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down for a simulated day, and up again: each reading once, in order."""
    monkeypatch.setattr(spool, "APART", 8)
    every, days = 30, 3
    for minute in range(0, days * 1440, every):
        rig.server.down = 1440 <= minute < 2 * 1440
        rig.commit(readings(range(minute, minute + every), range(5)), settled_us=ZERO + (minute - 60) * MINUTE)
        if minute % 120 == 0:
            rig.drain()
            rig.now += 120 * 60
        if minute + every == 2 * 1440:
            # what waits is put together: a plant of few readings has few chunks
            assert sum(rows for _, rows in rig.waiting()) > 7_000
            assert len(rig.waiting()) < 15
    rig.drain(2)
    assert rig.server.lines == lines("readings", readings(range(days * 1440), range(5)), PLANT).to_list()
    assert rig.waiting() == []


def test_a_backlog_of_readings_holds_no_fact_back(rig: Rig) -> None:
    """It goes out at the pace, after everything else of a round."""
    rig.box.pace = 5_000
    rig.commit(readings(range(4_000), range(4)))
    for second in range(1, 9):
        row = {"point": "p0", "minute": START + timedelta(minutes=second), "amount": 1.0, "revision": second + 1}
        rig.commit(READINGS.empty(), facts=pl.DataFrame([row], schema=FACTS.schema))
        before = len(rig.server.lines)
        rig.drain()
        assert rig.server.lines[before].startswith("facts")
        assert len(rig.server.lines) <= 5_000 * (second + 1)
    assert rig.waiting() == []


def test_a_crash_between_sending_and_the_cursor_sends_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the server took readings, before or after the cursor moved: none is missing, none stands twice."""
    rig.commit(readings(range(100)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for method, sent in (("_keep", 100), ("_taken", 200)):
        with monkeypatch.context() as patch:
            patch.setattr(*((Outbox, "_keep") if method == "_keep" else (Outgoing, "taken")), killed)
            with pytest.raises(KeyboardInterrupt):
                rig.drain()
        assert len(rig.server.lines) == sent
        assert len(rig.waiting()) == 1
        rig.box.close()
        rig.box = rig.outbox()
    # the cursor had moved: what is left of it is deleted with the next
    rig.commit(readings(range(100, 110)))
    rig.drain()
    assert rig.waiting() == []
    assert [*rig.server.stored.values()] == lines("readings", readings(range(110)), PLANT).to_list()


def test_the_oldest_are_dropped_and_told_once_a_day(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The spool keeps to its size while the server is away; what is left is sent when it is back."""
    many = 500
    monkeypatch.setattr(spool, "CHUNK_ROWS", many)
    size = len(chunks.encode(readings(range(1000, 1000 + many)).select(spool.COLUMNS)))
    monkeypatch.setattr(spool, "SPOOL_BYTES", 4 * size)
    rig.server.down = True
    told = []
    for number in range(12):
        rig.commit(readings(range(many * number, many * (number + 1))), settled_us=ZERO + number * 120 * MINUTE)
        rig.now += 60.0
        told += rig.drain()
        held = rig.historian.db.execute("SELECT sum(length(body)) FROM outgoing").fetchone()[0]
        assert held <= 4 * size
    assert "dropped" in caplog.text
    assert [(notice["finding"], notice["start"]) for notice in told] == [(NOT_SENT, START)]
    first = int(told[0]["evidence"].split(" ")[0])
    assert told[0]["evidence"] == f"{first} of those that waited were dropped: there were too many"
    rig.server.down = False
    rig.now += 60.0
    assert rig.drain() == []
    left = len(rig.server.lines)
    assert rig.server.lines == lines("readings", readings(range(12 * many - left, 12 * many)), PLANT).to_list()
    rig.commit(readings([12 * many]), settled_us=ZERO + DAY)
    (later,) = rig.drain()
    assert later["start"] == START + timedelta(days=1)
    assert later["evidence"].startswith(f"{12 * many - left - first} of")
    rig.commit(readings([12 * many + 1]), settled_us=ZERO + 2 * DAY)
    assert rig.drain() == []


def test_a_damaged_chunk_costs_its_own_readings_and_is_told(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """It is passed over, with a notice and a line in the log."""
    for number in range(3):
        rig.commit(readings(range(5_000 * number, 5_000 * (number + 1))))
    with sqlite3.connect(rig.folder / "historian.sqlite") as db:
        db.execute("UPDATE outgoing SET body = zeroblob(100) WHERE id = 2")
    (notice,) = rig.drain(3)
    assert (notice["finding"], notice["evidence"][:4]) == (NOT_SENT, "5000")
    assert "cannot be sent" in caplog.text
    minutes = [*range(5_000), *range(10_000, 15_000)]
    assert rig.server.lines == lines("readings", readings(minutes), PLANT).to_list()
    assert rig.waiting() == []
    assert rig.drain() == []


EVENT = st.one_of(
    st.tuples(st.just("commit"), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 99)), min_size=1, max_size=9)),
    st.tuples(st.just("server"), st.booleans()),
    st.tuples(st.just("round"), st.integers(1, 2)),
    st.just(("wait",)),
    st.just(("restart",)),
    st.just(("killed",)),
)


@settings(max_examples=8, deadline=None)
@given(st.lists(EVENT, min_size=3, max_size=14))
def test_the_last_of_each_stands_in_the_end(events: list[Any]) -> None:
    """Any order of commits, outages, restarts and kills, with tiny chunks: the last value of each stands."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "CHUNK_ROWS", 8)
        patch.setattr(spool, "APART", 1)
        patch.setattr(chunks, "PAUSE_S", 0.0)
        patch.setattr(outgoing.chunks, "DELETED_AT_ONCE", 2)
        rig, stands = Rig(Path(name)), dict[int, float]()
        for event in [*events, ("server", True), ("wait",), ("round", 2)]:
            match event:
                case ("commit", rows):
                    frame = pl.concat([readings([minute], value=float(value)) for minute, value in rows])
                    rig.commit(frame)
                    stands.update({minute: float(value) for minute, value in rows})
                case ("server", up):
                    rig.server.down = not up
                case ("wait",):
                    rig.now += 60.0
                case ("round", seconds):
                    rig.drain(seconds)
                case ("restart",):
                    rig.close()
                    rig.historian, rig.box = Historian(rig.folder, spools=True), rig.outbox()
                case _:
                    with pytest.MonkeyPatch.context() as crash:
                        crash.setattr(Outgoing, "taken", lambda *_: None)
                        rig.drain()
                    rig.box.close()
                    rig.box = rig.outbox()
        wanted = [lines("readings", readings([minute], value=value), PLANT)[0] for minute, value in stands.items()]
        assert {*rig.server.stored.values()} == {*wanted}
        rig.close()
