"""Frozen meters: a value that stands still while the point it moves with goes on.

A run of equal values is frozen when its witness moved during it for longer than the point's longest normal flat stretch
(`flat_limit`). All readings of the run but its first are then unusable: unknown back to the last change, not zero.
"""

from __future__ import annotations

import numpy as np

from pipeline.judge import Finding
from pipeline.minutes import Minutes
from pipeline.plans import PointPlan
from pipeline.series import Series, Status
from plant.reading import MINUTE


def run_start(series: Series, index: int) -> int:
    """The index at which the run of equal values that holds `index - 1` begins: a change there may concern it all."""
    if index <= 0:
        return 0
    changed = np.flatnonzero(series.value[1:index] != series.value[: index - 1])
    return int(changed[-1]) + 1 if len(changed) else 0


def mark_frozen(plan: PointPlan, series: Series, first: int, witness: Minutes | None) -> tuple[int, list[Finding]]:
    """Marks frozen readings from the run that holds `first` on, in place.

    `witness` holds the witness's settled minutes; without one nothing is frozen, and a value that stands still for
    longer than `flat_after` is found `flat`. Returns the first index whose status changed (`first` when none
    before it did) and the findings.
    """
    start = run_start(series, first)
    value = series.value[start:]
    if not len(value):
        return first, []
    lows = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]])) + start
    highs = np.append(lows[1:], len(series))
    spans = series.time[highs - 1] - series.time[lows]
    marked = np.add.reduceat(series.status[start:] == Status.FROZEN, lows - start) > 0
    limit = plan.flat_limit_us if witness is not None else plan.flat_after_us
    changed, findings = first, list[Finding]()
    for run in np.flatnonzero((spans > limit) | marked):
        low, high, span = int(lows[run]), int(highs[run]), int(spans[run])
        begin, end = int(series.time[low]), int(series.time[high - 1])
        inside = series.status[low + 1 : high]
        if witness is None:
            findings.append(Finding("flat", begin, end, f"{series.value[low]:g} for {span // MINUTE} min"))
        elif span > limit and witness.moved_us(begin, end) > limit:
            fresh = inside < Status.FROZEN
            if fresh.any():
                text = f"{series.value[low]:g} for {span // MINUTE} min while {plan.witness} moved"
                findings.append(Finding("frozen", begin, end, text))
                changed = min(changed, low + 1)
            inside[fresh] = Status.FROZEN
        elif marked[run]:
            inside[inside == Status.FROZEN] = Status.USED
            changed = min(changed, low + 1)
    return changed, findings
