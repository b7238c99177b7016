"""Readings that came too late to be held: what lies around them is fetched from where it was stored.

Judging begins anew at a reading that needed no looking around, so that what comes out is what it would have been.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.columns import Columns, Flags
from pipeline.messages import Stored
from pipeline.point_table import PointTable
from pipeline.receive import columns_of
from pipeline.runs import run_start
from pipeline.series import Ints, Status
from pipeline.unit_state import KEPT_US, NEVER, UnitState
from plant.reading import DAY, HOUR, MINUTE

LOOK_BACK_US = (HOUR, 26 * HOUR, 40 * DAY)


@dataclass(frozen=True)
class Want:
    """A point's readings from before `since` [µs] on: those of its minute, and one to begin from."""

    point: int
    since: int


@dataclass(frozen=True)
class Fetched:
    """A point's stored readings from one on that can be begun from; all there are when `whole`.

    Nothing that comes at the time wanted or later concerns those before `sound` [µs].
    """

    columns: Columns
    whole: bool
    sound: int


def fetch(table: PointTable, state: UnitState, stored: Stored, wants: list[Want], until: int) -> dict[int, Fetched]:
    """By point, what is wanted of it, up to `until` [µs]."""
    found: dict[int, Fetched] = {}
    for back in LOOK_BACK_US:
        missing = [want for want in wants if want.point not in found]
        if not missing:
            break
        names = [table.names[want.point] for want in missing]
        start = min(want.since - back - int(table.span_us[want.point]) for want in missing)
        every = columns_of(table, stored(names, start, until)).sorted()
        bounds = every.bounds(len(table))
        for want in missing:
            own = every.take(slice(*bounds[want.point : want.point + 2].tolist()))
            base, sound = _begin(table, state, own, want)
            if base is not None or back == LOOK_BACK_US[-1]:
                found[want.point] = Fetched(own.take(slice(base or 0, None)), base is None, sound)
    return found


def _begin(table: PointTable, state: UnitState, own: Columns, want: Want) -> tuple[int | None, int]:
    """The index to begin from (None: not among these), and the time of the last reading before that stays as it is."""
    usable = np.flatnonzero((own.status != Status.BAD) & ~clashes(own))
    value, time = own.value[usable], own.time[usable]
    since = want.since
    if table.witness[want.point] >= 0:
        # as long as it was another, the stretch that it lies in may have been found frozen
        start = run_start(value, int(np.searchsorted(time, since)))
        since = min(since, max(int(time[start]) + 1 if start else NEVER, (state.settled or 0) * MINUTE - KEPT_US))
    base, sound = _base(table, state, own, Want(want.point, since))
    if base is not None and table.still[want.point]:
        # whether a reading stands still is told from the beginning of its stretch
        start = run_start(value, int(np.searchsorted(time, own.time[base], "right")))
        base = min(base, int(usable[start])) if start else None
    if base is None:
        return None, NEVER
    # of two that say different things at one instant both are needed
    return int(np.searchsorted(own.time, own.time[base])), sound


def _base(table: PointTable, state: UnitState, own: Columns, want: Want) -> tuple[int | None, int]:
    """The index to begin from: the last reading that needed no looking around, before the minute of the one before.

    And the time of that one before, which stays as it is.
    """
    point = want.point
    if table.held[point]:
        return last(own.time <= want.since // MINUTE * MINUTE), want.since
    if table.spread[point]:
        return last(own.time <= want.since - int(table.span_us[point]) - MINUTE), want.since
    clean = clean_rows(state, table.names[point], own)
    before = last(clean & (own.time < want.since))
    if before is None:
        return None, NEVER
    sound = int(own.time[before])
    return last(clean & (own.time <= sound // MINUTE * MINUTE)), sound


def clashes(own: Columns) -> Flags:
    """Which of a point's readings say something else than another of the same instant."""
    found = np.zeros(len(own), np.bool_)
    again = np.flatnonzero(own.time[1:] == own.time[:-1])
    found[again] = found[again + 1] = True
    return found


def clean_rows(state: UnitState, name: str, own: Columns) -> Flags:
    """Which stored readings of a point need no looking around, and contradict no other."""
    clean: Flags = (own.status == Status.USED) & ~clashes(own)
    for low, high in state.odd.get(name, []):
        clean[np.searchsorted(own.time, low) : np.searchsorted(own.time, high, "right")] = False
    row = state.names.index(name)
    held = state.held.take(slice(*np.searchsorted(state.held.point, [row, row + 1]).tolist()))
    clean[np.isin(own.time, held.time[held.status != Status.USED])] = False
    return clean


def last(mask: Flags) -> int | None:
    """The last index that is marked."""
    at = np.flatnonzero(mask)
    return int(at[-1]) if len(at) else None


def note_odd(table: PointTable, state: UnitState, columns: Columns, gone: Flags) -> None:
    """Remembers which readings that are no longer held can not be begun from."""
    odd: Ints = np.flatnonzero(gone & (columns.status >= Status.RESOLVED) & (columns.status <= Status.FROZEN))
    if not len(odd):
        return
    point = columns.point[odd]
    edges = np.flatnonzero((np.diff(odd, prepend=-2) > 1) | (np.diff(point, prepend=-1) != 0))
    for low, high in zip(edges.tolist(), [*(edges[1:] - 1).tolist(), len(odd) - 1], strict=True):
        spans = state.odd.setdefault(table.names[int(point[low])], [])
        spans.append((int(columns.time[odd[low]]), int(columns.time[odd[high]])))
        spans.sort()
