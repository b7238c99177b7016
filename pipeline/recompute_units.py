"""Recomputing a process unit: stored readings, read a day at a time, through the step itself.

A task runs in a process of its own, reads only, and leaves what it found in the scratch folder: the minute facts that
differ from those stored, notices, and the state at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from historian.reader import Reader
from pipeline.corrections import Corrections
from pipeline.fitting import load_minutes
from pipeline.messages import UnitMessages
from pipeline.minutes import Minutes
from pipeline.plans import PlantPlan
from pipeline.recompute_blocks import blocks_of
from pipeline.recompute_readings import LEAD, Counted, pieces
from pipeline.recompute_scratch import Scratch
from pipeline.unit_state import UnitState
from pipeline.unit_step import facts_frame, step_unit
from plant.clock import to_datetime
from plant.reading import DAY, MINUTE, Readings

STORED_TO = 1e-6
STEP_READINGS = 500_000
"""About so many readings are stepped at once: their columns fit the processor's cache."""
MOST_STEPS = 24
"""How many steps a day takes at most."""


@dataclass(frozen=True)
class UnitTask:
    """What is to be done: readings from `lead` on are read, up to the tick `now`, and facts that differ from those
    stored are published from `since` on (None: all are, there are none yet). `tick` is the first one, where the unit is
    to begin with it. Where there are no facts yet each batch has a revision of its own, from `position` on.
    """

    folder: Path
    scratch: Path
    plan: PlantPlan
    unit: str
    corrections: Corrections
    lead_us: int
    since_us: int | None
    now_us: int
    began_us: int | None
    position: int
    tick_us: int | None = None

    @property
    def name(self) -> str:
        """The task's name in the scratch folder."""
        return f"unit-{list(self.plan.units).index(self.unit)}"


@dataclass
class _Buffer:
    """Facts not older than the horizon, which later readings may still change; `until` is where they begin."""

    minutes: dict[str, Minutes]
    until: int


def run_unit(task: UnitTask) -> None:
    """Does a task, or what is left of it. Raises StorageError when the readings cannot be read."""
    scratch = Scratch(task.scratch, task.name)
    if scratch.memory["done"]:
        return
    _Unit(task, scratch).run()


