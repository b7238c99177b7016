"""What serve writes: results, the step's state and its journal position, in one transaction.

On disk: `historian.sqlite` holds new readings and minute facts as column chunks (`historian.chunks`), small tables and
the open days of KPIs and blocks as rows (`historian.rows`), tables `state(unit, kind, start, body)` and
`head(key, value)`, and readings that are to be sent (`historian.spool`). A day that closed (its end lies more than the
horizon behind) becomes Parquet (`historian.parts`), and so does what would be too much for SQLite before
(`historian.compact`). A row that is found in several places stands with its highest revision. What comes for a closed
day waits in chunks until the next compaction.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from historian import chunks, compact, parts, rows
from historian.compact import CLOSING
from historian.compacting import Beside, alone
from historian.reader import BACK_US, Reader
from historian.rows import KEPT_IN_ROWS
from historian.spool import Spool
from historian.tables import READINGS, TABLES, Table
from plant.clock import to_datetime
from plant.errors import StorageError
from plant.reading import DAY

HORIZON_DAYS = 1
FILE_FORMAT = 4
AT_ONCE_ROWS = 500_000
"""Days of no more rows become Parquet in the commit that closes them: it takes a moment."""
DIRECT_ROWS = 1_000_000
"""So many rows of closed days at once, as a replay brings them, are written as Parquet and never lie in SQLite."""

StateRow = tuple[str, str, int, bytes | None]

_log = logging.getLogger("keepclean.historian")


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the historian's file. Raises StorageError when it cannot be opened."""
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error
    return db


def compact_folder(folder: Path, rows_at_once: int) -> None:
    """Compacts on a connection of its own. Raises StorageError."""
    db = connect(folder / "historian.sqlite")
    try:
        with alone(folder):
            compact.compact(db, folder, rows_at_once)
    except (sqlite3.Error, OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"{folder}: {error}") from error
    finally:
        db.close()


