"""Amounts as whole numbers of steps, so that sums do not depend on their order and an emptied sum is exactly 0.

Every summed quantity is an int64 multiple of its resolution (0.1 kWh, 1e-6 kgce …). Rounding is half to even
(IEEE 754 roundTiesToEven), hence without bias over many minutes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plant.reading import Values

Steps = NDArray[np.int64]
STEPS_MAX = 2**53


def to_steps(amount: Values, resolution: float) -> Steps:
    """The nearest whole number of steps of each amount.

    Arguments: `amount` float64[n] [unit], `resolution` > 0 [unit]. Returns int64[n]. Raises ValueError when an amount
    is not finite (an unknown has no number) or beyond 2^53 steps (float64 no longer tells neighbours apart).

    >>> to_steps(np.array([0.5, 1.5, 2.5, 0.3]), 1.0).tolist()
    [0, 2, 2, 0]
    >>> to_steps(np.array([0.3]), 0.1).tolist()
    [3]
    """
    inverse = _whole_inverse(resolution)
    steps: Values = np.rint(amount / resolution if inverse is None else amount * inverse)
    if not np.all(np.abs(steps) <= STEPS_MAX):
        raise ValueError("an amount is not finite or more than 2^53 steps of its resolution")
    return steps.astype(np.int64)


def from_steps(steps: Steps, resolution: float) -> Values:
    """The amounts of whole numbers of steps [unit]; the inverse of `to_steps` up to 2^53 steps.

    >>> from_steps(np.array([3]), 0.1).tolist()
    [0.3]
    """
    inverse = _whole_inverse(resolution)
    whole = steps.astype(np.float64)
    return whole * resolution if inverse is None else whole / inverse


def _whole_inverse(resolution: float) -> float | None:
    """1/resolution where that is a whole number: dividing by 10 is exact to the last bit, multiplying by 0.1 is not."""
    inverse = round(1 / resolution)
    return float(inverse) if inverse >= 1 and 1 / inverse == resolution else None
