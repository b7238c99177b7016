"""The energy baseline (EnB): response = A + Σ b·driver, fitted once, judged on days it has not seen, then frozen.

References
----------
ISO 50006:2014, energy baselines and relevant variables.
ASHRAE Guideline 14-2014, §5.2.11: CV(RMSE) and NMBE. In sample the NMBE of least squares with an intercept is 0, so
both are judged on held-out days (leave-days-out cross-validation).
Golub and Van Loan, Matrix Computations, §5.3: least squares by QR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.reading import Values

RANK_TOLERANCE = 1e-8
ROWS_PER_COEFFICIENT = 2


@dataclass(frozen=True)
class Fit:
    """A fitted baseline.

    `coefficients` [response per driver] and `intercept` [response] belong to `names`, the drivers kept; `dropped` are
    those that the others (or a constant) already explain. `sigma` is the residuals' standard deviation √(SSE/(n−p))
    [response], `rho` their lag-1 autocorrelation [1], `n` the rows used, `p` the coefficients with the intercept,
    `mean` the mean response. `cv_rmse`, `nmbe` [1] are in sample; the three `held_out_*` come from days left out and
    are nan when there was no second day. `ranges` is the lowest and highest of each driver seen. `held_out` holds the
    held-out residuals of the rows given (nan where missing); it is not part of the frozen coefficients.
    """

    names: tuple[str, ...]
    coefficients: tuple[float, ...]
    intercept: float
    sigma: float
    rho: float
    n: int
    p: int
    mean: float
    cv_rmse: float
    nmbe: float
    held_out_sigma: float
    held_out_cv_rmse: float
    held_out_nmbe: float
    ranges: tuple[tuple[float, float], ...]
    dropped: tuple[str, ...] = ()
    held_out: Values = field(default_factory=lambda: np.empty(0), compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The frozen coefficients as plain numbers, lists and text, for the ledger; None stands for nan."""
        plain: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, tuple):
                plain[name] = [list(one) if isinstance(one, tuple) else one for one in value]
            elif name != "held_out":
                plain[name] = None if isinstance(value, float) and math.isnan(value) else value
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Fit:
        """The fit that `to_dict` wrote, without its held-out residuals."""
        values: dict[str, Any] = {}
        for name, value in plain.items():
            values[name] = math.nan if value is None else tuple(value) if isinstance(value, list) else value
        values["ranges"] = tuple((low, high) for low, high in plain["ranges"])
        return cls(**values)


@dataclass(frozen=True)
class NotFitted:
    """Why there is no baseline."""

    reason: str
    rows: int


def fit(
    response: Values,
    drivers: Values,
    names: tuple[str, ...],
    day: NDArray[np.int64] | None = None,
    folds: int = 10,
) -> Fit | NotFitted:
    """Least squares of a response on its drivers, judged on held-out days.

    Arguments: `response` float64[n], one element a block in order of time [unit]; `drivers` float64[n, p] [their
    units], `names` their p names; `day` int64[n] which day a block belongs to, for the held-out figures; `folds` how
    many times a share of the days is left out. Rows with a nan are left out. Returns NotFitted, with the reason, when
    fewer than two rows a coefficient are known, or the response does not vary or has a mean of 0.

    >>> got = fit(np.array([3.0, 5.0, 7.0, 9.0, 11.1, 13.0]), np.arange(6.0)[:, None], ("area",))
    >>> isinstance(got, Fit) and (round(got.intercept, 2), [round(c, 2) for c in got.coefficients])
    (3.0, [2.01])
    """
    known = np.isfinite(response) & np.isfinite(drivers).all(axis=1)
    y, x = response[known], drivers[known]
    rows = len(y)
    if rows < ROWS_PER_COEFFICIENT * (x.shape[1] + 1):
        return NotFitted(f"{rows} known rows are too few for {x.shape[1] + 1} coefficients", rows)
    mean = float(y.mean())
    if mean == 0.0 or np.ptp(y) == 0.0:
        return NotFitted("the response does not vary" if mean else "the response's mean is 0", rows)
    kept = independent(x)
    x = x[:, kept]
    beta = _solve(x, y)
    residual = y - _apply(beta, x)
    p = len(beta)
    freedom = rows - p
    sigma = math.sqrt(float(residual @ residual) / freedom)
    spread = np.full(len(response), np.nan)
    spread[known] = residual
    held_out = np.full(len(response), np.nan)
    if day is not None:
        held_out[known] = _held_out(y, x, day[known], folds)
    out = held_out[np.isfinite(held_out)]
    rmse = math.sqrt(float(out @ out) / len(out)) if len(out) else math.nan
    return Fit(
        names=tuple(names[column] for column in kept),
        coefficients=tuple(beta[1:].tolist()),
        intercept=float(beta[0]),
        sigma=sigma,
        rho=lag_one(spread),
        n=rows,
        p=p,
        mean=mean,
        cv_rmse=sigma / mean,
        nmbe=float(residual.sum()) / (freedom * mean),
        held_out_sigma=rmse,
        held_out_cv_rmse=rmse / mean,
        held_out_nmbe=float(out.mean()) / mean if len(out) else math.nan,
        ranges=tuple((float(column.min()), float(column.max())) for column in x.T),
        dropped=tuple(name for column, name in enumerate(names) if column not in kept),
        held_out=held_out,
    )


