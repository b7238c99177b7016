"""What waited while the server was down: sent oldest first at a bounded pace, behind what is stored meanwhile."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from works import PLANT, START

from historian.influx import outbox, sending
from historian.influx.client import ServerError
from historian.influx.line_protocol import lines
from historian.influx.outbox import Outbox
from historian.reader import Reader
from historian.store import Historian
from historian.tables import FACTS, TABLES
from plant.reading import DAY, HOUR, MINUTE

ZERO = int(START.timestamp()) * 1_000_000


def facts(points: range, minutes: range, revision: int, amount: float = 1.5) -> pl.DataFrame:
    """Minute facts of several points, all of one revision."""
    grid = pl.DataFrame({"point": [f"p{n:02d}" for n in points]}).join(pl.DataFrame({"n": list(minutes)}), how="cross")
    columns = {
        "minute": pl.lit(START) + pl.duration(minutes=pl.col("n")),
        "amount": pl.lit(amount),
        "mean": pl.lit(amount),
        "unit": pl.lit("m3"),
        "coverage": pl.lit(1.0),
        "quality": pl.lit("good"),
        "revision": pl.lit(revision),
    }
    empty = {name: pl.lit(None) for name in FACTS.schema if name not in ("point", *columns)}
    found = grid.with_columns(**columns, **empty).select(FACTS.schema.keys())
    return found.cast(FACTS.schema)  # type: ignore[arg-type]


class Server:
    """Keeps points by series and time, as every server does; may be down."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.order: list[str] = []
        self.lines = 0
        self.down = False

    def write(self, text: str) -> None:
        """Upserts lines."""
        if self.down:
            raise ServerError("connection refused")
        for line in text.split("\n"):
            key = f"{line.partition(' ')[0]} {line.rpartition(' ')[2]}"
            self.stored[key] = line
            self.order.append(key)
            self.lines += 1


