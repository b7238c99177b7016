"""The onset of a drift by maximum likelihood over minutes, and its size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from kpis.onset import Onset, _whiten, lag_one_robust, onset
from plant.reading import MINUTE, Values

START_US = 1_772_380_800_000_000
BEFORE = 26 * 60


def autoregression(rng: np.random.Generator, n: int, rho: float) -> Values:
    """Unit-variance AR(1) float64[n], its start-up cut off."""
    wave: Values = lfilter([1], [1, -rho], rng.standard_normal(n + 500))[500:] * (1 - rho**2) ** 0.5
    return wave


def residuals(rng: np.random.Generator, hours: int, share: float, quantum: float = 0.0) -> tuple[Values, float]:
    """Minute residuals [m3] of a rinse of 0.65 m3 a minute and the step's true size [m3/h], `hours` after its onset.

    Noise: 18 % at lag-1 0.85, 5 % over about an hour, 3 % from day to day; `quantum` is a counter's step.
    """
    n = BEFORE + hours * 60
    expected = 0.65 * (1 + 0.1 * np.repeat(rng.standard_normal(n // 60), 60))
    noise = 0.18 * autoregression(rng, n, 0.85) + 0.05 * autoregression(rng, n, 0.98)
    noise += 0.03 * np.repeat(rng.standard_normal(4), 1440)[300 : 300 + n]
    actual = expected * (1 + noise)
    actual[BEFORE:] += share * 0.65
    if quantum:
        actual = np.diff(np.floor(np.cumsum(actual) / quantum) * quantum, prepend=0.0)
    return actual - expected, share * 0.65 * 60


def found(residual: Values, known: np.ndarray | None = None) -> Onset:
    """The onset with the lag-1 correlation of the time before."""
    minutes = START_US + MINUTE * np.arange(len(residual))
    known = np.ones(len(residual), np.bool_) if known is None else known
    got = onset(minutes, residual, known, lag_one_robust(np.where(known, residual, np.nan)[:BEFORE]))
    assert got is not None
    return got


def off_by_min(got: Onset) -> float:
    """Minutes by which the onset is late."""
    return (got.at - START_US) / MINUTE - BEFORE


@pytest.mark.parametrize("quantum", [0.0, 0.01, 0.1, 1.0])
def test_a_valve_left_open(quantum: float) -> None:
    """+90 %, seen for 4 h: within 30 min and 20 % in at least 18 of 20, also by a coarse counter (0.1 and 1 m3)."""
    timely = sized = 0
    for seed in range(20):
        residual, size = residuals(np.random.default_rng(seed), 4, 0.9, quantum)
        got = found(residual)
        timely += abs(off_by_min(got)) <= 30
        sized += abs(got.size_per_hour / size - 1) <= 0.2
        assert got.low <= got.at <= got.high
        assert got.size_low < got.size_per_hour < got.size_high
    assert timely >= 18
    assert sized >= 18


def test_the_bands_hold_what_they_say() -> None:
    """At a quarter of the size the 90 % bands hold the onset, and with day effects the size, eight times in ten."""
    inside = sized = 0
    for seed in range(60):
        residual, size = residuals(np.random.default_rng(seed), 8, 0.25)
        got = found(residual)
        inside += got.low <= START_US + BEFORE * MINUTE <= got.high
        sized += got.size_low <= size <= got.size_high
    assert inside >= 48
    assert sized >= 42


def test_a_misjudged_correlation_does_not_make_a_size_look_certain() -> None:
    """Taking autocorrelated minutes for independent leaves too narrow a band, unless sums over hours are looked at."""
    sized = 0
    for seed in range(40):
        residual, size = residuals(np.random.default_rng(seed), 4, 0.9)
        got = onset(START_US + MINUTE * np.arange(len(residual)), residual, np.ones(len(residual), np.bool_), 0.0)
        assert got is not None
        sized += got.size_low <= size <= got.size_high
    assert sized >= 26


def test_innovations_are_white_over_gaps_too() -> None:
    """Where minutes are missing, the correlation left is ρ to the power of the minutes between."""
    rng = np.random.default_rng(5)
    keep = rng.random(20_000) < 0.4
    at = MINUTE * np.arange(20_000)[keep]
    innovation, _, _ = _whiten(at, autoregression(rng, 20_000, 0.85)[keep], 0.85)
    single = np.concatenate([[False], np.diff(at) == MINUTE])
    assert np.corrcoef(innovation[1:], innovation[:-1])[0, 1] == pytest.approx(0.0, abs=0.03)
    assert innovation[single].var() == pytest.approx(innovation[~single].var(), rel=0.07)
    assert innovation.var() == pytest.approx(1 - 0.85**2, rel=0.05)


def test_an_onset_in_a_gap_reaches_back_over_it() -> None:
    """Promise 3: what began in unknown minutes began somewhere in them; a missing third costs nothing else."""
    rng = np.random.default_rng(1)
    residual, _ = residuals(rng, 4, 0.9)
    known = rng.random(len(residual)) > 0.3
    known[BEFORE - 40 : BEFORE + 20] = False
    got = found(residual, known)
    assert got.low <= START_US + BEFORE * MINUTE <= got.high + 21 * MINUTE
    assert got.low <= START_US + (BEFORE - 39) * MINUTE


def test_values_of_unknown_minutes_do_not_matter() -> None:
    """Promise 3: whatever stands in an unknown minute, nan included, changes nothing."""
    rng = np.random.default_rng(2)
    residual, _ = residuals(rng, 3, 0.9)
    known = rng.random(len(residual)) > 0.2
    assert found(np.where(known, residual, 1e6), known) == found(np.where(known, residual, np.nan), known)


def test_a_fall_has_a_negative_size() -> None:
    """Upside down: same onset, opposite size."""
    residual, _ = residuals(np.random.default_rng(3), 4, 0.9)
    up, down = found(residual), found(-residual)
    assert (up.at, up.low, up.high) == (down.at, down.low, down.high)
    assert up.size_per_hour == pytest.approx(-down.size_per_hour)
    assert (up.size_low, up.size_high) == pytest.approx((-down.size_high, -down.size_low))


def test_a_clean_step_is_found_exactly() -> None:
    """Without noise the minute and the size are exact."""
    residual = np.repeat([0.0, 0.5], [100, 50])
    got = onset(START_US + MINUTE * np.arange(150), residual, np.ones(150, np.bool_), 0.85)
    assert got is not None
    assert (got.at - START_US) / MINUTE == 100
    assert got.size_per_hour == pytest.approx(30.0)


def test_nothing_to_find_is_none() -> None:
    """Too few known minutes, or no variation at all, have no onset."""
    minutes = START_US + MINUTE * np.arange(30)
    residual = np.arange(30.0)
    assert onset(minutes, residual, np.arange(30) < 9, 0.8) is None
    assert onset(minutes, np.zeros(30), np.ones(30, np.bool_), 0.8) is None


def test_robust_lag_one() -> None:
    """About right on an AR(1) of 0.85, and spikes of a hundred sigma do not carry it away."""
    rng = np.random.default_rng(4)
    wave = autoregression(rng, 6000, 0.85)
    assert lag_one_robust(wave) == pytest.approx(0.85, abs=0.04)
    wave[rng.integers(0, 6000, 60)] += 100.0
    assert lag_one_robust(wave) == pytest.approx(0.85, abs=0.06)
    assert lag_one_robust(np.full(5, np.nan)) == 0.0
