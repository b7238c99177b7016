"""When work was or will be done on plant and meters, as marks for charts: no figure and no alarm depends on it.

Beside what the description lists under `maintenance`, the exchanges of its meters and the days on which their
calibrations end are such work; they are named once, where they count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import SITE, Maintenance, Plant, Text

EXCHANGED = Text(en="Meter exchanged: {}", zh="换表：{}")
EXPIRES = Text(en="Calibration ends: {}", zh="校准到期：{}")


@dataclass(frozen=True)
class Work:
    """What is marked, at a process unit or the site, from `start` to `end` [µs UTC]; both are one for a moment."""

    name: str
    scope: str
    title: Text
    start: int
    end: int
    note: str = ""


def works(plant: Plant) -> Iterator[Work]:
    """All maintenance of a plant. What the description does not list has a name with a dot, which no name there has.

    >>> from pathlib import Path
    >>> from plant.load import load
    >>> found = {one.name: one for one in works(load(Path("examples/electroplating/plant.yaml")))}
    >>> found["chiller_service"].title.en, found["calibration.chiller_meter"].title.en
    ('Chiller service', 'Calibration ends: Chiller meter')
    """
    calendar = Calendar(plant)
    for name, one in plant.maintenance.items():
        start, end = (to_us(moment.replace(tzinfo=calendar.zone)) for moment in span(one))
        # of two times within the hour that clocks leave out, the later may come first
        yield Work(name, one.scope, one.title, start, max(start, end), one.note)
    for name, point in plant.points.items():
        for number, exchange in enumerate(point.exchanges, 1):
            at = to_us(exchange.at)
            note = f"{exchange.closing:.12g} → {exchange.opening:.12g} {point.unit}"
            yield Work(
                f"exchange.{name}" if number == 1 else f"exchange.{name}.{number}",
                point.unit_of,
                _about(EXCHANGED, point.title),
                at,
                at,
                note,
            )
    for name, device in plant.devices.items():
        last: date | None = getattr(device, "calibrated_until", None)
        if last is not None:
            at = calendar.midnight(last + timedelta(days=1))
            scopes = {point.unit_of for point in plant.points.values() if point.device == name}
            scope = scopes.pop() if len(scopes) == 1 else SITE
            note = getattr(device, "certificate", None) or ""
            yield Work(f"calibration.{name}", scope, _about(EXPIRES, device.title), at, at, note)


def span(one: Maintenance) -> tuple[datetime, datetime]:
    """From when to when by the plant's clock, a last day included; a moment where no end is given."""
    start = _midnight(one.since)
    if one.until is None:
        return start, start
    return start, _midnight(one.until if isinstance(one.until, datetime) else one.until + timedelta(days=1))


def _midnight(moment: date | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time())


def _about(text: Text, title: Text) -> Text:
    return Text(en=text.en.format(title.en), zh=text.zh.format(title.zh))
