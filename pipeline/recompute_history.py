"""History that was never stepped live: stored readings to facts, facts to results, on a plant that has no state yet.

Facts do not depend on baselines, so that one can be fitted on them in between. Called anew after it was killed, it goes
on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from historian.reader import Reader
from historian.store import Historian, StateRow
from historian.tables import DRIFT
from pipeline.corrections import NONE
from pipeline.plans import PlantPlan
from pipeline.recompute import FOLDER
from pipeline.recompute_run import Progress, Runner
from pipeline.recompute_scopes import ScopeTask, run_scope
from pipeline.recompute_scratch import Scratch
from pipeline.recompute_units import UnitTask, run_unit
from pipeline.scope_state import ScopeState
from pipeline.unit_state import UnitState
from plant.reading import DAY, MINUTE

REVISION = 1
"""Of the first day's results: nothing was there before."""
SPARE = 64
"""Days may be parted, by baselines that are accepted."""

Entry = tuple[str, str, int, str, str, str, int]


class History:
    """About `readings` readings; `span_us` is the time of the first one, the first tick, and the last one [µs UTC]."""

    def __init__(
        self,
        plan: PlantPlan,
        historian: Historian,
        span_us: tuple[int, int, int],
        readings: int,
        progress: Progress,
        workers: int | None = None,
    ) -> None:
        self.plan, self.historian = plan, historian
        self.first_us, self.tick_us, self.now_us = span_us
        self.reader = Reader(historian.folder)
        self.scratch = historian.folder / FOLDER / "history"
        self.runner = Runner(historian, self.now_us, progress, workers, readings)

    def days(self) -> int:
        """How many revisions there will be at most: one a day, and one for each part of a day."""
        return (self.now_us - self.first_us) // DAY + SPARE

    def facts(self) -> None:
        """Works out and stores the minute facts of every process unit."""
        tasks = self._units()
        self.runner.run(tasks, run_unit, "minute facts")
        for task in tasks:
            done = Scratch(task.scratch, task.name)
            if not done.memory.get("kept", False):
                self.runner.store([done])
                done.save(kept=True)

    def _units(self) -> list[UnitTask]:
        return [
            UnitTask(
                self.historian.folder,
                self.scratch,
                self.plan,
                name,
                NONE,
                self.first_us,
                None,
                self.now_us,
                None,
                REVISION,
                self.tick_us,
            )
            for name in self.plan.units
        ]

    def results(
        self,
        baselines: Sequence[Mapping[str, Any]],
        ledger: Iterable[Entry],
        heads: Mapping[str, int],
        position: int,
    ) -> pl.DataFrame:
        """Works out and stores what follows from the facts, then state, ledger and position; the drifts found.

        `baselines` are the bodies accepted, with their positions; `position` is that of the last message.
        """
        units = {task.unit: Scratch(task.scratch, task.name) for task in self._units()}
        tasks = [task for name in self.plan.scopes if (task := self._scope(name, units, baselines)) is not None]
        self.runner.run(tasks, run_scope, "KPIs and charts")
        found = {task.scope: Scratch(task.scratch, task.name) for task in tasks}
        self.runner.store(list(found.values()))
        frames = [chunk["drift"] for one in found.values() for chunk in one.chunks() if "drift" in chunk]
        drifts = pl.concat([DRIFT.empty(), *frames]).unique(subset=["drift"], keep="last", maintain_order=True)
        state: list[StateRow] = []
        for name, scratch in units.items():
            unit = UnitState.restore(scratch.rows())
            unit.position = position
            scratch.touch(unit.checkpoint())
            state += self.runner.replaced(f"unit {name}", scratch.rows())
        for name, scratch in found.items():
            scope = ScopeState(self.plan, self.plan.scopes[name])
            scope.restore(scratch.rows())
            scope.position = position
            scratch.touch(scope.checkpoint())
            state += self.runner.replaced(f"scope {name}", scratch.rows())
        marks = [one.memory["settled"] or 0 for one in units.values()]
        self.historian.commit({"drift": drifts}, state, position, min(marks, default=0) * MINUTE, ledger, heads)
        shutil.rmtree(self.scratch, ignore_errors=True)
        return drifts

    def _scope(self, name: str, units: dict[str, Scratch], baselines: Sequence[Mapping[str, Any]]) -> ScopeTask | None:
        scope = self.plan.scopes[name]
        settled = {unit: units[unit].memory["settled"] for unit in scope.units}
        begun = {unit: units[unit].memory["first"] for unit in scope.units}
        if any(mark is None for mark in (*settled.values(), *begun.values())):
            return None
        bodies = tuple(dict(body) for body in baselines if body["baseline"] in scope.baselines)
        return ScopeTask(self.historian.folder, self.scratch, self.plan, name, 0, settled, begun, (), bodies, REVISION)
