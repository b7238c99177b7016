"""Recomputing the past: process units from their stored readings, then scopes from their stored facts.

Everything is worked out in the scratch folder `recompute/<position>`, in processes of its own by process unit and by
scope; a killed recompute goes on where it was. Facts, KPIs and blocks are upserts of revision `position`, stored before
the state is; state, drifts and position come with the last commit, so that a crash before it finds the message again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from historian.reader import Reader
from historian.store import Historian, StateRow
from historian.tables import DRIFT, NOTICES
from pipeline.corrections import Correction, Corrections
from pipeline.plans import PlantPlan
from pipeline.recompute_drifts import renamed, revised
from pipeline.recompute_facts import correct_facts, forget_originals
from pipeline.recompute_readings import last_readings, lead_of, raw_from
from pipeline.recompute_run import Progress, Runner, silent
from pipeline.recompute_scopes import LASTING, ScopeTask, run_scope
from pipeline.recompute_scratch import Scratch
from pipeline.recompute_units import UnitTask, run_unit
from pipeline.scope_state import CHART, ScopeState
from pipeline.unit_state import UnitState
from plant.clock import to_datetime, to_us
from plant.reading import DAY, MINUTE

FOLDER = "recompute"
SAME_NOTICE = [name for name in NOTICES.schema if name != "revision"]
NEEDED = frozenset({"head", "sum began", *LASTING})


@dataclass(frozen=True)
class Recomputed:
    """What a recompute did: drift rows that changed, from when on facts did [µs UTC] (None: nowhere), and how many
    rows of each table were written."""

    drifts: pl.DataFrame
    first_us: int | None
    rows: dict[str, int]


def recompute(
    plan: PlantPlan,
    historian: Historian,
    corrections: Corrections,
    since_us: int,
    position: int,
    progress: Progress | None = None,
    points: Iterable[str] | None = None,
    workers: int | None = None,
) -> Recomputed:
    """Works out again what readings from `since_us` on lead to, up to where the step stands.

    Everything up to the step's position must be stored (a checkpoint), and nothing else may write to the historian.
    `points` restricts it to the process units that name one of them. Raises StorageError; what was done by then is not
    done again when it is called anew.
    """
    run = _Recompute(plan, historian, corrections, since_us, position, progress or silent, workers)
    return run.go(set(points) if points is not None else None)


def put_right(
    plan: PlantPlan,
    historian: Historian,
    body: Mapping[str, Any],
    position: int,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Recomputed:
    """Does what a journal message of kind "correction" at `position` asks for; its ledger entry must be stored.

    `body` is its body: a correction made or withdrawn, or a recompute of everything from `from` [µs UTC] on.
    """
    corrections = Corrections.of_ledger(Reader(historian.folder).ledger("correction"))
    return recompute(
        plan, historian, corrections, int(body["from"]), position, progress, body.get("points") or None, workers
    )


class _Recompute:
    def __init__(
        self,
        plan: PlantPlan,
        historian: Historian,
        corrections: Corrections,
        since_us: int,
        position: int,
        progress: Progress,
        workers: int | None,
    ) -> None:
        self.plan, self.historian, self.corrections = plan, historian, corrections
        self.since_us, self.position = since_us, position
        self.reader = Reader(historian.folder)
        self.scratch = historian.folder / FOLDER / str(position)
        span_s = (historian.head("settled") - since_us) / 1e6
        rate = sum(1e6 / point.interval_us for point in plan.points.values())
        self.runner = Runner(historian, historian.head("settled"), progress, workers, span_s * rate)

    def go(self, points: set[str] | None) -> Recomputed:
        self._clean()
        units = {name: UnitState.restore(self.historian.state(f"unit {name}")) for name in self.plan.units}
        facts = correct_facts(self.plan, self.reader, self.corrections, self.scratch, self.position)
        tasks: list[UnitTask] = []
        if facts.memory["first"] is None:
            made = (self._unit_task(name, units[name], points) for name in self.plan.units)
            tasks = [task for task in made if task is not None]
        self.runner.run(tasks, run_unit, "process units")
        found = {task.unit: Scratch(task.scratch, task.name) for task in tasks}
        self.runner.store([facts, *found.values()])
        firsts = [one.memory["first"] for one in (facts, *found.values()) if one.memory["first"] is not None]
        state: list[StateRow] = []
        settled = {name: unit.settled for name, unit in units.items()}
        for name, unit in units.items():
            key = f"unit {name}"
            if name in found:
                settled[name] = found[name].memory["settled"]
                state += self.runner.replaced(key, found[name].rows())
            else:
                unit.position = self.position
                state += [(key, kind, start, body) for _, kind, start, body in unit.checkpoint()]
        first_us = min(firsts) * MINUTE if firsts else None
        begun = {name: self._first_minute(name, unit.began_us or 0) for name, unit in units.items()}
        changed = set(found) if found else {self.plan.plant.points[name].unit_of for name in points or self.plan.points}
        drifts, rows = self._scopes(first_us, settled, begun, changed)
        self.runner.commit({"drift": drifts, "notices": self._notices()}, [*state, *rows], self.position)
        forget_originals(self.historian.folder, self.corrections)
        shutil.rmtree(self.scratch, ignore_errors=True)
        return Recomputed(drifts, first_us, self.runner.counts)

    def _clean(self) -> None:
        """Scratch of other recomputes: they were finished, or will never be."""
        for folder in self.scratch.parent.glob("*"):
            if folder != self.scratch:
                shutil.rmtree(folder, ignore_errors=True)

    def _unit_task(self, name: str, state: UnitState, points: set[str] | None) -> UnitTask | None:
        unit = self.plan.units[name]
        touched = set(unit.points) if points is None else points & set(unit.points)
        oldest = raw_from(self.reader)
        now_us = self.historian.head("tick")
        if not touched or oldest is None or state.settled is None or not now_us:
            return None
        # a reading changes what lies between it and the one before, and a doubt is settled within the horizon
        before = last_readings(self.reader, touched, self.since_us)["time"]
        since_us = min([self.since_us - lead_of(unit), *([to_us(before.min())] if len(before) else [])])  # type: ignore[arg-type]
        lead_us = max(since_us - lead_of(unit), oldest)
        # where readings end, so does what they can say: the first hours after are not judged as they were live
        since_us = since_us if lead_us > oldest or self._begun(state, oldest) else oldest + lead_of(unit)
        return UnitTask(
            self.historian.folder,
            self.scratch,
            self.plan,
            name,
            self.corrections,
            lead_us,
            max(since_us, lead_us),
            now_us,
            state.began_us,
            self.position,
        )

    def _first_minute(self, unit: str, began_us: int) -> int:
        """The first minute of which there are facts: an interval's lie before the reading that the unit began with."""
        points = {"point": list(self.plan.units[unit].owned)}
        early = self.reader.table("facts", began_us - 2 * DAY, began_us, points, [])["minute"]
        return (to_us(early.min()) if len(early) else began_us) // MINUTE  # type: ignore[arg-type]

    def _notices(self) -> pl.DataFrame:
        """One notice a correction and point: what was put right, or that this was withdrawn."""
        found = []
        for entry in self.reader.ledger("correction"):
            if entry["act"] == "recompute" or entry["position"] > self.position:
                continue
            one = Correction.of({**entry, "position": entry.get("correction") or entry["position"]})
            done = "withdrawn" if entry["act"] == "withdraw" else one.says()
            span = (to_datetime(one.start), to_datetime(max(one.end, one.start)))
            text = f"{done}; {one.by}: {one.why}"
            found += [(name, *span, f"correction {one.name}", text, self.position) for name in one.points]
        latest = {(name, finding): row for row in found for name, finding in [(row[0], row[3])]}
        known = self.reader.table("notices").select(SAME_NOTICE)
        frame = pl.DataFrame(list(latest.values()), schema=NOTICES.schema, orient="row")
        return frame.join(known, on=SAME_NOTICE, how="anti")

    @staticmethod
    def _begun(state: UnitState, oldest: int) -> bool:
        """Whether the unit's own beginning is among the readings kept."""
        return state.began_us is not None and state.began_us // DAY * DAY >= oldest

    def _scopes(
        self, first_us: int | None, settled: dict[str, int | None], begun: dict[str, int], units: set[str]
    ) -> tuple[pl.DataFrame, list[StateRow]]:
        """Recomputes the scopes that read a process unit that changed; their drifts and state rows."""
        ledger = [{**entry, "position": entry["position"]} for entry in self.reader.ledger("baseline")]
        tasks = []
        state: list[StateRow] = []
        for name, scope in self.plan.scopes.items():
            key = f"scope {name}"
            live = self.historian.state(key)
            marks = {unit: mark for unit in scope.units if (mark := settled[unit]) is not None}
            if first_us is None or units.isdisjoint(scope.units) or len(marks) < len(scope.units):
                kept = ScopeState(self.plan, scope)
                kept.restore(live)
                kept.position = self.position
                state += [(key, kind, start, body) for _, kind, start, body in kept.checkpoint()]
                continue
            bodies = tuple(body for body in ledger if body["baseline"] in scope.baselines)
            wanted = tuple(row for row in live if row[0] in NEEDED)
            own = {unit: begun[unit] for unit in scope.units}
            folder = self.historian.folder
            tasks.append(
                ScopeTask(folder, self.scratch, self.plan, name, first_us, marks, own, wanted, bodies, self.position)
            )
        self.runner.run(tasks, run_scope, "KPIs and charts")
        found = {task.scope: Scratch(task.scratch, task.name) for task in tasks}
        self.runner.store(list(found.values()))
        drifts = [DRIFT.empty()]
        for name, scratch in found.items():
            frames = [tables["drift"] for tables in scratch.chunks() if "drift" in tables]
            stored = self.reader.table("drift", where={"scope": name})
            rows, names = revised(self.plan, stored, pl.concat([DRIFT.empty(), *frames]), first_us or 0, self.position)
            drifts.append(rows)
            fresh = [
                (kind, start, renamed(body, names) if kind.startswith(CHART) and names else body)
                for kind, start, body in scratch.rows()
            ]
            state += self.runner.replaced(f"scope {name}", fresh)
        return pl.concat(drifts), state
