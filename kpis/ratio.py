"""A KPI as a ratio of sums: its value, what unknown minutes may make of it, its distance from target, its grade.

Sums are over the minutes in which every term is known; a mean of ratios is never taken.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.reading import Values

Better = Literal["lower", "higher"]
Grade = Literal["", "I", "II", "III"]
GRADES: tuple[Grade, ...] = ("", "I", "II", "III")


class Range(NamedTuple):
    """The lowest and the highest that a sum or a ratio can be: float64[n] each."""

    low: Values
    high: Values


def ratio(numerator: Values, denominator: Values, times: Values | float = 1.0, minimum: Values | float = 0.0) -> Values:
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


def ratio_range(numerator: Range, denominator: Range, times: Values | float = 1.0) -> Range:
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


def distances(value: Values, target: Values, lower: NDArray[np.bool_]) -> Values:
    """How far values are from their targets, positive when worse [%]; nan without a target, or for one of 0.

    Arguments: `value` float64[n, KPI], each KPI's `target` and whether a `lower` value is the better one.

    >>> distances(np.array([[22.0, 45.0]]), np.array([20.0, 50.0]), np.array([True, False])).tolist()
    [[10.0, 10.0]]
    """
    worse = np.where(lower, value - target, target - value)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(target, 0), np.nan, worse / np.abs(target) * 100)


def grades(value: Values, limits: Values, lower: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The best grade that each value reaches, as an index of GRADES: 0 for none, or when the value is unknown.

    Arguments: `value` float64[n, KPI], `limits` float64[KPI, 3] of grade I, II and III [the KPI's unit], nan where a
    KPI has none; a value on the limit reaches it. Source: GB/T 43329-2023 (清洁生产评价指标体系编制通则).

    >>> limits = np.array([[8.0, 24.0, 40.0], [60.0, 40.0, 30.0]])
    >>> grades(np.array([[16.0, 16.0]]), limits, np.array([True, False])).tolist()
    [[2, 0]]
    """
    reached = np.where(lower[:, None], value[..., None] <= limits, value[..., None] >= limits)
    best: NDArray[np.int64] = np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1, 0)
    return best


def distance(value: Values, target: float, better: Better) -> Values:
    """How far a value is from its target, positive when it is worse [%]; nan for a target of 0.

    >>> distance(np.array([22.0]), 20.0, "lower").tolist(), distance(np.array([45.0]), 50.0, "higher").tolist()
    ([10.0], [10.0])
    """
    return distances(value, np.array(target), np.array(better == "lower"))


def grade(value: float, limits: tuple[float, float, float], better: Better) -> Grade:
    """The best grade that a value reaches; "" when it reaches none or is unknown.

    Arguments: `limits` of grade I, II and III [the KPI's unit]; a value on the limit reaches it. Source:
    GB/T 43329-2023 (清洁生产评价指标体系编制通则).

    >>> grade(16.0, (8.0, 24.0, 40.0), "lower"), grade(16.0, (60.0, 40.0, 30.0), "higher")
    ('II', '')
    """
    found = grades(np.array([[value]]), np.array([limits], np.float64), np.array([better == "lower"]))
    return GRADES[int(found[0, 0])]
