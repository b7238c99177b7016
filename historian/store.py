"""What serve writes: results, the step's state and its journal position, in one transaction.

On disk: `historian.sqlite` holds the open days of every table, keyed by natural key, plus table `state(unit, kind,
start, body)` and `head(key, value)`; a day that closed (its end lies more than the horizon behind) becomes one file
`<table>/<day>.parquet`, written beside and renamed, then its rows leave SQLite. A file is always the newer: a reader
that finds a day in both takes the row with the higher revision. Small tables (drift, alarms, notices) never close.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from historian.tables import KPI, READINGS, TABLES, Table
from plant import durable
from plant.clock import to_datetime
from plant.errors import StorageError
from plant.reading import DAY, MINUTE

CLOSING = ("readings", "facts", "kpi", "blocks")
HORIZON_DAYS = 1
SHIFT = "shift"
PASSING = ("15min", "1h", SHIFT)
QUARTER_US = 15 * MINUTE
FILE_FORMAT = 1
_SQL_TYPES = {
    pl.Float64: "REAL",
    pl.Float32: "REAL",
    pl.Int64: "INTEGER",
    pl.Boolean: "INTEGER",
    pl.String: "TEXT",
}

StateRow = tuple[str, str, int, bytes | None]


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the historian's file. Raises StorageError when it cannot be opened."""
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error
    return db


