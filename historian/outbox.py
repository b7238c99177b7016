"""The outbox to the time-series server: a cursor for each table, so that a server down for days loses nothing.

A file of its own, `outbox.sqlite`: the revision up to which each table was taken by the server, how much of a very
large one was, and the lines that it refused. A crash between a write and its cursor writes some lines again, which
changes nothing: they are upserts.

A backlog is sent oldest first, at a bounded pace. What is stored meanwhile goes before it and is then passed once more
in its turn, so that of several values of a series and time the last written is always the newest: that needs no memory
beyond the cursor, which alone says what the server has.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from historian.influx import ServerError
from historian.line_protocol import FORMS, is_line, lines, option_lines, withdrawn
from historian.tables import NOTICES
from plant.errors import StorageError
from plant.model import Plant

BATCH_ROWS = 5_000
"""Lines of a request."""
READ_ROWS = 20_000
"""Rows that are read at once where so many may be sent."""
LARGE_ROWS = 80_000
"""A revision of no more rows is read at once, a larger one in parts."""
PART_ROWS = 100_000
LIVE_ROWS = 50_000
"""More than this since the last round is a backlog itself."""
PACE = 20_000.0
REFUSED_MAX = 20
REFUSING = (400, 413, 422)
"""The server has understood, and does not want these lines."""
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 60.0
PAUSE_REFUSED_S = 60.0
REFUSED = "not taken by the time-series server"

Write = Callable[[str], None]
Refusal = tuple[dict[str, Any], str]

_log = logging.getLogger("keepclean.outbox")


@dataclass
class Drained:
    """What one call of `drain` did: lines taken, lines set aside, notices about them, what stands in the way."""

    sent: int = 0
    aside: int = 0
    notices: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def notice_frame(self) -> pl.DataFrame:
        """The notices as rows of table `notices`."""
        return pl.DataFrame(self.notices, schema=NOTICES.schema).unique(subset=list(NOTICES.key), keep="last")


class Source(Protocol):
    """Where rows come from: the historian's reader."""

    def head(self, key: str) -> int:
        """With "position", the revision up to which everything is stored: what is above may not be whole yet."""

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """Rows of a table with a higher revision, sorted by it, at most `limit`; fewer are all there are."""

    def part(self, name: str, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
        """About `limit` rows of one revision from a time on, oldest first, and from when on there may be more."""


class _Held(Exception):
    """The server takes nothing at present; ends a round."""


class Outbox:
    """Sends the tables' new rows to `write`, oldest first, each table in turn; not for several threads at once.

    A backlog is sent at `pace` [lines/s] at most. `monotonic` is real time [s].
    """

    def __init__(
        self,
        plant: Plant,
        folder: Path,
        source: Source,
        write: Write,
        monotonic: Callable[[], float] = time.monotonic,
        pace: float = PACE,
    ) -> None:
        """Opens or creates the file. Raises StorageError when it cannot."""
        folder.mkdir(parents=True, exist_ok=True)
        self.plant, self.source, self.write, self.monotonic, self.pace = plant, source, write, monotonic, pace
        self.path = folder / "outbox.sqlite"
        self._options = set(option_lines(plant))
        self._not_before = 0.0
        self._pause_s = PAUSE_FIRST_S
        self._sender = ThreadPoolExecutor(1, "outbox writer")
        self._live = dict[str, int]()
        self._backlog_from = 0.0
        self._backlog: tuple[float, int] | None = None
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS cursor(name TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID"
            )
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS part(name TEXT PRIMARY KEY, revision INTEGER NOT NULL,"
                " since INTEGER NOT NULL) WITHOUT ROWID"
            )
            self._db.execute("CREATE TABLE IF NOT EXISTS described(line TEXT PRIMARY KEY) WITHOUT ROWID")
            self._db.execute("CREATE TABLE IF NOT EXISTS aside(line TEXT PRIMARY KEY, name TEXT, reason TEXT)")
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error

    def cursor(self, table: str) -> int:
        """The revision up to which a table was taken."""
        row = self._db.execute("SELECT revision FROM cursor WHERE name = ?", (table,)).fetchone()
        return int(row[0]) if row else 0

    def set_aside(self) -> list[tuple[str, str, str]]:
        """The lines that the server refused: (table, line, its reason)."""
        return self._db.execute("SELECT name, line, reason FROM aside ORDER BY rowid").fetchall()

    def drain(self, budget: int | None = None) -> Drained:
        """Sends about `budget` lines of what waits (default: a second's), and what was stored since the last call.

        Returns at once while the server rests. Never raises for the server; raises StorageError.
        """
        done = Drained()
        now = self.monotonic()
        if now < self._not_before:
            return done
        try:
            # what is above may not be whole: a recompute stores the rows of its revision in several commits
            stored = self.source.head("position")
            self._describe()
            for table in [*self._live]:
                self._ahead(table, stored, done)
            if now >= self._backlog_from:
                self._waiting(stored, int(self.pace) if budget is None else budget, now, done)
        except _Held as held:
            done.error = str(held)
        else:
            self._pause_s = PAUSE_FIRST_S
        return done

    def close(self) -> None:
        """Closes the file."""
        self._sender.shutdown()
        self._db.close()

    def _describe(self) -> None:
        """Sends the options of the description where they are not what was sent last; those that went, as not valid."""
        known = {line for (line,) in self._db.execute("SELECT line FROM described")}
        if known == self._options:
            return
        # one that only reads otherwise now is written over
        gone = {*map(withdrawn, known)} - {*map(withdrawn, self._options)}
        self._sender.submit(self._write_all, [*sorted(gone), *sorted(self._options)]).result()
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("DELETE FROM described")
                self._db.executemany("INSERT INTO described VALUES (?)", [(line,) for line in self._options])
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error

    def _write_all(self, some: list[str]) -> None:
        try:
            self.write("\n".join(some))
        except ServerError as error:
            if error.status not in REFUSING:
                raise self._hold(error) from error
            # boards lack a mark then; no reason to keep results back
            _log.warning("the options' lines were not taken: %s", error)

    def _waiting(self, stored: int, budget: int, now: float, done: Drained) -> None:
        """Sends what waits, oldest first, each table in turn, as far as the budget goes."""
        busy, before = set(FORMS), done.sent + done.aside
        rows = READ_ROWS if budget >= READ_ROWS else BATCH_ROWS
        while busy and done.sent + done.aside - before < budget:
            for table in FORMS:
                if table in busy and not self._batch(table, stored, rows, done):
                    busy.discard(table)
        sent = done.sent + done.aside - before
        began, lines_sent = self._backlog or (now, 0)
        if busy:
            self._live = {table: self._live.get(table, stored) for table in FORMS}
            self._backlog_from = now + sent / self.pace
            self._backlog = began, lines_sent + sent
        elif self._backlog is not None:
            taken = self.monotonic() - began
            _log.info("a backlog of %d lines was sent within %.0f s", lines_sent + sent, taken)
            self._live, self._backlog = {}, None

    def _ahead(self, table: str, stored: int, done: Drained) -> None:
        """Sends what was stored since the last call before the backlog, which passes it again in its turn."""
        frame = self.source.after(table, self._live[table], LIVE_ROWS)
        fresh = frame.filter(pl.col("revision") <= stored)
        if len(frame) < LIVE_ROWS and len(fresh):
            # what is refused is set aside in its turn
            done.sent += self._put(table, fresh)[0]
        self._live[table] = stored

    def _batch(self, table: str, stored: int, limit: int, done: Drained) -> bool:
        """Sends a table's next rows, about `limit` of them; whether there may be more."""
        if self._begun(table):
            return self._part(table, done)
        after = self.cursor(table)
        while True:
            frame = self.source.after(table, after, limit)
            last = int(frame["revision"][-1]) if len(frame) else 0
            full = len(frame) >= limit and last <= stored
            whole = frame.filter(pl.col("revision") < last if full else pl.col("revision") <= stored)
            if whole.is_empty() and not full:
                return False
            if not whole.is_empty():
                break
            if limit >= LARGE_ROWS:
                self._keep(table, after, [], done, (last, 0))
                return self._part(table, done)
            limit = LARGE_ROWS
        sent, refused = self._put(table, whole)
        self._keep(table, int(whole["revision"][-1]), refused, done)
        done.sent += sent
        return full

    def _part(self, table: str, done: Drained) -> bool:
        """Sends the next part of a large revision; the cursor moves when it was the last."""
        (revision, since) = self._begun(table) or (0, 0)
        frame, following = self.source.part(table, revision, since, PART_ROWS)
        sent, refused = self._put(table, frame)
        if following is None:
            self._keep(table, revision, refused, done)
        else:
            self._keep(table, self.cursor(table), refused, done, (revision, following))
        done.sent += sent
        return True

    def _begun(self, table: str) -> tuple[int, int] | None:
        """The large revision of which parts were taken, and up to when [µs]."""
        row = self._db.execute("SELECT revision, since FROM part WHERE name = ?", (table,)).fetchone()
        return (int(row[0]), int(row[1])) if row else None

    def _put(self, table: str, frame: pl.DataFrame) -> tuple[int, list[Refusal]]:
        """Writes rows, a request's worth at a time: how many were taken, and which were not."""
        sent, misfits, refused = 0, list[Refusal](), list[Refusal]()
        under_way: Future[int] | None = None
        for start in range(0, len(frame), BATCH_ROWS):
            # lines are made while the server takes those before: it is the slower one
            some = frame.slice(start, BATCH_ROWS)
            written = some.with_columns(lines(table, some, self.plant))
            fit = is_line(written["line"])
            misfits += [(row, "not line protocol") for row in written.filter(~fit).iter_rows(named=True)]
            sent += under_way.result() if under_way else 0
            under_way = self._sender.submit(self._send, written.filter(fit), refused, sent)
        sent += under_way.result() if under_way else 0
        return sent, misfits + refused

    def _send(self, rows: pl.DataFrame, refused: list[Refusal], sent: int) -> int:
        """Writes rows, `sent` were before; how many were taken. Those refused are found by halving.

        A server that refuses one after the other and has taken none is not at odds with a line but with us all.
        """
        if rows.is_empty():
            return 0
        try:
            self.write("\n".join(rows["line"]))
            return len(rows)
        except ServerError as error:
            if error.status not in REFUSING:
                raise self._hold(error) from error
            if len(rows) > 1:
                half = len(rows) // 2
                taken = self._send(rows.slice(0, half), refused, sent)
                return taken + self._send(rows.slice(half), refused, sent + taken)
            refused.append((rows.row(0, named=True), str(error)))
            if len(refused) > REFUSED_MAX and not sent:
                raise self._hold(error) from error
            return 0

    def _hold(self, error: ServerError) -> _Held:
        """Says how long to leave the server alone: as it asked, long when it knows us not, else doubling."""
        if error.retry_after_s is not None:
            pause = error.retry_after_s
        elif not error.retryable:
            pause = PAUSE_REFUSED_S
        else:
            pause = self._pause_s
            self._pause_s = min(PAUSE_MAX_S, 2 * self._pause_s)
        self._not_before = self.monotonic() + pause
        _log.warning("%s; trying again in %.0f s, nothing is lost", error, pause)
        return _Held(str(error))

    def _keep(
        self, table: str, revision: int, refused: list[Refusal], done: Drained, part: tuple[int, int] | None = None
    ) -> None:
        """Remembers how far a table was taken, and what was not."""
        form = FORMS[table]
        for row, reason in refused:
            moment = row[form.time]
            if table != "notices" and moment is not None:
                point = str(row.get("point") or row.get("kpi") or row.get("scope") or "")
                evidence = f"{reason}: {row['line']}"[:1000]
                found = {"point": point, "start": moment, "end": moment, "finding": REFUSED, "evidence": evidence}
                done.notices.append({**found, "revision": revision})
        if refused:
            _log.warning("%d lines of %s were not taken and set aside: %s", len(refused), table, refused[0][1])
        done.aside += len(refused)
        lines_refused = [(row["line"] or repr({**row, "line": None}), table, reason) for row, reason in refused]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO aside(line, name, reason) VALUES (?, ?, ?)", lines_refused)
                self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (table, revision))
                self._db.execute("DELETE FROM part WHERE name = ?", (table,))
                if part is not None:
                    self._db.execute("INSERT INTO part VALUES (?, ?, ?)", (table, *part))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error
