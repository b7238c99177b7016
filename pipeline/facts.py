"""Minute facts from a point's readings, one function a way of measuring.

counter, net: the running total, interpolated at the minute's edges in whole STEPs, so that the minutes of any period
sum to the counter's own difference. rate, level, sample: each value holds until the next reading (at most for the
point's reach) and is weighted by time. interval: an amount spread over its span by differences of the rounded running
share, so that its minutes sum to it. count: events in the minute.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.judge import steps
from pipeline.minutes import STEP, Minutes, grade
from pipeline.plans import PointPlan
from pipeline.series import Floats, Ints, Series, Status, counts
from plant.model import Gap, Kind
from plant.reading import MINUTE, Quality

KNOWN_COVERAGE = 0.9


def minute_facts(plan: PointPlan, series: Series, start: int, end: int) -> Minutes:
    """Facts of the minutes [start, end) (since 1970 UTC) from judged readings."""
    if end <= start:
        return Minutes.unknown(start, start)
    if plan.kind in (Kind.COUNTER, Kind.NET):
        facts = _counter(plan, series, start, end)
    elif plan.kind is Kind.INTERVAL:
        facts = _interval(plan, series, start, end)
    elif plan.kind is Kind.COUNT:
        facts = _count(plan, series, start, end)
    else:
        facts = _held(plan, series, start, end)
    if series.suspect.any():
        low, high = np.searchsorted(series.time, [start * MINUTE, end * MINUTE])
        doubtful = series.time[low:high][series.suspect[low:high] & counts(series.status[low:high])] // MINUTE - start
        facts.quality[doubtful] = np.maximum(facts.quality[doubtful], Quality.SUSPECT)
    return facts


def _edges(start: int, end: int) -> Ints:
    return np.arange(start, end + 1, dtype=np.int64) * MINUTE


def _counter(plan: PointPlan, series: Series, start: int, end: int) -> Minutes:
    facts = Minutes.unknown(start, end)
    low, high = _window(series, start * MINUTE, end * MINUTE)
    keep = counts(series.status[low:high])
    time, total = series.time[low:high][keep], series.total[low:high][keep]
    if len(time) < 2:
        return facts
    edges = _edges(start, end)
    span = np.diff(time)
    broken = series.status[low:high][keep][1:] == Status.BROKEN
    reach = max(plan.reach_us, plan.gap_limit_us) if plan.gap is not Gap.UNKNOWN else plan.reach_us
    covered = (span <= reach) & ~broken
    guessed = (span > plan.speaks_us) | broken
    at = np.clip(edges, time[0], time[-1])
    i = np.minimum(np.searchsorted(time, at, "right") - 1, len(span) - 1)
    share = (at - time[i]) / span[i]
    running = total[i] + np.rint((total[i + 1] - total[i]) * share).astype(np.int64)
    facts.amount = np.diff(running)
    facts.coverage = _share(time, span * covered, covered, at, i)
    facts.estimated = _share(time, span * guessed, guessed, at, i)
    facts.has = (facts.coverage > 0) | (facts.estimated > 0)
    facts.quality = grade(facts.coverage, facts.estimated)
    last = np.searchsorted(time, edges[1:], "right") - 1
    value = series.value[low:high][keep]
    facts.last = np.where(facts.has & (last >= 0), value[np.maximum(last, 0)], np.nan)
    return facts


def _share(time: Ints, length: Ints, inside: NDArray[np.bool_], at: Ints, i: Ints) -> Floats:
    """Share of each minute that lies in the stretches marked."""
    before = np.concatenate([[0], np.cumsum(length)])[i]
    share: Floats = np.diff(before + (at - time[i]) * inside[i]) / MINUTE
    return share


def _window(series: Series, start_us: int, end_us: int) -> tuple[int, int]:
    """Index range of the readings in [start, end) and the nearest used ones on either side."""
    low, high = np.searchsorted(series.time, [start_us, end_us])
    used = np.flatnonzero(counts(series.status))
    before, after = np.searchsorted(used, [low, high])
    low = used[before - 1] if before > 0 else low
    high = used[after] + 1 if after < len(used) else high
    return int(low), int(high)


def _held(plan: PointPlan, series: Series, start: int, end: int) -> Minutes:
    facts = Minutes.unknown(start, end)
    low, high = _window(series, start * MINUTE, end * MINUTE)
    time, value = series.time[low:high], series.value[low:high]
    if not len(time):
        return facts
    edges = _edges(start, end)
    reach = max(plan.reach_us, plan.gap_limit_us) if plan.gap is Gap.HOLD else plan.reach_us
    until = np.minimum(np.append(time[1:], np.iinfo(np.int64).max), time + reach)
    doubted = np.minimum(time + plan.speaks_us, until)
    cuts = np.concatenate([edges, time, doubted, until])
    cuts = np.unique(cuts[(cuts >= edges[0]) & (cuts <= edges[-1])])
    begin = cuts[:-1]
    i = np.searchsorted(time, begin, "right") - 1
    used = counts(series.status[low:high])
    known = (i >= 0) & used[i] & (begin < until[i])
    weight = np.where(known, np.diff(cuts), 0).astype(np.float64)
    seen = np.where(known, value[i], 0.0)
    first = np.searchsorted(begin, edges[:-1])
    length = np.add.reduceat(weight, first)
    total = np.add.reduceat(weight * seen, first)
    has = length > 0
    facts.coverage = length / MINUTE
    facts.estimated = np.add.reduceat(np.where(begin >= doubted[i], weight, 0.0), first) / MINUTE
    facts.has = has
    facts.mean = np.divide(total, length, out=np.full(len(total), np.nan), where=has)
    facts.min = np.where(has, np.minimum.reduceat(np.where(known, seen, np.inf), first), np.nan)
    facts.max = np.where(has, np.maximum.reduceat(np.where(known, seen, -np.inf), first), np.nan)
    latest = np.maximum.reduceat(np.where(known, np.arange(len(begin)), -1), first)
    facts.last = np.where(has, seen[np.maximum(latest, 0)], np.nan)
    if plan.kind is Kind.RATE:
        enough = facts.coverage >= KNOWN_COVERAGE
        scaled = np.divide(total, facts.coverage, out=total.copy(), where=enough)
        facts.amount = np.rint(scaled * (plan.per_us / STEP)).astype(np.int64)
        facts.estimated += np.where(enough, 1 - facts.coverage, 0.0)
    facts.quality = grade(facts.coverage, facts.estimated)
    return facts


def _interval(plan: PointPlan, series: Series, start: int, end: int) -> Minutes:
    facts = Minutes.unknown(start, end)
    edges = _edges(start, end)
    reaches = (0, plan.span_us) if plan.begins else (-plan.span_us, 0)
    low, high = np.searchsorted(series.time, [edges[0] - reaches[1], edges[-1] - reaches[0]])
    covered = np.zeros(end - start, np.int64)
    for i in np.flatnonzero(counts(series.status[low : high + 1])) + low:
        begin = int(series.time[i]) + reaches[0]
        first, last = max(begin // MINUTE, start), min(-(-(begin + plan.span_us) // MINUTE), end)
        if first >= last:
            continue
        at: Ints = np.clip(edges[first - start : last - start + 1] - begin, 0, plan.span_us)
        amount = int(steps(plan, series.value[i : i + 1])[0])
        running: Ints = np.rint(amount * (at / plan.span_us)).astype(np.int64)
        facts.amount[first - start : last - start] += running[1:] - running[:-1]
        covered[first - start : last - start] += at[1:] - at[:-1]
    facts.coverage = np.minimum(covered / MINUTE, 1.0)
    facts.estimated = facts.coverage.copy()
    facts.has = covered > 0
    facts.quality = grade(facts.coverage, facts.estimated)
    return facts


def _count(plan: PointPlan, series: Series, start: int, end: int) -> Minutes:
    facts = Minutes.unknown(start, end)
    edges = _edges(start, end)
    keep = counts(series.status)
    time, value = series.time[keep], series.value[keep]
    low, high = np.searchsorted(time, [edges[0], edges[-1]])
    np.add.at(facts.amount, time[low:high] // MINUTE - start, steps(plan, value[low:high]))
    if len(time):
        # a source that spoke within its reach is alive: no event is then known to be none
        heard = np.searchsorted(time, edges[1:], "left") - 1
        alive = (heard >= 0) & (edges[:-1] - time[np.maximum(heard, 0)] < plan.reach_us)
        facts.coverage = alive.astype(np.float64)
    facts.has = facts.coverage > 0
    facts.quality = grade(facts.coverage, facts.estimated)
    return facts
