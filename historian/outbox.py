"""The outbox to the time-series server: a cursor for each table, so that a server down for days loses nothing.

A file of its own, `outbox.sqlite`: the revision up to which each table was taken by the server, and the lines that it
refused. A crash between a write and its cursor writes some lines again, which changes nothing: they are upserts.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from historian.influx import ServerError
from historian.line_protocol import FORMS, is_line, lines
from historian.tables import NOTICES
from plant.errors import StorageError
from plant.model import Plant

BATCH_ROWS = 5_000
BATCH_ROWS_MAX = 2_000_000
REFUSED_MAX = 20
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 60.0
PAUSE_REFUSED_S = 60.0
REFUSED = "not taken by the time-series server"

Source = Callable[[str, int, int], pl.DataFrame]
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


class _Held(Exception):
    """The server takes nothing at present; ends a round."""


class Outbox:
    """Sends the tables' new rows to `write`, oldest first, each table in turn; not for several threads at once.

    `source(table, after_revision, limit)` gives the rows with a higher revision, sorted by it, at most `limit`; a
    whole revision is sent or none of it. `monotonic` is real time [s].
    """

    def __init__(
        self, plant: Plant, folder: Path, source: Source, write: Write, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Opens or creates the file. Raises StorageError when it cannot."""
        folder.mkdir(parents=True, exist_ok=True)
        self.site, self.source, self.write, self.monotonic = plant.site.id, source, write, monotonic
        self.path = folder / "outbox.sqlite"
        self._not_before = 0.0
        self._pause_s = PAUSE_FIRST_S
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS cursor(name TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID"
            )
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

    def drain(self, budget: int = 50_000) -> Drained:
        """Sends about `budget` lines at most; returns at once while the server rests. Never raises for the server."""
        done = Drained()
        if self.monotonic() < self._not_before:
            return done
        busy = set(FORMS)
        try:
            while busy and done.sent + done.aside < budget:
                for table in FORMS:
                    if table in busy and not self._batch(table, done):
                        busy.discard(table)
        except _Held as held:
            done.error = str(held)
        else:
            self._pause_s = PAUSE_FIRST_S
        return done

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _batch(self, table: str, done: Drained) -> bool:
        """Sends a table's next rows; whether there may be more."""
        after, limit = self.cursor(table), BATCH_ROWS
        while True:
            frame = self.source(table, after, limit)
            if frame.is_empty():
                return False
            last = int(frame["revision"][-1])
            whole = frame if len(frame) < limit else frame.filter(pl.col("revision") < last)
            if not whole.is_empty():
                break
            if limit >= BATCH_ROWS_MAX:
                raise StorageError(f"{table}: more than {limit} rows of one revision")
            limit *= 4
        written = whole.with_columns(lines(table, whole, self.site))
        fit = is_line(written["line"])
        misfits = [(row, "not line protocol") for row in written.filter(~fit).iter_rows(named=True)]
        rows = written.filter(fit)
        sent, refused = 0, list[Refusal]()
        for start in range(0, len(rows), BATCH_ROWS):
            sent += self._send(rows.slice(start, BATCH_ROWS), refused, sent)
        self._keep(table, int(whole["revision"][-1]), misfits + refused, done)
        done.sent += sent
        return len(frame) >= limit

    def _send(self, rows: pl.DataFrame, refused: list[Refusal], sent: int) -> int:
        """Writes rows, `sent` were before; how many were taken. Those refused are found by halving.

        A server that refuses one after the other and has taken none is not at odds with a line but with us all.
        """
        try:
            self.write("\n".join(rows["line"]))
            return len(rows)
        except ServerError as error:
            if error.status not in (400, 413, 422):
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

    def _keep(self, table: str, revision: int, refused: list[Refusal], done: Drained) -> None:
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
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error
