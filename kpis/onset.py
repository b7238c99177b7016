"""When a drift began and how large it is: maximum likelihood of one step in autocorrelated minute residuals.

The residuals r (actual − expected, per minute) are a constant, a step δ from minute τ on, and a first-order
autoregression of lag-1 correlation ρ. Neighbours are differenced by ρ to the power of the minutes between them, which
leaves independent innovations (exact Gaussian likelihood, also over gaps); for every τ the constant and δ follow by
least squares from running sums. The residual sum of squares S(τ) gives the profile likelihood S^(−n/2), whose share
between its 5 % and 95 % points is the onset's interval (uniform prior); the size averages over it.

Sources: Hinkley 1970, Biometrika 57(1), Inference about the change-point in a sequence of random variables; Box, Tiao
1975, JASA 70, Intervention analysis; Jones 1980, Technometrics 22(3) (autoregressions with missing observations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plant.reading import MINUTE, Times, Values

BESIDE_LEAST = 5
SQUARES_LEAST = 1e-12
SUM_MINUTES = 120
MINUTES_PER_HOUR = 60
NORMAL_95 = 1.6449
RHO_MOST = 0.99


@dataclass(frozen=True)
class Onset:
    """A step: `at` the start of its first minute, 90 % interval `low` to `high` [µs UTC]; size with 90 % band [unit/h].

    `size_per_hour` is positive where more is used than before.
    """

    at: int
    low: int
    high: int
    size_per_hour: float
    size_low: float
    size_high: float


def onset(minutes: Times, residual: Values, known: NDArray[np.bool_], rho: float) -> Onset | None:
    """The most likely single step in a stretch of minute residuals.

    Arguments: `minutes` int64[n] starts in order [µs UTC], from about a day before the chart's last zero to the alarm;
    `residual` float64[n] actual − expected amount of the minute [unit]; `known` bool[n]; `rho` lag-1 autocorrelation
    of the minute residuals, from `lag_one_robust` [1] (a negative one, as coarse counters have, counts as 0). Returns
    None when fewer than ten minutes are known or nothing varies. The constant before the step is estimated too: a size
    is against the hours before it, not against an expectation that may lie off by a day's effect. `low` reaches back
    over unknown minutes in which the step may have begun.
    """
    use = known & np.isfinite(residual)
    at, r = minutes[use], residual[use]
    n = len(r)
    if n < 2 * BESIDE_LEAST or np.ptp(r) == 0.0:
        return None
    y, one, jump = _whiten(at, r, min(max(rho, 0.0), RHO_MOST))
    squares, size, variance = (part[BESIDE_LEAST : n - BESIDE_LEAST + 1] for part in _profile(y, one, jump))
    begin = at[BESIDE_LEAST : n - BESIDE_LEAST + 1]
    earliest = at[BESIDE_LEAST - 1 : n - BESIDE_LEAST] + MINUTE
    best = int(np.argmin(squares))
    squares = np.maximum(squares, SQUARES_LEAST * float(y @ y))
    weight = np.exp(-n / 2 * np.log(squares / squares[best]))
    weight /= weight.sum()
    share = np.cumsum(weight)
    first = min(int(np.searchsorted(share, 0.05)), best)
    last = max(min(int(np.searchsorted(share, 0.95)), len(share) - 1), best)
    noise = squares / (n - 3) * _variance_ratio(y - _fitted(y, one, jump, best + BESIDE_LEAST))
    middle = float(weight @ size)
    spread = math.sqrt(float(weight @ (variance * noise + (size - middle) ** 2)))
    return Onset(
        at=int(begin[best]),
        low=int(earliest[first]),
        high=int(begin[last]),
        size_per_hour=middle * MINUTES_PER_HOUR,
        size_low=(middle - NORMAL_95 * spread) * MINUTES_PER_HOUR,
        size_high=(middle + NORMAL_95 * spread) * MINUTES_PER_HOUR,
    )


def lag_one_robust(residual: Values) -> float:
    """Lag-1 autocorrelation that neither outliers nor a short step can carry away: sin(π/2·quadrant correlation) [1].

    Argument: `residual` float64[n] one a minute, nan where unknown. Returns 0 when no two neighbours are known. Source:
    Blomqvist 1950 (quadrant correlation); Chang and Politis 2016, JCGS 25(1), Robust autocorrelation estimation.

    >>> wave = np.sin(np.arange(400) / 20)
    >>> lag_one_robust(wave) > 0.95
    True
    """
    if not np.isfinite(residual).any():
        return 0.0
    side = np.sign(residual - np.nanmedian(residual))
    pairs = side[1:] * side[:-1]
    pairs = pairs[np.isfinite(pairs) & (pairs != 0)]
    return math.sin(math.pi / 2 * float(pairs.mean())) if len(pairs) else 0.0


def _whiten(at: Times, r: Values, rho: float) -> tuple[Values, Values, Values]:
    """Innovations of residual and constant, and the weight of each minute's own value in its innovation."""
    apart = np.diff(at) / MINUTE
    carried = np.concatenate([[0.0], rho**apart])
    jump = np.sqrt((1 - rho**2) / (1 - carried**2)) if rho else np.ones(len(r))
    before = np.concatenate([[0.0], r[:-1]])
    return jump * (r - carried * before), jump * (1 - carried), jump


def _profile(y: Values, one: Values, jump: Values) -> tuple[Values, Values, Values]:
    """For a step at each minute: residual sum of squares, size δ and its variance per unit of noise variance.

    The step's column is 0 before its minute, `jump` at it and `one` after it, so that its products with everything are
    the running sums from behind.
    """

    def after(product: Values) -> Values:
        return np.concatenate([np.cumsum(product[::-1])[::-1][1:], [0.0]])

    with_self = jump**2 + after(one**2)
    with_one = jump * one + after(one**2)
    with_y = jump * y + after(one * y)
    ones, cross, total = float(one @ one), float(one @ y), float(y @ y)
    information = with_self - with_one**2 / ones
    information = np.where(information > 1e-12 * ones, information, np.nan)
    excess = with_y - with_one * cross / ones
    size = excess / information
    squares = total - cross**2 / ones - excess * size
    return np.nan_to_num(squares, nan=total), np.nan_to_num(size), np.nan_to_num(1 / information)


def _fitted(y: Values, one: Values, jump: Values, step: int) -> Values:
    """What constant and step at row `step` explain of the innovations."""
    column = np.concatenate([np.zeros(step), jump[step : step + 1], one[step + 1 :]])
    basis = np.column_stack([one, column])
    fitted: Values = basis @ np.linalg.lstsq(basis, y)[0]
    return fitted


def _variance_ratio(innovation: Values) -> float:
    """How much more sums over two hours vary than those of independent innovations, at least 1 (Lo and MacKinlay 1988).

    Wandering over hours, which a first-order autoregression of minutes does not see, makes a size less certain.
    """
    sums = len(innovation) // SUM_MINUTES
    if sums < 4:
        return 1.0
    summed = innovation[: sums * SUM_MINUTES].reshape(sums, -1).sum(axis=1)
    return max(1.0, float(np.mean(summed**2)) / (SUM_MINUTES * float(np.mean(innovation**2))))
