"""The journal: one SQLite file, one row a batch, durable when `append` returns.

On disk: table `message(position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, body BLOB, checksum INTEGER)` in
write-ahead mode with `synchronous=FULL`. AUTOINCREMENT matters: without it SQLite reuses positions once the table was
emptied, and a reader would skip rows silently. A table `mark(name, body, checksum)` holds what collectors must remember
exactly as long as the readings that were written with it. A file `served` beside it holds the position up to which
serve has stored its results; only collect trims, up to that position, a few rows at a time.

A row whose checksum does not fit is read as a notice that says what was lost; a file that SQLite cannot read any more
is put aside by `journal.salvage` when collect starts, and every object follows to the new file by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from zlib import crc32

from journal.message import Kind, Message, damaged, decode, tick_time
from plant import durable
from plant.errors import DamagedError, StorageError

NAME, REPORT = "journal.sqlite", "damage-reported"
TRIM_ROWS = 200
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS message(position INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS mark"
    "(name TEXT PRIMARY KEY, body BLOB NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID",
)


class Journal:
    """Append, read and trim; one object per thread."""

    def __init__(self, folder: Path) -> None:
        """Opens (or creates) the journal in `folder`. Raises StorageError when it cannot."""
        self.path = folder / NAME
        self._served = folder / "served"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._error(error) from error
        self._open()

    def append(self, messages: Iterable[tuple[Kind, bytes]], marks: Mapping[str, bytes] | None = None) -> int:
        """Writes messages in order, and marks with them, in one transaction; on return they are on disk.

        An empty mark is forgotten. Returns the last message's position. Raises StorageError when nothing was written.
        """
        try:
            self._follow()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for kind, body in messages:
                    row = (kind, body, crc32(body))
                    self._db.execute("INSERT INTO message(kind, body, checksum) VALUES (?, ?, ?)", row)
                for name, body in (marks or {}).items():
                    if body:
                        self._db.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (name, body, crc32(body)))
                    else:
                        self._db.execute("DELETE FROM mark WHERE name = ?", (name,))
                last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise self._error(error) from error
        return int(last[0]) if last else 0

    def read(self, after: int, limit: int = 1000) -> list[Message]:
        """Up to `limit` messages above position `after`, in order; a damaged one comes as a notice in its place."""
        try:
            self._follow()
            rows = self._db.execute(
                "SELECT position, kind, body, checksum FROM message WHERE position > ? ORDER BY position LIMIT ?",
                (after, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return [self._message(*row) for row in rows]

    def marks(self, beginning: str) -> dict[str, bytes]:
        """The marks whose names begin so, by name; a damaged one is forgotten."""
        try:
            rows = self._db.execute(
                "SELECT name, body, checksum FROM mark WHERE name >= ? AND name < ? ORDER BY name",
                (beginning, beginning + "\U0010ffff"),
            ).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return {name: body for name, body, checksum in rows if isinstance(body, bytes) and crc32(body) == checksum}

    def last(self) -> int:
        """The position of the newest message ever written; 0 when there was none."""
        try:
            self._follow()
            row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return int(row[0]) if row else 0

    def served(self) -> int:
        """The position up to which serve has stored its results."""
        try:
            return int(self._served.read_text())
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise StorageError(f"{self._served}: not a position") from error
        except OSError as error:
            raise self._error(error) from error

    def publish_served(self, position: int) -> None:
        """Says that results up to `position` are stored; by serve only. Raises StorageError."""
        try:
            durable.write(self._served, str(position))
        except OSError as error:
            raise self._error(error) from error

    def count_above(self, position: int) -> bool:
        """Has the next message come above a position that somebody remembers; whether that had to be changed.

        A journal that is younger than its reader (its file was lost, or an old copy put in place) would else be
        trimmed before it is read.
        """
        try:
            self._follow()
            if self.last() >= position:
                return False
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO message(kind, body, checksum) VALUES ('tick', x'', 0)")
            self._db.execute("DELETE FROM message WHERE position = last_insert_rowid()")
            self._db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'message'", (position,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._error(error) from error
        return True

    def report_damage(self) -> None:
        """Asks collect, which alone repairs, to look at the file; by serve, which has met what it cannot read."""
        try:
            durable.write(self.path.parent / REPORT, "")
        except OSError as error:
            raise self._error(error) from error

    def damage_reported(self) -> bool:
        """Whether serve has met damage."""
        return (self.path.parent / REPORT).exists()

    def trim(self, keep: int = 0) -> int:
        """Deletes a few served messages, all but the last `keep`; by collect only. How many went."""
        upto = self.served() - keep
        try:
            cursor = self._db.execute(
                "DELETE FROM message WHERE position IN"
                " (SELECT position FROM message WHERE position <= ? ORDER BY position LIMIT ?)",
                (upto, TRIM_ROWS),
            )
        except sqlite3.Error as error:
            raise self._error(error) from error
        return cursor.rowcount

    def used_bytes(self) -> int:
        """What the journal's contents take [bytes]: pages that trimming has freed are used again, and don't count."""
        try:
            pages, free, size = (
                int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        except sqlite3.Error as error:
            raise self._error(error) from error
        return (pages - free) * size

    def bytes_on_disk(self) -> int:
        """Size of the journal's files [bytes]."""
        names = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(name.stat().st_size for name in names if name.exists())

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _open(self) -> None:
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            for statement in SCHEMA:
                self._db.execute(statement)
            self._inode = self.path.stat().st_ino
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error

    def _follow(self) -> None:
        """Opens the file that salvaging has put in place of the one that is open."""
        try:
            inode = self.path.stat().st_ino
        except OSError as error:
            raise self._error(error) from error
        if inode != self._inode:
            self._db.close()
            self._open()

    def _message(self, position: int, kind: Kind, body: bytes, checksum: int) -> Message:
        why = "is damaged"
        if isinstance(body, bytes) and crc32(body) == checksum:
            try:
                return decode(position, kind, body)
            except StorageError as error:  # serve must not stand still at it
                why = f"cannot be read ({error})"
        size = len(body) if isinstance(body, bytes | str) else 0
        evidence = f"journal row {position} ({kind}, {size} bytes) {why} and was left out"
        return damaged(position, self._tick_near(position), evidence)

    def _tick_near(self, position: int) -> int:
        """The last tick before a position, or the first one after it [µs UTC]."""
        for condition, order in (("<", "DESC"), (">", "ASC")):
            rows = self._db.execute(
                f"SELECT body, checksum FROM message WHERE kind = 'tick' AND position {condition} ?"
                f" ORDER BY position {order} LIMIT 3",
                (position,),
            )
            for body, checksum in rows:
                if crc32(body) == checksum:
                    return tick_time(body)
        return 0

    def _error(self, error: Exception) -> StorageError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return (DamagedError if code in DAMAGE else StorageError)(f"{self.path}: {error}")
