"""The chart of one baseline: block after block, from residual to drift and back.

Two CUSUMs watch side by side, a slow one for small shifts and a fast one for large ones. When one passes its limit a
drift is open: one drift is one alarm until a chart around the shifted level says that it has returned; it sounds again
only when it worsens by a stated step. The state before each block is kept for the horizon, so that a correction has the
chart run again from there.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from kpis import cusum
from plant.clock import to_datetime
from plant.reading import MINUTE

WORSE_SHARE = 0.5
REFINE_BLOCKS = 24


@dataclass(frozen=True)
class Drift:
    """A lasting change of actual against expected; amounts in the response's unit, times in minutes since 1970."""

    drift: str
    found: int
    onset: int
    onset_low: int
    onset_high: int
    size: float
    size_low: float
    size_high: float
    state: str = "open"
    cleared: int | None = None
    blocks: int = 1
    evidence: str = ""


@dataclass(frozen=True)
class ChartState:
    """The chart between two blocks; `cumulative` is Σ(actual − expected) since the baseline took effect."""

    sums: tuple[cusum.State, ...]
    cumulative: float = 0.0
    falling: bool = False
    drift: Drift | None = None
    back: float = 0.0
    worse: float = 0.0
    worse_blocks: int = 0
    worse_total: float = 0.0

    @classmethod
    def fresh(cls, charts: int) -> ChartState:
        """A chart that has seen nothing."""
        return cls(tuple(cusum.State() for _ in range(charts)))

    def to_dict(self) -> dict[str, Any]:
        """The state as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> ChartState:
        """The state that `to_dict` wrote."""
        sums = tuple(cusum.State(**one) for one in plain["sums"])
        drift = Drift(**plain["drift"]) if plain["drift"] else None
        return cls(**{**plain, "sums": sums, "drift": drift})


@dataclass(frozen=True)
class Limits:
    """How a chart judges: reference values k and limits h of its CUSUMs [σ]."""

    k: tuple[float, ...]
    h: tuple[float, ...]


@dataclass(frozen=True)
class Signal:
    """A sum that passed its limit: its k, its value [σ], and how many blocks ago it was last zero."""

    k: float
    value: float
    blocks: int

    @property
    def shift(self) -> float:
        """The new level, k + C/N [σ] (Montgomery, Introduction to Statistical Quality Control, §9.1.3)."""
        return self.k + self.value / self.blocks


@dataclass
class BlockVerdict:
    """What a block did to its chart."""

    state: ChartState
    name: str
    sum_share: float
    signal: Signal | None = None
    opposite: bool = field(default=False)


def judge_block(
    state: ChartState, z: float, residual: float, limits: Limits, sigma: float, hours: float
) -> BlockVerdict:
    """One block with residual `residual` [response's unit], `z` = residual/σ in the watched direction (NaN: unknown).

    `sigma` [response's unit] belongs to a block of `hours`; a drift's size is per hour.

    The verdict's `signal` is set when a drift begins. An unknown block holds the chart.
    """
    if math.isnan(z):
        return BlockVerdict(state, "unknown", _share(state, limits))
    cumulative = state.cumulative + residual
    if state.drift is not None:
        return _while_open(replace(state, cumulative=cumulative), z, residual, limits, sigma / hours, hours)
    sums, fell = list[cusum.State](), False
    signalled: Signal | None = None
    for one, k, h in zip(state.sums, limits.k, limits.h, strict=True):
        after, plus, minus = cusum.run(one, np.array([z]), k)
        sums.append(after)
        # of several sums the fastest knows best when it began
        if plus[0] > h:
            signalled = Signal(k, float(plus[0]), after.seen - after.plus_zero)
        fell |= bool(minus[0] > h)
    new = replace(state, sums=tuple(sums), cumulative=cumulative, falling=fell)
    share = _share(new, limits)
    if signalled is not None:
        return BlockVerdict(new, "drift", share, signal=signalled)
    return BlockVerdict(new, "in control", share, opposite=fell and not state.falling)


def _share(state: ChartState, limits: Limits) -> float:
    """The highest sum as a share of its limit."""
    return max(one.plus / h for one, h in zip(state.sums, limits.h, strict=True))


def _while_open(
    state: ChartState, z: float, residual: float, limits: Limits, hourly_sigma: float, hours: float
) -> BlockVerdict:
    """A chart around the shifted level: has it returned, has it worsened by at least WORSE_SHARE and twice the fast k?

    Both sums use a reference value for which a limit was designed: the slow chart's for small shifts, the fast one's
    (which keeps its budget for every larger k) else.
    """
    drift = state.drift
    assert drift is not None
    shift = abs(drift.size) / hourly_sigma
    half = shift / 2
    back = max(0.0, state.back + (shift - z) - half)
    if back > _limit_for(half, limits):
        fresh = tuple(cusum.State() for _ in limits.k)
        return BlockVerdict(ChartState(fresh, state.cumulative, drift=replace(drift, state="cleared")), "cleared", 0.0)
    reference = max(WORSE_SHARE * shift / 2, limits.k[-1])
    worse = max(0.0, state.worse + (z - shift) - reference)
    blocks, total = (state.worse_blocks + 1, state.worse_total + residual) if worse > 0 else (0, 0.0)
    drift = replace(drift, blocks=drift.blocks + 1)
    if worse > limits.h[-1]:
        # the new level is the mean since that sum was last zero
        size = total / blocks / hours
        drift = replace(
            drift, state="worse", size=size, size_low=min(size, drift.size), size_high=max(size, drift.size)
        )
        return BlockVerdict(
            replace(state, drift=drift, back=0.0, worse=0.0, worse_blocks=0, worse_total=0.0), "worse", 1.0
        )
    kept = replace(state, drift=drift, back=back, worse=worse, worse_blocks=blocks, worse_total=total)
    return BlockVerdict(kept, "drift", 1.0)


def _limit_for(k: float, limits: Limits) -> float:
    """The limit designed for the largest reference value that is not above `k`; the slowest chart's below all."""
    fitting = [h for own, h in zip(limits.k, limits.h, strict=True) if own <= k]
    return fitting[-1] if fitting else limits.h[0]


def drift_name(baseline: str, minute: int) -> str:
    """A drift's name: its baseline and the end of the block that found it."""
    return f"{baseline}@{to_datetime(minute * MINUTE):%Y-%m-%dT%H:%MZ}"
