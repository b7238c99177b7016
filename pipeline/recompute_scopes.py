"""Recomputing a scope: stored minute facts, a day at a time, through the step itself.

It begins a month before the first fact that changed, so that every window and chart has its memory when it is reached;
older days come from the live state's own sums. Where that has forgotten them, it begins a year before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from historian.reader import Reader
from historian.tables import BLOCKS, KPI, TABLES
from pipeline.fitting import load_minutes
from pipeline.formulas import PIECE_MINUTES
from pipeline.kpi_rows import rows
from pipeline.messages import Results, ScopeMessages
from pipeline.minutes import FactBlock
from pipeline.plans import PlantPlan
from pipeline.recompute_blocks import blocks_of
from pipeline.recompute_scratch import Scratch
from pipeline.scope_state import ScopeState
from pipeline.scope_step import step_scope
from pipeline.sums import DAYS_KEPT, HOURS_KEPT, MINUTES_KEPT
from plant.clock import to_datetime
from plant.reading import DAY, HOUR, MINUTE

WARM_US = HOURS_KEPT * HOUR
BACK_US = 368 * DAY
REMEMBERED_US = DAYS_KEPT * DAY - BACK_US
LASTING = ("sum day", "sum piece", "sum peak day")
SLACK = 3 * 60
BEFORE = PIECE_MINUTES + 60


@dataclass(frozen=True)
class ScopeTask:
    """What is to be done: results of windows and blocks that reach beyond `first_us` are published.

    `live` are the state rows of the scope as they are (its sums), `begun` and `settled` the first minute of
    each process unit it reads and the first one not settled, `baselines` the bodies accepted, in their order. Without
    `live` nothing is stored yet, and each batch has a revision of its own, from `position` on.
    """

    folder: Path
    scratch: Path
    plan: PlantPlan
    scope: str
    first_us: int
    settled: dict[str, int]
    begun: dict[str, int]
    live: tuple[tuple[str, int, bytes], ...]
    baselines: tuple[dict[str, Any], ...]
    position: int

    @property
    def name(self) -> str:
        """The task's name in the scratch folder."""
        return f"scope-{list(self.plan.scopes).index(self.scope)}"


def run_scope(task: ScopeTask) -> None:
    """Does a task, or what is left of it. Raises StorageError when the facts cannot be read."""
    scratch = Scratch(task.scratch, task.name)
    if not scratch.memory["done"]:
        _Scope(task, scratch).run()


