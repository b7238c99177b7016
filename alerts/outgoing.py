"""The ledger of outgoing messages: what was sent, what still waits, so that a restart sends nothing twice.

One SQLite file of its own, one row for each (alarm, to_state, time, address). A message that was sent but whose row the
machine did not live to mark is sent again after a restart; no other is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.message import Message
from plant.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outgoing(
  alarm TEXT NOT NULL, to_state TEXT NOT NULL, time INTEGER NOT NULL, address TEXT NOT NULL,
  priority TEXT NOT NULL, shift_start INTEGER NOT NULL, shift_end INTEGER NOT NULL, supervisor TEXT NOT NULL,
  language TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, place TEXT NOT NULL, line TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
  alone INTEGER NOT NULL DEFAULT 0, sent_at INTEGER,
  PRIMARY KEY(alarm, to_state, time, address)) WITHOUT ROWID
"""
_COLUMNS = (
    "alarm",
    "to_state",
    "time",
    "address",
    "priority",
    "shift_start",
    "shift_end",
    "supervisor",
    "language",
)


@dataclass(frozen=True)
class Entry:
    """A message on its way to one address; times in µs UTC of the plant."""

    alarm: str
    to_state: str
    time: int
    address: str
    priority: str
    shift_start: int
    shift_end: int
    supervisor: str
    language: str
    message: Message
    attempts: int = 0

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes the row unique."""
        return (self.alarm, self.to_state, self.time, self.address)


class Outgoing:
    """The ledger; calls may come from any thread, one at a time (the caller holds a lock)."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file. Raises StorageError when it cannot."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}") from error

    def knows(self, alarm: str, to_state: str, time: int) -> bool:
        """Whether a transition was taken in before, for whatever shift and address."""
        sql = "SELECT 1 FROM outgoing WHERE alarm = ? AND to_state = ? AND time = ? LIMIT 1"
        return self._db.execute(sql, (alarm, to_state, time)).fetchone() is not None

    def add(self, entries: Iterable[Entry]) -> int:
        """Adds what is not yet there, in one transaction; how many were new."""
        rows = [
            (*entry.key, entry.priority, entry.shift_start, entry.shift_end, entry.supervisor, entry.language, *text)
            for entry in entries
            for text in [(entry.message.title, entry.message.body, entry.message.place, entry.message.line)]
        ]
        before = self._db.total_changes
        self._write(
            f"INSERT OR IGNORE INTO outgoing({', '.join(_COLUMNS)}, title, body, place, line)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            rows,
        )
        return self._db.total_changes - before

    def waiting(self) -> list[Entry]:
        """Everything that waits, oldest first."""
        rows = self._db.execute(
            f"SELECT {', '.join(_COLUMNS)}, title, body, place, line, attempts FROM outgoing"
            " WHERE state = 'waiting' ORDER BY time, alarm"
        )
        return [_entry(row) for row in rows]

    def resting_until(self, address: str) -> float:
        """When an address whose last send failed may be tried again [wall-clock s]; 0 when nothing failed."""
        row = self._db.execute(
            "SELECT max(not_before) FROM outgoing WHERE state = 'waiting' AND address = ?", (address,)
        ).fetchone()
        return float(row[0] or 0.0)

    def sent_alone(self, address: str, supervisor: str, shift_start: int) -> int:
        """How many messages a supervisor got one by one in a shift."""
        row = self._db.execute(
            "SELECT count(*) FROM outgoing WHERE alone = 1 AND state = 'sent' AND address = ?"
            " AND supervisor = ? AND shift_start = ?",
            (address, supervisor, shift_start),
        ).fetchone()
        return int(row[0])

    def mark(self, entries: Sequence[Entry], state: str, now_us: int, *, alone: bool = False) -> None:
        """Marks rows as 'sent', 'stale' (too old to be told) or 'failed' (given up)."""
        rows = [(state, int(alone), now_us, *entry.key) for entry in entries]
        self._write(
            "UPDATE outgoing SET state = ?, alone = ?, sent_at = ?"
            " WHERE alarm = ? AND to_state = ? AND time = ? AND address = ?",
            rows,
        )

    def put_off(self, entries: Sequence[Entry], until: float) -> None:
        """Counts a failed attempt and says when to try again [wall-clock s]."""
        rows = [(until, *entry.key) for entry in entries]
        self._write(
            "UPDATE outgoing SET attempts = attempts + 1, not_before = ?"
            " WHERE alarm = ? AND to_state = ? AND time = ? AND address = ?",
            rows,
        )

    def counts(self) -> dict[str, int]:
        """How many rows there are in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM outgoing GROUP BY state ORDER BY state").fetchall())

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(sql, rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error


def _entry(row: tuple[Any, ...]) -> Entry:
    plain = dict(zip(_COLUMNS, row[: len(_COLUMNS)], strict=True))
    title, body, place, line, attempts = row[len(_COLUMNS) :]
    return Entry(**plain, message=Message(title, body, place, line), attempts=attempts)
