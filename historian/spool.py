"""Readings that wait for the time-series server: written with each commit, where the description asks for it.

On disk, in `historian.sqlite`: table `outgoing`, its bodies encoded like those of `historian.chunks`, in the order of
commits. Ids rise and are never used again; where many wait, a small chunk takes in the small ones before it, with an id
of its own, so that a plant of few readings has few. `head` counts what was dropped. Readings are sent from here
(`historian.influx.outgoing`) since they have no revisions, and are merged and moved where they are kept.
"""

from __future__ import annotations

import logging
import sqlite3

import polars as pl

from historian import chunks
from historian.tables import READINGS
from plant.errors import DamagedError
from plant.model import Plant

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS outgoing"
    "(id INTEGER PRIMARY KEY AUTOINCREMENT, rows INTEGER NOT NULL, body BLOB NOT NULL)"
)
CHUNK_ROWS = 5_000
"""Rows of a chunk, at most."""
APART = 64
"""So few chunks are left as they are: what the server is taking just now would be sent again with the next."""
SPOOL_BYTES = 2 * 2**30
"""What waits may take no more: beyond it the oldest are dropped. Some 200 million readings."""
KEPT = 0.95
"""The share of it that is left then, so that this is not done at each commit."""
DROPPED = "readings dropped"
"""How many were and were not told yet; a key of the head."""
COLUMNS = ("time", "point", "value", "quality", "finding")
"""What is sent."""

_log = logging.getLogger("keepclean.historian")


def spools(plant: Plant) -> bool:
    """Whether the description asks for readings to be sent."""
    return plant.influx is not None and plant.influx.readings


class Spool:
    """The writing side, within the commits of the connection's owner. Its methods raise sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, on: bool) -> None:
        """Creates the table; deletes what waits when it is not to be sent any more."""
        self._db, self._on = db, on
        db.execute(SCHEMA)
        if not on:
            db.execute("DELETE FROM outgoing")
        self._bytes = self._waiting()

    def append(self, frame: pl.DataFrame) -> None:
        """Adds rows of table `readings`; the oldest go when it becomes too much."""
        if not self._on:
            return
        for rows in frame.select(READINGS.schema.keys()).cast(pl.Schema(READINGS.schema)).iter_slices(CHUNK_ROWS):
            if len(rows):
                self._put(rows.select(COLUMNS))
        if self._bytes > SPOOL_BYTES:
            # what was sent has gone meanwhile
            self._bytes = self._waiting()
        if self._bytes > SPOOL_BYTES:
            self._drop()

    def _put(self, frame: pl.DataFrame) -> None:
        parts, rows, taken = [frame], len(frame), list[int]()
        many = self._db.execute("SELECT 1 FROM outgoing LIMIT 1 OFFSET ?", (APART,)).fetchone()
        for number, more in self._db.execute("SELECT id, rows FROM outgoing ORDER BY id DESC") if many else ():
            # in the way of a binary counter: a row is written again a few times only
            if more > 2 * rows or rows + more > CHUNK_ROWS:
                break
            body = self._db.execute("SELECT body FROM outgoing WHERE id = ?", (number,)).fetchone()[0]
            try:
                parts.append(chunks.decode(body, COLUMNS))
            except DamagedError:
                break
            rows += more
            taken.append(number)
        body = chunks.encode(pl.concat(parts[::-1]) if taken else frame)
        self._db.executemany("DELETE FROM outgoing WHERE id = ?", [(number,) for number in taken])
        self._db.execute("INSERT INTO outgoing(rows, body) VALUES (?, ?)", (rows, body))
        self._bytes += len(body)

    def _drop(self) -> None:
        """Drops the oldest, and counts them."""
        gone = list[tuple[int, int]]()
        for number, rows, size in self._db.execute("SELECT id, rows, length(body) FROM outgoing ORDER BY id"):
            if self._bytes <= KEPT * SPOOL_BYTES:
                break
            gone.append((number, rows))
            self._bytes -= size
        lost = sum(rows for _, rows in gone)
        self._db.execute("DELETE FROM outgoing WHERE id <= ?", (gone[-1][0],))
        self._db.execute(
            "INSERT INTO head VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
            (DROPPED, lost),
        )
        _log.warning("%d readings that waited for the time-series server were dropped: there are too many", lost)

    def _waiting(self) -> int:
        return int(self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM outgoing").fetchone()[0])
