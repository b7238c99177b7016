"""Every partition of a plant in one process: routes messages, steps units and then scopes, checkpoints all together.

The engine holds no results longer than to the next checkpoint: results, touched state rows and the journal position are
stored in one transaction, so that a crash at any instant resumes from a state that fits its position.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl

from historian.store import Historian, StateRow
from journal.message import Message
from pipeline.corrections import Corrections
from pipeline.kpi_rows import KpiPart, rows
from pipeline.messages import Received, Results, ScopeMessages
from pipeline.minutes import FactBlock
from pipeline.plans import PlantPlan, UnitPlan
from pipeline.receive import readings_frame
from pipeline.recompute import put_right
from pipeline.router import Batch, Router
from pipeline.scope_state import ScopeState
from pipeline.scope_step import step_scope
from pipeline.unit_state import UnitState
from pipeline.unit_step import facts_frame, is_due, step_unit
from plant.clock import to_datetime
from plant.reading import MINUTE, Quality, Readings

NAMED_BY = {"baseline": "baseline", "plant": "hash", "act": "act", "correction": "act"}
"""The kinds of messages that are kept in a ledger, and which of their fields names an entry."""
LedgerEntry = tuple[str, str, int, str, str, str, int]


class Engine:
    """One plant's step, from the state that the historian holds."""

    def __init__(self, plan: PlantPlan, historian: Historian) -> None:
        self.plan = plan
        self._historian = historian
        self._router = Router()
        self._waiting = list(plan.units)
        self._pending: dict[str, list[pl.DataFrame]] = {}
        self._readings: list[Received] = []
        self._facts: list[tuple[FactBlock, int]] = []
        self._kpis: list[KpiPart] = []
        self._ledger: list[LedgerEntry] = []
        known = self._restore()
        # a partition that left the description may come back one day: not with a state that missed what lay between
        left = sorted(key for key in known - set(self._sent) if key.startswith(("unit ", "scope ")))
        self._rows: list[StateRow] = [
            (key, kind, start, None) for key in left for kind, start, _ in historian.state(key)
        ]

    def _restore(self) -> set[str]:
        """Takes everything from what is stored; the partitions that are."""
        plan, historian = self.plan, self._historian
        self.position = historian.head("position")
        self.tick_us: int | None = historian.head("tick") or None
        self._corrections = Corrections.of_ledger(historian.entries("correction"))
        self._plans = {name: self._corrections.plan(unit) for name, unit in plan.units.items()}
        self._told = {name: self._corrections.of(unit.points) or None for name, unit in plan.units.items()}
        self._units = {name: UnitState.restore(historian.state(f"unit {name}")) for name in plan.units}
        self._scopes: dict[str, ScopeState] = {}
        for name, scope in plan.scopes.items():
            self._scopes[name] = ScopeState(plan, scope)
            self._scopes[name].restore(historian.state(f"scope {name}"))
        # the router's own memory of what it sent each partition last: the check against stale state
        known = set(historian.partitions())
        partitions = [*(f"unit {name}" for name in plan.units), *(f"scope {name}" for name in plan.scopes)]
        self._sent = {key: self.position if key in known else 0 for key in partitions}
        return known

    @property
    def settled_us(self) -> int:
        """The time up to which every process unit has settled [µs UTC]; 0 when one has not begun."""
        marks = [state.settled or 0 for state in self._units.values()]
        return min(marks, default=0) * MINUTE

    def process(self, messages: list[Message], units_at_once: int | None = None) -> dict[str, list[pl.DataFrame]]:
        """Steps a run of messages; returns new drifts, blocks and notices by table.

        They are stored, with readings, minute facts and KPIs, at the next checkpoint.

        With `units_at_once` at most so many process units work out what has settled, in turn; the others only receive,
        until their turn comes with later messages: no step of a large plant takes long, and the answer is the same.
        Messages already stepped are passed over. Raises StaleState when a partition's state does not fit the position.
        """
        found: dict[str, list[pl.DataFrame]] = {}
        for run in _runs([message for message in messages if message.position > self.position]):
            stepped = self._put_right(run[0]) if run[0].kind == "correction" else self._step(run, units_at_once)
            for table, frames in stepped.items():
                found.setdefault(table, []).extend(frames)
        return found

    def _put_right(self, message: Message) -> dict[str, list[pl.DataFrame]]:
        """A person's word about the past: what follows from it is worked out anew, from what is stored.

        Until that is done the position stays before it, so that a crash begins it again. Table "revised" holds the
        drift rows that it changed.
        """
        self._note(message, Results())
        self.checkpoint()
        done = put_right(self.plan, self._historian, message.body, message.position)
        self._restore()
        return {"revised": [done.drifts]} if len(done.drifts) else {}

    def _turn(self, units_at_once: int | None) -> frozenset[str]:
        """The units that work out what has settled: those that have waited longest."""
        if units_at_once is None:
            return frozenset(self.plan.units)
        due = [name for name in self._waiting if is_due(self.plan.units[name], self._units[name])][:units_at_once]
        self._waiting = [name for name in self._waiting if name not in due] + due
        return frozenset(due)

    def _step(self, messages: list[Message], units_at_once: int | None) -> dict[str, list[pl.DataFrame]]:
        batch = Batch(messages, self.tick_us, self._router)
        self.tick_us = batch.tick_us
        fresh = Results()
        for message in messages:
            self._note(message, fresh)
        found: dict[str, list[FactBlock]] = {}
        turn = self._turn(units_at_once)
        for name in self.plan.units:
            key = f"unit {name}"
            unit = self._plans[name]
            own = batch.of(unit, self._sent[key], self._told[name], name not in turn)
            stepped = step_unit(unit, self._units[name], own, partial(self._counted, unit))
            found[name] = stepped.facts
            self._sent[key] = batch.position
            self._readings += stepped.readings
            self._facts += [(block, batch.position) for block in stepped.facts]
            for table, frames in stepped.frames.items():
                fresh.frames.setdefault(table, []).extend(frames)
        baselines = [{**m.body, "position": m.position} for m in messages if m.kind == "baseline"]
        for name, scope in self.plan.scopes.items():
            key = f"scope {name}"
            facts = [block for unit in sorted(scope.units) for block in found[unit]]
            marks = [self._units[unit].settled for unit in scope.units]
            settled = None if None in marks else min(mark for mark in marks if mark is not None)
            told = tuple(body for body in baselines if body["baseline"] in scope.baselines)
            told_to = ScopeMessages(batch.position, self._sent[key], facts, settled, told)
            results = step_scope(self.plan, scope, self._scopes[name], told_to)
            self._kpis += results.kpis
            for table, frames in results.frames.items():
                fresh.frames.setdefault(table, []).extend(frames)
            self._sent[key] = batch.position
        self.position = batch.position
        for table, frames in fresh.frames.items():
            self._pending.setdefault(table, []).extend(frames)
        return fresh.frames

    def _note(self, message: Message, fresh: Results) -> None:
        """A person's acts and what collectors report go to the ledgers and notices."""
        body = message.body
        if message.kind in NAMED_BY:
            name = NAMED_BY[message.kind]
            entry = (
                message.kind,
                str(body[name]),
                int(body["time"]),
                str(body.get("by", "")),
                str(body.get("why", "")),
                json.dumps(body, ensure_ascii=False),
                message.position,
            )
            self._ledger.append(entry)
        elif message.kind == "notice":
            columns = ("point", "start", "end", "finding", "evidence")
            frame = pl.DataFrame([{**{c: body[c] for c in columns}, "revision": message.position}])
            fresh.add("notices", frame.with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC"))))

    def _counted(self, unit: UnitPlan, points: Sequence[str], start_us: int, end_us: int) -> Readings:
        """Readings as they count, stored or about to be; asked for when one comes too late to be held."""
        found = self._as_received(points, start_us, end_us)
        if not self._corrections:
            return found
        found = self._corrections.apply(found.take(~self._corrections.replaced(found)))
        added = self._corrections.of(points).added(unit, start_us, end_us)
        return Readings.join([found, added]) if len(added) else found

    def _as_received(self, points: Sequence[str], start_us: int, end_us: int) -> Readings:
        span = (pl.col("time") >= to_datetime(start_us)) & (pl.col("time") < to_datetime(end_us))
        pending = readings_frame(self._readings).filter(pl.col("point").is_in(list(points)) & span)
        stored = self._historian.readings_of(points, start_us, end_us).select(pending.columns)
        return readings_from(tuple(points), pl.concat([stored, pending]))

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Adds rows that follow from results (alarms) to the next checkpoint."""
        if not frame.is_empty():
            self._pending.setdefault(table, []).append(frame)

    def checkpoint(self, extra: list[StateRow] | None = None) -> None:
        """Stores results, state and position together. Raises StorageError, and keeps everything for the next try."""
        for name, unit in self._units.items():
            self._rows += [(f"unit {name}", kind, start, body) for _, kind, start, body in unit.checkpoint()]
        for name, scope in self._scopes.items():
            self._rows += [(f"scope {name}", kind, start, body) for _, kind, start, body in scope.checkpoint()]
        results = {table: pl.concat(frames) for table, frames in self._pending.items()}
        if self._readings:
            results["readings"] = readings_frame(self._readings)
        if self._facts:
            results["facts"] = facts_frame(self.plan.points, self._facts)
        if self._kpis:
            results["kpi"] = rows(self._kpis)
        state = [*self._rows, *(extra or [])]
        heads = {"tick": self.tick_us or 0}
        self._historian.commit(results, state, self.position, self.settled_us, self._ledger, heads)
        self._pending, self._ledger, self._rows = {}, [], []
        self._readings, self._facts, self._kpis = [], [], []


def readings_from(points: tuple[str, ...], frame: pl.DataFrame) -> Readings:
    """Rows of table `readings` as a batch; what came from the future, or too late to be counted, is left out.

    A late one that is not bad was counted by a recompute.
    """
    frame = frame.filter(~(pl.col("finding").is_in(["late", "future"]) & (pl.col("quality") == "bad")))
    index = {name: number for number, name in enumerate(points)}
    codes = {quality.name.lower(): quality.value for quality in Quality}
    return Readings.build(
        points,
        frame["point"].cast(pl.String).replace_strict(index, return_dtype=pl.Int32).to_numpy(),
        frame["time"].cast(pl.Int64).to_numpy(),
        frame["received"].cast(pl.Int64).to_numpy(),
        frame["value"].fill_null(np.nan).to_numpy(),
        frame["quality"].cast(pl.String).replace_strict(codes, return_dtype=pl.UInt8).to_numpy(),
    )


def _runs(messages: list[Message]) -> Iterator[list[Message]]:
    """A baseline is stepped alone: from which block on it judges must not depend on what came in the same batch.

    So is a correction, which the step does not see."""
    start = 0
    for number, message in enumerate(messages):
        if message.kind in ("baseline", "correction"):
            if number > start:
                yield messages[start:number]
            yield [message]
            start = number + 1
    if start < len(messages):
        yield messages[start:]