def to_sql(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The table's columns in order, times as integer microseconds.

    SQLite knows no NaN: in a key (a reading that is no number) it is stored as infinity.
    """
    return frame.select(
        pl.col(name).cast(pl.Int64)
        if isinstance(kind, pl.Datetime)
        else pl.col(name).fill_nan(math.inf)
        if name in table.key and kind == pl.Float64
        else pl.col(name)
        for name, kind in table.schema.items()
    )


def from_sql(table: Table, rows: list[tuple[object, ...]]) -> pl.DataFrame:
    """Rows as SQLite gives them, in the table's schema."""
    plain = {
        name: pl.Int64 if isinstance(kind, pl.Datetime | pl.Boolean) else kind for name, kind in table.schema.items()
    }
    frame = pl.DataFrame(rows, schema=plain, orient="row")
    return frame.select(
        pl.when(pl.col(name).is_infinite()).then(math.nan).otherwise(pl.col(name)).alias(name)
        if name in table.key and kind == pl.Float64
        else pl.col(name).cast(kind)
        for name, kind in table.schema.items()
    )


def newest(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """One row a key: the one with the highest revision (the last one written, where there is none)."""
    if "revision" in table.schema:
        frame = frame.sort("revision", maintain_order=True)
    elif table.name == READINGS.name and "quality" in frame.columns:
        frame = frame.sort(pl.col("quality") != "bad", maintain_order=True)
    return frame.unique(subset=list(table.key), keep="last", maintain_order=True)


class Historian:
    """The writing side; exactly one process (serve) holds one."""

    def __init__(self, folder: Path) -> None:
        """Opens or creates the data in `folder`. Raises StorageError when it was written in another format."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.db = connect(folder / "historian.sqlite")
        for table in TABLES.values():
            columns = ", ".join(
                f'"{name}" {"INTEGER" if isinstance(kind, pl.Datetime) else _SQL_TYPES[kind]}'  # type: ignore[index]
                for name, kind in table.schema.items()
            )
            key = ", ".join(f'"{name}"' for name in table.key)
            self.db.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID')
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS state(unit TEXT, kind TEXT, start INTEGER, body BLOB,"
            " PRIMARY KEY (unit, kind, start)) WITHOUT ROWID"
        )
        self.db.execute("CREATE TABLE IF NOT EXISTS head(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID")
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS ledger(entry INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, name TEXT,"
            " time INTEGER, by TEXT, why TEXT, body TEXT, position INTEGER UNIQUE)"
        )
        self.db.execute("INSERT OR IGNORE INTO head VALUES ('format', ?)", (FILE_FORMAT,))
        if self.head("format") != FILE_FORMAT:
            raise StorageError(
                f"{folder}: written by another version (format {self.head('format')}, not {FILE_FORMAT})"
            )

    def head(self, key: str) -> int:
        """A number of the head: "position", "closed" (days since 1970), "format"; 0 when never written."""
        row = self.db.execute("SELECT value FROM head WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else 0

    def partitions(self) -> list[str]:
        """The units whose state is stored."""
        return [row[0] for row in self.db.execute("SELECT DISTINCT unit FROM state ORDER BY unit")]

    def state(self, unit: str) -> list[tuple[str, int, bytes]]:
        """The stored state rows of one unit: (kind, start, body)."""
        return self.db.execute("SELECT kind, start, body FROM state WHERE unit = ?", (unit,)).fetchall()

    def commit(
        self,
        results: Mapping[str, pl.DataFrame],
        state: Iterable[StateRow],
        position: int,
        settled_us: int,
        ledger: Iterable[tuple[str, str, int, str, str, str, int]] = (),
        heads: Mapping[str, int] | None = None,
    ) -> None:
        """Stores results, touched state rows (None deletes) and position together.

        `settled_us` is the plant time up to which results are settled; days that end more than the horizon before it
        close. Ledger entries are (kind, name, time µs, by, why, body JSON, position). Raises StorageError.
        """
        was = self.head("closed")
        closed = max(settled_us // DAY - HORIZON_DAYS, was)
        try:
            opened: dict[str, pl.DataFrame] = {}
            for name, frame in results.items():
                opened[name] = self._write_closed(TABLES[name], frame, closed, was) if name in CLOSING else frame
            for name in CLOSING:
                if name not in results:
                    self._write_closed(TABLES[name], TABLES[name].empty(), closed, was)
            self.db.execute("BEGIN IMMEDIATE")
            for name, frame in opened.items():
                self._upsert(TABLES[name], frame)
            for name in CLOSING if closed > was else ():
                self.db.execute(f'DELETE FROM "{name}" WHERE "{TABLES[name].day}" < ?', (closed * DAY,))
            for unit, kind, start, body in state:
                if body is None:
                    self.db.execute("DELETE FROM state WHERE unit=? AND kind=? AND start=?", (unit, kind, start))
                else:
                    self.db.execute("INSERT OR REPLACE INTO state VALUES (?,?,?,?)", (unit, kind, start, body))
            self.db.executemany(
                "INSERT OR IGNORE INTO ledger(kind, name, time, by, why, body, position) VALUES (?,?,?,?,?,?,?)",
                ledger,
            )
            if "kpi" in opened:
                self._forget_passing()
            numbers = {"position": position, "closed": closed, "settled": settled_us, **(heads or {})}
            for key, value in numbers.items():
                self.db.execute("INSERT OR REPLACE INTO head VALUES (?, ?)", (key, value))
            self.db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise StorageError(f"{self.folder}: {error}") from error

    def _forget_passing(self) -> None:
        """Of windows that slide by the minute, those on the quarter hour, closed shifts and the latest are kept."""
        self.db.execute(
            f'DELETE FROM kpi WHERE "window" IN ({",".join("?" * len(PASSING))}) AND "end" % ? <> 0'
            ' AND NOT ("window" = ? AND settled) AND "end" < (SELECT max(later."end") FROM kpi AS later WHERE'
            " later.kpi = kpi.kpi AND later.scope = kpi.scope AND later.product = kpi.product"
            ' AND later."window" = kpi."window")',
            (*PASSING, QUARTER_US, SHIFT),
        )

    def _upsert(self, table: Table, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        marks = ",".join("?" * len(table.schema))
        others = [name for name in table.schema if name not in table.key]
        # a reading that was used stays, when it comes again too late to be
        unless = " WHERE excluded.quality <> 'bad'" if table is READINGS else ""
        self.db.executemany(
            f'INSERT INTO "{table.name}" VALUES ({marks}) ON CONFLICT DO UPDATE SET '
            + ", ".join(f'"{name}" = excluded."{name}"' for name in others)
            + unless,
            # in the order of the key SQLite appends instead of searching; of one key only the newest
            to_sql(table, newest(table, frame)).sort(table.key).rows(),
        )

    def _write_closed(self, table: Table, frame: pl.DataFrame, closed: int, was: int) -> pl.DataFrame:
        """Merges rows of closed days into their files; returns the rows of open days.

        Days before `was` are closed already: nothing of them lies in SQLite.
        """
        before = pl.col(table.day) < to_datetime(closed * DAY)
        leaving = frame.filter(before).select(table.schema.keys())
        if closed > was:
            sql = f'SELECT * FROM "{table.name}" WHERE "{table.day}" < ?'
            stored = self.db.execute(sql, (closed * DAY,)).fetchall()
            leaving = pl.concat([from_sql(table, stored), leaving])
        if table is KPI:
            passing = pl.col("window").is_in(PASSING) & (pl.col("end").cast(pl.Int64) % QUARTER_US != 0)
            leaving = leaving.filter(~passing | ((pl.col("window") == SHIFT) & pl.col("settled")))
        for (day,), rows in leaving.group_by(pl.col(table.day).dt.date(), maintain_order=True):
            assert isinstance(day, date)
            self._write_day(table, day, rows)
        return frame.filter(~before)

    def _write_day(self, table: Table, day: date, rows: pl.DataFrame) -> None:
        path = self.folder / table.name / f"{day.isoformat()}.parquet"
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            rows = pl.concat([pl.read_parquet(path), rows])
        fresh = path.with_suffix(".new")
        newest(table, rows).sort(table.key).write_parquet(fresh, compression="zstd", compression_level=1)
        durable.put(fresh, path)  # its rows leave SQLite next

    def forget(self, keep_days: Mapping[str, float], now_us: int) -> list[Path]:
        """Deletes day files older than a table's retention [days]; the files that went."""
        gone = []
        for name, days in keep_days.items():
            oldest = (datetime.fromtimestamp(now_us / 1e6, UTC) - timedelta(days=days)).date()
            for path in sorted((self.folder / name).glob("*.parquet")):
                if date.fromisoformat(path.stem) < oldest:
                    path.unlink()
                    gone.append(path)
        return gone

    def close(self) -> None:
        """Closes the file."""
        self.db.close()
