"""The plant's time zone, its shifts and its audit period."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from plant.draft import Draft, suggestion
from plant.errors import Fault
from plant.model import WEEKDAYS, Shift
from plant.partial import tolerant

_DAY = 24 * 60
_WEEK = 7 * _DAY


def check(draft: Draft) -> Iterator[Fault]:
    """A zone that does not exist, shifts that share a minute of the week, an audit that ends before it begins."""
    yield from tolerant(_zone(draft))
    yield from tolerant(_period(draft))
    yield from _overlaps(draft)


def _zone(draft: Draft) -> Iterator[Fault]:
    zone = draft.plant.site.time_zone
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        hint = suggestion(zone, known, "a name of the IANA database, as 'Asia/Shanghai'")
        yield draft.fault(("site", "time_zone"), f"site.time_zone: there is no time zone '{zone}'", hint)


def _period(draft: Draft) -> Iterator[Fault]:
    first, last = draft.plant.audit.period
    if last < first:
        message = f"audit.period: is reversed: its end {last} is before its beginning {first}"
        yield draft.fault(("audit", "period"), message, f"write [{last}, {first}]")


def _overlaps(draft: Draft) -> Iterator[Fault]:
    spans = sorted(
        (start, end, name) for name, shift in draft.plant.shifts.items() for start, end in tolerant(_week(shift))
    )
    order = list(draft.plant.shifts)
    reported: set[frozenset[str]] = set()
    # The week is a circle: the spans are laid out twice, so that Sunday night meets Monday.
    twice = spans + [(start + _WEEK, end + _WEEK, name) for start, end, name in spans]
    reach, holder = -1, ""
    for (start, end, name), _ in pairwise([*twice, (2 * _WEEK, 2 * _WEEK, "")]):
        pair = frozenset({name, holder})
        if start < reach and pair not in reported:
            reported.add(pair)
            earlier, later = sorted((holder, name), key=order.index)
            day = WEEKDAYS[start // _DAY % 7]
            line = draft.document.line(("shifts", earlier))
            message = f"shifts.{later}: overlaps '{earlier}' on {day} from {_clock(start)} to {_clock(min(reach, end))}"
            hint = f"'{earlier}' is on line {line}: let one end where the other begins"
            yield draft.fault(("shifts", later), message, hint)
        if end > reach:
            reach, holder = end, name


def _week(shift: Shift) -> Iterator[tuple[int, int]]:
    """A shift's spans in minutes of the week; a shift over midnight reaches into the next day."""
    since = shift.since.hour * 60 + shift.since.minute
    until = shift.until.hour * 60 + shift.until.minute
    length = (until - since) % _DAY or _DAY
    starts = [WEEKDAYS.index(day) * _DAY + since for day in dict.fromkeys(shift.days)]
    yield from ((start, start + length) for start in starts)


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"
