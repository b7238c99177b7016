"""KPIs as ratios of sums: value, range of what is unknown, distance from target, grade."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.ratio import Range, distance, grade, ratio, ratio_range


def sum_range(known: float, missing: int, most: float) -> Range:
    """A sum with some unknown minutes of 0 to `most` each."""
    return Range(np.array([known]), np.array([known + (missing * most if missing else 0.0)]))


AMOUNTS = st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 5.0)), min_size=20, max_size=60)


@given(AMOUNTS, st.data())
def test_removing_minutes_leaves_the_value_within_its_range(
    rows: list[tuple[float, float]], data: st.DataObject
) -> None:
    """Promise 3: take any minutes of either meter away and the full-data value lies within low..high."""
    energy, area = np.array(rows).T
    gone = [data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=len(rows) // 5)) for _ in range(2)]
    ranges = []
    for amounts, missing, most in ((energy, gone[0], 10.0), (area, gone[1], 5.0)):
        known = np.delete(amounts, sorted(missing)).sum()
        ranges.append(sum_range(float(known), len(missing), most))
    low, high = ratio_range(ranges[0], ranges[1])
    full = ratio(np.array([energy.sum()]), np.array([area.sum()]))[0]
    if not math.isnan(full):
        assert low[0] * (1 - 1e-9) - 1e-12 <= full <= high[0] * (1 + 1e-9) + 1e-12


# sums are whole millionths of their unit
SUMS = st.integers(0, 50_000_000).map(lambda steps: steps * 1e-6)


@given(st.floats(-50, 50), SUMS, SUMS, SUMS, st.floats(0, 1), st.floats(0, 1))
def test_a_ratio_range_holds_every_ratio(
    numerator: float, width: float, denominator: float, more: float, one: float, other: float
) -> None:
    """Any numerator over any positive denominator of their ranges is within the ratio's."""
    over, under = numerator + width * one, round(denominator + more * other, 6)
    low, high = ratio_range(
        Range(np.array([numerator]), np.array([numerator + width])),
        Range(np.array([denominator]), np.array([denominator + more])),
    )
    if under > 0:
        assert low[0] <= over / under + 1e-6 * abs(over / under)
        assert over / under <= high[0] + 1e-6 * abs(over / under)


def test_nothing_missing_leaves_no_width() -> None:
    """With full data low = value = high, even where a point declares no range."""
    total = sum_range(12.0, 0, math.inf)
    assert (total.low[0], total.high[0]) == (12.0, 12.0)


def test_an_undeclared_range_is_boundless() -> None:
    """Without a declared range a missing minute may have brought anything."""
    energy = sum_range(12.0, 1, math.inf)
    area = sum_range(4.0, 1, math.inf)
    low, high = ratio_range(energy, area)
    assert (low[0], high[0]) == (0.0, math.inf)


def test_a_mean_of_ratios_is_never_taken() -> None:
    """2 kWh over 1 m2 and 2 kWh over 3 m2 are 1 kWh/m2, not 1.33."""
    energy, area = np.array([2.0, 2.0]), np.array([1.0, 3.0])
    assert ratio(np.array([energy.sum()]), np.array([area.sum()]))[0] == 1.0


def test_below_minimum_production_there_is_no_kpi() -> None:
    """Promise 3: no production and too little production are unknown, not 0 and not infinite."""
    assert np.isnan(ratio(np.array([5.0, 5.0]), np.array([0.0, 9.9]), minimum=10.0)).all()
    assert ratio(np.array([5.0]), np.array([10.0]), times=1000.0, minimum=10.0)[0] == 500.0


def test_distance_is_positive_when_worse() -> None:
    """Whether lower or higher is better, above 0 is worse; an unknown value has an unknown distance."""
    assert distance(np.array([22.0, 18.0]), 20.0, "lower").tolist() == [10.0, -10.0]
    assert distance(np.array([55.0, 45.0]), 50.0, "higher").tolist() == [-10.0, 10.0]
    assert distance(np.array([-9.0]), -10.0, "lower").tolist() == [10.0]
    assert np.isnan(distance(np.array([1.0, math.nan]), 0.0, "lower")).all()
    assert np.isnan(distance(np.array([math.nan]), 5.0, "lower")).all()


@pytest.mark.parametrize(
    ("value", "reached"), [(7.9, "I"), (8.0, "I"), (8.1, "II"), (24.0, "II"), (40.0, "III"), (40.1, ""), (math.nan, "")]
)
def test_grade_of_fresh_water(value: float, reached: str) -> None:
    """Electroplating 2015: fresh water per rinse stage 8/24/40 L/m2; the limit itself is within its grade."""
    assert grade(value, (8.0, 24.0, 40.0), "lower") == reached


@pytest.mark.parametrize(("value", "reached"), [(61.0, "I"), (59.9, "II"), (30.0, "III"), (29.0, ""), (math.nan, "")])
def test_grade_of_water_reuse(value: float, reached: str) -> None:
    """Electroplating 2015: water reuse 60/40/30 %, higher is better."""
    assert grade(value, (60.0, 40.0, 30.0), "higher") == reached
