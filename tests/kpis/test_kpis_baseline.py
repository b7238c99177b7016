"""Baselines: least squares against certified values, held-out judgement, and what cannot be fitted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.baseline import Fit, NotFitted, fit, in_range, lag_one, predict
from plant.reading import Values

# NIST Statistical Reference Datasets, Longley (1967): data and certified values,
# https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml (public domain).
EMPLOYED = [
    60323,
    61122,
    60171,
    61187,
    63221,
    63639,
    64989,
    63761,
    66019,
    67857,
    68169,
    66513,
    68655,
    69564,
    69331,
    70551,
]
GNP = [234289, 259426, 258054, 284599, 328975, 346999, 365385, 363112]
GNP += [397469, 419180, 442769, 444546, 482704, 502601, 518173, 554894]
PEOPLE = [107608, 108632, 109773, 110929, 112075, 113270, 115094, 116219]
PEOPLE += [117388, 118734, 120445, 121950, 123366, 125368, 127852, 130081]
LONGLEY = [
    [83.0, 88.5, 88.2, 89.5, 96.2, 98.1, 99.0, 100.0, 101.2, 104.6, 108.4, 110.8, 112.6, 114.2, 115.7, 116.9],
    GNP,
    [2356, 2325, 3682, 3351, 2099, 1932, 1870, 3578, 2904, 2822, 2936, 4681, 3813, 3931, 4806, 4007],
    [1590, 1456, 1616, 1650, 3099, 3594, 3547, 3350, 3048, 2857, 2798, 2637, 2552, 2514, 2572, 2827],
    PEOPLE,
    list(range(1947, 1963)),
]
CERTIFIED = [-3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683]
CERTIFIED += [-1.03322686717359, -0.0511041056535807, 1829.15146461355]
CERTIFIED_SIGMA = 304.854073561965


def month(rng: np.random.Generator, days: int = 28) -> tuple[Values, Values, np.ndarray]:
    """Hours of production and of energy 30 + 0.5 a m2, and the day of each."""
    area = rng.uniform(0, 60, days * 24)
    return 30 + 0.5 * area + rng.normal(0, 2, days * 24), area[:, None], np.repeat(np.arange(days), 24)


def fitted(response: Values, drivers: Values, names: tuple[str, ...], day: np.ndarray | None = None) -> Fit:
    """A fit that must succeed."""
    got = fit(response, drivers, names, day)
    assert isinstance(got, Fit)
    return got


def test_longley() -> None:
    """NIST's hardest of the plain data sets: coefficients to 7 digits, residual standard deviation to 9."""
    got = fitted(np.array(EMPLOYED, float), np.array(LONGLEY, float).T, tuple("abcdef"))
    assert [got.intercept, *got.coefficients] == pytest.approx(CERTIFIED, rel=1e-7)
    assert got.sigma == pytest.approx(CERTIFIED_SIGMA, rel=1e-9)
    assert (got.n, got.p) == (16, 7)


