"""What a unit of a carrier costs minute by minute: time-of-use bands by month, prices by date (尖峰平谷电价).

What the month's highest quarter hour costs beside it (需量电费) is the tariff's `demand`.
"""

from __future__ import annotations

import math
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from kpis.factors import in_force
from kpis.local import date_of, local_us
from plant.model import Plant, Tariff
from plant.reading import DAY, MINUTE, Times, Values

MINUTES_PER_DAY = 24 * 60


class Prices:
    """What a carrier costs at any minute and per month, by the tariff in force; tables are worked out when first used.

    `plant` holds the tariffs, `zone` is the wall clock that bands and dates go by.
    """

    def __init__(self, plant: Plant, carrier: str, zone: ZoneInfo) -> None:
        self._tariffs = [tariff for tariff in plant.tariffs if tariff.carrier == carrier]
        self._zone = zone
        self._row_of: dict[tuple[int, int], int] = {}
        self._table: Values = np.empty((0, MINUTES_PER_DAY))

    def at(self, minutes: Times) -> Values:
        """The price of each minute [currency per unit]: float64[n], from the minutes' starts int64[n] [µs UTC].

        nan where no tariff is in force or no band covers the minute. On the day that clocks go back the repeated hour
        has its band's price twice.
        """
        if not len(minutes):
            return np.empty(0)
        local = local_us(minutes, self._zone)
        days, index = np.unique(local // DAY, return_inverse=True)
        prices: Values = self._table_of(days.tolist())[index, local % DAY // MINUTE]
        return prices

    def demand(self, day: date) -> float:
        """The charge for the month's highest quarter hour on a local day [currency per kW]; nan when there is none."""
        tariff = in_force(self._tariffs, day)
        return math.nan if tariff is None or tariff.demand is None else tariff.demand

    def _table_of(self, days: list[int]) -> Values:
        rows = []
        for number in days:
            day = date_of(number)
            tariff = in_force(self._tariffs, day)
            key = (id(tariff), day.month)
            if key not in self._row_of:
                self._row_of[key] = len(self._table)
                fresh = np.full(MINUTES_PER_DAY, np.nan) if tariff is None else day_prices(tariff, day.month)
                self._table = np.concatenate([self._table, fresh[None]])
            rows.append(self._row_of[key])
        table: Values = self._table[rows]
        return table


def price_series(plant: Plant, carrier: str, minutes: Times, zone: ZoneInfo) -> Values:
    """The price of each minute by the tariff in force, its month's bands and the wall clock [currency per unit].

    Arguments: `minutes` int64[n], the minutes' starts [µs UTC]. Returns float64[n]; nan where no tariff is in force or
    no band covers the minute.
    """
    return Prices(plant, carrier, zone).at(minutes)


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
