"""The plant's own periods: windows with names of their own, that begin before they end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from plant.draft import Draft
from plant.errors import Fault
from plant.model import NamedPeriod
from plant.partial import tolerant

TAKEN = frozenset({"shift", "day", "month", "year", "audit"})


def check(draft: Draft) -> Iterator[Fault]:
    """Periods called like a window that every plant has, that mix days of one and of every year, or are reversed."""
    for name, period in draft.plant.periods.items():
        if name in TAKEN:
            hint = "choose another name, as 'heating_season'"
            yield draft.fault(("periods", name), f"periods.{name}: every plant has a window of this name", hint)
        yield from tolerant(_days(draft, name, period))


def _days(draft: Draft, name: str, period: NamedPeriod) -> Iterator[Fault]:
    since, until = period.since, period.until
    if isinstance(since, date) != isinstance(until, date):
        message = f"periods.{name}: 'from' and 'to' must both name a year, or neither"
        hint = 'as {from: 2026-04-01, to: 2026-09-30}, or {from: "11-15", to: "03-15"} for every year'
        yield draft.fault(("periods", name), message, hint)
    elif isinstance(since, date) and isinstance(until, date) and until < since:
        message = f"periods.{name}: is reversed: its end {until} is before its beginning {since}"
        yield draft.fault(("periods", name, "to"), message, f"write 'from: {until}' and 'to: {since}'")
