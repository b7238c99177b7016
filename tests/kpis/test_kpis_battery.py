"""One battery over every statistic: it changes no input, says the same twice, lets unknowns through, ignores order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kpis import baseline, cusum, design, onset, ratio, terms
from plant.reading import MINUTE, Values

SIZE = 24
LINE = baseline.Fit(("x",), (2.0,), 1.0, 1.0, 0.0, 24, 2, 1.0, 0.1, 0.0, 1.0, 0.1, 0.0, ((0.0, 10.0),))
ELEMENTWISE: dict[str, tuple[Callable[..., Values], int]] = {
    "product": (terms.product, 2),
    "load": (terms.load, 2),
    "content": (terms.content, 2),
    "reference_drainage": (lambda made: terms.reference_drainage(made, 200.0), 1),
    "water_density": (terms.water_density, 1),
    "water_mass": (terms.water_mass, 2),
    "at_reference_oxygen": (lambda c, oxygen: terms.at_reference_oxygen(c, oxygen / 3, 3.5), 2),
    "cooling": (terms.cooling, 3),
    "temperature_correction": (terms.temperature_correction, 1),
    "net_driving_pressure": (terms.net_driving_pressure, 4),
    "normalised_flow": (lambda v, t, feed, brine, out: terms.normalised_flow(v, t, feed, brine, out, 10.0), 5),
    "ratio": (ratio.ratio, 2),
    "distance": (lambda value: ratio.distance(value, 20.0, "lower"), 1),
    "distances": (lambda v: ratio.distances(v[:, None], np.array([20.0]), np.array([True]))[:, 0], 1),
}
STATISTICS: dict[str, Callable[[Values], object]] = {
    "lag_one": baseline.lag_one,
    "lag_one_robust": onset.lag_one_robust,
    "fit": lambda x: baseline.fit(x, np.arange(len(x), dtype=float)[:, None], ("x",), np.arange(len(x)) // 4),
    "predict": lambda x: baseline.predict(LINE, x[:, None]).tolist(),
    "in_range": lambda x: baseline.in_range(LINE, x[:, None]).tolist(),
    "cusum": lambda x: [one.tolist() for one in cusum.run(cusum.State(), x)[1:]],
    "design": lambda x: design.design(x, np.arange(len(x)) // 3, (0.5,), 1.0, np.random.default_rng(1)),
    "excursions": lambda x: design.excursion_peaks(x[None], (0.5, 1.5)).tolist(),
    "onset": lambda x: onset.onset(MINUTE * np.arange(len(x)), x, np.isfinite(x), 0.5),
}
VALUES = st.floats(0.0, 60.0).map(lambda value: round(value, 3))
GAPPED = arrays(np.float64, SIZE, elements=st.one_of(VALUES, st.just(float("nan"))))


def columns(count: int) -> st.SearchStrategy[list[Values]]:
    """Known columns of equal length."""
    return st.lists(arrays(np.float64, SIZE, elements=VALUES), min_size=count, max_size=count)


def locked(*values: Values) -> None:
    """Any write to these arrays raises from now on."""
    for one in values:
        one.flags.writeable = False


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(st.data())
@settings(max_examples=30, deadline=None)
def test_elementwise(name: str, data: st.DataObject) -> None:
    """Promise 3: an unknown input makes its own minute unknown and no other; minutes do not know their neighbours."""
    function, count = ELEMENTWISE[name]
    inputs = data.draw(columns(count))
    order = np.array(data.draw(st.permutations(range(SIZE))))
    hole, column = data.draw(st.integers(0, SIZE - 1)), data.draw(st.integers(0, count - 1))
    locked(*inputs)
    whole = function(*inputs)
    assert whole.shape == (SIZE,)
    assert np.array_equal(whole, function(*inputs), equal_nan=True)
    assert np.array_equal(whole[order], function(*(one[order] for one in inputs)), equal_nan=True)
    broken = [one.copy() for one in inputs]
    broken[column][hole] = np.nan
    part = function(*broken)
    assert np.isnan(part[hole])
    assert np.array_equal(np.delete(part, hole), np.delete(whole, hole), equal_nan=True)


@pytest.mark.parametrize("name", STATISTICS)
@given(GAPPED)
@settings(max_examples=30, deadline=None)
def test_pure(name: str, values: Values) -> None:
    """Promise 2: the same input gives the same answer, is not written to, and unknown values never raise."""
    locked(values)
    assert repr(STATISTICS[name](values)) == repr(STATISTICS[name](values))


@given(GAPPED, st.permutations(range(SIZE)))
@settings(deadline=None)
def test_a_fit_does_not_depend_on_the_order_of_rows(values: Values, order: list[int]) -> None:
    """Promise 2: coefficients agree to 1e-9 relative however the rows came."""
    x = np.arange(SIZE, dtype=float)[:, None]
    one = baseline.fit(values, x, ("x",))
    other = baseline.fit(values[order], x[order], ("x",))
    assert isinstance(one, baseline.Fit) == isinstance(other, baseline.Fit)
    if isinstance(one, baseline.Fit) and isinstance(other, baseline.Fit):
        assert one.names == other.names
        assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9, abs=1e-9)
        assert one.intercept == pytest.approx(other.intercept, rel=1e-9, abs=1e-9)
