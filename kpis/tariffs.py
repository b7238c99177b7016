"""What a unit of a carrier costs minute by minute: time-of-use bands by month, prices by date (尖峰平谷电价)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from kpis.factors import in_force
from kpis.local import local_days, minute_of_day
from plant.model import Plant, Tariff
from plant.reading import Times, Values

MINUTES_PER_DAY = 24 * 60


def price_series(plant: Plant, carrier: str, minutes: Times, zone: ZoneInfo) -> Values:
    """The price of each minute by the tariff in force, its month's bands and the wall clock [currency per unit].

    Arguments: `minutes` int64[n], the minutes' starts [µs UTC]. Returns float64[n]; nan where no tariff is in force or
    no band covers the minute. On the day that clocks go back the repeated hour has its band's price twice.
    """
    tariffs = [tariff for tariff in plant.tariffs if tariff.carrier == carrier]
    days, index = local_days(minutes, zone)
    tables: dict[tuple[int, int], int] = {}
    rows: list[Values] = []
    row_of_day = np.empty(len(days), np.intp)
    for number, day in enumerate(days):
        tariff = in_force(tariffs, day)
        key = (id(tariff), day.month)
        if key not in tables:
            tables[key] = len(rows)
            rows.append(np.full(MINUTES_PER_DAY, np.nan) if tariff is None else day_prices(tariff, day.month))
        row_of_day[number] = tables[key]
    if not rows:
        return np.empty(0)
    prices: Values = np.stack(rows)[row_of_day[index], minute_of_day(minutes, zone)]
    return prices


def day_prices(tariff: Tariff, month: int) -> Values:
    """The price of each minute of a day in a month (1 to 12) [currency per unit]: float64[1440].

    A tariff of one price has it all day; where bands overlap the first one listed counts; uncovered minutes are nan.
    """
    if not tariff.bands:
        return np.full(MINUTES_PER_DAY, np.nan if tariff.price is None else tariff.price)
    prices = np.full(MINUTES_PER_DAY, np.nan if tariff.price is None else tariff.price)
    for band in reversed(tariff.bands):
        if month in band.months:
            for hours in band.hours:
                prices[band_minutes(hours)] = band.price
    return prices


def band_minutes(hours: str) -> NDArray[np.bool_]:
    """The minutes of the day that 'HH:MM-HH:MM' covers, past midnight when it ends before it starts: bool[1440].

    Raises ValueError when the text has another form.

    >>> int(band_minutes("23:00-07:00").sum()), int(band_minutes("08:30-24:00").sum())
    (480, 930)
    """
    first, last = (_minute(text) for text in hours.split("-"))
    minute = np.arange(MINUTES_PER_DAY)
    if first < last:
        return (minute >= first) & (minute < last)
    return (minute >= first) | (minute < last)


def _minute(text: str) -> int:
    hour, minute = text.strip().split(":")
    return int(hour) * 60 + int(minute)
