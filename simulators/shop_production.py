"""What the three lines make: plated area per minute by shift, day and product mix, start-ups, breaks and stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.meters.plc import LINES
from simulators.shop_time import Minutes

Values = NDArray[np.float64]

MIX, STOPS = 3, 4
BASE_M2_DAY = 1120.0
EARLY, LATE, NIGHT = 6 * 60, 14 * 60, 22 * 60
SHIFT_PACE = np.array([1.25, 1.12, 0.78])
SUNDAY_PACE = 0.22
BREAKS = ((11 * 60 + 30, 0.45), (18 * 60, 0.45), (2 * 60, 0.55))
BREAK_MINUTES = 30
STARTUP_MINUTES = 60
SHIFT_START_MINUTES = 10
STOP_CHANCE_PER_HOUR = 0.012
STANDBY, RUNNING = 1.0, 2.0
LOW_OUTPUT = 0.75
PACE_NOISE = 0.5
RACK_M2 = 1.25


@dataclass(frozen=True)
class Production:
    """Per line: plated area per minute [m2] and mode (1 standby, 2 running)."""

    area: Mapping[str, Values]
    mode: Mapping[str, Values]

    @property
    def total_m2_h(self) -> Values:
        """Pace of all lines together [m2/h]."""
        return (self.area["zn"] + self.area["ni"] + self.area["cr"]) * 60


def produce(seed: int, scale: float, time: Minutes, noise: Mapping[str, Values], low: Values) -> Production:
    """The area of each line in each minute; `low` (0..1) holds output down, noise streams are `zn_pace` and so on."""
    shift = np.where(time.of_day < EARLY, 2, np.where(time.of_day < LATE, 0, np.where(time.of_day < NIGHT, 1, 2)))
    working_day = time.day - (time.of_day < EARLY)
    sunday = (time.weekday - (time.of_day < EARLY)) % 7 == 6
    pace = SHIFT_PACE[shift] * np.where(sunday, SUNDAY_PACE, 1.0) * _starts(time) * (1 - LOW_OUTPUT * low)
    running = _running(seed, time)
    area, mode = {}, {}
    for index, line in enumerate(LINES):
        mix = _mix(seed, working_day)[shift, index, working_day - working_day[0]]
        drift = np.clip(1 + PACE_NOISE * noise[f"{line}_pace"], 0.3, 2.0)
        area[line] = scale * BASE_M2_DAY / 1440 * pace * mix * drift * running[index]
        mode[line] = np.where(area[line] > 0.1 * scale * BASE_M2_DAY / 1440, RUNNING, STANDBY)
    return Production(area, mode)


def _starts(time: Minutes) -> Values:
    """What start-ups, shift changes and meal breaks leave of the pace."""
    factor = np.ones(len(time))
    since_early = time.of_day - EARLY
    monday = (time.weekday == 0) & (since_early >= 0) & (since_early < STARTUP_MINUTES)
    factor = np.where(monday, 0.3 + 0.7 * since_early / STARTUP_MINUTES, factor)
    for start in (EARLY, LATE, NIGHT):
        since = time.of_day - start
        factor = np.where((since >= 0) & (since < SHIFT_START_MINUTES), factor * 0.7, factor)
    for start, left in BREAKS:
        since = time.of_day - start
        factor = np.where((since >= 0) & (since < BREAK_MINUTES), factor * left, factor)
    return factor


def _mix(seed: int, days: NDArray[np.int64]) -> Values:
    """Product mix (shift, line, day): how many m2 the hangers of that shift carry, around 1."""
    first, last = int(days[0]), int(days[-1])
    drawn = [np.random.default_rng([seed, MIX, day + 1]).uniform(0.86, 1.14, (3, 3)) for day in range(first, last + 1)]
    return np.stack(drawn, axis=2)


def _running(seed: int, time: Minutes) -> Values:
    """1 while a line runs, 0 in its short unplanned stops, as (line, minute)."""
    hours = time.epoch // 60
    running = np.ones((len(LINES), len(time)))
    for hour in range(int(hours[0]), int(hours[-1]) + 1):
        chance, at, length = np.random.default_rng([seed, STOPS, hour]).random((3, len(LINES)))
        for index in np.flatnonzero(chance < STOP_CHANCE_PER_HOUR):
            begin = hour * 60 + int(at[index] * 40)
            stopped = (time.epoch >= begin) & (time.epoch < begin + 8 + int(length[index] * 12))
            running[index] = np.where(stopped, 0.0, running[index])
    return running


def racks(totals: Values, rack_m2: float) -> tuple[NDArray[np.intp], Values]:
    """Racks that leave a line: (minute, fraction of that minute), from running totals of area at minute edges (n+1)."""
    counts = np.floor(totals / rack_m2)
    minutes = np.repeat(np.arange(len(totals) - 1), np.diff(counts).astype(np.int64))
    if not len(minutes):
        return minutes, np.empty(0)
    first = np.concatenate(([True], minutes[1:] != minutes[:-1]))
    within = np.arange(len(minutes)) - np.maximum.accumulate(np.where(first, np.arange(len(minutes)), 0))
    passed = (counts[minutes] + 1 + within) * rack_m2 - totals[minutes]
    return minutes, passed / (totals[minutes + 1] - totals[minutes])
