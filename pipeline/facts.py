"""Minute facts of many points from judged readings, one function a way of measuring.

counter, net: the running total, interpolated at the minute's edges in whole STEPs, so that the minutes of any period
sum to the counter's own difference. rate, level, sample: each value holds until the next reading (at most for the
point's reach) and is weighted by time. interval: an amount spread over its span by differences of the rounded running
share, so that its minutes sum to it. count: events in the minute.

What a minute is depends only on the readings in and around it: sums are taken minute by minute, in order of time, so
that it does not matter how much was worked out at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.columns import Columns, Lookup, group_starts
from pipeline.minutes import STEP, FactBlock, grade
from pipeline.point_table import PointTable
from pipeline.series import Floats, Ints, Status, counts
from plant.reading import MINUTE, Quality

KNOWN_COVERAGE = 0.9


def minute_facts(table: PointTable, points: Ints, columns: Columns, start: int, end: int) -> FactBlock:
    """Facts of the minutes [start, end) (since 1970 UTC) of `points`, ascending rows of the table.

    `columns` are their readings, sorted; a point without readings is unknown.
    """
    block = FactBlock.unknown(tuple(table.names[row] for row in points.tolist()), start, end)
    if end <= start or not len(columns):
        return block
    place = np.zeros(len(table), np.int64)
    place[points] = np.arange(len(points))
    local = place[columns.point]
    used = counts(columns.status)
    for kinds, work in (
        (table.counted, _counter),
        (table.held, _held),
        (table.spread, _interval),
        (table.events, _count),
    ):
        mine = points[kinds[points]]
        if len(mine):
            rows = columns.rows_of(mine, len(table))
            part = columns.take(rows)
            if len(part):
                work(table, points, block, part, local[rows], used[rows])
    return block


def _doubt(block: FactBlock, at: tuple[Ints, Ints]) -> None:
    """Marks minutes [point, minute] that a suspect reading has a part in."""
    block.quality[at] = np.maximum(block.quality[at], Quality.SUSPECT)


def _doubt_stamped(block: FactBlock, columns: Columns, local: Ints, used: NDArray[np.bool_]) -> None:
    """Marks the minutes in which suspect readings were taken."""
    if columns.suspect.any():
        minute = columns.time // MINUTE - block.start
        rows = columns.suspect & used & (minute >= 0) & (minute < block.end - block.start)
        _doubt(block, (local[rows], minute[rows]))


def _edges(block: FactBlock) -> Ints:
    return np.arange(block.start, block.end + 1, dtype=np.int64) * MINUTE


def _counter(
    table: PointTable, points: Ints, block: FactBlock, columns: Columns, local: Ints, used: NDArray[np.bool_]
) -> None:
    time, total, value = columns.time[used], columns.total[used], columns.value[used]
    local = local[used]
    begin, count = _segments(local, len(points))
    whole = np.flatnonzero(count >= 2)
    if not len(whole):
        return
    row = columns.point[used]
    span, inner = np.diff(time), local[1:] == local[:-1]
    broken = columns.status[used][1:] == Status.BROKEN
    covered = inner & (span <= table.counted_reach_us[row[1:]]) & ~broken
    # after an exchange that nobody declared there is nothing to go by, after a reset there is the value since zero
    guessed = inner & np.where(broken, np.diff(total) > 0, span > table.speaks_us[row[1:]])
    edges = _edges(block)
    first, last = begin[whole], begin[whole] + count[whole] - 1
    at = np.clip(edges, time[first][:, None], time[last][:, None])
    i = np.minimum(Lookup(local, time, len(points)).last(whole[:, None], at), last[:, None] - 1)
    share = (at - time[i]) / span[i]
    running = total[i] + np.rint((total[i + 1] - total[i]) * share).astype(np.int64)
    coverage, estimated = (_share(time, span * inside, inside, at, i) for inside in (covered, guessed))
    has = (coverage > 0) | (estimated > 0)
    before = Lookup(local, time, len(points)).last(whole[:, None], edges[None, 1:])
    seen = has & (before >= first[:, None])
    block.amount[whole] = np.diff(running, axis=1)
    block.coverage[whole], block.estimated[whole], block.has[whole] = coverage, estimated, has
    block.quality[whole] = grade(coverage, estimated)
    # what a reset or a frozen value hides is lost: what is spread over such a stretch is not its total
    hidden = guessed & (broken | _frozen_inside(columns, used))
    # a difference is as good as the worse of its two readings
    suspect = columns.suspect[used]
    hidden |= inner & (suspect[1:] | suspect[:-1])
    if hidden.any():
        doubtful = np.where(_share(time, span * hidden, hidden, at, i) > 0, Quality.SUSPECT, Quality.GOOD)
        block.quality[whole] = np.maximum(block.quality[whole], doubtful)
    block.last[whole] = np.where(seen, value[np.maximum(before, 0)], np.nan)


def _frozen_inside(columns: Columns, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether frozen readings lie in each stretch between two used ones."""
    rows, frozen = np.flatnonzero(used), np.flatnonzero(columns.status == Status.FROZEN)
    found = np.zeros(len(rows) - 1, np.bool_)
    before = np.searchsorted(rows, frozen) - 1
    inside = (before >= 0) & (before < len(found))
    before, frozen = before[inside], frozen[inside]
    found[before[columns.point[rows[before]] == columns.point[frozen]]] = True
    return found


