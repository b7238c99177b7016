"""A journal that SQLite cannot read any more: what can still be read is carried into a new file, the old one kept.

Pages of a damaged file are lost one by one, so every row is asked for by its position. The new file goes on counting
well above the old one: no reader that remembers a position can skip a new row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from journal.journal import NAME, SCHEMA, Journal
from journal.message import encode_body
from plant.errors import StorageError

LEAP = 1_000_000
PROBES = 200_000
SIDE_FILES = ("-wal", "-shm")


@dataclass(frozen=True)
class Salvaged:
    """What was done: the damaged file's new name, rows carried over, rows known to be lost, and in words."""

    kept: Path
    rows: int
    lost: int
    evidence: str


def salvage(folder: Path, now_us: int) -> Salvaged | None:
    """Checks the journal in `folder` and repairs it; None when it is sound or there is none yet.

    To be called by collect before it opens the journal. The loss is appended to the new journal as a notice with the
    plant time `now_us`. Raises StorageError when the new file cannot be written.
    """
    path = folder / NAME
    if not path.exists() or _sound(path):
        return None
    fresh = folder / f"{NAME}.fresh"
    for old in (fresh, *(Path(f"{fresh}{ending}") for ending in SIDE_FILES)):
        old.unlink(missing_ok=True)
    try:
        rows, lost, marks = _carry(path, fresh, _served(folder))
        number = 1
        while (kept := folder / f"{NAME}.damaged-{number}").exists():
            number += 1
        for ending in SIDE_FILES:
            if Path(f"{path}{ending}").exists():
                Path(f"{path}{ending}").rename(f"{kept}{ending}")
        path.rename(kept)
        fresh.rename(path)
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path}: damaged, and no new file can be written: {error}") from error
    evidence = (
        f"{rows} rows were carried over, at least {lost} are lost, {'what' if marks else 'nothing of what'} collectors"
        f" remembered was kept; the damaged file is {kept.name}"
    )
    journal = Journal(folder)
    body = {"point": "", "start": now_us, "end": now_us, "finding": "journal damaged", "evidence": evidence}
    journal.append([("notice", encode_body(body))])
    journal.close()
    return Salvaged(kept, rows, lost, evidence)


def _sound(path: Path) -> bool:
    try:
        db = sqlite3.connect(path, timeout=30)
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "lock" in str(error):
            raise StorageError(f"{path}: {error}") from error
        return False


def _served(folder: Path) -> int:
    try:
        return int((folder / "served").read_text())
    except (OSError, ValueError):
        return 0


def _carry(path: Path, fresh: Path, served: int) -> tuple[int, int, bool]:
    """Copies what can be read; rows carried and lost, and whether the marks could be read."""
    new = sqlite3.connect(fresh, isolation_level=None)
    new.execute("PRAGMA synchronous=FULL")
    for statement in SCHEMA:
        new.execute(statement)
    new.execute("BEGIN")
    rows, highest, lost, marks = 0, served, 0, True
    old = sqlite3.connect(path, timeout=30)
    old.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        for position, row in _rows(old, served):
            if row is None:
                lost += 1
                continue
            kind, body, checksum = row
            if isinstance(body, bytes) and crc32(body) == checksum:
                new.execute("INSERT INTO message VALUES (?, ?, ?, ?)", (position, kind, body, checksum))
                rows += 1
            else:
                lost += 1
            highest = max(highest, position)
        try:
            new.executemany("INSERT INTO mark VALUES (?, ?)", old.execute("SELECT name, body FROM mark").fetchall())
        except sqlite3.Error:
            marks = False
    finally:
        old.close()
    if not rows:
        new.execute("INSERT INTO sqlite_sequence VALUES ('message', 0)")
    new.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'message'", (highest + LEAP,))
    new.execute("COMMIT")
    new.close()
    return rows, lost, marks


def _rows(db: sqlite3.Connection, served: int) -> Iterator[tuple[int, tuple[str, bytes, int] | None]]:
    """Every position above the served one, with its row; None for one that cannot be read."""
    last = served
    for query in (
        "SELECT seq FROM sqlite_sequence WHERE name = 'message'",
        "SELECT position FROM message ORDER BY position DESC LIMIT 1",
    ):
        try:
            found = db.execute(query).fetchone()
            last = max(last, int(found[0]) if found else 0)
        except (sqlite3.Error, TypeError, ValueError):
            continue
    for position in range(served + 1, min(last, served + PROBES) + 1):
        try:
            row = db.execute("SELECT kind, body, checksum FROM message WHERE position = ?", (position,)).fetchone()
        except sqlite3.Error:
            row = None
        yield position, row
