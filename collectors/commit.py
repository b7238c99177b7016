"""The one commit thread: gathers what all collectors received, commits it in groups, and only then acknowledges."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import numpy as np

from collectors.source import Source
from collectors.status import Status
from journal.message import Kind, encode_body, encode_readings
from plant.clock import PlantClock
from plant.errors import DamagedError, StorageError
from plant.reading import MINUTE, Readings

HOLD_S = 0.1
TRIM_EVERY_S = 1.0
RETRY_FIRST_S, RETRY_LAST_S = 0.5, 10.0
BACKLOG_MAX = 200_000
RESUME_BELOW = 0.9
ROWS_MAX = 1_000_000
"""A row of the journal holds no more readings: SQLite takes no value of a gigabyte."""
BUDGET_REACHED = "journal budget reached"

_log = logging.getLogger(__name__)


class Store(Protocol):
    """What the commit thread needs of a journal."""

    def append(self, messages: Iterable[tuple[Kind, bytes]], marks: Mapping[str, bytes] | None = None) -> int:
        """Writes messages and marks; on return they are on disk."""

    def trim(self, keep: int = 0) -> int:
        """Deletes a few served messages."""

    def used_bytes(self) -> int:
        """What the contents take."""


@dataclass(frozen=True)
class _Group:
    """What goes to disk together, and whom to tell."""

    messages: list[tuple[Kind, bytes]]
    marks: dict[str, bytes]
    items: list[tuple[Source[Any], list[Any]]]
    readings: int

    @property
    def count(self) -> int:
        """How many items it is made of."""
        return sum(len(items) for _, items in self.items)


class Committer:
    """Takes items from any thread and brings what their sources make of them to the journal.

    A commit happens when a source has `enough` items waiting, 0.1 s after the first one of a group, or when a minute of
    plant time has passed (which also appends its tick). While the journal cannot be written, or has reached its budget
    [bytes], nothing is acknowledged and nothing dropped: what was gathered is tried again until it is on disk, what was
    not waits where it is, and `accepts` tells pollers to pause.
    """

    def __init__(
        self,
        store: Store,
        clock: PlantClock,
        status: Status,
        *,
        budget: float = float("inf"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._clock, self._status = store, clock, status
        self._budget, self._monotonic = budget, monotonic
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._waiting: dict[Source[Any], list[Any]] = {}
        self._count = 0
        self._enough = False
        self._since: float | None = None
        self._failed: _Group | None = None
        self._retry_at = 0.0
        self._retry_s = RETRY_FIRST_S
        self._last_minute = clock.now_us() // MINUTE
        self._trim_at = monotonic() + TRIM_EVERY_S
        self._full_since: int | None = None
        self._notices: list[dict[str, Any]] = []
        status.journal.budget_bytes = int(budget) if isfinite(budget) else None
        self.broken: Exception | None = None

    def put(self, source: Source[Any], items: Sequence[Any]) -> None:
        """Hands over items of a source, in their order."""
        if not items:
            return
        with self._lock:
            waiting = self._waiting.setdefault(source, [])
            waiting.extend(items)
            self._count += len(items)
            enough = not self._enough and len(waiting) >= source.enough
            self._enough |= enough
            if self._since is None:
                self._since = self._monotonic()
                enough = True
        if enough:
            self._wake.set()

    def hurry(self) -> None:
        """Has what waits committed now: somebody waits for it."""
        with self._lock:
            self._enough = True
        self._wake.set()

    def notice(self, finding: str, evidence: str, point: str = "") -> None:
        """Has a notice appended with the next commit."""
        now = self._clock.now_us()
        with self._lock:
            self._notices.append({"point": point, "start": now, "end": now, "finding": finding, "evidence": evidence})

    def waiting(self) -> int:
        """How many items wait for the disk."""
        return self._count

    def accepts(self) -> bool:
        """Whether there is room for more polled readings: neither a long failure nor a full budget."""
        return self._full_since is None and self._count < BACKLOG_MAX

    def stop(self) -> None:
        """Asks the thread to commit what it has and to end."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """The thread: ends after `stop`, with everything committed that the journal would take.

        It also ends, and `broken` says of what, when the journal is damaged or anything unforeseen is raised: the
        process must then end and start anew. To go on would be worse, since sources have remembered by then what never
        came to disk, and would take its redelivery for known.
        """
        try:
            while self.broken is None:
                wait = self.turn()
                if self._stopping:
                    self.turn()
                    return
                self._wake.wait(wait)
                self._wake.clear()
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be acknowledged any more
            _log.exception("the commit thread cannot go on")
            self.broken = error

    def turn(self) -> float:
        """Commits if it is time to. Returns the real seconds until the next look [s]."""
        now = self._monotonic()
        if self._failed is not None and (now >= self._retry_at or self._stopping):
            self._write(self._failed)
        if self._failed is None and self._due(now):
            self._write(self._gather())
        if now >= self._trim_at:
            self._trim(now)
        self._status.journal.waiting = self._count + (self._failed.count if self._failed else 0)
        return self._pause(now)

    def _due(self, now: float) -> bool:
        if self._clock.now_us() // MINUTE > self._last_minute or self._stopping or self._notices:
            return True
        if self._full_since is not None:
            return False
        with self._lock:
            return self._since is not None and (self._enough or now >= self._since + HOLD_S)

    def _gather(self) -> _Group:
        """What waits as journal messages; the tick goes first, so that nothing just read lies ahead of it."""
        minute = self._clock.now_us() // MINUTE
        items: list[tuple[Source[Any], list[Any]]] = []
        with self._lock:
            notices, self._notices = self._notices, []
            if self._full_since is None or self._stopping:
                items, self._waiting = list(self._waiting.items()), {}
                self._since, self._enough, self._count = None, False, 0
        batches: list[Readings] = []
        marks: dict[str, bytes] = {}
        for source, waiting in items:
            decoded = source.decode(waiting)
            batches.append(decoded.readings)
            marks.update(decoded.marks)
            notices += [dict(notice) for notice in decoded.notices]
            for device, found in decoded.rejected.items():
                self._status.rejected(device, found)
        readings = Readings.join(batches)
        self._status.accepted(readings)
        messages: list[tuple[Kind, bytes]] = []
        if minute > self._last_minute:
            self._last_minute = minute
            messages.append(("tick", encode_body({"time": minute * MINUTE})))
        for first in range(0, len(readings), ROWS_MAX):
            piece = readings.take(np.arange(first, min(first + ROWS_MAX, len(readings))))
            messages.append(("readings", encode_readings(piece)))
        messages += [("notice", encode_body(notice)) for notice in notices]
        return _Group(messages, marks, items, len(readings))

    def _write(self, group: _Group) -> None:
        journal = self._status.journal
        began = self._monotonic()
        if group.messages or group.marks:
            try:
                journal.position = self._store.append(group.messages, group.marks)
            except StorageError as error:
                self._failed = group
                self._retry_at = began + random.uniform(self._retry_s / 2, self._retry_s)
                self._retry_s = min(2 * self._retry_s, RETRY_LAST_S)
                journal.storage_error = str(error)
                self.broken = error if isinstance(error, DamagedError) else None
                return
            journal.commits += 1
            journal.readings += group.readings
            journal.messages += group.count
            journal.last_commit = self._clock.now_us()
            journal.commit_ms = round((self._monotonic() - began) * 1e3, 3)
        journal.storage_error = ""
        self._failed, self._retry_s = None, RETRY_FIRST_S
        for source, items in group.items:
            try:
                source.committed(items)
            except Exception as error:  # noqa: BLE001 - the other sources are told all the same
                _log.exception("what is on disk could not be acknowledged")
                self.broken = error

    def _trim(self, now: float) -> None:
        self._trim_at = now + TRIM_EVERY_S
        journal = self._status.journal
        try:
            self._store.trim()
            journal.used_bytes = self._store.used_bytes()
        except StorageError as error:
            journal.trim_error = str(error)
            self.broken = error if isinstance(error, DamagedError) else self.broken
            return
        journal.trim_error = ""
        if self._full_since is None and journal.used_bytes >= self._budget:
            self._full_since = self._clock.now_us()
            journal.paused = True
            self.notice(BUDGET_REACHED, f"{journal.used_bytes:,} of {self._budget:,.0f} bytes: reading pauses")
        elif self._full_since is not None and journal.used_bytes < RESUME_BELOW * self._budget:
            minutes = (self._clock.now_us() - self._full_since) / MINUTE
            self._full_since = None
            journal.paused = False
            self.notice(BUDGET_REACHED, f"over: reading had paused for {minutes:.1f} min")

    def _pause(self, now: float) -> float:
        until = [self._trim_at - now]
        if self._failed is not None:
            until.append(self._retry_at - now)
        else:
            until.append(self._clock.real_seconds_until((self._last_minute + 1) * MINUTE))
            with self._lock:
                if self._since is not None and self._full_since is None:
                    until.append(self._since + HOLD_S - now)
        return max(0.0, min(until))
