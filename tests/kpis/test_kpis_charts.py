"""CUSUM against worked charts of Montgomery and NIST, and their run lengths against published tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis import cusum
from kpis.cusum import State, first_signal, run

# Montgomery, Introduction to Statistical Quality Control, Example 9.1 (Tables 9.1 and 9.2): mu0 10, sigma 1, k .5, h 5;
# the mean rose to 11 after period 20.
MONTGOMERY = [9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.2, 10.34, 9.03, 11.47, 10.51, 9.4, 10.08]
MONTGOMERY += [9.37, 10.62, 10.31, 8.52, 10.84, 10.9, 9.33, 12.29, 11.5, 10.6, 11.08, 10.38, 11.62, 11.31, 10.52]
MONTGOMERY_PLUS = [0, 0, 0, 1.16, 2.82, 2.5, 0.04, 1.0, 0, 0, 0, 0.97, 0.98, 0, 0]
MONTGOMERY_PLUS += [0, 0.12, 0, 0, 0.34, 0.74, 0, 1.79, 2.79, 2.89, 3.47, 3.35, 4.47, 5.28]
# NIST/SEMATECH e-Handbook 6.3.2.3 (public domain): target 325, k 0.3175, h 4.1959.
NIST = [324.925, 324.675, 324.725, 324.35, 325.35, 325.225, 324.125, 324.525, 325.225, 324.6]
NIST += [324.625, 325.15, 328.325, 327.25, 327.825, 328.5, 326.675, 327.775, 326.875, 328.35]
NIST_HI = [0, 0, 0, 0, 0.03, 0, 0, 0, 0, 0, 0, 0, 3.01, 4.94, 7.45, 10.63, 11.99, 14.44, 16.0, 19.04]
NIST_LO = [0, 0.01, 0, 0.33, 0, 0, 0.56, 0.72, 0.17, 0.25, 0.31, 0, 0, 0, 0, 0, 0, 0, 0, 0]
# NIST/SEMATECH e-Handbook 6.3.2.4: lambda 0.3, start 50, s 2.0539, L 3.
WEIGHED = [52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5]
WEIGHED += [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
WEIGHED_EWMA = [50.6, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33]
WEIGHED_EWMA += [50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99]

BLOCKS = st.lists(st.one_of(st.floats(-6, 6), st.just(float("nan"))), max_size=40)


def test_montgomery() -> None:
    """Signals at period 29 with N⁺ = 7, hence the last period in control is 22."""
    z = np.array(MONTGOMERY) - 10
    after, plus, _ = run(State(), z[:29], k=0.5)
    assert plus.tolist() == pytest.approx(MONTGOMERY_PLUS, abs=1e-9)
    assert first_signal(plus, 5.0) == 28
    assert (after.seen - after.plus_zero, after.plus_zero) == (7, 22)


def test_nist_cusum() -> None:
    """Both sums of NIST's worked example, its signal at group 14."""
    _, plus, minus = run(State(), np.array(NIST) - 325, k=0.3175)
    assert plus.tolist() == pytest.approx(NIST_HI, abs=0.0101)
    assert minus.tolist() == pytest.approx(NIST_LO, abs=0.0101)
    assert first_signal(plus, 4.1959) == 13


@pytest.mark.parametrize(("mean", "length"), [(0.0, 168.0), (1.0, 8.38), (2.0, 3.34)])
def test_average_run_length(mean: float, length: float) -> None:
    """Lucas and Crosier 1982, k = 0.5, h = 4, two-sided: 168 in control, 8.38 at 1σ, 3.34 at 2σ."""
    rng = np.random.default_rng(3)
    lengths = []
    for _ in range(400):
        state, seen = State(), 0
        while True:
            state, plus, minus = run(state, rng.normal(mean, 1, 64), k=0.5)
            found = first_signal(np.maximum(plus, minus), 4.0)
            if found is not None:
                lengths.append(seen + found + 1)
                break
            seen += 64
    assert np.mean(lengths) == pytest.approx(length, abs=4 * float(np.std(lengths)) / 20)


@given(BLOCKS, st.floats(0, 2))
def test_an_unknown_block_holds_the_chart(blocks: list[float], k: float) -> None:
    """Promise 3: an unknown block neither raises nor resets a sum; but the blocks seen count it."""
    z = np.array(blocks)
    known = z[np.isfinite(z)]
    with_gaps, without = run(State(), z, k)[0], run(State(), known, k)[0]
    assert (with_gaps.plus, with_gaps.minus) == (without.plus, without.minus)
    assert with_gaps.seen == len(z)


@given(BLOCKS)
def test_the_lower_sum_is_the_upper_one_upside_down(blocks: list[float]) -> None:
    """A fall is a rise of the negative."""
    z = np.array(blocks)
    assert cusum.run(State(), z)[1].tolist() == cusum.run(State(), -z)[2].tolist()


@given(st.lists(st.floats(-3, 6), min_size=1, max_size=40), st.integers(0, 40))
def test_a_chart_resumes_where_it_stopped(values: list[float], cut: int) -> None:
    """Promise 2: a chart run in two pieces says what it says in one."""
    z = np.array(values)
    whole, plus, _ = cusum.run(cusum.State(), z)
    half, first, _ = cusum.run(cusum.State(), z[:cut])
    end, rest, _ = cusum.run(half, z[cut:])
    assert end == whole
    assert np.concatenate([first, rest]).tolist() == plus.tolist()
