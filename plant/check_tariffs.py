"""A tariff must have exactly one price at every minute of every day, from every date on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Tariff
from plant.partial import tolerant

_DAY = 24 * 60
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")


def check(draft: Draft) -> Iterator[Fault]:
    """Tariffs without or with two prices, bands that leave minutes open or share them, two tariffs from one date."""
    for number, tariff in enumerate(draft.plant.tariffs):
        yield from tolerant(_tariff(draft, draft.at("tariffs", number), tariff))


def _tariff(draft: Draft, where: Where, tariff: Tariff) -> Iterator[Fault]:
    index = int(where[1])
    if (tariff.price is None) == (not tariff.bands):
        said = "neither 'price' nor 'bands'" if not tariff.bands else "both 'price' and 'bands'"
        hint = "write one price, or bands that cover the day"
        yield draft.fault(where, f"tariffs.{index} ({tariff.carrier}): has {said}", hint)
    elif tariff.bands:
        yield from _bands(draft, index, tariff)


def band_minutes(hours: str) -> list[int]:
    """The minutes of the day of 'HH:MM-HH:MM', over midnight when it ends before it begins. Raises ValueError."""
    found = _HOURS.fullmatch(hours.strip())
    if found is None:
        raise ValueError(f"'{hours}' is not a span of hours")
    first, last = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3))
    if first >= _DAY or last > _DAY:
        raise ValueError(f"'{hours}' goes beyond 24:00")
    return [minute % _DAY for minute in range(first, last if last > first else last + _DAY)]


def _bands(draft: Draft, index: int, tariff: Tariff) -> Iterator[Fault]:
    spans: list[list[list[int]]] = []
    for number, band in enumerate(tariff.bands):
        spans.append([])
        for at, hours in enumerate(band.hours):
            try:
                spans[-1].append(band_minutes(hours))
            except ValueError as error:
                where: Where = ("tariffs", index, "bands", number, "hours", at)
                hint = 'write "08:00-11:00"; the day ends at 24:00'
                yield draft.fault(where, f"tariffs.{index} ({tariff.carrier}): {error}", hint)
                return
    yield from _coverage(draft, index, tariff, spans)


def _coverage(draft: Draft, index: int, tariff: Tariff, spans: list[list[list[int]]]) -> Iterator[Fault]:
    """Months that have the same hole or the same overlap are reported once."""
    open_: dict[str, list[int]] = defaultdict(list)
    double: dict[tuple[int, str], list[int]] = defaultdict(list)
    for month in range(1, 13):
        holder: dict[int, int] = {}
        shared: dict[int, list[int]] = defaultdict(list)
        for number, band in enumerate(tariff.bands):
            for minute in (one for span in spans[number] for one in span if month in band.months):
                if minute in holder:
                    shared[number].append(minute)
                holder.setdefault(minute, number)
        missing = [minute for minute in range(_DAY) if minute not in holder]
        if missing:
            open_[_shown(missing)].append(month)
        for number, minutes in shared.items():
            double[number, _shown(sorted(minutes))].append(month)
    for hours, months in open_.items():
        message = f"tariffs.{index} ({tariff.carrier}): {hours} has no price in {_list(months)}"
        yield draft.fault(("tariffs", index, "bands"), message, "let the bands of every month cover 00:00-24:00")
    for (number, hours), months in double.items():
        message = f"tariffs.{index} ({tariff.carrier}): {hours} has two prices in {_list(months)}"
        where: Where = ("tariffs", index, "bands", number)
        yield draft.fault(where, message, "take these hours, or these months, out of one of the bands")


def _shown(minutes: list[int]) -> str:
    """Minutes of the day as spans."""
    runs = [list(run) for _, run in groupby(enumerate(minutes), key=lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{_clock(run[0][1])}-{_clock(run[-1][1] + 1)}" for run in runs)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _list(months: list[int]) -> str:
    if len(months) == 12:
        return "any month"
    return "month " + ", ".join(str(month) for month in months)
