"""The journal: one SQLite file, one row a batch, durable when `append` returns.

On disk: table `message(position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, body BLOB)` in write-ahead mode with
`synchronous=FULL`. AUTOINCREMENT matters: without it SQLite reuses positions once the table was emptied, and a reader
would skip rows silently. A file `served` beside it holds the position up to which serve has stored its results; only
collect trims, up to that position, a few rows at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from journal.message import Kind, Message, decode
from plant.errors import StorageError

TRIM_ROWS = 200


class Journal:
    """Append, read and trim; one object per thread."""

    def __init__(self, folder: Path) -> None:
        """Opens (or creates) the journal in `folder`. Raises StorageError when it cannot."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.sqlite"
        self._served = folder / "served"
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS message"
                "(position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body BLOB NOT NULL)"
            )
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error

    def append(self, messages: Iterable[tuple[Kind, bytes]]) -> int:
        """Writes messages in order, in one transaction; on return they are on disk. The last one's position."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for kind, body in messages:
                    self._db.execute("INSERT INTO message(kind, body) VALUES (?, ?)", (kind, body))
                last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error
        return int(last[0]) if last else 0

    def read(self, after: int, limit: int = 1000) -> list[Message]:
        """Up to `limit` messages above position `after`, in order. Raises StorageError when a row is damaged."""
        try:
            rows = self._db.execute(
                "SELECT position, kind, body FROM message WHERE position > ? ORDER BY position LIMIT ?",
                (after, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error
        return [decode(*row) for row in rows]

    def last(self) -> int:
        """The position of the newest message ever written; 0 when there was none."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        return int(row[0]) if row else 0

    def served(self) -> int:
        """The position up to which serve has stored its results."""
        try:
            return int(self._served.read_text())
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise StorageError(f"{self._served}: not a position") from error

    def publish_served(self, position: int) -> None:
        """Says that results up to `position` are stored; by serve only."""
        fresh = self._served.with_suffix(".new")
        fresh.write_text(str(position))
        fresh.replace(self._served)

    def trim(self, keep: int = 0) -> int:
        """Deletes a few served messages, all but the last `keep`; by collect only. How many went."""
        upto = self.served() - keep
        cursor = self._db.execute(
            "DELETE FROM message WHERE position IN"
            " (SELECT position FROM message WHERE position <= ? ORDER BY position LIMIT ?)",
            (upto, TRIM_ROWS),
        )
        return cursor.rowcount

    def bytes_on_disk(self) -> int:
        """Size of the journal's files [bytes]."""
        names = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(name.stat().st_size for name in names if name.exists())

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
