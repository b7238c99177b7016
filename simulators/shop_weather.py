"""Weather and city water: seasons, days, a cold week in the third week, water that follows weeks behind the air."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.shop_time import Minutes

Values = NDArray[np.float64]

COLD_WEEK_FIRST_DAY, COLD_WEEK_DAYS = 14, 7
COLD_WEEK_K = 7.0
WINTER_WATER_K = 6.0


@dataclass(frozen=True)
class Weather:
    """Outdoor temperature [degC], relative humidity [%], city water temperature [degC]."""

    outdoor: Values
    humidity: Values
    water: Values


def weather(time: Minutes, noise: Mapping[str, Values], winter_water: Values) -> Weather:
    """The weather of a block from calm streams; `winter_water` (0..1): how far the cold has come through the mains."""
    season = np.cos(2 * np.pi * (time.of_year - 25) / 365)
    daily = np.cos(2 * np.pi * (time.of_day - 15 * 60) / 1440)
    into = time.day + time.of_day / 1440 - COLD_WEEK_FIRST_DAY
    cold = np.clip(into / 0.5, 0, 1) * np.clip((COLD_WEEK_DAYS - into) / 0.5, 0, 1)
    # a calm stream is some percent of 1: times 20 it is degrees
    outdoor = 16.5 - 11.5 * season + 4.0 * daily - COLD_WEEK_K * cold + 20 * noise["weather"]
    humidity = np.clip(68 - 2.2 * (outdoor - (16.5 - 11.5 * season)) + 40 * noise["humidity"], 15, 99)
    water_season = np.cos(2 * np.pi * (time.of_year - 45) / 365)
    water = 15.5 - 7.0 * water_season - 0.1 * COLD_WEEK_K * cold + 2.0 * noise["water_temp"]
    return Weather(outdoor, humidity, np.maximum(water - WINTER_WATER_K * winter_water, 1.5))
