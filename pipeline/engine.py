"""Every partition of a plant in one process: routes messages, steps units and then scopes, checkpoints all together.

The engine holds no results longer than to the next checkpoint: results, touched state rows and the journal position are
stored in one transaction, so that a crash at any instant resumes from a state that fits its position.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from historian.store import Historian, StateRow
from journal.message import Message
from pipeline.kpi_rows import KpiPart, rows
from pipeline.messages import Results, ScopeMessages
from pipeline.minutes import Minutes
from pipeline.plans import PlantPlan
from pipeline.router import Batch
from pipeline.scope_state import ScopeState
from pipeline.scope_step import step_scope
from pipeline.unit_state import UnitState
from pipeline.unit_step import facts_frame, step_unit
from plant.reading import MINUTE

LedgerEntry = tuple[str, str, int, str, str, str, int]


class Engine:
    """One plant's step, from the state that the historian holds."""

    def __init__(self, plan: PlantPlan, historian: Historian) -> None:
        self.plan = plan
        self._historian = historian
        self.position = historian.head("position")
        self._units = {name: UnitState.restore(historian.state(f"unit {name}")) for name in plan.units}
        self._scopes: dict[str, ScopeState] = {}
        for name, scope in plan.scopes.items():
            self._scopes[name] = ScopeState(plan, scope)
            self._scopes[name].restore(historian.state(f"scope {name}"))
        # the router's own memory of what it sent each partition last: the check against stale state
        known = set(historian.partitions())
        partitions = [*(f"unit {name}" for name in plan.units), *(f"scope {name}" for name in plan.scopes)]
        self._sent = {key: self.position if key in known else 0 for key in partitions}
        self.tick_us: int | None = historian.head("tick") or None
        self._pending: dict[str, list[pl.DataFrame]] = {}
        self._facts: list[tuple[str, Minutes, int]] = []
        self._kpis: list[KpiPart] = []
        self._ledger: list[LedgerEntry] = []
        # a partition that left the description may come back one day: not with a state that missed what lay between
        left = sorted(key for key in known - set(partitions) if key.startswith(("unit ", "scope ")))
        self._rows: list[StateRow] = [
            (key, kind, start, None) for key in left for kind, start, _ in historian.state(key)
        ]

    @property
    def settled_us(self) -> int:
        """The time up to which every process unit has settled [µs UTC]; 0 when one has not begun."""
        marks = [state.settled or 0 for state in self._units.values()]
        return min(marks, default=0) * MINUTE

    def process(self, messages: list[Message]) -> dict[str, list[pl.DataFrame]]:
        """Steps a run of messages; returns new readings, drifts, blocks and notices by table.

        They are stored, with the minute facts and KPIs, at the next checkpoint.

        Messages already stepped are passed over. Raises StaleState when a partition's state does not fit the position.
        """
        found: dict[str, list[pl.DataFrame]] = {}
        for run in _runs([message for message in messages if message.position > self.position]):
            for table, frames in self._step(run).items():
                found.setdefault(table, []).extend(frames)
        return found

    def _step(self, messages: list[Message]) -> dict[str, list[pl.DataFrame]]:
        batch = Batch(messages, self.tick_us)
        self.tick_us = batch.tick_us
        fresh = Results()
        for message in messages:
            self._note(message, fresh)
        found = {}
        for name, unit in self.plan.units.items():
            key = f"unit {name}"
            found[name] = step_unit(unit, self._units[name], batch.of(unit, self._sent[key]))
            self._sent[key] = batch.position
            self._facts += [(point, minutes, batch.position) for point, minutes in found[name].facts.items()]
            for table, frames in found[name].frames.items():
                fresh.frames.setdefault(table, []).extend(frames)
        baselines = [{**m.body, "position": m.position} for m in messages if m.kind == "baseline"]
        for name, scope in self.plan.scopes.items():
            key = f"scope {name}"
            facts = {
                point: minutes
                for unit in sorted(scope.units)
                for point, minutes in found[unit].facts.items()
                if point in scope.points
            }
            marks = [self._units[unit].settled for unit in scope.units]
            settled = None if None in marks else min(mark for mark in marks if mark is not None)
            told = tuple(body for body in baselines if body["baseline"] in scope.baselines)
            own = ScopeMessages(batch.position, self._sent[key], facts, settled, told)
            results = step_scope(self.plan, scope, self._scopes[name], own)
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
        if message.kind in ("baseline", "plant", "act"):
            name = {"baseline": "baseline", "plant": "hash", "act": "act"}[message.kind]
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
        if self._facts:
            results["facts"] = facts_frame(self.plan.points, self._facts)
        if self._kpis:
            results["kpi"] = rows(self._kpis)
        state = [*self._rows, *(extra or [])]
        heads = {"tick": self.tick_us or 0}
        self._historian.commit(results, state, self.position, self.settled_us, self._ledger, heads)
        self._pending, self._ledger, self._rows, self._facts, self._kpis = {}, [], [], [], []


def _runs(messages: list[Message]) -> Iterator[list[Message]]:
    """A baseline is stepped alone: from which block on it judges must not depend on what came in the same batch."""
    start = 0
    for number, message in enumerate(messages):
        if message.kind == "baseline":
            if number > start:
                yield messages[start:number]
            yield [message]
            start = number + 1
    if start < len(messages):
        yield messages[start:]
