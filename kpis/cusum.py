"""The tabular CUSUM, resumable block by block."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from plant.reading import Values


@dataclass(frozen=True)
class State:
    """A chart between two blocks.

    `plus` and `minus` are C⁺ and C⁻ [σ]; `seen` counts the blocks so far, unknown ones included; `plus_zero` and
    `minus_zero` are the number of blocks seen when the sum was last 0: the onset's first estimate is the block after.
    """

    plus: float = 0.0
    minus: float = 0.0
    seen: int = 0
    plus_zero: int = 0
    minus_zero: int = 0

    def to_dict(self) -> dict[str, float]:
        """The state as plain numbers."""
        return asdict(self)


def run(state: State, z: Values, k: float = 0.5) -> tuple[State, Values, Values]:
    """C⁺ᵢ = max(0, zᵢ − k + C⁺ᵢ₋₁) and C⁻ᵢ = max(0, −zᵢ − k + C⁻ᵢ₋₁); an unknown block (nan) holds both.

    Arguments: `state` before the first block, `z` float64[n] residuals [σ], `k` reference value [σ]. Returns the state
    after the last block, C⁺ and C⁻ float64[n] [σ]. A sum above the limit h signals. Source: Page 1954; Montgomery,
    Introduction to Statistical Quality Control, §9.1.2.

    >>> after, plus, minus = run(State(), np.array([0.2, 1.5, np.nan, 1.5]), k=0.5)
    >>> plus.tolist(), after.seen - after.plus_zero
    ([0.0, 1.0, 1.0, 2.0], 3)
    """
    plus, minus = state.plus, state.minus
    plus_zero, minus_zero = state.plus_zero, state.minus_zero
    up, down = np.empty(len(z)), np.empty(len(z))
    for number, value in enumerate(z.tolist()):
        if not math.isnan(value):
            plus = max(0.0, value - k + plus)
            minus = max(0.0, -value - k + minus)
        if plus == 0.0:
            plus_zero = state.seen + number + 1
        if minus == 0.0:
            minus_zero = state.seen + number + 1
        up[number], down[number] = plus, minus
    return State(plus, minus, state.seen + len(z), plus_zero, minus_zero), up, down


def first_signal(sums: Values, h: float) -> int | None:
    """The first block whose sum lies above h [σ]; None when none does.

    >>> first_signal(np.array([0.0, 4.0, 5.2, 6.0]), 5.0)
    2
    """
    above = np.flatnonzero(sums > h)
    return int(above[0]) if len(above) else None