def test_by_hand() -> None:
    """y = 2, 4, 5, 4, 5 at x = 1 to 5: slope 6/10, intercept 2.2, SSE 2.4, hence s = √0.8 and CV(RMSE) = s/4."""
    got = fitted(np.array([2.0, 4.0, 5.0, 4.0, 5.0]), np.arange(1.0, 6.0)[:, None], ("x",))
    assert got.coefficients[0] == pytest.approx(0.6)
    assert got.intercept == pytest.approx(2.2)
    assert got.sigma == pytest.approx(0.8**0.5)
    assert got.cv_rmse == pytest.approx(0.8**0.5 / 4)
    assert got.nmbe == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(got.held_out_cv_rmse)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_agrees_with_lstsq(seed: int, columns: int) -> None:
    """On any well-posed data the coefficients are those of LAPACK's least squares."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, columns)) * 10.0 ** rng.integers(-3, 4, columns)
    y = 5 + x.sum(axis=1) + rng.normal(size=60)
    got = fitted(y, x, tuple(f"x{number}" for number in range(columns)))
    oracle = np.linalg.lstsq(np.column_stack([np.ones(60), x]), y)[0]
    assert np.allclose([got.intercept, *got.coefficients], oracle, rtol=1e-7, atol=1e-9)


def test_held_out_figures_are_worse_than_in_sample_and_sound() -> None:
    """A held-out residual comes from a fit that has not seen its day: CV(RMSE) is a little above the in-sample one."""
    response, drivers, day = month(np.random.default_rng(5), 10)
    got = fitted(response, drivers, ("area",), day)
    assert 1.0 < got.held_out_cv_rmse / got.cv_rmse < 1.05
    assert abs(got.held_out_nmbe) < 0.01
    rest = day != 3
    without = fitted(response[rest], drivers[rest], ("area",))
    assert got.held_out[~rest] == pytest.approx(response[~rest] - predict(without, drivers[~rest]))


def test_an_overfitted_baseline_is_found_out() -> None:
    """Twenty drivers of pure noise look well in sample and badly on days not seen."""
    rng = np.random.default_rng(6)
    response, noise = 100 + rng.normal(0, 10, 48), rng.normal(size=(48, 20))
    got = fitted(response, noise, tuple(f"x{number}" for number in range(20)), np.repeat(np.arange(8), 6))
    assert got.held_out_cv_rmse > 1.3 * got.cv_rmse


def test_missing_rows_are_left_out() -> None:
    """Promise 3: an unknown block is no observation; fitting without it is the same as with it unknown."""
    response, drivers, day = month(np.random.default_rng(7))
    holes = np.arange(len(response)) % 17 == 0
    broken, gap = response.copy(), drivers.copy()
    broken[holes] = np.nan
    gap[5] = np.nan
    keep = ~holes
    keep[5] = False
    one, other = fitted(broken, gap, ("area",), day), fitted(response[keep], drivers[keep], ("area",), day[keep])
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-12)
    assert one.n == keep.sum()
    assert np.isnan(one.held_out).tolist() == (~keep).tolist()


def test_collinear_and_constant_drivers_are_dropped_by_name() -> None:
    """A driver that the others explain is named and dropped; the expectation is the one without it."""
    response, drivers, _ = month(np.random.default_rng(8))
    area = drivers[:, 0]
    wide = np.column_stack([area, np.full(len(area), 7.0), 3 * area + 2, area**2, np.zeros(len(area))])
    got = fitted(response, wide, ("area", "seven", "thrice", "square", "none"))
    assert got.names == ("area", "square")
    assert got.dropped == ("seven", "thrice", "none")
    assert len(got.coefficients) == len(got.ranges) == 2


def test_no_drivers_at_all_is_a_mean() -> None:
    """Without drivers the expectation is the mean and everything is in range."""
    response = np.array([1.0, 2.0, 3.0, 4.0])
    got = fitted(response, np.empty((4, 0)), ())
    assert predict(got, np.empty((2, 0))).tolist() == [2.5, 2.5]
    assert in_range(got, np.empty((2, 0))).all()


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ([1.0, 2.0, np.nan], "2 known rows are too few for 2 coefficients"),
        ([3.0, 3.0, 3.0, 3.0, 3.0], "the response does not vary"),
        ([-1.0, 1.0, -1.0, 1.0], "the response's mean is 0"),
    ],
)
def test_what_cannot_be_fitted_says_why(response: list[float], reason: str) -> None:
    """No exception for bad data: a reason."""
    got = fit(np.array(response), np.arange(float(len(response)))[:, None], ("area",))
    assert isinstance(got, NotFitted)
    assert got.reason == reason


def test_extrapolation_is_seen() -> None:
    """Outside the drivers' range, or with an unknown driver, a block is not in range."""
    response, drivers, _ = month(np.random.default_rng(9))
    got = fitted(response, drivers, ("area",))
    assert in_range(got, np.array([[30.0], [61.0], [-1.0], [np.nan]])).tolist() == [True, False, False, False]
    assert np.isnan(predict(got, np.array([[np.nan]])))[0]


def test_the_ledger_gives_back_what_it_took() -> None:
    """Promise 5: frozen coefficients survive JSON bit for bit, so an expectation can be recomputed for ever."""
    response, drivers, day = month(np.random.default_rng(10))
    for got in (fitted(response, drivers, ("area",), day), fitted(response, drivers, ("area",))):
        back = Fit.from_dict(json.loads(json.dumps(got.to_dict(), allow_nan=False)))
        assert back.to_dict() == got.to_dict()
        assert (predict(back, drivers) == predict(got, drivers)).all()


def test_lag_one_of_an_autoregression() -> None:
    """An AR(1) of 0.6 shows about 0.6; neighbours across an unknown one are no pair; nothing known is 0."""
    rng = np.random.default_rng(11)
    wave = np.zeros(5000)
    for now in range(1, 5000):
        wave[now] = 0.6 * wave[now - 1] + rng.normal()
    assert lag_one(wave) == pytest.approx(0.6, abs=0.04)
    wave[::2] = np.nan
    assert lag_one(wave) == 0.0
    assert lag_one(np.full(3, np.nan)) == 0.0