class _Unit:
    def __init__(self, task: UnitTask, scratch: Scratch) -> None:
        self.task, self.scratch = task, scratch
        self.reader = Reader(task.folder)
        self.counted = Counted(self.reader, task.plan.units[task.unit], task.corrections, task.since_us)
        self.plan, self.corrections = self.counted.plan, self.counted.corrections
        edges = range(task.lead_us // DAY * DAY + DAY, task.now_us, DAY)
        self.edges = [task.lead_us, *(edge for edge in edges if edge > task.lead_us), task.now_us]
        a_day = sum(DAY / point.interval_us for point in self.plan.points.values())
        self.steps = int(np.clip(a_day // STEP_READINGS, 1, MOST_STEPS))
        if scratch.rows():
            self.state = UnitState.restore(scratch.rows())
        else:
            self.state = self.counted.fresh(task.began_us, task.lead_us)
            self.state.position = task.position - (len(self.edges) - 1) * self.steps
        since = max(scratch.memory.get("flushed", 0), (task.since_us or 0) // MINUTE)
        self.buffer = _Buffer({}, since)
        self.first: int | None = scratch.memory.get("first")

    def run(self) -> None:
        begin = self.scratch.memory["batches"]
        for number in range(begin, len(self.edges) - 1):
            low, high = self.edges[number], self.edges[number + 1]
            last = number == len(self.edges) - 2
            frames = self.counted.batch(low, high + MINUTE if last else high)
            self.scratch.add("readings", self.counted.late(frames))
            first_tick = self.task.tick_us if number == 0 else None
            edges = [low + (high - low) * part // self.steps // MINUTE * MINUTE for part in range(self.steps)] + [high]
            readings = self.counted.readings(frames, low, high)
            for part, until in zip(pieces(readings, edges[1:-1]), edges[1:], strict=True):
                self._step(part, until, first_tick, self.task.position + number)
                first_tick = None
            if self.task.since_us is not None:
                self.flush(last)
            self.scratch.touch(self.state.checkpoint())
            self.scratch.progress((number + 1) / (len(self.edges) - 1))
            if last:
                self.scratch.memory["settled"] = self.state.settled
            if last or self.scratch.due():
                self.flush(True)
                self.scratch.save(batches=number + 1, done=last, flushed=self.buffer.until, first=self.first)

    def _step(self, readings: Readings, until: int, first_tick: int | None, revision: int) -> None:
        before = self.state.position
        now = np.full(len(readings), until)
        messages = UnitMessages(before + 1, before, readings, now, until, first_tick)
        results = step_unit(self.plan, self.state, messages, self.counted.stored)
        for frame in results.frames.get("notices", []):
            self.scratch.add("notices", self._notices(frame))
        if self.task.since_us is None:
            self.scratch.add(
                "facts", facts_frame(self.task.plan.points, [(block, revision) for block in results.facts])
            )
            starts = [block.start for block in results.facts]
            self.first = min([*starts, *([self.first] if self.first is not None else [])], default=None)
            return
        for block in results.facts:
            for row, name in enumerate(block.names):
                self._take(name, block.of(row))

    def _notices(self, frame: pl.DataFrame) -> pl.DataFrame:
        kept = frame.filter(pl.col("end") >= to_datetime(self.task.since_us or 0))
        return kept.with_columns(pl.lit(self.task.position, pl.Int64).alias("revision"))

    def _take(self, name: str, minutes: Minutes) -> None:
        """Keeps facts until nothing can change them any more; what was let go before is published again at once."""
        minutes = self.corrections.overlay(name, minutes)
        gone = minutes.cut((self.task.since_us or 0) // MINUTE, self.buffer.until)
        if len(gone.amount):
            self._publish({name: gone.copy()})
        rest = minutes.cut(self.buffer.until, minutes.end)
        if len(rest.amount):
            if name in self.buffer.minutes:
                self.buffer.minutes[name].put(rest)
            else:
                self.buffer.minutes[name] = rest.copy()

    def flush(self, whole: bool) -> None:
        """Publishes facts older than the horizon (`whole`: all) where they differ from those stored."""
        if self.state.settled is None:
            return
        until = self.state.settled if whole else self.state.settled - LEAD // MINUTE
        if until <= self.buffer.until:
            return
        parts = {name: minutes.cut(self.buffer.until, until).copy() for name, minutes in self.buffer.minutes.items()}
        parts = {name: part for name, part in parts.items() if len(part.amount)}
        stored = load_minutes(self.task.plan, self.reader, list(parts), self.buffer.until * MINUTE, until * MINUTE)
        differing = {}
        for name, part in parts.items():
            span = differs(stored[name].cut(part.start, part.end), part)
            if span is not None:
                differing[name] = part.cut(*span)
        self._publish(differing)
        for minutes in self.buffer.minutes.values():
            minutes.drop_before(until)
        self.buffer.until = until

    def _publish(self, parts: dict[str, Minutes]) -> None:
        if not parts:
            return
        first = min(part.start for part in parts.values())
        self.first = first if self.first is None else min(first, self.first)
        blocks = [(block, self.task.position) for block in blocks_of(parts)]
        self.scratch.add("facts", facts_frame(self.task.plan.points, blocks))


def differs(stored: Minutes, fresh: Minutes) -> tuple[int, int] | None:
    """From which minute to which one facts differ from those stored; None when nowhere."""
    if len(stored.amount) != len(fresh.amount):
        return fresh.start, fresh.end
    odd = stored.has != fresh.has
    odd |= fresh.has & (stored.amount != fresh.amount)
    odd |= stored.quality != fresh.quality
    for name in ("mean", "min", "max", "last"):
        a, b = getattr(stored, name), getattr(fresh, name)
        odd |= (a != b) & ~(np.isnan(a) & np.isnan(b))
    for name in ("coverage", "estimated"):
        odd |= ~np.isclose(getattr(stored, name), getattr(fresh, name), rtol=0, atol=STORED_TO)
    where = np.flatnonzero(odd)
    return (fresh.start + int(where[0]), fresh.start + int(where[-1]) + 1) if len(where) else None
