"""The sending side of the spool: readings for the outbox, in the order of commits, deleted once the server has them."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from historian import chunks
from historian.influx.sending import Batch
from historian.spool import COLUMNS, DROPPED, SCHEMA
from historian.tables import READINGS
from plant.clock import to_datetime
from plant.errors import DamagedError, StorageError
from plant.reading import DAY

NOT_SENT = "readings not sent to the time-series server"

_log = logging.getLogger("keepclean.outbox")


class Outgoing:
    """A connection of its own to the historian's file; not for several threads at once. Raises StorageError."""

    def __init__(self, folder: Path) -> None:
        """Opens the spool of a data folder."""
        self._path = folder / "historian.sqlite"
        self._damaged = 0
        self._told_day = -1
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=30, check_same_thread=False)
            # a deletion that a power cut undoes sends again, which changes nothing
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(SCHEMA)
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from error

    def batches(self, after: int, budget: int, limit: int) -> Iterator[Batch]:
        """About `budget` rows of the chunks above a number, `limit` at once.

        The revision of a batch is the number of its last chunk.
        """
        given = 0
        while given < budget:
            rows, after = self._next(after, limit)
            if rows.is_empty():
                return
            given += len(rows)
            yield Batch(READINGS.name, rows, after)

    def taken(self, number: int) -> None:
        """Deletes the chunks up to one."""
        try:
            self._delete([one for (one,) in self._db.execute("SELECT id FROM outgoing WHERE id <= ?", (number,))])
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from error

    def lost(self) -> list[dict[str, Any]]:
        """Notices of readings that will not be sent: of dropped ones once a plant day."""
        found = list[tuple[int, str]]()
        try:
            heads = dict(self._db.execute("SELECT key, value FROM head WHERE key IN (?, 'settled')", (DROPPED,)))
            dropped, now = heads.get(DROPPED, 0), heads.get("settled", 0)
            day = now // DAY * DAY
            if dropped and day > self._told_day:
                self._db.execute("UPDATE head SET value = value - ? WHERE key = ?", (dropped, DROPPED))
                self._told_day = day
                found.append((day, f"{dropped} of those that waited were dropped: there were too many"))
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from error
        if self._damaged:
            found.append((now, f"{self._damaged} of those that waited cannot be read any more"))
            self._damaged = 0
        row = {"point": "", "end": to_datetime(now), "finding": NOT_SENT, "revision": 0}
        return [{**row, "start": to_datetime(start), "evidence": evidence} for start, evidence in found]

    def close(self) -> None:
        """Closes the connection."""
        self._db.close()

    def _next(self, after: int, limit: int) -> tuple[pl.DataFrame, int]:
        """The rows of some chunks, one at least and no more than `limit` rows else, and the number of the last.

        Chunks that cannot be read are deleted.
        """
        frames, damaged, rows = list[pl.DataFrame](), list[int](), 0
        chunk = "SELECT id, rows, body FROM outgoing WHERE id > ? ORDER BY id"
        try:
            for number, size, body in self._db.execute(chunk, (after,)):
                if frames and rows + size > limit:
                    break
                try:
                    frames.append(chunks.decode(body, COLUMNS))
                except DamagedError as error:
                    _log.warning("%d readings that waited cannot be sent: %s", size, error)
                    damaged.append(number)
                    self._damaged += size
                    continue
                after, rows = number, rows + size
            self._delete(damaged)
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from error
        return pl.concat(frames) if frames else READINGS.empty(), after

    def _delete(self, ids: list[int]) -> None:
        """A few at a time, so that no commit waits long."""
        for at in range(0, len(ids), chunks.DELETED_AT_ONCE):
            if at:
                time.sleep(chunks.PAUSE_S)
            some = ids[at : at + chunks.DELETED_AT_ONCE]
            self._db.execute(f"DELETE FROM outgoing WHERE id IN ({','.join('?' * len(some))})", some)
