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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from historian.influx import sending
from historian.influx.client import ServerError
from historian.influx.described import described_lines
from historian.influx.line_protocol import FORMS, form_of, withdrawn
from historian.influx.outgoing import Outgoing
from historian.influx.sending import REFUSING, Batch, Sender, Write
from historian.tables import NOTICES, READINGS
from plant.errors import StorageError
from plant.model import Plant

READ_ROWS = 60_000
"""Rows that are read at once where so many may be sent."""
LARGE_ROWS = 80_000
"""A revision of no more rows is read at once, a larger one in parts."""
PART_ROWS = 100_000
LIVE_ROWS = 50_000
"""More than this since the last round is a backlog itself."""
PACE = 20_000.0
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 60.0
PAUSE_REFUSED_S = 60.0
REFUSED = "not taken by the time-series server"

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
        outgoing: Outgoing | None = None,
    ) -> None:
        """Opens or creates the file; readings are sent from `outgoing`. Raises StorageError when it cannot."""
        folder.mkdir(parents=True, exist_ok=True)
        self.source, self.monotonic, self.pace = source, monotonic, pace
        self.path = folder / "outbox.sqlite"
        self._outgoing = outgoing
        self._described = set(described_lines(plant))
        self._not_before = 0.0
        self._pause_s = PAUSE_FIRST_S
        self._sender = Sender(plant, write)
        self._live = dict[str, int]()
        self._backlog_from = self._readings_from = 0.0
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
            if self._outgoing is not None:
                done.notices += self._outgoing.lost()
            self._describe()
            for table in [*self._live]:
                self._ahead(table, stored, done)
            if now >= self._backlog_from:
                self._waiting(stored, int(self.pace) if budget is None else budget, now, done)
        except ServerError as error:
            done.error = str(error)
            self._rest(error)
        else:
            self._pause_s = PAUSE_FIRST_S
        return done

    def close(self) -> None:
        """Closes the file."""
        self._sender.close()
        if self._outgoing is not None:
            self._outgoing.close()
        self._db.close()

    def _describe(self) -> None:
        """Sends what is marked of the description where it is not what was sent last; what went, as not valid."""
        known = {line for (line,) in self._db.execute("SELECT line FROM described")}
        if known == self._described:
            return
        # one that only reads otherwise now is written over
        gone = {*map(withdrawn, known)} - {*map(withdrawn, self._described)}
        try:
            self._sender.send_lines([*sorted(gone), *sorted(self._described)])
        except ServerError as error:
            if error.status not in REFUSING:
                raise
            # boards lack a mark then; no reason to keep results back
            _log.warning("the lines of options and maintenance were not taken: %s", error)
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("DELETE FROM described")
                self._db.executemany("INSERT INTO described VALUES (?)", [(line,) for line in self._described])
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error

    def _waiting(self, stored: int, budget: int, now: float, done: Drained) -> None:
        """Sends what waits, oldest first, each table in turn, as far as the budget goes."""
        busy, before = set(FORMS), done.sent + done.aside
        self._sender.send(self._batches(busy, stored, budget, now), lambda batch: self._keep(batch, done))
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
            batch = Batch(table, fresh, stored)
            self._sender.send([batch], lambda _: None)
            done.sent += batch.taken
        self._live[table] = stored

    def _batches(self, busy: set[str], stored: int, budget: int, now: float) -> Iterator[Batch]:
        """What waits, oldest first, each table in turn, as far as the budget goes; tables without more leave `busy`.

        Readings come last, with what is left of it: a backlog of theirs holds nothing else back.
        """
        places = {table: (self.cursor(table), self._begun(table)) for table in FORMS}
        limit, given = min(max(budget, sending.BATCH_ROWS), READ_ROWS), 0
        while busy and given < budget:
            for table in FORMS:
                if table not in busy:
                    continue
                batch, more = self._next(table, *places[table], stored, limit)
                if not more:
                    busy.discard(table)
                if batch is not None:
                    given += len(batch.rows)
                    places[table] = batch.revision, batch.part
                    yield batch
        if self._outgoing is not None and given < budget and now >= self._readings_from:
            for batch in self._outgoing.batches(self.cursor(READINGS.name), budget - given, limit):
                given += len(batch.rows)
                yield batch
            self._readings_from = now + given / self.pace

    def _next(
        self, table: str, after: int, part: tuple[int, int] | None, stored: int, limit: int
    ) -> tuple[Batch | None, bool]:
        """A table's next rows, about `limit` of them, and whether there may be more."""
        while part is None:
            frame = self.source.after(table, after, limit)
            last = int(frame["revision"][-1]) if len(frame) else 0
            full = len(frame) >= limit and last <= stored
            whole = frame.filter(pl.col("revision") < last if full else pl.col("revision") <= stored)
            if len(whole):
                return Batch(table, whole, int(whole["revision"][-1])), full
            if not full:
                return None, False
            if limit >= LARGE_ROWS:
                part = (last, 0)
            limit = LARGE_ROWS
        revision, since = part
        frame, following = self.source.part(table, revision, since, PART_ROWS)
        if following is None:
            return Batch(table, frame, revision), True
        return Batch(table, frame, after, (revision, following)), True

    def _begun(self, table: str) -> tuple[int, int] | None:
        """The large revision of which parts were taken, and up to when [µs]."""
        row = self._db.execute("SELECT revision, since FROM part WHERE name = ?", (table,)).fetchone()
        return (int(row[0]), int(row[1])) if row else None

    def _rest(self, error: ServerError) -> None:
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

    def _keep(self, batch: Batch, done: Drained) -> None:
        """Remembers how far a table was taken, and what was not."""
        table, refused = batch.table, batch.misfits + batch.refused
        form = form_of(table)
        for row, reason in refused:
            moment = row[form.time]
            if table != "notices" and moment is not None:
                point = str(row.get("point") or row.get("kpi") or row.get("scope") or "")
                evidence = f"{reason}: {row['line']}"[:1000]
                found = {"point": point, "start": moment, "end": moment, "finding": REFUSED, "evidence": evidence}
                done.notices.append({**found, "revision": batch.revision})
        if refused:
            _log.warning("%d lines of %s were not taken and set aside: %s", len(refused), table, refused[0][1])
        done.aside += len(refused)
        done.sent += batch.taken
        lines_refused = [(row["line"] or repr({**row, "line": None}), table, reason) for row, reason in refused]
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT OR REPLACE INTO aside(line, name, reason) VALUES (?, ?, ?)", lines_refused)
                self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (table, batch.revision))
                self._db.execute("DELETE FROM part WHERE name = ?", (table,))
                if batch.part is not None:
                    self._db.execute("INSERT INTO part VALUES (?, ?, ?)", (table, *batch.part))
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error
        if self._outgoing is not None and table == READINGS.name:
            self._outgoing.taken(batch.revision)
