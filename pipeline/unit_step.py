"""The step of a process unit: readings in, minute facts out. Pure: no clock, disk, network or randomness.

Readings wait until a minute settles, which it does when every source of the unit that speaks has passed it; then they
are judged and counted, all points at once. Only a point that misbehaves (a fall, a leap, a conflict, a frozen value) or
whose reading came late is judged by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from historian.tables import FACTS, NOTICES
from pipeline.columns import Columns, Flags, greatest
from pipeline.facts import minute_facts
from pipeline.frozen import flat_findings, standing, suspects
from pipeline.held import keep
from pipeline.leaps import Leaps, net_exchanges
from pipeline.messages import Results, Stored, UnitMessages, check_position
from pipeline.minutes import COLUMNS, PER_UNIT, FactBlock
from pipeline.odd_points import OddPoints
from pipeline.plans import UnitPlan
from pipeline.point_plan import PointPlan
from pipeline.point_table import PointTable
from pipeline.receive import QUALITY, Told, receive
from pipeline.runs import Runs
from pipeline.series import Ints
from pipeline.steady import changes, gaps, running_totals, unsteady
from pipeline.unit_state import NEVER, Moved, UnitState
from plant.reading import MINUTE, Quality


def step_unit(plan: UnitPlan, state: UnitState, messages: UnitMessages, stored: Stored) -> Results:
    """One batch of messages; changes `state` in place and returns what is to be published.

    `stored` gives readings that are no longer held. Raises StaleState when the batch does not follow the state.
    """
    results = Results(settled=state.settled)
    if not check_position(state.position, messages.position, messages.previous):
        return results
    state.position = messages.position
    if messages.tick_us is not None:
        state.tick_us = max(messages.tick_us, state.tick_us or 0)
    table = plan.table
    state.align(table.names)
    fresh, findings = receive(plan, state, messages, results)
    if len(fresh):
        state.incoming.append(fresh)
        _hear(table, state, fresh)
    _begin(state, messages, fresh)
    if not messages.hold and (due := due_minute(plan, state)) is not None:
        _settle(plan, state, due, stored, messages, results, findings)
    _publish(plan, findings, messages.position, results)
    return results


def _hear(table: PointTable, state: UnitState, fresh: Columns) -> None:
    newest = greatest(fresh.point, fresh.time, len(table), NEVER)
    for point in np.flatnonzero(table.settles & (newest > NEVER)).tolist():
        device = table.devices[table.device[point]]
        state.heard[device] = max(state.heard.get(device, 0), int(newest[point]))


def _begin(state: UnitState, messages: UnitMessages, fresh: Columns) -> None:
    """A unit begins at the first tick, or at a reading of an earlier time."""
    marks = [state.began_us, messages.first_tick_us, int(fresh.time.min()) if len(fresh) else None]
    state.began_us = min((mark for mark in marks if mark is not None), default=None)


def due_minute(plan: UnitPlan, state: UnitState) -> int | None:
    """The first minute that is not to be settled yet, as far as messages have come; None before the unit began."""
    if state.tick_us is None or state.began_us is None:
        return None
    marks, silent = [], [MINUTE]
    for device in plan.table.settling:
        heard = state.heard.get(device, state.began_us)
        limit = plan.silent_us[device]
        if state.tick_us - heard > limit:
            silent.append(limit)
        else:
            marks.append(heard - plan.disorder_us[device])
    mark = min(marks, default=state.tick_us - max(silent))
    settled = max(min(mark, state.tick_us), state.began_us) // MINUTE
    return max(settled, state.settled) if state.settled is not None else settled


def is_due(plan: UnitPlan, state: UnitState) -> bool:
    """Whether a minute waits to be settled."""
    due = due_minute(plan, state)
    return due is not None and (state.settled is None or due > state.settled)


def _settle(
    plan: UnitPlan,
    state: UnitState,
    due: int,
    stored: Stored,
    messages: UnitMessages,
    results: Results,
    findings: Told,
) -> None:
    """Works out the minutes up to `due`, and those before that something new has changed."""
    table, settled, was = plan.table, state.settled, state.worked_us
    assert state.began_us is not None
    start = state.began_us // MINUTE
    earlier = settled is not None and was is not None and was // MINUTE > start
    work = np.ones(len(table), np.bool_)
    if settled == due and not earlier:
        # nothing more has settled: only what changes a settled minute is worked out now
        work[:] = False
        reach = np.where(table.spread & ~table.begins, table.span_us, 0)
        for part in state.incoming:
            work[part.point[part.time - reach[part.point] < due * MINUTE]] = True
    state.settled = results.settled = due
    state.worked_us = state.began_us
    if not work.any():
        return
    if earlier and was is not None:
        _begin_earlier(table, stored, start, was // MINUTE, results)
    if settled is not None:
        start = max(settled, start)
    _Work(plan, state, stored, messages, start, results, findings).go(work)


def _begin_earlier(table: PointTable, stored: Stored, start: int, end: int, results: Results) -> None:
    """A reading from before the unit's first minute: the minutes between are there from now on, unknown.

    An interval that ended in the unit's first minutes reaches into them, and was counted already.
    """
    reaches = table.spread & ~table.begins
    plain = np.flatnonzero(table.owned & ~reaches)
    results.facts.append(FactBlock.unknown(tuple(table.names[row] for row in plain.tolist()), start, end))
    for row in np.flatnonzero(table.owned & reaches).tolist():
        span = int(table.span_us[row])
        found = stored([table.names[row]], end * MINUTE, end * MINUTE + span)
        used = found.take(found.quality != Quality.BAD)
        # of two values at one time none was counted
        known = [time for time in set(used.time.tolist()) if len(set(used.value[used.time == time].tolist())) == 1]
        until = min([end, *((time - span) // MINUTE for time in known)])
        if until > start:
            results.facts.append(FactBlock.unknown((table.names[row],), start, until))


class _Work:
    """One step's work on the points that have something to settle or to change."""

    def __init__(
        self,
        plan: UnitPlan,
        state: UnitState,
        stored: Stored,
        messages: UnitMessages,
        start: int,
        results: Results,
        findings: Told,
    ) -> None:
        self.table, self.state, self.start = plan.table, state, start
        self.corrections = messages.corrections
        self.results, self.findings = results, findings
        self.odd = OddPoints(plan.table, state, stored, findings)
        self.changed: dict[str, int] = {}

    def go(self, work: Flags) -> None:
        """Judges and counts, witnesses before the points that they witness, and holds what the next step needs."""
        table, state = self.table, self.state
        batch = Columns.join(state.incoming)
        mine = work[batch.point]
        left = [] if mine.all() else [batch.take(~mine)]
        kept = [] if work.all() else [state.held.take(~work[state.held.point])]
        held = state.held if work.all() else state.held.take(work[state.held.point])
        columns = Columns.join([held, batch if mine.all() else batch.take(mine)]).sorted()
        done = []
        for depth in range(int(table.depth.max()) + 1 if len(table) else 0):
            # a witness's corrected past concerns those that it witnesses, whether or not they have readings
            points = np.flatnonzero(work & (table.depth == depth))
            if len(points):
                all_mine = len(points) == len(table)
                own = columns if all_mine else columns.of_points(points, len(table))
                done.append(self._points(points, own))
            for name, since in self.changed.items():
                watching = np.flatnonzero(table.witness == table.row[name])
                late = watching[~work[watching]]
                if len(late):
                    work[late] = True
                    columns = Columns.join([columns, *(one.take(np.isin(one.point, late)) for one in kept)]).sorted()
                    kept = [one.take(~np.isin(one.point, late)) for one in kept]
                for point in watching.tolist():
                    self.odd.force(point, since * MINUTE)
        whole = Columns.join([*kept, *done])
        state.settle(whole.sorted() if len(kept) + len(done) > 1 else whole, left)

    def _points(self, points: Ints, columns: Columns) -> Columns:
        """Points of one depth; what is to be held of their readings."""
        table, state = self.table, self.state
        assert state.settled is not None
        found = changes(table, state, columns, points, self.start)
        runs = Runs.of(table, state, columns)
        frozen = suspects(table, runs, columns, state.moved)
        odd = np.unique(
            np.concatenate([unsteady(table, columns), np.array(list(frozen), np.int64), self.odd.forced(points)])
        )
        late = np.flatnonzero(found.late)
        if len(odd) or len(late):
            columns = self.odd.judge(columns, np.union1d(odd, points[late]), found, frozen)
            runs = Runs.of(table, state, columns)
        running_totals(table, columns, self.odd.judged)
        self.findings += gaps(table, columns)
        self.findings += flat_findings(table, runs, columns)
        self.findings += net_exchanges(table, columns)
        leaps = Leaps.of(table, state, self.odd.stored, columns, self.findings)
        doubtful = standing(table, runs, columns) | leaps.suspect
        seen = replace(columns, suspect=columns.suspect | doubtful) if doubtful.any() else columns
        for start in np.unique(found.since).tolist():
            mine = points[found.since == start]
            part = seen if len(mine) == len(points) else seen.of_points(mine, len(table))
            self._facts(minute_facts(table, mine, part, start, state.settled), mine)
        kept = keep(table, state, columns, points)
        runs.remember(state, columns, kept)
        leaps.remember(state, kept)
        return kept

    def _facts(self, block: FactBlock, points: Ints) -> None:
        table, state = self.table, self.state
        if not block.amount.size:
            return
        if self.corrections is not None:
            for number, name in enumerate(block.names):
                put_right = self.corrections.overlay(name, block.of(number))
                for column in COLUMNS:
                    getattr(block, column)[number] = getattr(put_right, column)
        for number in np.flatnonzero(np.isin(points, table.witness)).tolist():
            name, moved = block.names[number], block.of(number).moved()
            if name in state.moved:
                state.moved[name].put(block.start, moved)
            else:
                state.moved[name] = Moved(block.start, moved)
            if block.start < self.start:
                self.changed[name] = min(block.start, self.changed.get(name, block.start))
        owned = table.owned[points]
        if owned.any():
            self.results.facts.append(block if owned.all() else block.take(np.flatnonzero(owned)))


