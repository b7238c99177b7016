"""Amounts in whole steps: sums that do not depend on order, and come back to exactly 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.exact import from_steps, to_steps

RESOLUTIONS = st.sampled_from([1e-6, 1e-3, 0.01, 0.1, 0.25, 0.3, 1.0, 10.0])
WHOLE = st.lists(st.integers(-(2**44), 2**44), min_size=1, max_size=30)


@given(WHOLE, RESOLUTIONS)
def test_steps_survive_the_way_through_amounts(steps: list[int], resolution: float) -> None:
    """Promise 2: an amount written out and read back is the same number of steps."""
    whole = np.array(steps, np.int64)
    assert (to_steps(from_steps(whole, resolution), resolution) == whole).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), RESOLUTIONS)
def test_a_sum_does_not_depend_on_its_order(amounts: list[float], resolution: float) -> None:
    """Promise 2: steps add up to the same in any order; taking all of them off again leaves exactly 0."""
    steps = to_steps(np.array(amounts), resolution)
    running = 0
    for step in steps[::-1].tolist():
        running += step
    assert running == int(steps.sum())
    for step in steps.tolist():
        running -= step
    assert running == 0


@given(st.floats(-1e6, 1e6), RESOLUTIONS)
def test_rounding_is_to_the_nearest_step(amount: float, resolution: float) -> None:
    """An amount is at most half a step from its steps."""
    back = from_steps(to_steps(np.array([amount]), resolution), resolution)[0]
    assert abs(back - amount) <= resolution / 2 * (1 + 1e-9) + abs(amount) * 1e-15


def test_halves_go_to_the_even_neighbour() -> None:
    """Half to even has no bias: 0.5, 1.5, 2.5, 3.5 sum to what they sum to."""
    assert to_steps(np.array([0.5, 1.5, 2.5, 3.5, -0.5]), 1.0).tolist() == [0, 2, 2, 4, 0]


@pytest.mark.parametrize("amount", [np.nan, np.inf, 1e12])
def test_what_is_no_number_of_steps_is_refused(amount: float) -> None:
    """Promise 3: an unknown amount never becomes 0 steps."""
    with pytest.raises(ValueError, match="not finite"):
        to_steps(np.array([1.0, amount]), 1e-6)
