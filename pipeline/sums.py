"""Running sums of a scope's KPIs: minutes for the last days, whole hours for a month, whole local days for 13 months.

Every sum is int64, so that it depends neither on order nor on how its minutes were batched, and an emptied window is
exactly 0. A changed minute changes its hour and its day by the difference.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.rows import pack, unpack
from plant.calendar import Calendar
from plant.reading import DAY, MINUTE

Sums = NDArray[np.int64]
MINUTES_KEPT = 52 * 60
HOURS_KEPT = 31 * 24 + 26
DAYS_KEPT = 400


class Field(IntEnum):
    """What is summed: numerator and denominator over known minutes [STEP], minutes by what is known of them, and the
    lowest and highest numerator and denominator of unknown minutes [STEP]; what the baseline expected [STEP], and over
    how many minutes."""

    NUMERATOR = 0
    DENOMINATOR = 1
    KNOWN = 2
    ESTIMATED = 3
    SUSPECT = 4
    UNBOUNDED = 5
    NUMERATOR_LOW = 6
    NUMERATOR_HIGH = 7
    DENOMINATOR_LOW = 8
    DENOMINATOR_HIGH = 9
    EXPECTED = 10
    EXPECTED_KNOWN = 11


class KpiSums:
    """Sums of all KPIs of a scope: arrays [time, KPI, field]."""

    def __init__(self, kpis: int, calendar: Calendar) -> None:
        self._kpis = kpis
        self._calendar = calendar
        self.start = 0
        self.trimmed = False
        self.minutes: Sums = self._empty(0)
        self.hours: dict[int, Sums] = {}
        self.days: dict[int, Sums] = {}
        self.touched: set[tuple[str, int]] = set()
        self._stored: set[tuple[str, int]] = set()
        self._prefix: Sums | None = None

    def _empty(self, n: int) -> Sums:
        return np.zeros((n, self._kpis, len(Field)), np.int64)

    @property
    def end(self) -> int:
        """The first minute not summed yet."""
        return self.start + len(self.minutes)

    def oldest(self) -> int:
        """The first minute that may still be set: none before those held, once older ones were forgotten."""
        return self.start if self.trimmed else 0

    def put(self, start: int, sums: Sums) -> None:
        """Sets the sums of consecutive minutes from `start` on; later ones that are held stay."""
        self._prefix = None
        if not len(self.minutes):
            self.start = start
        if start < self.start:
            self.minutes = np.concatenate([self._empty(self.start - start), self.minutes])
            self.start = start
        if start > self.end:
            sums = np.concatenate([self._empty(start - self.end), sums])
            start = self.end
        low, high = start - self.start, start - self.start + len(sums)
        if high > len(self.minutes):
            self.minutes = np.concatenate([self.minutes, self._empty(high - len(self.minutes))])
        difference = sums - self.minutes[low:high]
        self.minutes[low:high] = sums
        minute = start + np.arange(len(sums))
        self._add(self.hours, "hour", minute // 60, difference)
        days = self._day_of(minute)
        self._add(self.days, "day", days, difference)

    def _add(self, rows: dict[int, Sums], kind: str, key: NDArray[np.int64], difference: Sums) -> None:
        edges = np.flatnonzero(np.diff(key, prepend=key[0] - 1)) if len(key) else key
        if len(edges):
            for at, total in zip(key[edges].tolist(), np.add.reduceat(difference, edges, axis=0), strict=True):
                rows[at] = rows[at] + total if at in rows else total
                self.touched.add((kind, at))

    def _day_of(self, minute: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first minute of the local day that holds each minute."""
        found = np.empty(len(minute), np.int64)
        at = 0
        while at < len(minute):
            day = self._calendar.day(int(minute[at]) * MINUTE)
            high = int(np.searchsorted(minute, day.end // MINUTE))
            found[at:high] = day.start // MINUTE
            at = high
        return found

    def trim(self) -> None:
        """Forgets what no window reaches any more."""
        self._prefix = None
        extra = len(self.minutes) - MINUTES_KEPT
        if extra > 0:
            self.minutes = self.minutes[extra:]
            self.start += extra
            self.trimmed = True
        for rows, oldest in (
            (self.hours, self.end // 60 - HOURS_KEPT),
            (self.days, self.end - DAYS_KEPT * DAY // MINUTE),
        ):
            for key in [key for key in rows if key < oldest]:
                del rows[key]

    def between(self, starts: NDArray[np.int64], ends: NDArray[np.int64], coarse: str = "") -> Sums:
        """Sums over [start, end) for each pair of minutes.

        Pairs that begin before the minutes held need `coarse`: "hour" or "day", whose whole rows then carry the older
        part; their starts lie on such a row's start.
        """
        if self._prefix is None:
            self._prefix = np.concatenate([self._empty(1), np.cumsum(self.minutes, axis=0)])
        prefix = self._prefix
        joint = starts.copy()
        older = (starts < self.start) & self.trimmed
        if older.any() and coarse:
            if coarse == "hour":
                joint[older] = -(-self.start // 60) * 60
            else:
                first = self._calendar.day(self.start * MINUTE)
                joint[older] = (first.end if first.start < self.start * MINUTE else first.start) // MINUTE
        low = np.clip(joint - self.start, 0, len(self.minutes))
        high = np.clip(ends - self.start, 0, len(self.minutes))
        total: Sums = prefix[np.maximum(high, low)] - prefix[low]
        if older.any() and coarse:
            total = total + self._rows(starts, joint, coarse)
        return total

    def _rows(self, starts: NDArray[np.int64], ends: NDArray[np.int64], coarse: str) -> Sums:
        rows, unit = (self.hours, 60) if coarse == "hour" else (self.days, 1)
        keys = np.array(sorted(rows), np.int64)
        if not len(keys):
            return self._empty(len(starts))
        prefix = np.concatenate([self._empty(1), np.cumsum(np.stack([rows[key] for key in keys.tolist()]), axis=0)])
        low, high = np.searchsorted(keys, -(-starts // unit)), np.searchsorted(keys, ends // unit)
        found: Sums = prefix[np.maximum(high, low)] - prefix[low]
        return found

    def checkpoint(self) -> list[tuple[str, int, bytes | None]]:
        """Rows touched since the last checkpoint: hours (with their minutes while these are held) and days."""
        rows: list[tuple[str, int, bytes | None]] = []
        for kind, at in sorted(self.touched):
            source = self.hours if kind == "hour" else self.days
            if at not in source:
                continue
            groups = {"sum": {"sum": source[at]}}
            if kind == "hour":
                low, high = max(at * 60 - self.start, 0), max(at * 60 + 60 - self.start, 0)
                groups["minutes"] = {"start": np.array([self.start + low]), "sums": self.minutes[low:high]}
            rows.append((f"sum {kind}", at, pack(groups)))
            self._stored.add((kind, at))
        self.touched.clear()
        gone = [(kind, at) for kind, at in self._stored if at not in (self.hours if kind == "hour" else self.days)]
        for kind, at in gone:
            self._stored.discard((kind, at))
            rows.append((f"sum {kind}", at, None))
        return rows

    def restore(self, rows: list[tuple[str, int, bytes]], columns: list[int | None]) -> None:
        """Takes back what `checkpoint` gave; `columns` says which stored KPI each of today's was (None: a new one)."""

        def today(stored: Sums) -> Sums:
            found = np.zeros((*stored.shape[:-2], self._kpis, len(Field)), np.int64)
            for number, was in enumerate(columns):
                if was is not None:
                    found[..., number, :] = stored[..., was, :]
            return found

        minutes: list[tuple[int, Sums]] = []
        for kind, at, body in sorted(rows):
            if kind not in ("sum hour", "sum day"):
                continue
            groups, _ = unpack(body)
            name = kind.removeprefix("sum ")
            (self.hours if name == "hour" else self.days)[at] = today(groups["sum"]["sum"])
            self._stored.add((name, at))
            if "minutes" in groups and len(groups["minutes"]["sums"]):
                minutes.append((int(groups["minutes"]["start"][0]), today(groups["minutes"]["sums"])))
        if minutes:
            end = minutes[-1][0] + len(minutes[-1][1])
            minutes = [part for part in minutes if part[0] >= end - MINUTES_KEPT - 60]
            self.start = minutes[0][0]
            self.minutes = np.concatenate([part for _, part in minutes])
            self.trimmed = min(self.hours) < self.start // 60