class Stored:
    """Facts as the outbox asks for them, with every row that was ever stored: what stands is the highest revision."""

    def __init__(self) -> None:
        self.frame, self.head_at = FACTS.empty(), 0

    def put(self, revision: int, minutes: list[int], whole: bool = True) -> None:
        """Stores rows; the head follows once their revision is whole."""
        row = {"point": "p", "amount": float(revision), "unit": "m3", "coverage": 1.0, "revision": revision}
        rows = [{**row, "minute": START + timedelta(minutes=minute)} for minute in minutes]
        self.frame = pl.concat([self.frame, pl.DataFrame(rows, schema=FACTS.schema)])
        if whole:
            self.head_at = revision

    def head(self, key: str) -> int:
        """The revision up to which rows are whole."""
        return self.head_at

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """Rows after a revision, those that were overtaken among them."""
        if name != "facts":
            return TABLES[name].empty()
        return self.frame.filter(pl.col("revision") > revision).sort("revision").head(limit)

    def part(self, name: str, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
        """Rows of one revision, in parts."""
        minute = pl.col("minute").cast(pl.Int64)
        rows = self.frame.filter((pl.col("revision") == revision) & (minute >= since_us)).sort("minute")
        rest = rows.slice(limit)["minute"].cast(pl.Int64)
        return rows.head(limit), rest[0] if len(rest) else None


def test_what_is_stored_now_does_not_wait_behind_a_backlog(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server has each new minute at once, the backlog oldest first and no faster than the pace, then no more."""
    caplog.set_level(logging.INFO, "keepclean.outbox")
    historian, server, now = Historian(tmp_path), Server(), [0.0]
    for revision in range(1, 61):
        minutes = range(24 * (revision - 1), 24 * revision)
        historian.commit({"facts": facts(range(20), minutes, revision)}, [], revision, ZERO)
    box = Outbox(PLANT, tmp_path, Reader(tmp_path), server.write, lambda: now[0], pace=1_000)
    box.drain(1_000)
    begun, total, worst = server.lines, 60 * 24 * 20, 0.0
    seconds = 0
    while box.cursor("facts") < 60 or server.lines < total:
        seconds += 1
        revision = 60 + seconds
        fresh = facts(range(20), range(1440 + seconds, 1441 + seconds), revision)
        historian.commit({"facts": fresh}, [], revision, ZERO)
        now[0] += 1.0
        before = server.lines
        box.drain(1_000)
        worst = max(worst, (server.lines - begun) / (now[0] + sending.BATCH_ROWS / 1_000))
        newest = lines("facts", fresh, PLANT)
        assert {server.stored.get(f"{line.partition(' ')[0]} {line.rpartition(' ')[2]}") for line in newest} == {
            *newest
        }
        assert server.lines - before <= sending.BATCH_ROWS + 2_000
        assert seconds < 60
    assert seconds >= (total - begun) / 1_000 - sending.BATCH_ROWS / 1_000
    assert worst < 1_100
    old = [key for key in server.order if int(key.rpartition(" ")[2]) // 1000 < ZERO + DAY]
    assert old == sorted(old, key=lambda key: int(key.rpartition(" ")[2]) // (24 * MINUTE * 1000))
    for _ in range(20):
        now[0] += 1.0
        box.drain(1_000)
    assert "a backlog of " in caplog.text
    lines_before = server.lines
    box.drain()
    assert server.lines == lines_before
    box.close()
    historian.close()


def test_a_day_without_the_server_leaves_no_gap_and_no_doubling(tmp_path: Path) -> None:
    """Down for a simulated day under load and up again, with late rows and days that close: each row once, equal."""
    historian, server, now = Historian(tmp_path), Server(), [0.0]
    box = Outbox(PLANT, tmp_path, Reader(tmp_path), server.write, lambda: now[0])
    every, points = 40, range(15)
    for revision in range(1, 3 * 1440 // every):
        end = revision * every
        now[0] += 60.0 * every
        server.down = 720 <= end < 720 + 1440
        fresh = [facts(points, range(end - every, end), revision)]
        if revision % 5 == 0:  # minutes of the last day are judged anew
            late = range(max(0, end - 900), max(0, end - 900) + 7)
            fresh.append(facts(range(3), late, revision, float(revision)))
        historian.commit({"facts": pl.concat(fresh)}, [], revision, ZERO + (end - 60) * MINUTE)
        box.drain()
    now[0] += 60
    box.drain()
    stands = Reader(tmp_path).table("facts")
    wanted = lines("facts", stands, PLANT)
    assert len(stands) == len(points) * (3 * 1440 - every)
    assert {*server.stored.values()} == {*wanted}
    assert len(server.stored) == len(stands)
    box.close()
    historian.close()


EVENT = st.one_of(
    st.tuples(st.just("store"), st.lists(st.integers(0, 40), min_size=1, max_size=12)),
    st.tuples(st.just("half"), st.lists(st.integers(0, 40), min_size=1, max_size=12)),
    st.tuples(st.just("server"), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 8)),
    st.just(("restart",)),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(EVENT, min_size=3, max_size=20))
def test_the_newest_of_each_stands_in_the_end(events: list[Any]) -> None:
    """Any order of commits, outages and restarts, with tiny requests: the server ends with what the historian holds."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        for limit, size in {"LARGE_ROWS": 8, "PART_ROWS": 5, "LIVE_ROWS": 9}.items():
            patch.setattr(outbox, limit, size)
        patch.setattr(sending, "BATCH_ROWS", 4)
        source, server, now = Stored(), Server(), [0.0]

        def begin() -> Outbox:
            return Outbox(PLANT, Path(name), source, server.write, lambda: now[0], pace=10)

        box, revision = begin(), 0
        for event in [*events, ("store", [50]), ("server", True), ("wait", 150)]:
            match event:
                case ("store", minutes):
                    revision += 1
                    source.put(revision, sorted({*minutes}))
                case ("half", minutes):
                    # a recompute has stored some rows of its revision, the last commit is still to come
                    source.put(revision + 1, sorted({*minutes}), whole=False)
                case ("server", up):
                    server.down = not up
                case ("wait", seconds):
                    for _ in range(seconds):
                        now[0] += 1.0
                        box.drain(6)
                        assert box.cursor("facts") <= source.head_at
                case _:
                    box.close()
                    box = begin()
        stands = source.frame.sort("revision", maintain_order=True)
        stands = stands.unique(subset=["point", "minute"], keep="last")
        assert {*server.stored.values()} == {*lines("facts", stands, PLANT)}
        box.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of few rows."""
    for limit, size in {"LARGE_ROWS": 200, "PART_ROWS": 400}.items():
        monkeypatch.setattr(outbox, limit, size)
    monkeypatch.setattr(sending, "BATCH_ROWS", 50)


class Counting:
    """A reader that says how many rows it gave at most."""

    def __init__(self, folder: Path) -> None:
        self.reader, self.most, self.parts = Reader(folder), 0, 0
        self.head = self.reader.head

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """As the reader."""
        frame = self.reader.after(name, revision, limit)
        self.most = max(self.most, len(frame))
        return frame

    def part(self, name: str, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
        """As the reader."""
        frame, following = self.reader.part(name, revision, since_us, limit)
        self.most, self.parts = max(self.most, len(frame)), self.parts + 1
        return frame, following


def large(historian: Historian) -> None:
    """Three days of facts, a revision an hour, and then nearly all of them anew as one revision."""
    for revision in range(1, 73):
        minutes = range(60 * (revision - 1), 60 * revision)
        historian.commit({"facts": facts(range(2), minutes, revision)}, [], revision, ZERO + revision * HOUR)
    historian.commit({"facts": facts(range(2), range(100, 4300), 73, 9.0)}, [], 73, ZERO + 3 * DAY)


@pytest.mark.usefixtures("small")
def test_a_revision_of_any_size_is_sent_in_parts(tmp_path: Path) -> None:
    """A recompute of everything is one revision: read in slices, gone on with after a restart, and through compaction.

    The cursor moves when it is whole.
    """
    historian, server, now = Historian(tmp_path), Server(), [0.0]
    large(historian)
    historian.commit({"facts": facts(range(2), range(4300, 4310), 74)}, [], 74, ZERO + 3 * DAY)
    source = Counting(tmp_path)
    cursors = list[int]()
    while True:
        box = Outbox(PLANT, tmp_path, source, server.write, lambda: now[0], pace=1e6)
        now[0] += 1.0
        done = box.drain(400)
        cursors.append(box.cursor("facts"))
        box.close()
        if not done.sent:
            break
        if len(cursors) == 20:
            historian.compact(1)
    assert source.parts >= 20
    assert source.most <= 700
    assert cursors.count(72) > 5
    assert cursors[-1] == 74
    stands = Reader(tmp_path).table("facts")
    assert {*server.stored.values()} == {*lines("facts", stands, PLANT)}
    historian.close()


@pytest.mark.parametrize("closed", [True, False])
def test_parts_of_a_revision_hold_each_row_once_oldest_first(tmp_path: Path, closed: bool) -> None:
    """Whatever the limit, chunks or Parquet: the parts are the rows of the revision, in the order of time."""
    historian = Historian(tmp_path)
    settled = ZERO + (9 * DAY if closed else 0)
    for revision in (1, 2, 3):
        historian.commit({"facts": facts(range(3), range(0, 4000, revision), revision)}, [], revision, settled)
    historian.compact(1 if closed else 10**9)
    reader = Reader(tmp_path)
    wanted = reader.table("facts").filter(pl.col("revision") == 2).sort("minute", "point")
    for limit in (100, 1_000, 10**6):
        found, since = list[pl.DataFrame](), 0
        following: int | None = 0
        while following is not None:
            frame, following = reader.part("facts", 2, since, limit)
            found.append(frame)
            since = following or since
        whole = pl.concat(found)
        assert whole["minute"].is_sorted()
        rows = whole if closed else whole.join(wanted.select("point", "minute"), on=["point", "minute"], how="semi")
        assert rows.sort("minute", "point").equals(wanted)
    historian.close()
