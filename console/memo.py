"""Answers kept for a moment, so that ten open pages ask the historian no more often than one."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, cast

import polars as pl

from console.sources import History, Where

T = TypeVar("T")

SHARE = 0.2
MANY = 256


@dataclass
class _Entry:
    lock: Lock = field(default_factory=Lock)
    value: Any = None
    good_until: float = float("-inf")


class Memo:
    """Remembers answers by key; a question asked by several threads at once is answered once.

    An answer that took long is kept longer, so that one question never takes more than a fifth of the time.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._entries: dict[Hashable, _Entry] = {}
        self._lock = Lock()

    def get(self, key: Hashable, keep_s: float, ask: Callable[[], T]) -> T:
        """The remembered answer, or a new one that is good for at least `keep_s` seconds; raises what `ask` raises."""
        with self._lock:
            if len(self._entries) > MANY:
                now = self._monotonic()
                self._entries = {name: entry for name, entry in self._entries.items() if entry.good_until > now}
            entry = self._entries.setdefault(key, _Entry())
        with entry.lock:
            started = self._monotonic()
            if started >= entry.good_until:
                entry.value = ask()
                finished = self._monotonic()
                entry.good_until = finished + max(keep_s, (finished - started) / SHARE)
            return cast(T, entry.value)


class CachedHistory:
    """A history that answers the same question from memory for a moment."""

    def __init__(self, history: History, memo: Memo) -> None:
        self._history = history
        self._memo = memo

    def table(
        self,
        name: str,
        start_us: int | None = None,
        end_us: int | None = None,
        where: Where | None = None,
        *,
        keep_s: float = 2.0,
    ) -> pl.DataFrame:
        """As `History.table`; callers round the times, or no question is ever the same."""
        wanted = tuple(
            sorted((key, (value,) if isinstance(value, str) else tuple(value)) for key, value in (where or {}).items())
        )
        key = ("table", name, start_us, end_us, wanted)
        return self._memo.get(key, keep_s, lambda: self._history.table(name, start_us, end_us, where))

    def latest_kpis(self) -> pl.DataFrame:
        """As `History.latest_kpis`."""
        return self._memo.get("latest_kpis", 0.9, self._history.latest_kpis)

    def latest_readings(self) -> pl.DataFrame:
        """As `History.latest_readings`."""
        return self._memo.get("latest_readings", 0.9, self._history.latest_readings)

    def baselines(self) -> list[dict[str, Any]]:
        """As `History.baselines`."""
        return self._memo.get("baselines", 5.0, self._history.baselines)
