"""Clocks of devices: what source times tell of the clock that stamped them, beside the times of receipt.

A device's *lag* is its newest source time less the time of receipt, minute of receipt by minute. It is steady when ten
minutes in a row differ by no more than a minute from one to the next. Only a step from one steady lag to another,
without a silence between them, is told of: a backlog, a redelivery or a busy line has no steady lag.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import greatest
from pipeline.judge import Finding
from pipeline.point_table import PointTable
from pipeline.series import Ints
from pipeline.unit_state import NEVER, UnitState
from plant.clock import to_datetime
from plant.reading import DAY, HOUR, MINUTE, SECOND

AT_1970 = "clock at 1970"
LOCAL = "local time"
BACK = "clock went back"
JUMPED = "clock jumped"
CREDIBLE_FROM_US = 10957 * DAY
"""2000-01-01: no meter that keepclean reads was stamping readings before."""
WITHIN_US = 2 * MINUTE
STEP_US = MINUTE
STEADY = 10
HEARD_MINUTES = 2 * DAY // MINUTE
QUARTER = 15
MANY = 32


@dataclass
class Clock:
    """A device's clock; `minute` of receipt is still open and `open_lag` its lag so far [µs], `last` is the last closed
    one and `lag` its lag, `steady` how many in a row were so. Likewise for another lag that may follow, after minute
    `other_after` from `other_from` on, and `local` minutes in a row, from `local_from` on, that lag as local time does.
    """

    minute: int = NEVER
    open_lag: int = 0
    last: int = NEVER
    lag: int = 0
    steady: int = 0
    other_after: int = NEVER
    other_from: int = NEVER
    other_first: int = 0
    other_lag: int = 0
    other_steady: int = 0
    local_from: int = NEVER
    local_lag: int = 0
    local: int = 0


def causes(table: PointTable, row: Ints, time: Ints, received: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of readings refused for their time: which were stamped by a clock at 1970, which in local time without a zone."""
    at_1970 = table.clocked[row] & (time < CREDIBLE_FROM_US)
    if table.zone is None:
        return at_1970, at_1970
    offset = _offsets(table.zone, received // MINUTE)
    return at_1970, table.clocked[row] & (offset != 0) & (np.abs(time - received - offset) <= WITHIN_US)


def listen(table: PointTable, state: UnitState, row: Ints, time: Ints, received: Ints) -> list[tuple[str, Finding]]:
    """Hears a batch's readings that were taken, and tells of clocks that stepped or run on local time.

    Of a batch that was received over longer, the last two days count.
    """
    if not table.streams.all():
        mine = table.streams[row]
        row, time, received = row[mine], time[mine], received[mine]
    zone = table.zone
    if not len(row) or zone is None:
        return []
    minute = received // MINUTE
    first, end = int(minute.min()), int(minute.max()) + 1
    begin = max(first, end - HEARD_MINUTES)
    if begin > first:
        mine = minute >= begin
        row, time, received, minute = row[mine], time[mine], received[mine], minute[mine]
    devices = len(table.devices)
    cell = (table.device * (end - begin) - begin).take(row) + minute
    lags = greatest(cell, time - received, devices * (end - begin), NEVER).reshape(devices, end - begin)
    local = _is_local(lags, _offsets(zone, np.arange(begin, end)))
    found: list[tuple[str, Finding]] = []
    for number in np.flatnonzero((lags > NEVER).any(axis=1)).tolist():
        at = np.flatnonzero(lags[number] > NEVER)
        known = state.clocks.get(table.devices[number], [])
        if known and len(at) == 1 and int(at[0]) + begin == known[0]:
            # the minute is still open
            known[1] = max(known[1], int(lags[number, at[0]]))
            continue
        clock = Clock(*known)
        heard = _Heard(table.devices[number], clock, int(table.silent_us[number]) // MINUTE, zone)
        heard.take((at + begin).tolist(), lags[number, at].tolist(), local[number, at].tolist())
        state.clocks[table.devices[number]] = list(vars(clock).values())
        if heard.found:
            mine = (table.device == number) & table.streams & table.owned
            found += [(table.names[int(np.argmax(mine))], one) for one in heard.found if mine.any()]
    return found


class _Heard:
    """What one device's minutes of receipt say."""

    def __init__(self, device: str, clock: Clock, silent: int, zone: ZoneInfo) -> None:
        self.device, self.clock, self.silent, self.zone = device, clock, silent, zone
        self.found: list[Finding] = []

    def take(self, minute: list[int], lag: list[int], local: list[bool]) -> None:
        """Minutes in order, the last of them still open, and which lag as local time; what was heard before is not."""
        clock = self.clock
        known = bisect_left(minute, clock.minute)
        minute, lag, local = minute[known:], lag[known:], local[known:]
        if not minute:
            return
        if minute[0] == clock.minute:
            lag[0] = max(clock.open_lag, lag[0])
        elif clock.minute > NEVER:
            here = _is_local(clock.open_lag, _offset(self.zone, clock.minute // QUARTER))
            minute, lag, local = [clock.minute, *minute], [clock.open_lag, *lag], [here, *local]
        clock.minute, clock.open_lag = minute[-1], lag[-1]
        if len(minute) > 1 and not self._goes_on(minute[:-1], lag[:-1], local):
            self._close(minute[:-1], lag[:-1], local)

    def _goes_on(self, minute: list[int], lag: list[int], local: list[bool]) -> bool:
        """Whether many minutes hold nothing but the steady lag; if so they are done."""
        clock = self.clock
        if len(minute) < MANY or clock.steady < STEADY or clock.other_steady or clock.local or any(local):
            return False
        if (np.abs(np.diff(lag, prepend=clock.lag)) > STEP_US).any():
            return False
        if (np.diff(minute, prepend=clock.last) > self.silent).any():
            return False
        clock.last, clock.lag = minute[-1], lag[-1]
        return True

    def _close(self, minute: list[int], lag: list[int], local: list[bool]) -> None:
        clock = self.clock
        for at, one, here in zip(minute, lag, local, strict=False):
            if clock.last > NEVER and at - clock.last > self.silent:
                clock.steady = clock.other_steady = clock.local = 0
            self._step(at, one)
            self._local(at, one, here)
            clock.last = at

    def _step(self, minute: int, lag: int) -> None:
        """Whether the lag is still what it was, or steps."""
        clock = self.clock
        if clock.steady and abs(lag - clock.lag) <= STEP_US:
            clock.lag, clock.steady, clock.other_steady = lag, min(clock.steady + 1, STEADY), 0
        elif clock.steady < STEADY:
            clock.lag, clock.steady, clock.other_steady = lag, 1, 0
        elif clock.other_steady and abs(lag - clock.other_lag) <= STEP_US:
            clock.other_lag, clock.other_steady = lag, clock.other_steady + 1
            if clock.other_steady == STEADY:
                self._tell_step()
                clock.lag, clock.other_steady = lag, 0
        else:
            clock.other_after, clock.other_from = clock.last, minute
            clock.other_first, clock.other_lag, clock.other_steady = lag, lag, 1

    def _tell_step(self) -> None:
        clock = self.clock
        # when only what lies between delays more, source times do not go back
        before = clock.other_after * MINUTE + clock.lag
        after = clock.other_from * MINUTE + clock.other_first
        text = f"{self.device}: from {clock.lag // SECOND} s to {clock.other_first // SECOND} s against receipt"
        name = BACK if after < before - STEP_US else JUMPED
        self.found.append(Finding(name, min(before, after), max(before, after), text))

    def _local(self, minute: int, lag: int, here: bool) -> None:
        """Whether the device lags as the plant's local time lags behind UTC; told at once, then by the hour."""
        clock = self.clock
        if not here:
            clock.local = 0
            return
        if not clock.local:
            clock.local_from, clock.local_lag = minute, lag
        clock.local += 1
        lasted = minute - clock.local_from
        if clock.local >= STEADY and lasted >= STEADY and (clock.local == STEADY or lasted % (HOUR // MINUTE) == 0):
            start = clock.local_from * MINUTE + clock.local_lag
            text = f"{self.device}: {-lag // MINUTE} min behind receipt, as local time without its zone"
            self.found.append(Finding(LOCAL, start, minute * MINUTE + lag, text))


def _is_local(lag: Any, offset: Any) -> Any:
    """Whether a lag is that of local time behind UTC."""
    return (offset < 0) & (abs(lag - offset) <= WITHIN_US)


def _offsets(zone: ZoneInfo, minute: Ints) -> Ints:
    """The zone's offset from UTC [µs] in each minute since 1970; offsets change on quarter hours only."""
    quarters, of = np.unique(minute // QUARTER, return_inverse=True)
    return np.array([_offset(zone, quarter) for quarter in quarters.tolist()], np.int64)[of]


@lru_cache(maxsize=4096)
def _offset(zone: ZoneInfo, quarter: int) -> int:
    offset = to_datetime(quarter * QUARTER * MINUTE).astimezone(zone).utcoffset() or timedelta()
    return round(offset.total_seconds() * SECOND)
