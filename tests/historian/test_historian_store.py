"""The historian: results, state and position in one transaction; days close to Parquet; anybody may read beside it."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from historian.reader import Reader
from historian.store import Historian
from historian.tables import DRIFT, FACTS, KPI, NOTICES, READINGS, TABLES, Table
from plant.clock import to_us
from plant.errors import StorageError
from plant.reading import DAY, HOUR, MINUTE

START = datetime(2026, 3, 2, tzinfo=UTC)
ZERO = to_us(START)


def facts(minutes: range, revision: int, amount: float = 1.0, point: str = "p") -> pl.DataFrame:
    """Minute facts of a point, by minutes since START."""
    row = {"point": point, "amount": amount, "unit": "kWh", "coverage": 1.0, "estimated": 0.0, "quality": "good"}
    rows = [{**row, "minute": START + timedelta(minutes=n), "revision": revision} for n in minutes]
    return pl.DataFrame(rows, schema=FACTS.schema)


def read(time: float, value: float, quality: str = "good", finding: str = "") -> dict[str, Any]:
    """A reading, by minutes since START."""
    moment = START + timedelta(minutes=time)
    return {"time": moment, "received": moment, "point": "p", "value": value, "quality": quality, "finding": finding}


def window(name: str, end: float, revision: int, *, settled: bool = True) -> dict[str, Any]:
    """A KPI row, by minutes since START."""
    moment = START + timedelta(minutes=end)
    row = {"kpi": "k", "scope": "site", "product": "", "window": name, "unit": "1", "quality": "good", "reason": ""}
    times = {"start": moment - timedelta(minutes=15), "end": moment}
    return {**row, **times, "value": float(end), "settled": settled, "grade": "", "config": "c", "revision": revision}


def frame(table: Table, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table."""
    return pl.DataFrame(list(rows), schema=table.schema)


def days(folder: Path, table: str) -> list[str]:
    """The closed days of a table."""
    return sorted(path.stem for path in (folder / table).glob("*.parquet"))


def waiting(historian: Historian, table: str, clause: str = "1", *values: int) -> int:
    """How many rows lie in chunks."""
    sql = f"SELECT coalesce(sum(rows), 0) FROM chunk WHERE name = ? AND {clause}"
    return int(historian.db.execute(sql, (table, *values)).fetchone()[0])