class _Scope:
    def __init__(self, task: ScopeTask, scratch: Scratch) -> None:
        self.task, self.scratch = task, scratch
        self.plan, self.scope = task.plan, task.plan.scopes[task.scope]
        self.reader = Reader(task.folder)
        self.settled = min(task.settled.values())
        self.begin = self._begin()
        self.messages = self._plan_messages()
        self.state = ScopeState(self.plan, self.scope)
        if scratch.rows():
            self.state.restore(scratch.rows())
        else:
            self._warm()

    def _begin(self) -> int:
        """The local midnight to begin at [min]: a month before what changed, and before what charts remember of."""
        calendar = self.plan.calendar
        back_us = WARM_US if self.task.first_us > self.settled * MINUTE - REMEMBERED_US else BACK_US
        begin = calendar.day(max(self.task.first_us - back_us, 0)).start // MINUTE
        starts = [self._chart_start(body) for body in self.task.baselines]
        begin = min([begin, *(calendar.day(start * MINUTE).start // MINUTE for start in starts)])
        return max(begin, min(self.task.begun.values()))

    def _chart_start(self, body: dict[str, Any]) -> int:
        """Where the chart of an accepted baseline began [min]: at its span's end, or as far back as facts were held."""
        least = max(int(body["span"][1]) // MINUTE, int(body["time"]) // MINUTE - MINUTES_KEPT - SLACK)
        blocks = self.reader.table("blocks", None, None, {"baseline": body["baseline"]}, ["revision"]).filter(
            (pl.col("revision") >= body["position"]) & (pl.col("start") >= to_datetime(least * MINUTE))
        )
        first = blocks["start"].min()
        return int(first.timestamp()) // 60 if first is not None else least  # type: ignore[union-attr]

    def _plan_messages(self) -> list[tuple[int, tuple[dict[str, Any], ...]]]:
        """Up to which minute each batch is settled, and the baselines accepted then: days, parted where one was."""
        accepted: dict[int, tuple[dict[str, Any], ...]] = {}
        for body in self.task.baselines:
            start = self._chart_start(body)
            at = start + MINUTES_KEPT if start > int(body["span"][1]) // MINUTE else int(body["time"]) // MINUTE
            if at > self.begin:
                at = min(at, self.settled)
                accepted[at] = (*accepted.get(at, ()), body)
        edges = {self.settled, *accepted}
        day = self.plan.calendar.day(self.begin * MINUTE)
        while day.end < self.settled * MINUTE:
            edges.add(day.end // MINUTE)
            day = self.plan.calendar.day(day.end)
        return [(edge, accepted.get(edge, ())) for edge in sorted(edges) if edge > self.begin]

    def _warm(self) -> None:
        """The state as it was at the begin: sums of older days and baselines in force; charts begin later."""
        task, state = self.task, self.state
        later = {id(body) for _, bodies in self.messages for body in bodies}
        accepted = [body for body in task.baselines if id(body) not in later]
        day = self.plan.calendar.local(self.begin * MINUTE).toordinal()
        rows = [row for row in task.live if row[0] == "sum began" or (row[0] in LASTING and row[1] < day)]
        for kind, at, body in task.live:
            if kind == "head":
                head = {
                    **msgspec.msgpack.decode(body),
                    "settled": self.begin if any(row[0] in LASTING for row in rows) else None,
                    "accepted": list({body["baseline"]: body for body in accepted}.values()),
                }
                rows.append((kind, at, msgspec.msgpack.encode(head)))
        state.restore(rows)
        state.position = task.position - len(self.messages)
        if state.settled is not None:
            # a stock's change in the first minute needs what was there before it, and so does a gap that ends later
            state.facts.put(self._facts(self.begin - BEFORE, self.begin))
        self.scratch.touch([("", kind, at, body) for kind, at, body in rows if kind != "head"])

    def run(self) -> None:
        low = max(self.begin, self.state.settled or 0)
        total = max(self.settled - self.begin, 1)
        for number in range(self.scratch.memory["batches"], len(self.messages)):
            high, bodies = self.messages[number]
            last = number == len(self.messages) - 1
            until = max(self.task.settled.values()) if last else high
            results = self._step(self._facts(low, until), high, bodies)
            self._keep(results, self.task.position + (0 if self.task.live else number))
            low = high
            self.scratch.touch(self.state.checkpoint())
            self.scratch.progress((high - self.begin) / total)
            if last or self.scratch.due():
                self.scratch.save(batches=number + 1, done=last)

    def _facts(self, low: int, high: int) -> list[FactBlock]:
        """Stored facts of [low, high), each point's as far as its process unit has settled."""
        facts = load_minutes(self.plan, self.reader, list(self.scope.points), low * MINUTE, high * MINUTE)
        units = {name: self.plan.plant.points[name].unit_of for name in facts}
        begun, settled = self.task.begun, self.task.settled
        cut = {name: part.cut(max(low, begun[units[name]]), settled[units[name]]) for name, part in facts.items()}
        return blocks_of(cut)

    def _step(self, facts: list[FactBlock], settled: int, bodies: tuple[dict[str, Any], ...]) -> Results:
        before = self.state.position
        messages = ScopeMessages(before + 1, before, facts, settled, bodies)
        return step_scope(self.plan, self.scope, self.state, messages)

    def _keep(self, results: Results, revision: int) -> None:
        """Rows that differ from those stored; drifts all, for they are told apart at the end."""
        for frame in results.frames.get("drift", []):
            self.scratch.add("drift", _revised(frame, revision))
        first = to_datetime(self.task.first_us)
        for frame in results.frames.get("notices", []):
            self.scratch.add("notices", _revised(frame, revision).filter(pl.col("end") > first))
        blocks = [frame.filter(pl.col("end") > first) for frame in results.frames.get("blocks", [])]
        if blocks:
            self.scratch.add("blocks", self._changed(BLOCKS.name, pl.concat(blocks), revision))
        kpis = rows(results.kpis).filter(pl.col("end") > first)
        self.scratch.add("kpi", self._changed(KPI.name, kpis, revision))

    def _changed(self, name: str, frame: pl.DataFrame, revision: int) -> pl.DataFrame:
        """The rows that are not stored just so; all where nothing is stored yet."""
        if frame.is_empty() or not self.task.live:
            return _revised(frame, revision)
        table = TABLES[name]
        times = frame[table.day].to_physical()
        low, high = int(times.min()), int(times.max()) + 1  # type: ignore[arg-type]
        stored = self.reader.table(name, low, high, {"scope": self.task.scope})
        same = [column for column in table.schema if column != "revision"]
        return _revised(frame.join(stored.select(same), on=same, how="anti", nulls_equal=True), revision)


def _revised(frame: pl.DataFrame, revision: int) -> pl.DataFrame:
    return frame.with_columns(pl.lit(revision, pl.Int64).alias("revision"))