class Historian:
    """The writing side; exactly one process (serve) holds one. One thread commits, another may compact meanwhile."""

    def __init__(self, folder: Path, spools: bool = False) -> None:
        """Opens or creates the data in `folder`; with `spools`, readings wait to be sent elsewhere (`historian.spool`).

        Raises StorageError when it was written in another format.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._path = folder / "historian.sqlite"
        self._reader = Reader(folder)
        self._beside = Beside(folder)
        self.db = connect(self._path)
        self.db.execute("CREATE TABLE IF NOT EXISTS head(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID")
        self.db.execute("INSERT OR IGNORE INTO head VALUES ('format', ?)", (FILE_FORMAT,))
        if self.head("format") != FILE_FORMAT:
            raise StorageError(
                f"{folder}: written by another version (format {self.head('format')}, not {FILE_FORMAT})"
            )
        for statement in (*rows.schema(), *chunks.SCHEMA, *compact.SCHEMA):
            self.db.execute(statement)
        self.db.execute(
            # bodies beside the key's tree, not in it: a row is replaced many times faster in a large file
            "CREATE TABLE IF NOT EXISTS state(unit TEXT NOT NULL, kind TEXT NOT NULL, start INTEGER NOT NULL,"
            " body BLOB NOT NULL, PRIMARY KEY (unit, kind, start))"
        )
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS ledger(entry INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, name TEXT,"
            " time INTEGER, by TEXT, why TEXT, body TEXT, position INTEGER UNIQUE)"
        )
        self._spool = Spool(self.db, spools)
        self._waiting = int(self.db.execute("SELECT coalesce(sum(rows), 0) FROM chunk").fetchone()[0])

    def head(self, key: str) -> int:
        """A number of the head: "position", "closed" (days since 1970), "format"; 0 when never written."""
        row = self.db.execute("SELECT value FROM head WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else 0

    def partitions(self) -> list[str]:
        """The units whose state is stored."""
        return [row[0] for row in self.db.execute("SELECT DISTINCT unit FROM state ORDER BY unit")]

    def state(self, unit: str) -> list[tuple[str, int, bytes]]:
        """The stored state rows of one unit: (kind, start, body)."""
        return self.db.execute(
            "SELECT kind, start, body FROM state WHERE unit = ? ORDER BY kind, start", (unit,)
        ).fetchall()

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """As `Reader.ledger`."""
        return self._reader.ledger(kind)

    def readings_of(self, points: Sequence[str], start_us: int, end_us: int) -> pl.DataFrame:
        """As `Reader.readings_of`."""
        return self._reader.readings_of(points, start_us, end_us)

    def last_before(self, points: Sequence[str], time_us: int, back_us: int = BACK_US) -> pl.DataFrame:
        """As `Reader.last_before`."""
        return self._reader.last_before(points, time_us, back_us)

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
            late, opened = dict[str, pl.DataFrame](), dict[str, pl.DataFrame]()
            for name, frame in results.items():
                late[name], opened[name] = self._divide(TABLES[name], frame, closed)
            self.db.execute("BEGIN IMMEDIATE")
            for name, frame in opened.items():
                if name in KEPT_IN_ROWS:
                    rows.upsert(self.db, TABLES[name], frame)
                else:
                    chunks.append(self.db, TABLES[name], frame)
                chunks.append(self.db, TABLES[name], late[name])
            if READINGS.name in results:
                self._spool.append(results[READINGS.name])
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
                rows.forget_passing(self.db)
            numbers = {"position": position, "closed": closed, "settled": settled_us, **(heads or {})}
            for key, value in numbers.items():
                self.db.execute("INSERT OR REPLACE INTO head VALUES (?, ?)", (key, value))
            self.db.execute("COMMIT")
        except (sqlite3.Error, OSError, pl.exceptions.PolarsError) as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise StorageError(f"{self.folder}: {error}") from error
        self._waiting += sum(len(frame) for name, frame in opened.items() if name not in KEPT_IN_ROWS)
        if closed > was:
            self._close_days()
        if self._waiting >= parts.PART_ROWS:
            self._waiting = 0
            self.compact_beside()

    def _divide(self, table: Table, frame: pl.DataFrame, closed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows of closed days and of open ones; very many of closed days go to their files at once."""
        if table.name not in CLOSING or frame.is_empty():
            return table.empty(), frame
        before = pl.col(table.day) < to_datetime(closed * DAY)
        late = rows.lasting(table, frame.filter(before).select(table.schema.keys()))
        if len(late) >= DIRECT_ROWS:
            with alone(self.folder):
                compact.clear(self.db, self.folder)
                for day, part in chunks.by_day(table, late):
                    parts.add(self.folder, table, day, part)
            late = late.clear()
        return late, frame.filter(~before)

    def _close_days(self) -> None:
        """Makes Parquet of days that closed, beside the next commits when it takes long."""
        due = compact.due(self.db, parts.PART_ROWS)
        if sum(size for _, _, closed, size in due if closed) > AT_ONCE_ROWS:
            self.compact_beside()
            return
        try:
            with alone(self.folder, wait=False) as free:
                if free:
                    compact.compact(self.db, self.folder, parts.PART_ROWS)
        except (sqlite3.Error, OSError, pl.exceptions.PolarsError):
            _log.exception("what was committed is safe; its closed days become files later")

    def compact(self, rows_at_once: int = parts.PART_ROWS) -> None:
        """Makes Parquet of closed days, and of open ones when at least `rows_at_once` rows wait; from any thread.

        Raises StorageError; then everything is still where it was.
        """
        compact_folder(self.folder, rows_at_once)

    def compact_beside(self) -> None:
        """Does the same in a process of its own, while commits go on, if there is something to be done.

        Begins by itself when much waits. What fails is logged and tried again next time.
        """
        try:
            if any(True for _ in compact.due(self.db, parts.PART_ROWS)):
                self._beside.begin(parts.PART_ROWS)
        except (sqlite3.Error, OSError):
            _log.exception("compaction will be tried again")

    def damaged(self) -> list[str]:
        """What compaction found damaged and put aside since the last call, in words. Raises StorageError."""
        try:
            return chunks.tell_damaged(self.db)
        except sqlite3.Error as error:
            raise StorageError(f"{self.folder}: {error}") from error

    def forget(self, keep_days: Mapping[str, float], now_us: int) -> list[Path]:
        """Deletes files of days older than a table's retention [days]; the files that went."""
        gone = []
        for name, days in keep_days.items():
            oldest = (datetime.fromtimestamp(now_us / 1e6, UTC) - timedelta(days=days)).date()
            for path in parts.list_files(self.folder, name):
                if date.fromisoformat(parts.day_of(path)) < oldest:
                    parts.remove([path])
                    gone.append(path)
        return gone

    def close(self) -> None:
        """Closes the file; a compaction in a process of its own ends."""
        self._beside.end()
        self.db.close()
