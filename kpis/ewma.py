"""The exponentially weighted moving average chart, resumable block by block."""

from __future__ import annotations

import math

import numpy as np

from plant.reading import Values


def run(previous: float, x: Values, weight: float) -> Values:
    """Eᵢ = λ·xᵢ + (1 − λ)·Eᵢ₋₁; an unknown block (nan) holds it. The last element is the state to resume from.

    Arguments: `previous` E before the first block [unit], `x` float64[n] [unit], `weight` λ in (0, 1]. Source: Roberts
    1959; NIST/SEMATECH e-Handbook 6.3.2.4.

    >>> run(50.0, np.array([52.0, 47.0, np.nan]), 0.3).round(2).tolist()
    [50.6, 49.52, 49.52]
    """
    out = np.empty(len(x))
    for number, value in enumerate(x.tolist()):
        if not math.isnan(value):
            previous = weight * value + (1 - weight) * previous
        out[number] = previous
    return out


def limit(sigma: float, weight: float, width: float) -> float:
    """How far from the target the chart's fixed limits lie, L·σ·√(λ/(2−λ)) [unit of sigma] (Lucas and Saccucci 1990).

    >>> round(50 + limit(2.0539, 0.3, 3.0), 4)
    52.5884
    """
    return width * sigma * math.sqrt(weight / (2 - weight))
