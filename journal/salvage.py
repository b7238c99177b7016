"""A journal that SQLite cannot read any more: what can still be read is carried into a new file, the old one kept.

The new file is complete, and a note of it on disk, before the first rename; a start that finds the note finishes what
was begun. It goes on counting well above the old one: no reader that remembers a position can skip a new row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from journal.journal import DAMAGE, NAME, REPORT, SCHEMA
from journal.message import encode_body
from plant import durable
from plant.errors import StorageError

LEAP = 1_000_000
PROBES = 5_000
LAST = 2**62
SIDE_FILES = ("-wal", "-shm")
NOTE = "salvage"

Row = tuple[int, str, bytes, int]


@dataclass(frozen=True)
class Salvaged:
    """What was done: the damaged file's new name, rows carried over, rows known to be lost, and in words."""

    kept: Path
    rows: int
    lost: int
    evidence: str


def salvage(folder: Path, now_us: int) -> Salvaged | None:
    """Checks the journal in `folder` and repairs it; None when it is sound or there is none yet.

    To be called by collect, with the data folder's lock, before it opens the journal. The loss is a notice in the new
    journal, with the plant time `now_us`. Raises StorageError when the file cannot be read for another reason than
    damage, or the new one cannot be written: then nothing has been changed.
    """
    path = folder / NAME
    try:
        _finish(folder)
        (folder / REPORT).unlink(missing_ok=True)
        if not path.exists() or _sound(path):
            return None
        kept = _free_name(folder)
        found = _carry(folder, kept, now_us)
        durable.write(folder / NOTE, kept.name)
        _finish(folder)
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path}: cannot be checked or repaired: {error}") from error
    return found


def _finish(folder: Path) -> None:
    """Puts the damaged file aside and the new one in its place, as far as that has not been done."""
    note, fresh = folder / NOTE, folder / f"{NAME}.fresh"
    if not note.exists():
        return
    if fresh.exists():
        kept = folder / note.read_text(encoding="utf-8")
        for ending in ("", *SIDE_FILES):
            old = folder / f"{NAME}{ending}"
            if old.exists():
                old.rename(f"{kept}{ending}")
        durable.sync_folder(folder)
        fresh.rename(folder / NAME)
    durable.sync_folder(folder)
    note.unlink()
    durable.sync_folder(folder)


def _sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong. Raises StorageError when it cannot look."""
    db = sqlite3.connect(path, timeout=30)
    try:
        return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        return False
    finally:
        db.close()


def _carry(folder: Path, kept: Path, now_us: int) -> Salvaged:
    """Writes what can be read into a new file, complete and on disk on return."""
    fresh = folder / f"{NAME}.fresh"
    for leftover in (fresh, *(Path(f"{fresh}{ending}") for ending in ("-journal", *SIDE_FILES))):
        leftover.unlink(missing_ok=True)
    served = _served(folder)
    rows, lost, highest, marks = 0, 0, served, True
    old = sqlite3.connect(folder / NAME, timeout=30)
    old.text_factory = lambda raw: raw.decode("utf-8", "replace")
    new = sqlite3.connect(fresh, isolation_level=None)
    try:
        new.execute("PRAGMA synchronous=FULL")
        for statement in SCHEMA:
            new.execute(statement)
        new.execute("BEGIN")
        for found in _rows(old, served):
            if isinstance(found, int):
                lost += found
                continue
            position, _, body, checksum = found
            highest = max(highest, position)
            if isinstance(body, bytes) and crc32(body) == checksum:
                new.execute("INSERT INTO message VALUES (?, ?, ?, ?)", found)
                rows += 1
            else:
                lost += 1
        try:
            remembered = old.execute("SELECT name, body, checksum FROM mark").fetchall()
            new.executemany("INSERT INTO mark VALUES (?, ?, ?)", remembered)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            marks = False
        last = max(highest, _sequence(old)) + LEAP
        evidence = (
            f"{rows} rows were carried over, at least {lost} are lost, {'what' if marks else 'nothing of what'}"
            f" collectors remembered was kept; the damaged file is {kept.name}"
        )
        body = encode_body(
            {"point": "", "start": now_us, "end": now_us, "finding": "journal damaged", "evidence": evidence}
        )
        new.execute("INSERT INTO message VALUES (?, 'notice', ?, ?)", (last + 1, body, crc32(body)))
        new.execute("COMMIT")
    finally:
        old.close()
        new.close()
    return Salvaged(kept, rows, lost, evidence)


def _rows(db: sqlite3.Connection, served: int) -> Iterator[Row | int]:
    """Every row above the served one that can be read, and in between how many are known to be lost.

    Where the walk meets a damaged page the next positions are asked for one by one, then by leaps.
    """
    position = served
    while True:
        try:
            row = _row(db, "position > ? ORDER BY position LIMIT 1", position)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            row = None
            lost = 0
            for probe in range(position + 1, position + 1 + PROBES):
                row = _try(db, "position = ?", probe)
                lost += row is None
                if row is not None:
                    break
            step = PROBES
            while row is None and position + step < LAST:
                row = _try(db, "position > ? ORDER BY position LIMIT 1", position + step)
                step *= 2
            # without a row beyond, what lay there cannot be counted
            yield max(1, lost if row is not None and lost < PROBES else 1)
        if row is None:
            return
        yield row
        position = row[0]


def _row(db: sqlite3.Connection, condition: str, position: int) -> Row | None:
    found: Row | None = db.execute(
        f"SELECT position, kind, body, checksum FROM message WHERE {condition}", (position,)
    ).fetchone()
    return found


def _try(db: sqlite3.Connection, condition: str, position: int) -> Row | None:
    try:
        return _row(db, condition, position)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        return None


def _sequence(db: sqlite3.Connection) -> int:
    """The last position that was given out, as far as that can be read."""
    last = 0
    for query in (
        "SELECT seq FROM sqlite_sequence WHERE name = 'message'",
        "SELECT position FROM message ORDER BY position DESC LIMIT 1",
    ):
        try:
            found = db.execute(query).fetchone()
            last = max(last, int(found[0]) if found else 0)
        except (sqlite3.DatabaseError, TypeError, ValueError):
            continue
    return last


def _is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE


def _served(folder: Path) -> int:
    try:
        return int((folder / "served").read_text())
    except (OSError, ValueError):
        return 0


def _free_name(folder: Path) -> Path:
    number = 1
    while (kept := folder / f"{NAME}.damaged-{number}").exists():
        number += 1
    return kept
