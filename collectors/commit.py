"""The one commit thread: gathers what all collectors received, commits it in groups, and only then acknowledges."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from collectors.mqtt.payload import Received, Rejected
from collectors.status import Status
from journal.message import Kind, encode_body, encode_readings
from plant.clock import PlantClock
from plant.errors import StorageError
from plant.reading import MINUTE, Readings

Token = TypeVar("Token")

HOLD_S = 0.1
TRIM_EVERY_S = 1.0
RETRY_FIRST_S, RETRY_LAST_S = 0.5, 10.0
BACKLOG_MAX = 500_000


class Store(Protocol):
    """What the commit thread needs of a journal."""

    def append(self, messages: Iterable[tuple[Kind, bytes]]) -> int:
        """Writes messages; on return they are on disk."""

    def trim(self, keep: int = 0) -> int:
        """Deletes a few served messages."""


@dataclass
class _Batch(Generic[Token]):
    readings: list[Readings] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)


class Committer(Generic[Token]):
    """Takes readings and MQTT messages from any thread and brings them to the journal.

    A commit happens when half the receive `window` of messages has come, 0.1 s after the first one of a group, or when
    a minute of plant time has passed (which also appends its tick). While the journal cannot be written nothing is
    acknowledged and nothing dropped: the same batch is tried again until it is on disk.
    """

    def __init__(
        self,
        store: Store,
        clock: PlantClock,
        status: Status,
        decode: Callable[[Sequence[Received]], tuple[Readings, dict[str, Rejected]]],
        acknowledge: Callable[[Sequence[Token]], None],
        *,
        window: int = 1000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._clock, self._status = store, clock, status
        self._decode, self._acknowledge, self._monotonic = decode, acknowledge, monotonic
        self.window = window
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._waiting: _Batch[Token] = _Batch()
        self._readings_waiting = 0
        self._since: float | None = None
        self._failed: tuple[list[tuple[Kind, bytes]], list[Token], int] | None = None
        self._retry_at = 0.0
        self._retry_s = RETRY_FIRST_S
        self._last_minute = clock.now_us() // MINUTE
        self._trim_at = monotonic() + TRIM_EVERY_S

    def put(self, readings: Readings) -> None:
        """Hands over readings that nobody waits an acknowledgement for."""
        with self._lock:
            self._waiting.readings.append(readings)
            self._readings_waiting += len(readings)
            self._begin()

    def put_message(self, message: Received, token: Token) -> None:
        """Hands over an MQTT message and what acknowledges it."""
        with self._lock:
            self._waiting.messages.append(message)
            self._waiting.tokens.append(token)
            self._begin()
            if len(self._waiting.tokens) == max(1, self.window // 2):
                self._wake.set()

    def accepts(self) -> bool:
        """Whether there is room for more polled readings; there is none when the journal has failed for long."""
        return self._readings_waiting < BACKLOG_MAX

    def stop(self) -> None:
        """Asks the thread to commit what it has and to end."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """The thread: ends after `stop`, with everything committed that the journal would take."""
        while True:
            wait = self.turn()
            if self._stopping:
                self.turn()
                return
            self._wake.wait(wait)
            self._wake.clear()

    def turn(self) -> float:
        """Commits if it is time to. Returns the real seconds until the next look [s]."""
        now = self._monotonic()
        if self._failed is not None and (now >= self._retry_at or self._stopping):
            self._write(*self._failed)
        if self._failed is None and self._due(now):
            self._write(*self._gather())
        if now >= self._trim_at:
            self._trim(now)
        return self._pause(now)

    def _begin(self) -> None:
        if self._since is None:
            self._since = self._monotonic()
            self._wake.set()

    def _due(self, now: float) -> bool:
        if self._clock.now_us() // MINUTE > self._last_minute or self._stopping:
            return True
        with self._lock:
            if self._since is None:
                return False
            return now >= self._since + HOLD_S or len(self._waiting.tokens) >= max(1, self.window // 2)

    def _gather(self) -> tuple[list[tuple[Kind, bytes]], list[Token], int]:
        """What waits as journal messages; the tick goes first, so that nothing just read lies ahead of it."""
        minute = self._clock.now_us() // MINUTE
        with self._lock:
            batch, self._waiting = self._waiting, _Batch()
            self._since = None
            self._readings_waiting = 0
        batches = batch.readings
        if batch.messages:
            decoded, rejected = self._decode(batch.messages)
            batches.append(decoded)
            for device, found in rejected.items():
                self._status.rejected(device, found)
        readings = Readings.join(batches)
        messages: list[tuple[Kind, bytes]] = []
        if minute > self._last_minute:
            self._last_minute = minute
            messages.append(("tick", encode_body({"time": minute * MINUTE})))
        if len(readings):
            messages.append(("readings", encode_readings(readings)))
        return messages, batch.tokens, len(readings)

    def _write(self, messages: list[tuple[Kind, bytes]], tokens: list[Token], readings: int) -> None:
        journal = self._status.journal
        began = self._monotonic()
        if messages:
            try:
                journal.position = self._store.append(messages)
            except StorageError as error:
                self._failed = (messages, tokens, readings)
                self._retry_at = began + random.uniform(self._retry_s / 2, self._retry_s)
                self._retry_s = min(2 * self._retry_s, RETRY_LAST_S)
                journal.storage_error, journal.waiting = str(error), readings + self._readings_waiting
                return
            journal.commits += 1
            journal.readings += readings
            journal.messages += len(tokens)
            journal.last_commit = self._clock.now_us()
            journal.commit_ms = round((self._monotonic() - began) * 1e3, 3)
        journal.storage_error, journal.waiting = "", self._readings_waiting
        self._failed, self._retry_s = None, RETRY_FIRST_S
        if tokens:
            self._acknowledge(tokens)

    def _trim(self, now: float) -> None:
        self._trim_at = now + TRIM_EVERY_S
        try:
            self._store.trim()
        except (StorageError, sqlite3.Error) as error:
            self._status.journal.trim_error = str(error)
        else:
            self._status.journal.trim_error = ""

    def _pause(self, now: float) -> float:
        until = [self._trim_at - now]
        if self._failed is not None:
            until.append(self._retry_at - now)
        else:
            until.append(self._clock.real_seconds_until((self._last_minute + 1) * MINUTE))
            with self._lock:
                if self._since is not None:
                    until.append(self._since + HOLD_S - now)
        return max(0.0, min(until))
