"""How high a chart's limit must be so that the whole plant keeps to its budget of false alarms.

Tables of run lengths assume independent, normal residuals with known mean; a plant's hourly residuals have none of
these (20 hourly charts at h = 7: 2 false alarms in 30 days without autocorrelation, 44 at lag-1 0.4). So the limit
comes from the baseline's own held-out residuals, resampled by whole days:

- a day is a level plus a course around it. The course mixes those of two days drawn at random, cosθ·a + sinθ·b: that
  keeps the autocorrelation within a day and allows worse days than the baseline's few;
- the levels are the days' means drawn anew and chained by their own lag-1 autocorrelation, since weather and product
  mix last; its estimate is corrected for bias (Marriott and Pope 1954) and drawn per replicate with its standard error;
- each replicate, a future month, has an error of the fit of its own: the mean of as many chained levels as the baseline
  had days comes off (a frozen baseline is wrong by the same amount every day), and both spreads are multiplied by
  √(ν/χ²_ν), ν half the days: a month of days tells their spread to about 14 % where they are normal and alike, which
  a plant's days are not;
- an alarm is an excursion of the slowest sum, from 0 to 0, in which any of the chart's sums passes its limit: one drift
  is one alarm.

Sources: Künsch 1989 (block bootstrap); Gandy and Kvaløy 2013, Scand. J. Statist. 40(4), Guaranteed conditional
performance of control charts via bootstrap methods; Montgomery, Introduction to Statistical Quality Control, §9.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plant.reading import Values

HORIZON_DAYS = 30
ALARMS_SIMULATED = 60
DAYS_SIMULATED = (20_000, 40_000)
BLOCKS_SIMULATED = 1_000_000
DAYS_LEAST = 7
RHO_MOST = 0.9


def design(
    z: Values,
    day: NDArray[np.int64],
    charts: Sequence[float],
    false_alarms_per_day: float,
    rng: np.random.Generator,
) -> tuple[float, ...] | None:
    """The limits h of CUSUMs that watch one residual side by side and share one budget of false alarms.

    Arguments: `z` float64[n] held-out residuals [σ], nan where unknown; `day` int64[n] the day of each; `charts` the
    reference value k of each sum [σ]; `false_alarms_per_day` that they may bring together, upwards only (the plant's
    budget divided by its charts) [1/d]; `rng` draws the replicates: one seed, one answer. Returns h of each [σ], in the
    order of `charts`; None when fewer than seven days are known.
    """
    means, courses = _days(z, day)
    if len(means) < DAYS_LEAST:
        return None
    blocks = courses.shape[1]
    wanted = min(np.clip(ALARMS_SIMULATED / false_alarms_per_day, *DAYS_SIMULATED), BLOCKS_SIMULATED / blocks)
    months = int(wanted) // HORIZON_DAYS
    level, spread = _levels(means, months, rng), _spread(len(means), months, rng)
    future = level[:, :, None] + _courses(courses, months, rng) * spread[:, None, None]
    peaks = excursion_peaks(future.reshape(months, -1), charts)
    return _limits(peaks, false_alarms_per_day * months * HORIZON_DAYS)


def excursion_peaks(z: Values, charts: Sequence[float]) -> Values:
    """The highest value of each upward CUSUM in each excursion of the slowest one.

    Arguments: `z` float64[replicates, blocks] [σ], nan where unknown; `charts` the reference values k. Returns
    float64[excursions, charts] [σ]. A sum with smaller k is never below one with larger k, so that every excursion of a
    fast sum lies within one of the slowest.

    >>> excursion_peaks(np.array([[1.0, -1.0, 2.0, 2.0]]), (0.5, 1.5)).tolist()
    [[0.5, 0.0], [3.0, 1.0]]
    """
    step: Values = np.nan_to_num(z)
    unknown = np.isnan(z)
    sums = []
    for k in charts:
        walk = np.cumsum(np.where(unknown, 0.0, step - k), axis=1)
        sums.append(walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0.0))
    slowest = sums[int(np.argmin(charts))]
    inside = slowest > 0
    starts = inside.copy()
    starts[:, 1:] &= ~inside[:, :-1]
    first = np.flatnonzero(starts)
    if not len(first):
        return np.zeros((0, len(charts)))
    return np.column_stack([np.maximum.reduceat(one.ravel(), first) for one in sums])


def _days(z: Values, day: NDArray[np.int64]) -> tuple[Values, Values]:
    """The mean of each day that has a known block, and its course around that: float64[days], float64[days, blocks]."""
    days, index, blocks = np.unique(day, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    place = np.arange(len(z)) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    table = np.full((len(days), int(blocks.max(initial=0))), np.nan)
    table[index[order], place] = z[order]
    table = table[np.isfinite(table).any(axis=1)]
    means: Values = np.nanmean(table, axis=1)
    return means, table - means[:, None]


def _spread(days: int, months: int, rng: np.random.Generator) -> Values:
    """By how much each month's spread may exceed the baseline's: float64[months]."""
    freedom = days / 2
    widening: Values = np.sqrt(freedom / rng.chisquare(freedom, months))
    return widening


def _levels(means: Values, months: int, rng: np.random.Generator) -> Values:
    """Each month's levels of its days against the mean of a baseline of its own: float64[months, HORIZON_DAYS]."""
    days = len(means)
    centred = means - means.mean()
    variance = float(centred @ centred) / days
    if variance == 0.0:
        return np.zeros((months, HORIZON_DAYS))
    seen = float(centred[1:] @ centred[:-1]) / (variance * days)
    seen += (1 + 3 * seen) / days
    error = np.sqrt(max(1 - seen**2, 0.1) / days)
    rho = np.clip(seen + error * rng.standard_normal(months), 0.0, RHO_MOST)
    lost = (1 + rho) / (1 - rho) / days
    scale = np.sqrt(variance / np.maximum(1 - lost, 0.3)) * _spread(days, months, rng)
    level = (centred / np.sqrt(variance))[rng.integers(days, size=(days + HORIZON_DAYS, months))]
    for now in range(1, len(level)):
        level[now] = rho * level[now - 1] + np.sqrt(1 - rho**2) * level[now]
    levels: Values = ((level[days:] - level[:days].mean(axis=0)) * scale).T
    return levels


def _courses(courses: Values, months: int, rng: np.random.Generator) -> Values:
    """Mixed courses, float64[months, HORIZON_DAYS, blocks]; a block that one of the two days lacks is the other's."""
    one, other = courses[rng.integers(len(courses), size=(2, months, HORIZON_DAYS))]
    angle = rng.random((months, HORIZON_DAYS, 1)) * (np.pi / 2)
    mixed = np.cos(angle) * one + np.sin(angle) * other
    filled: Values = np.where(np.isnan(one), other, np.where(np.isnan(other), one, mixed))
    return filled


def _limits(peaks: Values, alarms: float) -> tuple[float, ...]:
    """Limits that each sum passes equally often, and that excursions pass `alarms` times in all."""
    falling = np.vstack([-np.sort(-peaks, axis=0), np.zeros(peaks.shape[1])])
    low, high = alarms / peaks.shape[1], alarms
    limits = falling[0]
    for _ in range(24):
        share = (low + high) / 2
        limits = falling[min(int(share), len(falling) - 1)]
        if (peaks > limits).any(axis=1).sum() > alarms:
            high = share
        else:
            low = share
    return tuple(float(one) for one in limits)
