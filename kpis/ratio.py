"""A KPI as a ratio of sums: its value, what unknown minutes may make of it, its distance from target, its grade.

Sums are over the minutes in which every term is known; a mean of ratios is never taken.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from plant.reading import Values

Better = Literal["lower", "higher"]
Grade = Literal["I", "II", "III", ""]


class Range(NamedTuple):
    """The lowest and the highest that a sum or a ratio can be: float64[n] each."""

    low: Values
    high: Values


def ratio(numerator: Values, denominator: Values, times: float = 1.0, minimum: float = 0.0) -> Values:
    """Σ numerator / Σ denominator · times; nan where the denominator is not positive or below its minimum.

    Arguments: sums float64[n] [units]; `minimum` production below which the KPI says nothing [denominator's unit].
    Source: GB/T 2589-2020 (e = E/P); ISO 50006, ratio as an EnPI.

    >>> ratio(np.array([12.0, 1.0]), np.array([4.0, 0.0])).tolist()
    [3.0, nan]
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = numerator / denominator * times
    known = (denominator > 0) & (denominator >= minimum)
    return np.where(known, value, np.nan)


def ratio_range(numerator: Range, denominator: Range, times: float = 1.0) -> Range:
    """The range of the ratio when numerator and denominator may each lie anywhere in their own.

    Arguments: ranges of the sums; `times` > 0. A denominator that may be 0 or less leaves the ratio unbounded on the
    side to which the numerator may push it.

    >>> width = ratio_range(Range(np.array([9.0]), np.array([12.0])), Range(np.array([3.0]), np.array([4.0])))
    >>> width.low.tolist(), width.high.tolist()
    ([2.25], [4.0])
    """
    low = np.where(numerator.low >= 0, denominator.high, denominator.low)
    high = np.where(numerator.high >= 0, denominator.low, denominator.high)
    return Range(times * _extreme(numerator.low, low), times * _extreme(numerator.high, high))


def _extreme(numerator: Values, denominator: Values) -> Values:
    """numerator/denominator with the limits that an empty or boundless denominator has; 0/0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = numerator / np.maximum(denominator, 0.0)
    value = np.where((numerator == 0) | (np.isinf(denominator) & np.isfinite(numerator)), 0.0, value)
    return np.where(np.isinf(numerator), numerator, value)


def distance(value: Values, target: float, better: Better) -> Values:
    """How far a value is from its target, positive when it is worse [%]; nan for a target of 0.

    >>> distance(np.array([22.0]), 20.0, "lower").tolist(), distance(np.array([45.0]), 50.0, "higher").tolist()
    ([10.0], [10.0])
    """
    if target == 0:
        return np.full_like(value, np.nan)
    worse = value - target if better == "lower" else target - value
    return worse / abs(target) * 100


def grade(value: float, limits: tuple[float, float, float], better: Better) -> Grade:
    """The best grade that a value reaches; "" when it reaches none or is unknown.

    Arguments: `limits` of grade I, II and III [the KPI's unit]; a value on the limit reaches it. Source:
    GB/T 43329-2023 (清洁生产评价指标体系编制通则).

    >>> grade(16.0, (8.0, 24.0, 40.0), "lower"), grade(16.0, (60.0, 40.0, 30.0), "higher")
    ('II', '')
    """
    names: tuple[Grade, Grade, Grade] = ("I", "II", "III")
    for name, limit in zip(names, limits, strict=True):
        if (value <= limit) if better == "lower" else (value >= limit):
            return name
    return ""