def predict(fitted: Fit, drivers: Values) -> Values:
    """What the baseline expects: float64[n] [response], from the kept drivers float64[n, len(names)]; nan from nan."""
    return _apply(np.array([fitted.intercept, *fitted.coefficients]), drivers)


def in_range(fitted: Fit, drivers: Values) -> NDArray[np.bool_]:
    """Whether every driver of a row lies in the range that the fit has seen: bool[n]; outside is extrapolation."""
    if not fitted.names:
        return np.ones(len(drivers), np.bool_)
    low, high = np.array(fitted.ranges).T
    inside: NDArray[np.bool_] = ((drivers >= low) & (drivers <= high)).all(axis=1)
    return inside


def lag_one(residual: Values) -> float:
    """Lag-1 autocorrelation of residuals in order of time, over neighbours both known [1]; 0 when there are none.

    >>> round(lag_one(np.array([1.0, -1.0, 1.0, -1.0, np.nan, 1.0])), 2)
    -1.0
    """
    centred = residual - np.nanmean(residual) if np.isfinite(residual).any() else residual
    pairs = centred[1:] * centred[:-1]
    known = pairs[np.isfinite(pairs)]
    variance = np.nanmean(centred**2) if len(known) else 0.0
    return float(known.mean() / variance) if variance else 0.0


def independent(x: Values) -> list[int]:
    """The columns, first come first kept, that neither a constant nor the columns kept before them explain."""
    kept: list[int] = []
    for column in range(x.shape[1]):
        one = x[:, column] - x[:, column].mean()
        size = math.sqrt(float(one @ one))
        if size <= RANK_TOLERANCE * math.sqrt(float(x[:, column] @ x[:, column])):
            continue
        basis = np.linalg.qr(_with_constant(x[:, kept]))[0]
        left = one - basis @ (basis.T @ one)
        if math.sqrt(float(left @ left)) > RANK_TOLERANCE * size:
            kept.append(column)
    return kept


def _with_constant(x: Values) -> Values:
    return np.column_stack([np.ones(len(x)), x])


def _apply(beta: Values, x: Values) -> Values:
    expected: Values = beta[0] + (x * beta[1:]).sum(axis=1)
    return expected


def _solve(x: Values, y: Values) -> Values:
    """Intercept and coefficients; columns are scaled first, since drivers come in units of very different size."""
    scale = np.abs(x).max(axis=0)
    q, r = np.linalg.qr(_with_constant(x / scale))
    beta: Values = np.linalg.solve(r, q.T @ y)
    beta[1:] /= scale
    return beta


def _held_out(y: Values, x: Values, day: NDArray[np.int64], folds: int) -> Values:
    """Each row's residual from a fit that has not seen its day; nan where the other days cannot carry a fit."""
    days, index = np.unique(day, return_inverse=True)
    fold = index % min(folds, len(days))
    residual = np.full(len(y), np.nan)
    for number in range(fold.max() + 1):
        rest, out = fold != number, fold == number
        if rest.sum() >= ROWS_PER_COEFFICIENT * (x.shape[1] + 1) and len(independent(x[rest])) == x.shape[1]:
            residual[out] = y[out] - _apply(_solve(x[rest], y[rest]), x[out])
    return residual
