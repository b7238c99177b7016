"""Chunks, parts and day files: however rows were moved, a reader finds each once, and the outbox each at least once."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from historian import chunks, parts, store
from historian.reader import Reader
from historian.store import Historian
from historian.tables import FACTS, KPI, READINGS
from plant.clock import to_us
from plant.errors import StorageError
from plant.reading import DAY, HOUR, MINUTE

START = datetime(2026, 3, 2, tzinfo=UTC)
ZERO = to_us(START)
BESIDE = Historian.compact_beside


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limits so low that a few rows meet all of them."""
    with monkeypatch.context() as patch:
        patch.setattr(parts, "PART_ROWS", 40)  # also when waiting rows begin to leave by themselves
        patch.setattr(parts, "DAY_ROWS", 60)
        patch.setattr(parts, "GROUP_ROWS", 8)
        patch.setattr(chunks, "SMALL_ROWS", 12)
        patch.setattr(chunks, "CHUNK_ROWS", 20)
        patch.setattr(store, "AT_ONCE_ROWS", 30)
        patch.setattr(store, "DIRECT_ROWS", 35)
        # what begins by itself in a thread would make examples depend on the scheduler
        patch.setattr(Historian, "compact_beside", lambda historian: None)
        yield


def reading(hour: float, value: float, quality: str = "good", point: str = "p", finding: str = "") -> dict[str, Any]:
    """A reading, by hours since START."""
    moment = START + timedelta(hours=hour)
    return {
        "time": moment,
        "received": moment,
        "point": point,
        "value": value,
        "quality": quality,
        "finding": finding,
    }