def minutes_of(found: pl.DataFrame) -> list[int]:
    """Minutes since START of facts."""
    return ((found["minute"].dt.timestamp("us") - ZERO) // MINUTE).to_list()


def test_results_state_and_position_are_stored_together(tmp_path: Path) -> None:
    """One transaction: what a reader sees, the state and the position belong together; None deletes a state row."""
    historian = Historian(tmp_path)
    historian.commit({"facts": facts(range(3), 7)}, [("unit a", "hour", 5, b"x"), ("unit a", "head", 0, b"y")], 7, ZERO)
    historian.commit({}, [("unit a", "hour", 5, None), ("unit b", "head", 0, b"z")], 9, ZERO, heads={"tick": 4})
    historian.close()
    again = Historian(tmp_path)
    assert [again.head(key) for key in ("position", "tick", "never")] == [9, 4, 0]
    assert again.state("unit a") == [("head", 0, b"y")]
    assert again.partitions() == ["unit a", "unit b"]
    assert minutes_of(Reader(tmp_path).table("facts")) == [0, 1, 2]


def test_a_commit_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """StorageError, and the file is as it was before."""
    historian = Historian(tmp_path)
    historian.commit({"facts": facts(range(3), 7)}, [("unit a", "head", 0, b"y")], 7, ZERO)
    with pytest.raises(StorageError):
        historian.commit({"facts": facts(range(3, 6), 8)}, [("unit a", "head", None, b"n")], 8, ZERO)  # type: ignore[list-item]
    assert historian.head("position") == 7
    assert minutes_of(Reader(tmp_path).table("facts")) == [0, 1, 2]
    historian.commit({"facts": facts(range(3, 6), 8)}, [("unit a", "head", 0, b"n")], 8, ZERO)
    assert historian.head("position") == 8


def test_the_highest_revision_wins(tmp_path: Path) -> None:
    """Results are upserts; of several rows of one key in one commit the newest stays, in whatever order they come."""
    historian = Historian(tmp_path)
    many = [facts(range(200), revision, float(revision)) for revision in (1, 2, 3)]
    historian.commit({"facts": pl.concat([many[2], many[0], many[1]])}, [], 3, ZERO)
    assert Reader(tmp_path).table("facts")["amount"].unique().to_list() == [3.0]
    historian.commit({"facts": pl.concat(many)}, [], 3, ZERO + 5 * DAY)
    assert days(tmp_path, "facts") == ["2026-03-02"]
    assert Reader(tmp_path).table("facts")["amount"].unique().to_list() == [3.0]


def test_a_day_closes_a_horizon_after_its_end(tmp_path: Path) -> None:
    """A closed day is one Parquet file a table; its rows leave SQLite; small tables never close."""
    historian = Historian(tmp_path)
    drift = {"drift": "d", "kpi": "k", "scope": "s", "onset": START, "found": START, "state": "open", "revision": 1}
    tables = {
        "facts": facts(range(0, 3 * 1440, 60), 1),
        "readings": frame(READINGS, read(10, 1.0), read(1500, 2.0)),
        "drift": frame(DRIFT, drift),
    }
    historian.commit(tables, [], 1, ZERO + 2 * DAY - MINUTE)
    assert days(tmp_path, "facts") == []
    historian.commit({}, [], 2, ZERO + 2 * DAY)
    assert days(tmp_path, "facts") == days(tmp_path, "readings") == ["2026-03-02"]
    assert not (tmp_path / "drift").exists()
    assert waiting(historian, "facts", "last < ?", ZERO + DAY) == 0
    reader = Reader(tmp_path)
    assert minutes_of(reader.table("facts")) == list(range(0, 3 * 1440, 60))
    assert minutes_of(reader.table("facts", ZERO + DAY - HOUR, ZERO + DAY + HOUR)) == [1380, 1440]
    assert reader.table("readings")["value"].to_list() == [1.0, 2.0]
    assert reader.head("closed") * DAY == ZERO + DAY
    assert not list((tmp_path / "facts").glob("*.new"))


def test_a_late_row_of_a_closed_day_is_merged(tmp_path: Path) -> None:
    """A correction replaces the row; the others stay; the day's file is written by the next compaction only."""
    historian = Historian(tmp_path)
    historian.commit({"facts": facts(range(100), 1)}, [], 1, ZERO + 3 * DAY)
    path = tmp_path / "facts" / "2026-03-02.parquet"
    before = path.read_bytes()
    historian.commit({"facts": facts(range(50, 52), 9, 5.0)}, [], 9, ZERO + 3 * DAY)
    assert path.read_bytes() == before
    assert waiting(historian, "facts") == 2
    for _ in range(2):
        found = Reader(tmp_path).table("facts")
        assert minutes_of(found) == list(range(100))
        assert found["amount"].to_list() == [1.0] * 50 + [5.0] * 2 + [1.0] * 48
        historian.compact()
        assert waiting(historian, "facts") == 0
        assert len(pl.read_parquet(path)) == 100
    historian.commit({"facts": facts(range(50, 52), 4, 7.0)}, [], 10, ZERO + 3 * DAY)
    assert Reader(tmp_path).table("facts")["amount"][50] == 5.0


def test_a_crash_between_rename_and_commit_leaves_one_row_a_key(tmp_path: Path) -> None:
    """Promise 1: file and SQLite both hold its rows: a reader sees each once, the redo changes nothing."""
    historian = Historian(tmp_path / "data")
    historian.commit({"facts": facts(range(100), 1)}, [("u", "head", 0, b"a")], 1, ZERO + DAY)
    historian.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = shutil.copytree(tmp_path / "data", tmp_path / "before")
    last = {"facts": facts(range(90, 120), 2, 2.0)}
    historian.commit(last, [("u", "head", 0, b"b")], 2, ZERO + 3 * DAY)
    whole = Reader(tmp_path / "data").table("facts")
    shutil.copytree(tmp_path / "data" / "facts", before / "facts")
    (before / "facts" / "2026-03-01.new").write_bytes(b"half written")
    torn = Reader(before)
    assert torn.head("position") == 1
    assert torn.table("facts").equals(whole)
    assert torn.after("facts", 1, 1000)["amount"].to_list() == [2.0] * 30
    again = Historian(before)
    assert again.state("u") == [("head", 0, b"a")]
    again.commit(last, [("u", "head", 0, b"b")], 2, ZERO + 3 * DAY)
    assert Reader(before).table("facts").equals(whole)
    assert waiting(again, "facts") == 0


def test_readings_that_are_no_number_are_kept(tmp_path: Path) -> None:
    """A reading of "not available" is stored as such, once, in open and closed days."""
    historian = Historian(tmp_path)
    rows = frame(READINGS, read(1, math.nan, "bad", "not available"), read(2, 5.0))
    for settled in (ZERO, ZERO, ZERO + 4 * DAY):
        historian.commit({"readings": rows}, [], 1, settled)
        found = Reader(tmp_path).table("readings")
        assert found["finding"].to_list() == ["not available", ""]
        assert math.isnan(found["value"][0])
    assert days(tmp_path, "readings") == ["2026-03-02"]


@pytest.mark.parametrize("settled", [ZERO, ZERO + 4 * DAY], ids=["open", "closed"])
def test_a_reading_that_was_used_is_not_made_late_by_its_copy(tmp_path: Path, settled: int) -> None:
    """Promise 5: readings stay what they were; one that was refused may come again and count."""
    historian = Historian(tmp_path)
    historian.commit({"readings": frame(READINGS, read(1, 5.0), read(2, 6.0, "bad", "future"))}, [], 1, settled)
    historian.commit({"readings": frame(READINGS, read(1, 5.0, "bad", "late"), read(2, 6.0))}, [], 2, settled)
    found = Reader(tmp_path).table("readings")
    assert found["finding"].to_list() == ["", ""]
    assert found["quality"].to_list() == ["good", "good"]


@pytest.mark.parametrize("settled", [ZERO, ZERO + 4 * DAY], ids=["open", "closed"])
def test_of_sliding_windows_quarter_hours_and_the_latest_are_kept(tmp_path: Path, settled: int) -> None:
    """Storage rule: 15 min, 1 h and shift on the quarter hour, closed shifts, and the latest while the day is open."""
    historian = Historian(tmp_path)
    rows = [window(name, end, 1) for name in ("15min", "1h") for end in (15, 16, 30, 31)]
    rows += [window("shift", end, 1, settled=end == 17) for end in (15, 16, 17, 31)]
    rows += [window("day", end, 1) for end in (13, 60)]
    historian.commit({"kpi": frame(KPI, *rows)}, [], 1, settled)
    found = Reader(tmp_path).table("kpi")
    kept = {name[0]: sorted(rows["value"].to_list()) for name, rows in found.group_by("window")}
    latest = [31] if settled == ZERO else []
    assert kept == {
        "15min": [15, 30, *latest],
        "1h": [15, 30, *latest],
        "shift": [15, 17, *latest],
        "day": [13, 60],
    }


def test_retention_deletes_whole_days(tmp_path: Path) -> None:
    """Day files older than their table's retention go; other tables and younger days stay."""
    historian = Historian(tmp_path)
    rows = [read(day * 1440.0, 1.0) for day in range(10)]
    historian.commit(
        {"readings": frame(READINGS, *rows), "facts": facts(range(0, 10 * 1440, 1440), 1)}, [], 1, ZERO + 12 * DAY
    )
    gone = historian.forget({"readings": 5.0}, ZERO + 12 * DAY)
    assert [path.stem for path in gone] == [f"2026-03-0{day}" for day in range(2, 9)]
    assert days(tmp_path, "readings") == ["2026-03-09", "2026-03-10", "2026-03-11"]
    assert len(days(tmp_path, "facts")) == 10
    assert historian.forget({"readings": 5.0, "kpi": 1.0}, ZERO + 12 * DAY) == []


def test_the_ledger_keeps_each_message_once(tmp_path: Path) -> None:
    """Append-only, with who, when and why; a redo after a crash adds nothing."""
    historian = Historian(tmp_path)
    entry = ("baseline", "b", ZERO, "li", "why", json.dumps({"fit": 1}), 5)
    later = ("baseline", "b", ZERO + DAY, "wang", "again", json.dumps({"fit": 2}), 8)
    historian.commit({}, [], 5, ZERO, [entry])
    historian.commit({}, [], 8, ZERO, [entry, later])
    reader = Reader(tmp_path)
    assert [(one["by"], one["fit"], one["position"]) for one in reader.ledger("baseline")] == [
        ("li", 1, 5),
        ("wang", 2, 8),
    ]
    assert [one["fit"] for one in reader.baselines()] == [2]
    assert reader.ledger("plant") == []


def test_rows_after_a_revision_come_in_order(tmp_path: Path) -> None:
    """What the outbox asks: rows of open and closed days above a revision, the lowest revisions first."""
    historian = Historian(tmp_path)
    historian.commit({"facts": facts(range(10), 1)}, [], 1, ZERO + 4 * DAY)
    historian.commit({"facts": facts(range(5, 7), 2, 2.0)}, [], 2, ZERO + 4 * DAY)
    historian.commit({"facts": facts(range(4 * 1440, 4 * 1440 + 3), 3)}, [], 3, ZERO + 4 * DAY)
    reader = Reader(tmp_path)
    assert reader.after("facts", 0, 100)["revision"].to_list() == [1] * 8 + [2] * 2 + [3] * 3
    assert reader.after("facts", 1, 3)["revision"].to_list() == [2, 2, 3]
    assert len(reader.after("facts", 3, 10)) == 0
    historian.commit({"facts": facts(range(3, 4), 9, 9.0)}, [], 9, ZERO + 4 * DAY)
    assert reader.after("facts", 3, 10)["amount"].to_list() == [9.0]


def test_filters_and_columns(tmp_path: Path) -> None:
    """Rows by point and time, only the columns asked for besides the key, the same from SQLite and Parquet."""
    historian = Historian(tmp_path)
    rows = pl.concat([facts(range(0, 5 * 1440, 30), 1, point=name) for name in ("p", "q", "r")])
    historian.commit({"facts": rows}, [], 1, ZERO + 4 * DAY)
    reader = Reader(tmp_path)
    found = reader.table("facts", ZERO + 2 * DAY, ZERO + 4 * DAY, {"point": ["q", "r"]}, ["coverage"])
    assert set(found.columns) == {"point", "minute", "coverage", "revision"}
    assert sorted(found["point"].unique()) == ["q", "r"]
    assert len(found) == 2 * 96
    assert reader.table("facts", where={"point": "p"}).equals(rows.filter(pl.col("point") == "p"))


def test_the_newest_of_each(tmp_path: Path) -> None:
    """Latest KPIs and readings: one row each, of the last two days."""
    historian = Historian(tmp_path)
    kpis = frame(KPI, *[window("15min", end, 1) for end in (15, 30, 45)], window("1h", 45, 1))
    rows = frame(READINGS, read(1, 1.0), read(3, 3.0), read(2, 2.0))
    historian.commit({"kpi": kpis, "readings": rows}, [], 1, ZERO + HOUR)
    reader = Reader(tmp_path)
    assert reader.latest_kpis().select("window", "value").rows() == [("15min", 45.0), ("1h", 45.0)]
    assert reader.latest_readings()["value"].to_list() == [3.0]


def test_errors_are_storage_errors(tmp_path: Path) -> None:
    """No results yet, another format, no database: said as such."""
    with pytest.raises(StorageError, match="no results here yet"):
        Reader(tmp_path).table("facts")
    historian = Historian(tmp_path / "a")
    historian.db.execute("UPDATE head SET value = 99 WHERE key = 'format'")
    historian.close()
    with pytest.raises(StorageError, match="format 99"):
        Historian(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "historian.sqlite").write_bytes(b"this is no database, though long enough to be one" * 90)
    with pytest.raises(StorageError):
        Historian(tmp_path / "b")


def test_every_table_can_be_written_and_read_empty(tmp_path: Path) -> None:
    """Schemas of SQLite, Parquet and frames agree for every table."""
    historian = Historian(tmp_path)
    historian.commit({name: table.empty() for name, table in TABLES.items()}, [], 1, ZERO)
    for name, table in TABLES.items():
        assert Reader(tmp_path).table(name).schema == pl.Schema(table.schema)
    notice = {"point": "p", "start": START, "end": START, "finding": "gap", "evidence": "e", "revision": 1}
    historian.commit({"notices": frame(NOTICES, notice)}, [], 2, ZERO + 9 * DAY)
    assert Reader(tmp_path).table("notices").row(0, named=True) == notice


OTHER = """
import sqlite3, sys
from pathlib import Path
import polars as pl
from historian.reader import Reader

folder = Path(sys.argv[1])
reader = Reader(folder)
sys.stdout.write("ready\\n")
sys.stdout.flush()
for line in sys.stdin:
    found = reader.table("facts")
    keys = found.select("point", "minute")
    revisions = found["revision"].unique().to_list()
    with sqlite3.connect(f"file:{folder / 'historian.sqlite'}?mode=ro", uri=True) as db:
        plain = db.execute("SELECT coalesce(sum(rows), 0) FROM chunk WHERE name = 'facts'").fetchone()[0]
    closed = sum(len(pl.read_parquet(path)) for path in (folder / "facts").glob("*.parquet"))
    sys.stdout.write(f"{len(found)} {keys.n_unique()} {max(revisions)} {plain + closed}\\n")
    sys.stdout.flush()
"""


@pytest.mark.server
def test_another_process_reads_both_while_the_writer_is_open(tmp_path: Path) -> None:
    """Any other program can read SQLite and Parquet while keepclean runs, and sees every row once."""
    historian = Historian(tmp_path)
    historian.commit({"facts": facts(range(240), 1)}, [], 1, ZERO)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for step in range(2, 30):
            other.stdin.write("look\n")
            other.stdin.flush()
            rows = facts(range((step - 1) * 240, step * 240), step)
            historian.commit({"facts": rows}, [], step, ZERO + step * 4 * HOUR)
            length, keys, revision, _ = map(int, other.stdout.readline().split())
            assert length == keys
            assert length in ((step - 1) * 240, step * 240)
            assert revision in (step - 1, step)
        other.stdin.write("look\n")
        other.stdin.close()
        assert other.stdout.readline().split() == [str(29 * 240), str(29 * 240), "29", str(29 * 240)]
    assert days(tmp_path, "facts")


def test_the_last_of_a_row_written_twice_is_found_wherever_the_first_lies(tmp_path: Path) -> None:
    """The newest reading is sought where the newest rows are first; what stands is decided by the order of writing."""
    historian = Historian(tmp_path)
    historian.commit({"readings": frame(READINGS, read(10, 2.0))}, [], 1, ZERO + 5 * DAY)
    historian.compact()
    assert days(tmp_path, "readings")
    again = [read(10, 2.0, finding="late"), {**read(30, 1.0), "point": "q"}]
    historian.commit({"readings": frame(READINGS, *again)}, [], 2, ZERO + 5 * DAY)
    assert Reader(tmp_path).last_before(["p", "q"], ZERO + HOUR)["finding"].to_list() == ["late", ""]
    historian.close()