def _publish(plan: UnitPlan, findings: Told, revision: int, results: Results) -> None:
    rows = [
        (name, found.start, found.end, found.name, found.evidence, revision)
        for name, found in findings
        if name in plan.owned
    ]
    if rows:
        columns = ["point", "start", "end", "finding", "evidence", "revision"]
        results.add("notices", pl.DataFrame(rows, schema=columns, orient="row").cast(NOTICES.schema))  # type: ignore[arg-type]


def facts_frame(points: Mapping[str, PointPlan], facts: Sequence[tuple[FactBlock, int]]) -> pl.DataFrame:
    """Minute facts as rows of the table; `facts` holds (block, revision)."""
    if not facts:
        return FACTS.empty()
    blocks = [block for block, _ in facts]
    plans = [points[name] for block in blocks for name in block.names]
    lengths = np.concatenate([np.full(len(block.names), block.end - block.start) for block in blocks])
    of = np.repeat(np.arange(len(plans)), lengths)
    minute = np.concatenate([np.tile(np.arange(b.start, b.end, dtype=np.int64), len(b.names)) for b in blocks])
    revision = np.concatenate([np.full(block.amount.size, number) for block, number in facts])

    def flat(name: str) -> Any:
        return np.concatenate([getattr(block, name).ravel() for block in blocks])

    counted = np.array([plan.summable for plan in plans], np.bool_)[of] & flat("has")
    columns = {
        "point": pl.Series([plan.name for plan in plans]).gather(of),
        "minute": pl.Series(minute * MINUTE).cast(FACTS.schema["minute"]),
        "amount": pl.Series(np.where(counted, flat("amount") / PER_UNIT, np.nan), nan_to_null=True),
    }
    for name in ("mean", "min", "max", "last"):
        columns[name] = pl.Series(flat(name), nan_to_null=True)
    columns["unit"] = pl.Series([plan.amount_unit for plan in plans]).gather(of)
    for name in ("coverage", "estimated"):
        columns[name] = pl.Series(flat(name).astype(np.float32))
    columns["quality"] = QUALITY.gather(flat("quality"))
    columns["revision"] = pl.Series(revision)
    return pl.DataFrame(columns)
