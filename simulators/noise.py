"""Noise of the simulated shop: what production does not explain, generated per whole hour so that steps do not matter.

A stream is the sum of a fast part (second-order autoregression by the minute, as thermostats and racks cycle), a slow
part (a first-order autoregression from hour to hour, each hour gliding into the next) and a part by the day (of exactly
unit spread in every four weeks). Every innovation comes from `default_rng([seed, kind, hour or block])`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.scenario import NoiseProfile

Values = NDArray[np.float64]

HOURLY, DAILY = 1, 2
DAYS_IN_BLOCK = 28
GLIDE_MINUTES = 15

POLE, PERIOD_MIN = 0.85, 12.0
A1 = 2 * POLE * np.cos(2 * np.pi / PERIOD_MIN)
A2 = -(POLE**2)
FAST_SD = float(np.sqrt((1 - A2) / ((1 + A2) * ((1 - A2) ** 2 - A1**2))))
SLOW_LAG = 0.2

# Shares of each part's variance that are left in single minutes and in means of an hour.
SLOW_IN_MINUTE, SLOW_IN_HOUR, FAST_IN_HOUR = 0.933, 0.825, 0.034


def amplitudes(profile: NoiseProfile) -> tuple[float, float, float]:
    """Standard deviations of the fast, slow and daily part that give the profile's three coefficients of variation."""
    day = profile.day_cv
    within_minute, within_hour = profile.minute_cv**2 - day**2, profile.hour_cv**2 - day**2
    slow = (within_hour - FAST_IN_HOUR * within_minute) / (SLOW_IN_HOUR - FAST_IN_HOUR * SLOW_IN_MINUTE)
    fast = within_minute - SLOW_IN_MINUTE * max(slow, 0.0)
    return float(np.sqrt(max(fast, 0.0))), float(np.sqrt(max(slow, 0.0))), day


@dataclass(frozen=True)
class NoiseBlock:
    """Streams by name: `mixed` has all three parts, `calm` lacks the fast one."""

    mixed: Mapping[str, Values]
    calm: Mapping[str, Values]


class Noise:
    """Streams of noise around 0, with the profile's spread, minute by minute."""

    def __init__(self, seed: int, streams: Sequence[str], profile: NoiseProfile, first_minute: int) -> None:
        self._seed = seed
        self._streams = tuple(streams)
        self._fast, self._slow, self._day = amplitudes(profile)
        self._cache: dict[int, tuple[Values, Values]] = {}
        self._days: dict[int, Values] = {}
        # an hour of running in before the first
        self._hour = first_minute // 60 - 1
        self._before = np.zeros((2, len(self._streams)))
        self._node = self._next = self._innovations(self._hour)[0]
        self._within = self._ring()

    def block(self, first_minute: int, day: NDArray[np.int64]) -> NoiseBlock:
        """Each stream over `len(day)` minutes from `first_minute` on; `day` counts days since the scenario's start."""
        fast, slow = self._run(first_minute, len(day))
        calm = self._slow * slow + self._day * self._daily(day)
        mixed = self._fast * fast + calm
        return NoiseBlock(dict(zip(self._streams, mixed, strict=True)), dict(zip(self._streams, calm, strict=True)))

    def state(self) -> dict[str, Any]:
        """What has to be kept to go on."""
        return {"hour": self._hour, "before": self._before, "node": self._node, "next": self._next}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a kept state."""
        self._hour = int(state["hour"])
        self._before, self._node, self._next = state["before"], state["node"], state["next"]
        self._within = self._ring()

    def _run(self, first: int, count: int) -> tuple[Values, Values]:
        last = first + count - 1
        fast, slow = [], []
        for hour in range(first // 60, last // 60 + 1):
            self._advance(hour)
            minutes = np.arange(max(first, hour * 60), min(last, hour * 60 + 59) + 1) - hour * 60
            fast.append(self._within[:, minutes])
            glide = np.clip((minutes - (60 - GLIDE_MINUTES) + 0.5) / GLIDE_MINUTES, 0.0, 1.0)
            slow.append(self._node[:, None] * (1 - glide) + self._next[:, None] * glide)
        return np.concatenate(fast, axis=1) / FAST_SD, np.concatenate(slow, axis=1)

    def _advance(self, hour: int) -> None:
        while self._hour < hour:
            self._hour += 1
            self._before = self._within[:, -2:].T.copy()
            self._node = self._next
            self._next = SLOW_LAG * self._node + np.sqrt(1 - SLOW_LAG**2) * self._innovations(self._hour + 1)[0]
            self._within = self._ring()

    def _ring(self) -> Values:
        """The fast part (stream, minute) of the current hour, from the two minutes before it."""
        older, newer = self._before
        out = np.empty((60, len(self._streams)))
        for minute, push in enumerate(self._innovations(self._hour)[1].T):
            older, newer = newer, A1 * newer + A2 * older + push
            out[minute] = newer
        return out.T

    def _innovations(self, hour: int) -> tuple[Values, Values]:
        if hour not in self._cache:
            if len(self._cache) > 3:
                self._cache.pop(next(iter(self._cache)))
            drawn = np.random.default_rng([self._seed, HOURLY, hour]).standard_normal((len(self._streams), 61))
            self._cache[hour] = (drawn[:, 0], drawn[:, 1:])
        return self._cache[hour]

    def _daily(self, day: NDArray[np.int64]) -> Values:
        out = np.empty((len(self._streams), len(day)))
        blocks = day // DAYS_IN_BLOCK
        for block in range(int(blocks[0]), int(blocks[-1]) + 1):
            if block not in self._days:
                drawn = np.random.default_rng([self._seed, DAILY, block]).standard_normal(
                    (len(self._streams), DAYS_IN_BLOCK)
                )
                drawn -= drawn.mean(axis=1, keepdims=True)
                self._days = {block: drawn / drawn.std(axis=1, ddof=1, keepdims=True)}
            chosen = blocks == block
            out[:, chosen] = self._days[block][:, day[chosen] % DAYS_IN_BLOCK]
        return out
