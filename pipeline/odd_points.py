"""Points that misbehave, or whose reading came late: each is put together and judged by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.columns import Columns
from pipeline.frozen import mark_frozen
from pipeline.judge import Finding, judge
from pipeline.late import Fetched, Want, fetch, last
from pipeline.messages import Stored
from pipeline.point_table import PointTable
from pipeline.receive import Told
from pipeline.runs import run_start
from pipeline.series import Ints, Series, Status, counts
from pipeline.steady import FAR, Changes
from pipeline.unit_state import NEVER, UnitState
from plant.reading import MINUTE

CONFLICT = "two values for one instant; neither is used"


class OddPoints:
    """`judged` are the points that were judged here: their statuses and totals are set."""

    def __init__(self, table: PointTable, state: UnitState, stored: Stored, findings: Told) -> None:
        self.table, self.state, self.stored, self.findings = table, state, stored, findings
        self.judged: set[int] = set()
        self._forced: dict[int, int] = {}

    def force(self, point: int, since_us: int) -> None:
        """Has a point looked at again from a time on: its witness's past has changed."""
        self._forced[point] = min(since_us, self._forced.get(point, since_us))

    def forced(self, points: Ints) -> Ints:
        """Which of `points` are to be looked at again."""
        return np.array([point for point in points.tolist() if point in self._forced], np.int64)

    def judge(self, columns: Columns, odd: Ints, found: Changes, frozen: Mapping[int, int]) -> Columns:
        """Judges the points `odd`; `columns` with them so judged. `found` learns from which minute facts change.

        `frozen` holds since when [µs] a point that stands still is to be looked at.
        """
        bounds = columns.bounds(len(self.table))
        own = {point: columns.take(slice(*bounds[point : point + 2].tolist())) for point in odd.tolist()}
        wants = [want for point in odd.tolist() if (want := self._want(point, own[point], found, frozen)) is not None]
        # what was received and is not held any more lies before the last settled minute
        until = max(int(columns.time.max()) + 1 if len(columns) else 0, (self.state.settled or 0) * MINUTE)
        loaded = fetch(self.table, self.state, self.stored, wants, until) if wants else {}
        known = found.since.copy()
        done = {point: self._judge(point, own[point], loaded.get(point), found, frozen) for point in odd.tolist()}
        back = [point for point in done if point not in loaded and self._reaches_back(point, own[point], found)]
        if back:
            # judging went back to the very first reading that is held: its minute needs those before it
            wants = [Want(point, int(own[point].time[0]) + 1) for point in back]
            found.since[[found.at(point) for point in back]] = known[[found.at(point) for point in back]]
            for point, past in fetch(self.table, self.state, self.stored, wants, until).items():
                done[point] = self._judge(point, own[point], past, found, frozen)
        self.judged.update(done)
        grown = np.zeros(len(self.table), np.bool_)
        for point, judged in done.items():
            rows = slice(*bounds[point : point + 2].tolist())
            if len(judged) == rows.stop - rows.start:
                for name in ("status", "total", "fresh"):
                    getattr(columns, name)[rows] = getattr(judged, name)
            else:
                grown[point] = True
        if not grown.any():
            return columns
        more = [judged for point, judged in done.items() if grown[point]]
        return Columns.join([columns.take(~grown[columns.point]), *more]).sorted()

    def _reaches_back(self, point: int, own: Columns, found: Changes) -> bool:
        """Whether a minute is to be worked out of which readings may have been forgotten."""
        if self.state.complete_from[point] == NEVER or not len(own):
            return False
        begin = int(own.time[0])
        if self.table.spread[point] and self.table.begins[point]:
            # one before it may speak for as long
            begin += int(self.table.span_us[point])
        return int(found.since[found.at(point)]) * MINUTE < begin

    def _want(self, point: int, own: Columns, found: Changes, frozen: Mapping[int, int]) -> Want | None:
        """What must be fetched of a point's past, if anything."""
        state, at = self.state, found.at(point)
        if state.complete_from[point] == NEVER:
            return None
        since = int(found.first[at]) if found.late[at] else FAR
        begins = int(own.time[0]) if len(own) else FAR
        if point in frozen and frozen[point] < begins:
            since = min(since, frozen[point] + 1)
        if point in self._forced:
            since = min(since, self._forced[point])
        run = int(state.run_since[point])
        if self.table.witness[point] >= 0 and NEVER < run < begins:
            # whether it is frozen is decided on the whole stretch
            since = min(since, run + 1)
        return Want(point, since) if since < FAR else None

    def _judge(
        self, point: int, own: Columns, loaded: Fetched | None, found: Changes, frozen: Mapping[int, int]
    ) -> Columns:
        plan, at = self.table.plans[point], found.at(point)
        if loaded is not None:
            # what waited to be worked out is stored by now, and is still new
            past = replace(loaded.columns, fresh=np.isin(loaded.columns.time, own.time[own.fresh]))
            own = Columns.join([past, own]).sorted()
        if not len(own):
            return own
        series = own.series(0, len(own))
        first = self._clash(plan.name, series, own)
        if point in self._forced:
            first = min(first, int(np.searchsorted(series.time, self._forced[point])))
        if point in frozen:
            # the first reading of a stretch that stands still stays as it is
            first = min(first, int(np.searchsorted(series.time, frozen[point], "right")))
        changed = first
        if plan.witness is not None:
            if loaded is not None:
                # as long as it was another, the stretch that it lies in may have been found frozen
                rows = np.flatnonzero((series.status != Status.BAD) & (np.arange(len(series)) < first))
                start = int(rows[run_start(series.value[rows], len(rows))]) + 1 if len(rows) else first
                changed = max(start, int(np.searchsorted(series.time, loaded.sound)))
            witness, known = self.state.moved.get(plan.witness), self.state.odd.get(plan.name, [])
            if self.state.frozen[point]:
                known = [*known, (int(self.state.run_since[point]),) * 2]
            begin, told = mark_frozen(plan, series, first if loaded is None else 0, witness, known)
            self.findings += [(plan.name, one) for one in told]
            changed = min(changed, first, begin if loaded is None else first)
        if loaded is None and changed == len(series):
            return own
        if self.table.counted[point] and loaded is None:
            changed, told = judge(plan, series, changed)
            self.findings += [(plan.name, one) for one in told]
        elif self.table.counted[point] and loaded is not None:
            # what was found by looking around before is found again, from what was received
            series.status[series.status < Status.FROZEN] = Status.USED
            _, told = judge(plan, series, 0 if loaded.whole else 1)
            self.findings += [(plan.name, one) for one in told]
            changed = min(changed, int(np.searchsorted(series.time, loaded.sound)))
        elif self.table.events[point]:
            # whether a source of events was alive since the one before depends on how soon it spoke again
            before = last(counts(series.status[:changed]))
            changed = before if before is not None else changed
        fresh = np.arange(len(series)) >= first
        self._since(point, series, changed, loaded, found, at)
        return replace(Columns.of(point, series), fresh=fresh)

    def _clash(self, name: str, series: Series, own: Columns) -> int:
        """Marks conflicts, and tells of new ones; the index of the first reading that is new or newly in conflict."""
        again = np.flatnonzero(series.time[1:] == series.time[:-1])
        clash = np.zeros(len(series), np.bool_)
        clash[again] = clash[again + 1] = True
        newly = clash & (series.status != Status.BAD)
        series.status[clash] = Status.BAD
        for time in np.unique(series.time[clash & own.fresh]).tolist():
            self.findings.append((name, Finding("conflict", time, time, CONFLICT)))
        touched = np.flatnonzero(own.fresh | newly)
        return int(touched[0]) if len(touched) else len(series)

    def _since(self, point: int, series: Series, changed: int, loaded: Fetched | None, found: Changes, at: int) -> None:
        """From which minute a point's facts change."""
        if changed >= len(series):
            return
        time = int(series.time[changed])
        if self.table.spread[point] and not self.table.begins[point]:
            time -= int(self.table.span_us[point])
        minute = time // MINUTE
        if loaded is not None and not loaded.whole:
            # the minute of the reading that was begun from is not all here
            whole = int(series.time[0])
            if self.table.spread[point] and self.table.begins[point]:
                whole += int(self.table.span_us[point])
            minute = max(minute, -(-whole // MINUTE))
        found.since[at] = min(int(found.since[at]), minute)