def readings(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of table `readings`."""
    return pl.DataFrame(list(rows), schema=READINGS.schema)


def fact(hour: float, revision: int, point: str = "p") -> dict[str, Any]:
    """A minute fact whose amount is its revision."""
    row = {"point": point, "minute": START + timedelta(hours=hour), "amount": float(revision), "unit": "kWh"}
    return {**row, "coverage": 1.0, "estimated": 0.0, "quality": "good", "revision": revision}


def facts(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of table `facts`."""
    return pl.DataFrame(list(rows), schema=FACTS.schema)


class Model:
    """What the historian is to hold: one row a key."""

    def __init__(self) -> None:
        self.readings: dict[tuple[str, datetime, str], dict[str, Any]] = {}
        self.facts: dict[tuple[str, datetime], dict[str, Any]] = {}

    def put(self, more: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
        """Rows of one commit."""
        for row in more:
            key = (row["point"], row["time"], str(row["value"]))
            if key not in self.readings or row["quality"] != "bad":
                self.readings[key] = row
        self.facts.update({(row["point"], row["minute"]): row for row in found})

    def newest(self, point: str, before: float, *, used: bool, since: float = -1e9) -> dict[str, Any] | None:
        """The newest reading of a point, by hours since START."""
        span = (START + timedelta(hours=max(since, -1e5)), START + timedelta(hours=before))
        rows = [row for row in self.readings.values() if row["point"] == point and span[0] <= row["time"] < span[1]]
        rows = [row for row in rows if not used or row["quality"] != "bad"]
        order = [(row["time"], math.inf if math.isnan(row["value"]) else row["value"]) for row in rows]
        return rows[order.index(max(order))] if rows else None


POINTS = st.sampled_from(["p", "q", "r"])
HOURS = st.integers(0, 5 * 24 - 1)
READING = st.builds(
    reading,
    HOURS,
    st.sampled_from([1.0, 2.0, math.nan]),
    st.sampled_from(["good", "bad"]),
    POINTS,
    st.sampled_from(["", "late", "range"]),
)
COMMIT = st.tuples(
    st.just("commit"), st.lists(READING, max_size=25), st.lists(st.tuples(HOURS, POINTS), max_size=25, unique=True)
)
MANY = st.tuples(st.just("commit"), st.lists(READING, min_size=36, max_size=50), st.just([]))
STEP = st.one_of(
    COMMIT,
    COMMIT,
    MANY,
    st.tuples(st.just("close"), st.integers(1, 30)),
    st.tuples(st.just("compact"), st.sampled_from([1, 10, 40])),
    st.tuples(st.just("crash"), st.sampled_from(["written", "moved"])),
    st.tuples(st.just("send"), st.integers(1, 9)),
    st.tuples(st.just("open"), st.just(0)),
)


class Crash(OSError):
    """The process ends here."""


def crash(historian: Historian, when: str) -> None:
    """Compacts until a file is written, or until rows have left SQLite but merged files are still there."""
    with pytest.MonkeyPatch.context() as patch:
        if when == "written":
            write = parts.store

            def stop(*given: Any, **named: Any) -> list[Path]:
                write(*given, **named)
                raise Crash("written")

            patch.setattr(parts, "store", stop)
        else:

            def refuse(paths: list[Path]) -> None:
                raise Crash("moved")

            patch.setattr(parts, "remove", refuse)
        try:
            historian.compact(5)
        except StorageError as error:
            assert isinstance(error.__cause__, Crash)


def send(reader: Reader, cursor: int, limit: int, sent: dict[Any, Any]) -> int:
    """One round of the outbox with a request of few rows; the new cursor."""
    while True:
        size = limit
        while True:
            frame = reader.after("facts", cursor, size)
            assert frame["revision"].is_sorted()
            if frame.is_empty():
                return cursor
            last = frame["revision"][-1]
            whole = frame if len(frame) < size else frame.filter(pl.col("revision") < last)
            if len(whole):
                break
            size *= 4
        sent.update({(row["point"], row["minute"]): row for row in whole.iter_rows(named=True)})
        cursor = whole["revision"][-1]


@settings(max_examples=12, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=14))
def test_whatever_was_moved_and_whenever_a_reader_finds_the_same(steps: list[Any]) -> None:
    """Promises 1 and 2: commits, closed days, compactions, crashes in them and restarts against a ten-line model."""
    with TemporaryDirectory() as name:
        folder, model = Path(name), Model()
        historian, reader = Historian(folder), Reader(folder)
        settled, position, cursor = 0.0, 0, 0
        sent: dict[Any, Any] = {}
        for step in [*steps, ("send", 3)]:
            match step:
                case ("commit", rows, minutes):
                    position += 1
                    found = [fact(hour, position, point) for hour, point in minutes]
                    model.put(rows, found)
                    results = {"readings": readings(*rows), "facts": facts(*found)}
                    historian.commit(results, [], position, ZERO + int(settled * HOUR))
                case ("close", hours):
                    settled += hours
                    historian.commit({}, [], position, ZERO + int(settled * HOUR))
                case ("compact", limit):
                    historian.compact(limit)
                case ("crash", when):
                    crash(historian, when)
                    historian.close()
                    historian = Historian(folder)
                case ("send", limit):
                    cursor = send(reader, cursor, limit, sent)
                case _:
                    historian.close()
                    historian = Historian(folder)
            check(reader, model, settled)
        assert {key: row["amount"] for key, row in sent.items()} == {
            key: row["amount"] for key, row in model.facts.items()
        }
        historian.close()


def check(reader: Reader, model: Model, settled: float) -> None:
    """All that can be asked, against the model."""
    wanted = readings(*model.readings.values()).sort(READINGS.key)
    assert reader.table("readings").equals(wanted)
    assert reader.table("facts").equals(facts(*model.facts.values()).sort(FACTS.key))
    span = (pl.col("time") >= START + timedelta(hours=20)) & (pl.col("time") < START + timedelta(hours=50))
    some = reader.readings_of(["p", "r"], ZERO + 20 * HOUR, ZERO + 50 * HOUR)
    assert some.equals(wanted.filter(span & pl.col("point").is_in(["p", "r"])))
    bad = reader.table("readings", where={"quality": "bad"}, columns=["finding"])
    assert bad.equals(wanted.filter(pl.col("quality") == "bad").select(bad.columns))
    for before, back in ((60, 40 * 24), (60, 30), (200, 40 * 24)):
        newest = [model.newest(point, before, used=True, since=before - back) for point in ("p", "q", "r")]
        found = reader.last_before(["p", "q", "r"], ZERO + before * HOUR, back * HOUR)
        assert found.equals(readings(*[row for row in newest if row]))
    closed = max(ZERO // DAY + settled // 24 - 1, 0) * DAY
    since = (closed - ZERO) / HOUR if reader.head("closed") else -1e9
    latest = [model.newest(point, 1e4, used=False, since=since) for point in ("p", "q", "r")]
    assert reader.latest_readings().equals(readings(*[row for row in latest if row]))
    assert reader.damaged() == []


def files(folder: Path, table: str) -> list[str]:
    """A table's files."""
    return sorted(str(path.relative_to(folder / table)) for path in (folder / table).rglob("*.parquet"))


def test_a_busy_day_lies_in_parts_and_a_moderate_one_in_one_file(tmp_path: Path) -> None:
    """Parts of an open day are of bounded size; a closed day of few rows has the one file that it always had."""
    historian = Historian(tmp_path)
    for number in range(40):
        rows = [reading(number / 10, float(n), point=f"p{n}") for n in range(3)]
        historian.commit({"readings": readings(*rows)}, [], number + 1, ZERO)
        historian.compact(9)
    historian.compact(1)
    names = files(tmp_path, "readings")
    assert len(names) > 2
    assert all(name.startswith("2026-03-02/0") for name in names)
    assert max(len(pl.read_parquet(tmp_path / "readings" / name)) for name in names) <= 40
    before = Reader(tmp_path).table("readings")
    assert len(before) == 120
    rows = [reading(30, 1.0), reading(30.5, 1.0)]
    historian.commit({"readings": readings(*rows)}, [], 99, ZERO + 5 * DAY)
    assert files(tmp_path, "readings") == [*names, "2026-03-03.parquet"]
    historian.commit({"readings": readings(reading(30.6, 1.0))}, [], 100, ZERO + 5 * DAY)
    historian.compact(9)
    assert files(tmp_path, "readings") == [*names, "2026-03-03.parquet"]
    assert len(Reader(tmp_path).table("readings")) == 123


def test_files_merged_away_are_gone_after_a_crash_too(tmp_path: Path) -> None:
    """Promise 1: a crash before old parts are deleted leaves them readable, and the next compaction deletes them."""
    historian = Historian(tmp_path)
    for number in range(4):
        historian.commit({"readings": readings(*[reading(number + n / 10, 1.0) for n in range(6)])}, [], 1, ZERO)
        historian.compact(1)
    historian.commit({"readings": readings(reading(9, 2.0))}, [], 2, ZERO)
    whole = Reader(tmp_path).table("readings")
    before = files(tmp_path, "readings")
    # the day closes: all of it becomes one file
    historian.db.execute("INSERT OR REPLACE INTO head VALUES ('closed', ?)", (ZERO // DAY + 1,))
    crash(historian, "moved")
    assert files(tmp_path, "readings") == sorted([*before, "2026-03-02.parquet"])
    assert Reader(tmp_path).table("readings").equals(whole)
    again = Historian(tmp_path)
    again.compact()
    assert files(tmp_path, "readings") == ["2026-03-02.parquet"]
    assert not (tmp_path / "readings" / "2026-03-02").exists()
    assert Reader(tmp_path).table("readings").equals(whole)


def test_many_small_commits_make_few_chunks(tmp_path: Path) -> None:
    """Promise 7: a plant of few readings has few chunks to read, and each row is written again a few times only."""
    historian = Historian(tmp_path)
    for number in range(120):
        historian.commit({"readings": readings(reading(number / 60, 1.0))}, [], number, ZERO)
    sizes = [size for (size,) in historian.db.execute("SELECT rows FROM chunk ORDER BY id")]
    assert sum(sizes) == 120
    assert len(sizes) < 25
    assert max(sizes) <= 12


def test_retention_deletes_parts_too(tmp_path: Path) -> None:
    """Files of old days go, with the folder of a day; chunks and younger days stay."""
    historian = Historian(tmp_path)
    for day in range(3):
        rows = [reading(day * 24 + n / 10, float(n)) for n in range(70)]
        historian.commit({"readings": readings(*rows)}, [], day + 1, ZERO)
    historian.compact(10)
    assert len(files(tmp_path, "readings")) >= 6
    historian.commit({"readings": readings(reading(2.0, 99.0))}, [], 9, ZERO)
    gone = historian.forget({"readings": 4.0}, ZERO + 6 * DAY)
    assert {path.parent.name for path in gone} == {"2026-03-02", "2026-03-03"}
    assert sorted(path.name for path in (tmp_path / "readings").iterdir()) == ["2026-03-04"]
    assert len(Reader(tmp_path).table("readings")) == 71


def test_a_damaged_chunk_costs_its_rows_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read is left out, told once, put aside by compaction and kept; everything else goes on."""
    historian = Historian(tmp_path)
    for number in range(3):
        rows = [reading(number + n / 100, float(n)) for n in range(15)]
        results = {"readings": readings(*rows), "facts": facts(fact(number, number + 1))}
        historian.commit(results, [], number + 1, ZERO)
    sql = "SELECT id, body FROM chunk WHERE name = 'readings' ORDER BY id DESC LIMIT 1"
    victim, body = historian.db.execute(sql).fetchone()
    spoiled = body[:200] + bytes([body[200] ^ 1]) + body[201:]
    historian.db.execute("UPDATE chunk SET body = ? WHERE id = ?", (spoiled, victim))
    reader = Reader(tmp_path)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert len(reader.table("readings")) == 30
            assert len(reader.latest_readings()) == 1
            assert len(reader.last_before(["p"], ZERO + DAY)) == 1
    assert [sentence.split(":")[0] for sentence in reader.damaged()] == ["15 rows of readings cannot be read"]
    assert len(caplog.records) == 1
    historian.commit({"readings": readings(reading(5, 1.0))}, [], 4, ZERO + 4 * DAY)
    historian.compact()
    assert len(Reader(tmp_path).table("readings")) == 31
    assert historian.db.execute("SELECT name, rows FROM chunk").fetchall() == [("damaged readings", 15)]
    historian.close()
    historian = Historian(tmp_path)
    (told,) = historian.damaged()
    assert told.startswith("15 rows of readings of 2026-03-02")
    assert historian.damaged() == []


def test_a_damaged_file_costs_its_rows_only(tmp_path: Path) -> None:
    """A day whose file cannot be read is left out and told; what comes for it later is kept beside it."""
    historian = Historian(tmp_path)
    historian.commit({"facts": facts(fact(1, 1), fact(25, 1))}, [], 1, ZERO + 5 * DAY)
    path = tmp_path / "facts" / "2026-03-02.parquet"
    path.write_bytes(path.read_bytes()[:-20] + b"x" * 20)
    historian.commit({"facts": facts(fact(2, 2))}, [], 2, ZERO + 5 * DAY)
    for _ in range(2):
        reader = Reader(tmp_path)
        assert reader.table("facts")["amount"].to_list() == [2.0, 1.0]
        assert reader.after("facts", 0, 10)["amount"].to_list() == [1.0, 2.0]
        assert len(reader.damaged()) == 1
        historian.compact()
    assert files(tmp_path, "facts") == ["2026-03-02.parquet", "2026-03-02/000001.parquet", "2026-03-03.parquet"]


def test_late_kpis_of_a_closed_day_wait_like_readings(tmp_path: Path) -> None:
    """A recompute's KPI rows of closed days stand at once and lie in the day's file after compaction."""
    historian = Historian(tmp_path)
    row = {"kpi": "k", "scope": "site", "product": "", "window": "1h", "start": START, "unit": "1", "quality": "good"}
    row |= {"end": START + timedelta(hours=1), "reason": "", "settled": True, "grade": "", "config": "c"}

    def rows(revision: int) -> pl.DataFrame:
        odd = {**row, "end": START + timedelta(minutes=61)}
        return pl.DataFrame(
            [{**one, "value": float(revision), "revision": revision} for one in (row, odd)], schema=KPI.schema
        )

    historian.commit({"kpi": rows(1)}, [], 1, ZERO)
    assert len(Reader(tmp_path).table("kpi")) == 2
    historian.commit({}, [], 2, ZERO + 5 * DAY)
    assert historian.db.execute("SELECT count(*) FROM kpi").fetchone()[0] == 0
    historian.commit({"kpi": rows(3)}, [], 3, ZERO + 5 * DAY)
    for _ in range(2):
        reader = Reader(tmp_path)
        assert reader.table("kpi")["value"].to_list() == [3.0]
        assert reader.after("kpi", 1, 10)["revision"].to_list() == [3]
        historian.compact()
    assert pl.read_parquet(tmp_path / "kpi" / "2026-03-02.parquet")["value"].to_list() == [3.0]


def test_commits_reads_and_compaction_go_on_together(tmp_path: Path) -> None:
    """Promise 1: a thread compacts while another commits and a third reads: every row once at any moment."""
    historian, reader = Historian(tmp_path), Reader(tmp_path)
    done, wrong = threading.Event(), list[str]()

    def compacting() -> None:
        while not done.is_set():
            historian.compact(20)

    def reading_on() -> None:
        known = 0
        while not done.is_set():
            stored = reader.head("position")
            found = reader.table("readings")
            if found.select("point", "time").is_duplicated().any() or len(found) < max(known, 7 * stored):
                wrong.append(f"{len(found)} rows after {known} at {stored}")
            if stored and len(reader.latest_readings()) != 7:
                wrong.append("latest")
            known = len(found)

    historian.commit({}, [], 0, ZERO)
    threads = [threading.Thread(target=compacting), threading.Thread(target=reading_on)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 120):
            rows = [reading(number / 30, float(number), point=f"p{n}") for n in range(7)]
            historian.commit({"readings": readings(*rows)}, [], number, ZERO)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(reader.table("readings")) == 7 * 119


@pytest.mark.server
def test_what_is_too_much_for_sqlite_begins_to_leave_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plant of many readings needs no housekeeping: a process compacts when a part's rows wait."""
    monkeypatch.setattr(Historian, "compact_beside", BESIDE)
    historian = Historian(tmp_path)
    for number in range(12):
        rows = [reading(number + n / 100, 1.0) for n in range(10)]
        historian.commit({"readings": readings(*rows)}, [], number, ZERO + number * MINUTE)
    historian._beside.wait()
    assert files(tmp_path, "readings")
    assert len(Reader(tmp_path).table("readings")) == 120
