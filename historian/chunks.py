"""New rows in columns: one chunk a table, day and commit in SQLite, until compaction makes Parquet of them.

Table `chunk`: `day` (days since 1970) and `first`..`last` [µs] of the rows' day column, `oldest`..`revision` of their
revisions (0 where there are none), `body` = CRC-32 of the rest, Arrow IPC (zstd). A chunk never holds two days; a small
one takes in the small ones of its day before it, so that a plant of few readings has few chunks. Ids rise with time and
are never used again. A damaged chunk that compaction finds is kept as `damaged <table>`, later `told <table>`.
"""

from __future__ import annotations

import io
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from historian.tables import Table
from plant.errors import DamagedError
from plant.reading import DAY

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, day INTEGER NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL, oldest INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS chunk_day ON chunk(name, day)",
)
CHUNK_ROWS = 500_000
"""A chunk has no more rows: SQLite takes no value above 1 GB."""
SMALL_ROWS = 10_000
"""Chunks are put together up to this many rows."""
DELETED_AT_ONCE = 8
PAUSE_S = 0.05
_CRC = 4
_DAMAGED, _TOLD = "damaged ", "told "
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Chunk:
    """What is known of a chunk without its body."""

    id: int
    day: int
    first: int
    last: int
    rows: int
    oldest: int
    revision: int


def encode(frame: pl.DataFrame) -> bytes:
    """Rows as a body."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    plain = buffer.getvalue()
    return zlib.crc32(plain).to_bytes(_CRC, "little") + plain


def decode(body: bytes, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of a body. Raises DamagedError."""
    plain = body[_CRC:]
    if zlib.crc32(plain).to_bytes(_CRC, "little") != body[:_CRC]:
        raise DamagedError("its checksum does not fit")
    try:
        return pl.read_ipc(plain, columns=list(columns)).select(columns)
    except pl.exceptions.PolarsError as error:
        raise DamagedError(str(error)) from error


def append(db: sqlite3.Connection, table: Table, frame: pl.DataFrame) -> None:
    """Stores rows, within the caller's transaction. Raises sqlite3.Error."""
    frame = frame.select(table.schema.keys()).cast(pl.Schema(table.schema))
    for day, rows in by_day(table, frame):
        for part in rows.iter_slices(CHUNK_ROWS):
            _put(db, table, day, part)


def by_day(table: Table, frame: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Rows by day [days since 1970], in the order given."""
    if frame.is_empty():
        return
    day = pl.col(table.day).cast(pl.Int64) // DAY
    first, last = frame.select(day.min().alias("first"), day.max().alias("last")).row(0)
    if first == last:
        yield first, frame
        return
    for (number,), rows in frame.group_by(day, maintain_order=True):
        assert isinstance(number, int)
        yield number, rows


def _put(db: sqlite3.Connection, table: Table, day: int, frame: pl.DataFrame) -> None:
    taken: list[int] = []
    parts = [frame]
    rows = len(frame)
    before = db.execute("SELECT id, rows FROM chunk WHERE name = ? AND day = ? ORDER BY id DESC", (table.name, day))
    for number, more in before:
        # in the way of a binary counter: a row is written again a few times only
        if more > 2 * rows or rows + more > SMALL_ROWS:
            break
        body = db.execute("SELECT body FROM chunk WHERE id = ?", (number,)).fetchone()[0]
        try:
            parts.append(decode(body, frame.columns))
        except DamagedError:
            break
        taken.append(number)
        rows += more
    whole = pl.concat(parts[::-1]) if taken else frame
    times = whole[table.day].cast(pl.Int64)
    revisions = whole["revision"] if "revision" in table.schema else pl.Series([0])
    spans = (times.min(), times.max(), rows, revisions.min(), revisions.max())
    db.executemany("DELETE FROM chunk WHERE id = ?", [(number,) for number in taken])
    db.execute(
        "INSERT INTO chunk(name, day, first, last, rows, oldest, revision, body) VALUES (?,?,?,?,?,?,?,?)",
        (table.name, day, *spans, encode(whole)),
    )


def find(db: sqlite3.Connection, name: str, clause: str = "1", values: Sequence[int] = ()) -> list[Chunk]:
    """A table's chunks that fit a condition, in the order in which they were written."""
    sql = f"SELECT id, day, first, last, rows, oldest, revision FROM chunk WHERE name = ? AND {clause} ORDER BY id"
    return [Chunk(*row) for row in db.execute(sql, (name, *values))]


def load(db: sqlite3.Connection, chunk: Chunk, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of a chunk found in the same transaction. Raises DamagedError."""
    return decode(db.execute("SELECT body FROM chunk WHERE id = ?", (chunk.id,)).fetchone()[0], columns)


def delete(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Deletes chunks that are in files now, a few at a time, so that no commit waits long. Raises sqlite3.Error."""
    for at in range(0, len(ids), DELETED_AT_ONCE):
        if at:
            time.sleep(PAUSE_S)
        some = ids[at : at + DELETED_AT_ONCE]
        db.execute(f"DELETE FROM chunk WHERE id IN ({','.join('?' * len(some))})", some)


def put_aside(db: sqlite3.Connection, table: Table, ids: Sequence[int]) -> None:
    """Damaged chunks are no longer the table's, and are kept, within the caller's transaction. Raises sqlite3.Error."""
    db.executemany("UPDATE chunk SET name = ? WHERE id = ?", [(_DAMAGED + table.name, number) for number in ids])


def tell_damaged(db: sqlite3.Connection) -> list[str]:
    """The chunks put aside since the last call, in words. Raises sqlite3.Error."""
    sql = "SELECT id, name, day, rows FROM chunk WHERE name LIKE ? ORDER BY id"
    found = db.execute(sql, (_DAMAGED + "%",)).fetchall()
    for number, name, _, _ in found:
        db.execute("UPDATE chunk SET name = ? WHERE id = ?", (_TOLD + name.removeprefix(_DAMAGED), number))
    return [
        f"{rows} rows of {name.removeprefix(_DAMAGED)} of {date.fromordinal(_EPOCH + day)} cannot be read any more"
        for _, name, day, rows in found
    ]
