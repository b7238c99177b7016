"""Shifts, days, months and years of a plant's time zone, DST included, as UTC microseconds."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from plant.clock import to_datetime, to_us
from plant.model import WEEKDAYS, Plant


@dataclass(frozen=True)
class Period:
    """A named span of the plant's calendar: [start, end) in µs UTC."""

    name: str
    start: int
    end: int

    def holds(self, time_us: int) -> bool:
        """Whether a time lies in it."""
        return self.start <= time_us < self.end


class Calendar:
    """The plant's calendar; every question takes and gives UTC microseconds."""

    def __init__(self, plant: Plant) -> None:
        self.zone = ZoneInfo(plant.site.time_zone)
        self._shifts = plant.shifts
        self._audit = plant.audit.period
        self.periods = plant.periods

    def local(self, time_us: int) -> datetime:
        """The local datetime of a time."""
        return to_datetime(time_us).astimezone(self.zone)

    def midnight(self, day: date) -> int:
        """The first instant of a local day."""
        return to_us(datetime.combine(day, clock_time(), self.zone))

    def day(self, time_us: int) -> Period:
        """The local day (23 to 25 hours long) that holds a time."""
        day = self.local(time_us).date()
        return Period(day.isoformat(), self.midnight(day), self.midnight(day + timedelta(days=1)))

    def month(self, time_us: int) -> Period:
        """The local month that holds a time."""
        first = self.local(time_us).date().replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        return Period(first.strftime("%Y-%m"), self.midnight(first), self.midnight(following))

    def year(self, time_us: int) -> Period:
        """The local year that holds a time."""
        year = self.local(time_us).year
        return Period(str(year), self.midnight(date(year, 1, 1)), self.midnight(date(year + 1, 1, 1)))

    def audit(self) -> Period:
        """The audit period, both of its days included."""
        first, last = self._audit
        return Period("audit", self.midnight(first), self.midnight(last + timedelta(days=1)))

    def shift(self, time_us: int) -> Period | None:
        """The shift on duty at a time; None between shifts."""
        day = self.local(time_us).date()
        for period in self._shifts_from(day - timedelta(days=1), 3):
            if period.holds(time_us):
                return period
        return None

    def named(self, name: str, time_us: int) -> Period | None:
        """The occurrence of one of the plant's own periods that holds a time; None outside of it."""
        declared = self.periods[name]
        day = self.local(time_us).date()
        for year in (day.year - 1, day.year):
            first, last = _day_of(declared.since, year), _day_of(declared.until, year)
            if last < first:
                last = _day_of(declared.until, year + 1)
            if first <= day <= last:
                return Period(name, self.midnight(first), self.midnight(last + timedelta(days=1)))
        return None

    def begun(self, time_us: int) -> int:
        """When the first of the periods began that hold a time: year, audit period and the plant's own [µs UTC]."""
        audit = self.audit()
        named = [self.named(name, time_us) for name in self.periods]
        found = [self.year(time_us), audit if audit.holds(time_us) else None, *named]
        return min(period.start for period in found if period is not None)

    def shifts(self, start: int, end: int) -> list[Period]:
        """The shifts that touch [start, end), in order."""
        first = self.local(start).date() - timedelta(days=1)
        days = (self.local(end).date() - first).days + 2
        return [period for period in self._shifts_from(first, days) if period.start < end and period.end > start]

    def _shifts_from(self, first: date, days: int) -> Iterator[Period]:
        for offset in range(days):
            day = first + timedelta(days=offset)
            found = []
            for name, shift in self._shifts.items():
                if WEEKDAYS[day.weekday()] in shift.days:
                    last = day if shift.until > shift.since else day + timedelta(days=1)
                    start = to_us(datetime.combine(day, shift.since, self.zone))
                    found.append(Period(name, start, to_us(datetime.combine(last, shift.until, self.zone))))
            yield from sorted(found, key=lambda period: period.start)


def _day_of(day: date | str, year: int) -> date:
    """A day of a year: itself when it is a date; the last day of February stands for its 29th where there is none."""
    if isinstance(day, date):
        return day
    month, number = (int(part) for part in day.split("-"))
    return date(year, month, min(number, monthrange(year, month)[1]))
