"""Which windows end in a span of settled minutes.

Trailing: 15 min and 1 h at every quarter hour and at the latest minute, 7 d and 30 d every hour, 12 months every local
midnight. To date, from the plant's calendar: shift (quarter hours and latest), day, month, year, audit period and the
plant's own named periods every hour; at the period's end the row is its total. A window is [start, end).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plant.calendar import Calendar, Period
from plant.clock import to_us
from plant.reading import DAY, MINUTE

QUARTER = 15
HOUR_MINUTES = 60
TRAILING_FINE = {"15min": 15, "1h": 60}
TRAILING_HOURLY = {"7d": 7 * 1440, "30d": 30 * 1440}
TO_DATE = ("day", "month", "year", "audit")
FINE = (*TRAILING_FINE, "shift")
NAMES = (*FINE, "day", "7d", "month", "30d", "year", "12mo", "audit")


@dataclass(frozen=True)
class Spans:
    """Windows of one name: starts and ends as minutes since 1970; `coarse` names the rows that carry older parts."""

    window: str
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    settled: NDArray[np.bool_]
    coarse: str


def windows(calendar: Calendar, first: int, end: int) -> list[Spans]:
    """The windows that end in (first, end], both minutes since 1970; `end` is the latest settled minute's end."""
    return list(_windows(calendar, first, end))


# the scopes of a plant settle together: the windows are worked out once for all of them
@lru_cache(maxsize=8)
def _windows(calendar: Calendar, first: int, end: int) -> tuple[Spans, ...]:
    fine = _multiples(first, end, QUARTER)
    if end > first and (not len(fine) or fine[-1] != end):
        fine = np.append(fine, end)
    midnights = _midnights(calendar, first, end)
    hourly = np.unique(np.concatenate([_multiples(first, end, HOUR_MINUTES), midnights]))
    found = [_trailing(name, fine, length, "") for name, length in TRAILING_FINE.items()]
    closing = [period.end // MINUTE for period in calendar.shifts(first * MINUTE, end * MINUTE)]
    within = np.unique(np.concatenate([fine, np.array([at for at in closing if first < at <= end], np.int64)]))
    found.append(_periods("shift", within, [calendar.shift(int(e - 1) * MINUTE) for e in within], ""))
    whole = hourly[hourly % HOUR_MINUTES == 0]
    found += [_trailing(name, whole, length, "hour") for name, length in TRAILING_HOURLY.items()]
    by_name = {"day": calendar.day, "month": calendar.month, "year": calendar.year}
    for name, of in by_name.items():
        found.append(_periods(name, hourly, [of(int(e - 1) * MINUTE) for e in hourly], "day"))
    audit = calendar.audit()
    inside = [audit if audit.holds(int(e - 1) * MINUTE) else None for e in hourly]
    found.append(_periods("audit", hourly, inside, "day"))
    found.append(_periods("12mo", midnights, [_year_before(calendar, int(e)) for e in midnights], "day"))
    for name in calendar.periods:
        found.append(_periods(name, hourly, [calendar.named(name, int(e - 1) * MINUTE) for e in hourly], "day"))
    return tuple(spans for spans in found if len(spans.ends))


def _multiples(first: int, end: int, step: int) -> NDArray[np.int64]:
    return np.arange((first // step + 1) * step, end + 1, step, dtype=np.int64)


def _midnights(calendar: Calendar, first: int, end: int) -> NDArray[np.int64]:
    found = []
    at = calendar.day(first * MINUTE).end // MINUTE
    while at <= end:
        found.append(at)
        at = calendar.day(at * MINUTE).end // MINUTE
    return np.array(found, np.int64)


def _trailing(name: str, ends: NDArray[np.int64], length: int, coarse: str) -> Spans:
    return Spans(name, ends - length, ends, np.ones(len(ends), np.bool_), coarse)


def _periods(name: str, ends: NDArray[np.int64], periods: list[Period | None], coarse: str) -> Spans:
    here = [(int(end), period) for end, period in zip(ends, periods, strict=True) if period is not None]
    starts = np.array([period.start // MINUTE for _, period in here], np.int64)
    closed = np.array([period.end // MINUTE == end for end, period in here], np.bool_)
    return Spans(name, starts, np.array([end for end, _ in here], np.int64), closed, coarse)


def _year_before(calendar: Calendar, end: int) -> Period:
    last = calendar.local(end * MINUTE - DAY // 2).date()
    first = calendar.local(end * MINUTE + DAY // 2).date()
    year = first.year - 1
    start = first.replace(year=year, day=28) if (first.month, first.day) == (2, 29) else first.replace(year=year)
    return Period(f"12mo to {last}", calendar.midnight(start), to_us(calendar.local(end * MINUTE)))
