"""Compaction: what lies in SQLite of closed days, or too much of it, becomes Parquet.

A file is in place before its rows leave SQLite: at any instant a row may be seen twice, which readers resolve, and
never not at all. Transactions are short, since a commit waits for them. Files merged into another are entered in table
`gone` and then deleted, so that a crash between leaves none behind.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from historian import chunks, parts
from historian.keys import newest
from historian.rows import KEPT_IN_ROWS, from_sql, lasting
from historian.tables import READINGS, TABLES, Table
from plant.clock import to_datetime
from plant.errors import DamagedError
from plant.reading import DAY

CLOSING = ("readings", "facts", "kpi", "blocks")
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS gone(path TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS latest(version INTEGER PRIMARY KEY, body BLOB NOT NULL)",
)

_log = logging.getLogger("keepclean.historian")


def due(db: sqlite3.Connection, limit: int) -> Iterator[tuple[Table, int, bool, int]]:
    """What is to be moved: table, day, whether the day is closed, rows. Raises sqlite3.Error."""
    row = db.execute("SELECT value FROM head WHERE key = 'closed'").fetchone()
    closed = int(row[0]) if row else 0
    for name in CLOSING:
        table = TABLES[name]
        sizes = dict(db.execute("SELECT day, sum(rows) FROM chunk WHERE name = ? GROUP BY day", (name,)))
        busy = sum(rows for day, rows in sizes.items() if day >= closed) >= limit
        if name in KEPT_IN_ROWS:
            sql = f'SELECT "{table.day}" / {DAY}, count(*) FROM "{name}" WHERE "{table.day}" < ? GROUP BY 1'
            for day, rows in db.execute(sql, (closed * DAY,)):
                sizes[day] = sizes.get(day, 0) + rows
        for day, rows in sorted(sizes.items()):
            if busy or day < closed:
                yield table, day, day < closed, rows


def compact(db: sqlite3.Connection, folder: Path, limit: int) -> None:
    """Moves everything that is due, about `limit` rows at a time; damaged chunks are put aside.

    One caller at a time; others may commit meanwhile on connections of their own. Raises sqlite3.Error, OSError, and
    a Polars error where memory or a file fails.
    """
    clear(db, folder)
    for table, day, closed, _ in list(due(db, limit)):
        while _slice(db, folder, table, day, closed, limit):
            pass


def _slice(db: sqlite3.Connection, folder: Path, table: Table, day: int, closed: bool, limit: int) -> bool:
    """Moves one day's first rows; whether there are more to be moved."""
    frames, taken, damaged = list[pl.DataFrame](), list[int](), list[int]()
    rows = 0
    with snapshot(db):
        waiting = chunks.find(db, table.name, "day = ?", (day,))
        if closed and table.name in KEPT_IN_ROWS:
            frames.append(_rows(db, table, day))
        while waiting and (not taken or rows + waiting[0].rows <= limit):
            chunk = waiting.pop(0)
            rows += chunk.rows
            try:
                frames.append(chunks.load(db, chunk, list(table.schema)))
                taken.append(chunk.id)
            except DamagedError as error:
                damaged.append(chunk.id)
                what = f"{chunk.rows} rows of {table.name} of {parts.day_name(day)}"
                _log.error("%s: %s are damaged and put aside: %s", folder, what, error)
    frame = lasting(table, pl.concat(frames, rechunk=True)) if frames else table.empty()
    frames.clear()
    merged = list[Path]() if frame.is_empty() else parts.store(folder, table, day, frame, closed=closed)
    latest = None if closed or table is not READINGS else fold(read_latest(db)[1], frame)
    db.execute("BEGIN IMMEDIATE")
    try:
        chunks.put_aside(db, table, damaged)
        if closed and table.name in KEPT_IN_ROWS:
            span = (day * DAY, (day + 1) * DAY)
            db.execute(f'DELETE FROM "{table.name}" WHERE "{table.day}" >= ? AND "{table.day}" < ?', span)
        if latest is not None:
            _write_latest(db, latest)
        names = [(str(path.relative_to(folder)),) for path in merged]
        db.executemany("INSERT OR IGNORE INTO gone VALUES (?)", names)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    chunks.delete(db, taken)
    clear(db, folder)
    return bool(waiting) and (closed or sum(chunk.rows for chunk in waiting) >= limit)


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Several questions answered from one instant: a commit may put chunks together between two of them."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def _rows(db: sqlite3.Connection, table: Table, day: int) -> pl.DataFrame:
    sql = f'SELECT * FROM "{table.name}" WHERE "{table.day}" >= ? AND "{table.day}" < ?'
    return from_sql(table, db.execute(sql, (day * DAY, (day + 1) * DAY)).fetchall())


def clear(db: sqlite3.Connection, folder: Path) -> None:
    """Deletes the files that were merged into others; to be done before a file is written: names come again."""
    names = [name for (name,) in db.execute("SELECT path FROM gone")]
    if names:
        parts.remove([folder / name for name in names])
        db.executemany("DELETE FROM gone WHERE path = ?", [(name,) for name in names])


def fold(latest: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """The newest reading of each point, of two readings of one instant that with the higher value."""
    both = pl.concat([latest, fresh])
    found = newest(READINGS, both.filter(pl.col("time") == pl.col("time").max().over("point")))
    return found.unique(subset=["point"], keep="last", maintain_order=True)


def read_latest(db: sqlite3.Connection, known: int = -1) -> tuple[int, pl.DataFrame]:
    """The newest reading of each point among those moved while their day was open, and which version that is.

    Without rows when the version is the one known. Raises sqlite3.Error.
    """
    row = db.execute("SELECT version, body FROM latest ORDER BY version DESC LIMIT 1").fetchone()
    if row is None or row[0] == known:
        return (known if row is None else row[0]), READINGS.empty()
    try:
        return row[0], chunks.decode(row[1], list(READINGS.schema))
    except DamagedError as error:
        _log.error("the newest reading of each point cannot be read and is gathered anew: %s", error)
        return row[0], READINGS.empty()


def _write_latest(db: sqlite3.Connection, latest: pl.DataFrame) -> None:
    row = db.execute("SELECT value FROM head WHERE key = 'closed'").fetchone()
    kept = latest.filter(pl.col("time") >= to_datetime(int(row[0]) * DAY if row else 0))
    version = db.execute("SELECT coalesce(max(version), 0) + 1 FROM latest").fetchone()[0]
    db.execute("DELETE FROM latest")
    db.execute("INSERT INTO latest VALUES (?, ?)", (version, chunks.encode(kept)))
