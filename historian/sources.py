"""Where rows are found: chunks in SQLite and Parquet files, each with what it spans, loaded only when asked.

Rows move from chunks to files while others read. Who reads lists chunks first and files afterwards, so that a row is
seen in one of them at least; a file that was merged away meanwhile is a FileNotFoundError, and the question is asked
again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

import polars as pl

from historian import chunks, parts
from historian.compact import snapshot
from historian.tables import Table
from plant.errors import DamagedError, StorageError

T = TypeVar("T")
TRIES = 10

_log = logging.getLogger("keepclean.historian")


@dataclass(frozen=True)
class Source:
    """Rows in one place (`path` is the file); `load` gives those that fit a condition, or none where it is damaged."""

    day: int
    span: parts.Span
    load: Callable[[Table, pl.Expr], pl.DataFrame]
    path: Path


class Sources:
    """The chunks and files in a folder; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "historian.sqlite"
        self._spans = parts.Spans()
        self._damage: dict[str, str] = {}
        self._lock = Lock()

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection that sees one instant. Raises StorageError when there is nothing or it fails."""
        if not self._path.exists():
            raise StorageError(f"{self.folder}: no results here yet")
        try:
            db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30, isolation_level=None)
            try:
                with snapshot(db):
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: {error}") from error

    def steady(self, ask: Callable[[], T]) -> T:
        """An answer for which no file vanished on the way."""
        for _ in range(TRIES - 1):
            try:
                return ask()
            except FileNotFoundError:
                continue
        return ask()

    def chunks_of(self, db: sqlite3.Connection, table: Table, clause: str, values: Sequence[int]) -> list[Source]:
        """A table's chunks that fit a condition, in the order in which they were written."""
        found = []
        for chunk in chunks.find(db, table.name, clause, values):
            span = parts.Span(chunk.first, chunk.last, chunk.rows, chunk.oldest, chunk.revision)
            found.append(Source(chunk.day, span, self._loader(db, chunk), self._path))
        return found

    def _loader(self, db: sqlite3.Connection, chunk: chunks.Chunk) -> Callable[[Table, pl.Expr], pl.DataFrame]:
        def load(table: Table, condition: pl.Expr) -> pl.DataFrame:
            try:
                return chunks.load(db, chunk, list(table.schema)).filter(condition)
            except DamagedError as error:
                self._tell(f"chunk {chunk.id}", f"{chunk.rows} rows of {table.name} cannot be read: {error}")
                return table.empty()

        return load

    def files_of(self, table: Table, first: int | None = None, last: int | None = None) -> list[Path]:
        """A table's files of days first..last [days since 1970], in the order in which they were written."""
        return parts.list_files(self.folder, table.name, first, last)

    def spanned(self, table: Table, paths: Sequence[Path]) -> list[Source]:
        """Files with what they span; damaged ones are left out. Raises FileNotFoundError."""
        found = []
        for path in paths:
            try:
                span = self._spans.of(table, path)
            except pl.exceptions.PolarsError as error:
                self._tell(str(path), f"{path} cannot be read: {error}")
                continue
            found.append(Source(parts.day_number(path), span, self._scanner(path), path))
        return found

    def _scanner(self, path: Path) -> Callable[[Table, pl.Expr], pl.DataFrame]:
        return lambda table, condition: self.scan(table, [path], condition)

    def scan(self, table: Table, paths: Sequence[Path], condition: pl.Expr) -> pl.DataFrame:
        """Rows of files that fit a condition; damaged files are left out. Raises FileNotFoundError."""
        if not paths:
            return table.empty()
        try:
            scan = pl.scan_parquet(list(paths), glob=False, hive_partitioning=False)
            return scan.filter(condition).select(table.schema.keys()).collect()
        except pl.exceptions.PolarsError as error:
            if len(paths) > 1:
                return pl.concat([self.scan(table, [path], condition) for path in paths])
            self._tell(str(paths[0]), f"{paths[0]} cannot be read: {error}")
            return table.empty()

    def _tell(self, what: str, sentence: str) -> None:
        with self._lock:
            known = what in self._damage
            self._damage[what] = sentence
        if not known:
            _log.error("%s: damaged, left out of what is read: %s", self.folder, sentence)

    def damaged(self) -> list[str]:
        """What was met that cannot be read, in words."""
        with self._lock:
            return list(self._damage.values())