def _segments(local: Ints, points: int) -> tuple[Ints, Ints]:
    """Where each point's rows begin, and how many there are."""
    begin = np.searchsorted(local, np.arange(points + 1)).astype(np.int64)
    return begin[:-1], np.diff(begin)


def _share(time: Ints, length: Ints, inside: NDArray[np.bool_], at: Ints, i: Ints) -> Floats:
    """Share of each minute that lies in the stretches marked."""
    before = np.concatenate([[0], np.cumsum(length)])[i]
    share: Floats = np.diff(before + (at - time[i]) * inside[i], axis=1) / MINUTE
    return share


def _held(
    table: PointTable, points: Ints, block: FactBlock, columns: Columns, local: Ints, used: NDArray[np.bool_]
) -> None:
    start_us, end_us = block.start * MINUTE, block.end * MINUTE
    row, time = columns.point, columns.time
    until = time + table.held_reach_us[row]
    inner = local[1:] == local[:-1]
    until[:-1] = np.where(inner, np.minimum(until[:-1], time[1:]), until[:-1])
    doubted = np.minimum(time + table.speaks_us[row], until)
    begin, end = np.maximum(time, start_us), np.minimum(until, end_us)
    rows = np.flatnonzero(used & (begin < end))
    if not len(rows):
        return
    begin, end = begin.take(rows), end.take(rows)
    first = (begin - start_us) // MINUTE
    pieces = (end - 1 - start_us) // MINUTE - first + 1
    of = np.repeat(np.arange(len(rows)), pieces)
    minute = first.take(of) + _within(pieces)
    edge = start_us + minute * MINUTE
    low, high = np.maximum(begin.take(of), edge), np.minimum(end.take(of), edge + MINUTE)
    weight = (high - low).astype(np.float64)
    # the row of each piece
    of = rows.take(of)
    doubt = np.maximum(high - np.maximum(low, doubted.take(of)), 0).astype(np.float64)
    value = columns.value.take(of)
    minutes = block.end - block.start
    cell = local.take(of) * minutes + minute
    starts = group_starts(cell)
    at = cell[starts]
    p, m = at // minutes, at % minutes
    size = len(points) * minutes
    length = np.bincount(cell, weight, size)[at]
    total = np.bincount(cell, weight * value, size)[at]
    coverage, estimated = length / MINUTE, np.bincount(cell, doubt, size)[at] / MINUTE
    block.has[p, m] = True
    block.mean[p, m] = total / length
    block.min[p, m] = np.minimum.reduceat(value, starts)
    block.max[p, m] = np.maximum.reduceat(value, starts)
    block.last[p, m] = value[np.append(starts[1:], len(value)) - 1]
    rate = table.rates[points[p]]
    if rate.any():
        enough = coverage >= KNOWN_COVERAGE
        scaled = np.where(enough, total / coverage, total)
        amount = np.rint(scaled * (table.per_us[points[p]] / STEP)).astype(np.int64)
        block.amount[p, m] = np.where(rate, amount, 0)
        estimated = estimated + np.where(rate & enough, 1 - coverage, 0.0)
    block.coverage[p, m], block.estimated[p, m] = coverage, estimated
    block.quality[p, m] = grade(coverage, estimated)
    doubtful = columns.suspect.take(of)
    if doubtful.any():
        _doubt(block, (cell[doubtful] // minutes, cell[doubtful] % minutes))


def _within(pieces: Ints) -> Ints:
    """0, 1, … for each run of as many as `pieces` says."""
    ends = np.cumsum(pieces)
    return np.arange(int(ends[-1]), dtype=np.int64) - np.repeat(ends - pieces, pieces)


def _interval(
    table: PointTable, points: Ints, block: FactBlock, columns: Columns, local: Ints, used: NDArray[np.bool_]
) -> None:
    span = table.span_us[columns.point]
    begin = columns.time - np.where(table.begins[columns.point], 0, span)
    first = np.maximum(begin // MINUTE, block.start)
    last = np.minimum(-(-(begin + span) // MINUTE), block.end)
    rows = np.flatnonzero(used & (first < last))
    if not len(rows):
        return
    begin, span, first = begin[rows], span[rows], first[rows]
    amount = table.steps(columns.point[rows], columns.value[rows])
    pieces = last[rows] - first
    of = np.repeat(np.arange(len(rows)), pieces)
    minute = first[of] + _within(pieces)
    low = np.clip(minute * MINUTE - begin[of], 0, span[of])
    high = np.clip((minute + 1) * MINUTE - begin[of], 0, span[of])
    part = np.rint(amount[of] * (high / span[of])) - np.rint(amount[of] * (low / span[of]))
    at = (local[rows][of], minute - block.start)
    covered = np.zeros(block.amount.shape, np.int64)
    np.add.at(block.amount, at, part.astype(np.int64))
    np.add.at(covered, at, high - low)
    mine = local[group_starts(local)]
    coverage = np.minimum(covered[mine] / MINUTE, 1.0)
    block.coverage[mine], block.estimated[mine], block.has[mine] = coverage, coverage, coverage > 0
    block.quality[mine] = grade(coverage, coverage)
    doubtful = columns.suspect[rows][of]
    _doubt(block, (at[0][doubtful], at[1][doubtful]))


def _count(
    table: PointTable, points: Ints, block: FactBlock, columns: Columns, local: Ints, used: NDArray[np.bool_]
) -> None:
    time, row = columns.time[used], columns.point[used]
    everywhere, local = local, local[used]
    mine = local[group_starts(local)]
    if not len(mine):
        return
    edges = _edges(block)
    inside = (time >= edges[0]) & (time < edges[-1])
    at = (local[inside], time[inside] // MINUTE - block.start)
    np.add.at(block.amount, at, table.steps(row[inside], columns.value[used][inside]))
    # a source that speaks again within its reach was alive in between: no event is then known to be none
    reach = table.reach_us[row]
    following = np.append(time[1:], edges[-1])
    following[:-1] = np.where(local[1:] == local[:-1], following[:-1], edges[-1])
    until = np.where(following - time <= reach, following, (time // MINUTE + 1) * MINUTE)
    lookup = Lookup(local, time, len(points))
    heard = lookup.last(mine[:, None], edges[None, 1:], "left")
    alive = heard >= lookup.begin[mine][:, None]
    alive &= edges[:-1] < until[np.maximum(heard, 0)]
    coverage = alive.astype(np.float64)
    block.coverage[mine], block.has[mine] = coverage, alive
    block.quality[mine] = grade(coverage, np.zeros(coverage.shape))
    _doubt_stamped(block, columns, everywhere, used)
