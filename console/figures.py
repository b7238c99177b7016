"""Numbers, units, durations and moments as people read them."""

from __future__ import annotations

import math
import re
from typing import Any

from plant.calendar import Calendar
from plant.clock import to_us
from plant.reading import DAY, HOUR, MINUTE, SECOND

MINUS = "\u2212"
SPACE = "\u00a0"
RAISED = str.maketrans("23", "²³")


def number(value: float, decimals: int = 2) -> str:
    """A number with a fixed count of decimals.

    >>> number(-1234.567, 1)
    '−1,234.6'
    """
    text = f"{abs(value):,.{decimals}f}"
    negative = value < 0 and any(digit in "123456789" for digit in text)
    return MINUS + text if negative else text


def significant(value: float, digits: int = 3) -> str:
    """A number with at least so many digits that matter; digits before the point are all shown.

    >>> significant(9.8765), significant(0.012345), significant(12345.6)
    ('9.88', '0.0123', '12,346')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return number(value, min(max(decimals, 0), 9))


def signed(value: float, decimals: int = 1) -> str:
    """A number with its sign; 0 has none.

    >>> signed(3.14), signed(-2.0), signed(0.01)
    ('+3.1', '−2.0', '0.0')
    """
    text = number(value, decimals)
    return f"+{text}" if value > 0 and any(digit in "123456789" for digit in text) else text


def percent(value: float, decimals: int = 1) -> str:
    """A percentage without a sign for plus."""
    return f"{number(value, decimals)}{SPACE}%"


def unit(name: str) -> str:
    """A unit as printed.

    >>> unit("kWh/m2"), unit("degC"), unit("uS/cm")
    ('kWh/m²', '°C', 'µS/cm')
    """
    text = re.sub(r"(?<=m)[23]", lambda power: power[0].translate(RAISED), name)
    text = {"degC": "°C", "delta_degC": "K", "dimensionless": "", "1": "", "percent": "%"}.get(text, text)
    return re.sub(r"^u(?=[A-Z]|m$)", "µ", text)


def quantity(value: float, name: str, decimals: int | None = None) -> str:
    """A value with its unit, at 3 significant digits unless told otherwise."""
    text = significant(value) if decimals is None else number(value, decimals)
    return f"{text}{SPACE}{unit(name)}" if unit(name) else text


def size(count: float) -> str:
    """A count of bytes.

    >>> size(1536)
    '1.5\u00a0KiB'
    """
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return number(count, 0 if name == "B" else 1) + SPACE + name
        count /= 1024
    return number(count, 2) + SPACE + "TiB"


def duration(span_us: int) -> str:
    """A duration in its two largest units.

    >>> duration(125 * 60_000_000)
    '2\u00a0h 05\u00a0min'
    """
    span_us = max(span_us, 0)
    if span_us < MINUTE:
        return f"{span_us // SECOND}{SPACE}s"
    if span_us < HOUR:
        return f"{span_us // MINUTE}{SPACE}min"
    if span_us < DAY:
        hours, rest = divmod(span_us, HOUR)
        return f"{hours}{SPACE}h {rest // MINUTE:02d}{SPACE}min"
    days, rest = divmod(span_us, DAY)
    return f"{days}{SPACE}d {rest // HOUR}{SPACE}h" if days < 10 else f"{days}{SPACE}d"


class Moments:
    """Times of the plant's zone, as short as they can be read at a given now."""

    def __init__(self, calendar: Calendar, now_us: int) -> None:
        self._calendar = calendar
        self._now = calendar.local(now_us)

    def short(self, time_us: int) -> str:
        """'14:05' today, '04-05 14:05' on another day, with the year in another year."""
        moment = self._calendar.local(time_us)
        if moment.date() == self._now.date():
            return f"{moment:%H:%M}"
        return f"{moment:%m-%d %H:%M}" if moment.year == self._now.year else f"{moment:%Y-%m-%d %H:%M}"

    def full(self, time_us: int) -> str:
        """'2026-04-05 14:05'."""
        return f"{self._calendar.local(time_us):%Y-%m-%d %H:%M}"

    def day(self, time_us: int) -> str:
        """'2026-04-05'."""
        return f"{self._calendar.local(time_us):%Y-%m-%d}"


def us(moment: Any) -> int | None:
    """Microseconds of a datetime from a frame; None stays None."""
    return None if moment is None else to_us(moment)
