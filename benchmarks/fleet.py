"""The step in worker processes fed by process unit, as an engine would run it: killed, started again, sent again.

A worker holds the state of some partitions (process units, scopes). Each partition has a store of its own, where its
results, state rows and position go in one transaction. The router keeps what it sent since a partition's last
checkpoint, and sends it again after a worker died.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Protocol

import polars as pl

from historian.reader import Reader
from historian.store import Historian
from historian.tables import TABLES
from journal.message import Message
from pipeline.engine import readings_from
from pipeline.kpi_rows import KpiPart, rows
from pipeline.messages import Received, ScopeMessages, StaleState, UnitMessages
from pipeline.minutes import FactBlock
from pipeline.plans import PlantPlan, compile_plant
from pipeline.receive import readings_frame
from pipeline.router import Batch, Router
from pipeline.scope_state import ScopeState
from pipeline.scope_step import step_scope
from pipeline.unit_state import UnitState
from pipeline.unit_step import facts_frame, step_unit
from plant.clock import to_datetime
from plant.model import Plant
from plant.reading import MINUTE, Readings

CONFIG = "config"
ANSWER_S = 60.0
KILL_WITHIN_S = 0.06

_context = get_context("forkserver")
_context.set_forkserver_preload(["benchmarks.fleet"])


class Part(Protocol):
    """A partition in a worker."""

    @property
    def position(self) -> int:
        """The position that its state is at."""

    def step(self, messages: Any) -> Any:
        """Steps a batch; what others need of it. Raises StaleState."""

    def store(self) -> int:
        """Stores results, state and position together; the position."""


class UnitPart:
    """A process unit with its store."""

    def __init__(self, plan: PlantPlan, name: str, folder: Path) -> None:
        self._plan, self._unit = plan, plan.units[name]
        self._historian = Historian(folder)
        self._state = UnitState.restore(self._historian.state("unit"))
        self._readings: list[Received] = []
        self._facts: list[tuple[FactBlock, int]] = []
        self._frames: dict[str, list[pl.DataFrame]] = {}

    @property
    def position(self) -> int:
        """The position that its state is at."""
        return self._state.position

    def step(self, messages: UnitMessages) -> tuple[list[FactBlock], int | None]:
        """Steps a batch: fact blocks, and the first minute not settled."""
        results = step_unit(self._unit, self._state, messages, self._readings_of)
        self._readings += results.readings
        self._facts += [(block, messages.position) for block in results.facts]
        for table, frames in results.frames.items():
            self._frames.setdefault(table, []).extend(frames)
        return results.facts, results.settled

    def _readings_of(self, points: Sequence[str], start_us: int, end_us: int) -> Readings:
        """As the engine's: stored or about to be."""
        span = (pl.col("time") >= to_datetime(start_us)) & (pl.col("time") < to_datetime(end_us))
        waiting = readings_frame(self._readings).filter(pl.col("point").is_in(list(points)) & span)
        stored = self._historian.readings_of(points, start_us, end_us).select(waiting.columns)
        return readings_from(tuple(points), pl.concat([stored, waiting]))

    def store(self) -> int:
        """Stores results, state and position together."""
        results = {table: pl.concat(frames) for table, frames in self._frames.items()}
        if self._readings:
            results["readings"] = readings_frame(self._readings)
        if self._facts:
            results["facts"] = facts_frame(self._plan.points, self._facts)
        state = [("unit", kind, start, body) for _, kind, start, body in self._state.checkpoint()]
        self._historian.commit(results, state, self.position, (self._state.settled or 0) * MINUTE)
        self._readings, self._facts, self._frames = [], [], {}
        return self.position


class ScopePart:
    """A scope with its store."""

    def __init__(self, plan: PlantPlan, name: str, folder: Path) -> None:
        self._plan, self._scope = plan, plan.scopes[name]
        self._historian = Historian(folder)
        self._state = ScopeState(plan, self._scope)
        self._state.restore(self._historian.state("scope"))
        self._kpis: list[KpiPart] = []
        self._frames: dict[str, list[pl.DataFrame]] = {}

    @property
    def position(self) -> int:
        """The position that its state is at."""
        return self._state.position

    def step(self, messages: ScopeMessages) -> None:
        """Steps a batch."""
        results = step_scope(self._plan, self._scope, self._state, messages)
        self._kpis += results.kpis
        for table, frames in results.frames.items():
            self._frames.setdefault(table, []).extend(frames)

    def store(self) -> int:
        """Stores results, state and position together."""
        results = {table: pl.concat(frames) for table, frames in self._frames.items()}
        if self._kpis:
            results["kpi"] = rows(self._kpis)
        state = [("scope", kind, start, body) for _, kind, start, body in self._state.checkpoint()]
        self._historian.commit(results, state, self.position, (self._state.settled or 0) * MINUTE)
        self._kpis, self._frames = [], {}
        return self.position


def work(pipe: Connection, plant: Plant, folder: Path, names: list[str]) -> None:
    """A worker's life: says where its partitions stand, then answers until the router is gone or its state is stale."""
    plan = compile_plant(plant, CONFIG)
    parts: dict[str, Part] = {}
    for name in names:
        kind, _, own = name.partition(" ")
        parts[name] = (UnitPart if kind == "unit" else ScopePart)(plan, own, folder / name)
    pipe.send({name: part.position for name, part in parts.items()})
    try:
        while True:
            what, todo = pipe.recv()
            if what == "step":
                pipe.send({name: parts[name].step(messages) for name, messages in todo.items()})
            else:
                pipe.send({name: parts[name].store() for name in todo})
    except StaleState as error:
        pipe.send(error)
    except EOFError:
        return


class Worker:
    """A worker process as the router sees it."""

    def __init__(self, plant: Plant, folder: Path, names: list[str]) -> None:
        self.names, self._plant, self._folder = names, plant, folder
        self.start()

    def start(self) -> None:
        """Starts the process; `held` says where its partitions stand."""
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=work, args=(theirs, self._plant, self._folder, self.names), daemon=True)
        self._process.start()
        theirs.close()
        self.held: dict[str, int] = self.receive()

    def send(self, what: str, todo: Any) -> None:
        """A request; a dead worker is noticed when its answer is awaited."""
        try:
            self._pipe.send((what, todo))
        except OSError:
            return

    def receive(self, within_s: float = ANSWER_S) -> Any:
        """The answer. Raises EOFError when the worker died, StaleState when it refused."""
        if not self._pipe.poll(within_s):
            raise TimeoutError(f"no answer of {self.names}")
        try:
            answer = self._pipe.recv()
        except OSError as error:
            # killed before its answer, or in the middle of it
            raise EOFError from error
        if isinstance(answer, StaleState):
            raise answer
        return answer

    @property
    def alive(self) -> bool:
        """Whether it lives, as far as is known."""
        return self._process.is_alive()

    def kill(self, after_s: float = 0.0) -> None:
        """SIGKILL, wherever it is by then."""
        time.sleep(after_s)
        self._process.kill()
        self._process.join()

    def end(self) -> None:
        """Lets it end by itself."""
        self._pipe.close()
        self._process.join()


class Fleet:
    """The router: steps a plant's messages by workers, kills these as often as `chance` says, and counts."""

    def __init__(self, plant: Plant, folder: Path, workers: int, chance: Random, kills: float, stores: float) -> None:
        """`kills` and `stores` are the shares of requests in which the worker is killed, or asked for a checkpoint."""
        self.plan = compile_plant(plant, CONFIG)
        self._folder, self._chance, self._kills, self._stores = folder, chance, kills, stores
        self.names = [*(f"unit {name}" for name in self.plan.units), *(f"scope {name}" for name in self.plan.scopes)]
        self.workers = [Worker(plant, folder, self.names[number::workers]) for number in range(workers)]
        self._sent = dict.fromkeys(self.names, 0)
        self._stored = dict.fromkeys(self.names, 0)
        self._log: dict[str, list[Any]] = {name: [] for name in self.names}
        self._tick_us: int | None = None
        self._router = Router()
        self.counts = {"batches": 0, "kills": 0, "sent_again": 0, "checkpoints": 0, "stale_refused": 0}

    def step(self, messages: list[Message]) -> None:
        """One batch: the units of all workers, then the scopes."""
        batch = Batch(messages, self._tick_us, self._router)
        self._tick_us = batch.tick_us
        units = {f"unit {name}": self._share(batch, f"unit {name}") for name in self.plan.units}
        found = self._ask("step", units)
        told = [{**message.body, "position": message.position} for message in messages if message.kind == "baseline"]
        scopes = {}
        for name, scope in self.plan.scopes.items():
            facts = [block for unit in sorted(scope.units) for block in found[f"unit {unit}"][0]]
            marks = [found[f"unit {unit}"][1] for unit in scope.units]
            settled = None if None in marks else min(marks)
            own = tuple(body for body in told if body["baseline"] in scope.baselines)
            scopes[f"scope {name}"] = ScopeMessages(batch.position, self._sent[f"scope {name}"], facts, settled, own)
        self._ask("step", scopes)
        self.counts["batches"] += 1
        for worker in self.workers:
            if self._chance.random() < self._stores:
                self._store(worker)

    def _ask(self, what: str, todo: dict[str, Any]) -> dict[str, Any]:
        """Has partitions step their messages, in all workers at once; some are killed meanwhile."""
        for name, messages in todo.items():
            self._log[name].append(messages)
        shares = [(worker, {name: todo[name] for name in worker.names if name in todo}) for worker in self.workers]
        for worker, share in shares:
            worker.send(what, share)
        found: dict[str, Any] = {}
        for worker, share in shares:
            if self._chance.random() < self._kills:
                self._kill(worker)
            try:
                found |= worker.receive()
            except EOFError:
                found |= self._again(worker, share)
        for name, messages in todo.items():
            self._sent[name] = messages.position
        return found

    def _again(self, worker: Worker, share: dict[str, Any]) -> dict[str, Any]:
        """Starts a worker that died and sends again what came after its checkpoints; the answers to `share`."""
        worker.start()
        self._note(worker.held)
        found: dict[str, Any] = {}
        for name in worker.names:
            for messages in self._log[name]:
                worker.send("step", {name: messages})
                answer = worker.receive()
                self.counts["sent_again"] += 1
                if name in share and messages is share[name]:
                    found |= answer
        return found

    def _store(self, worker: Worker) -> None:
        worker.send("store", worker.names)
        if self._chance.random() < self._kills:
            self._kill(worker)
        try:
            self._note(worker.receive())
            self.counts["checkpoints"] += 1
        except EOFError:
            self._again(worker, {})

    def _note(self, stored: dict[str, int]) -> None:
        """What lies at or below a partition's checkpoint need never be sent again."""
        for name, position in stored.items():
            self._stored[name] = max(self._stored[name], position)
            self._log[name] = [messages for messages in self._log[name] if messages.position > self._stored[name]]

    def _kill(self, worker: Worker) -> None:
        self.counts["kills"] += worker.alive
        worker.kill(self._chance.random() * KILL_WITHIN_S)

    def back_up(self, worker: Worker, into: Path) -> None:
        """Copies a worker's stores as they are."""
        for name in worker.names:
            shutil.copytree(self._folder / name, into / name)

    def put_back(self, worker: Worker, messages: list[Message], older: Path) -> bool:
        """Gives a worker stores that were backed up, and the next batch: whether it refused, and published nothing.

        It then gets back what it had. True as well when nothing was stored since the backup: nothing is stale then.
        """
        stale = [name for name in worker.names if _head(older / name)[0] < self._stored[name]]
        if not stale:
            return True
        worker.kill()
        kept = self._folder / "kept"
        for name in worker.names:
            shutil.move(self._folder / name, kept / name)
            shutil.copytree(older / name, self._folder / name)
        worker.start()
        worker.send("step", {stale[0]: self._probe(stale[0], Batch(messages, self._tick_us, self._router))})
        try:
            worker.receive()
            refused = False
        except StaleState:
            refused = True
        worker.kill()
        refused &= all(_head(self._folder / name) == _head(older / name) for name in worker.names)
        for name in worker.names:
            shutil.rmtree(self._folder / name)
            shutil.move(kept / name, self._folder / name)
        self.counts["stale_refused"] += refused
        self._again(worker, {})
        return refused

    def _probe(self, name: str, batch: Batch) -> UnitMessages | ScopeMessages:
        if name.startswith("unit "):
            return self._share(batch, name)
        return ScopeMessages(batch.position, self._sent[name], [], None)

    def _share(self, batch: Batch, name: str) -> UnitMessages:
        return batch.of(self.plan.units[name.removeprefix("unit ")], self._sent[name], None, hold=False)

    def close(self) -> None:
        """Stores everything, and ends the workers."""
        self._kills = 0.0
        for worker in self.workers:
            if not worker.alive:
                self._again(worker, {})
            self._store(worker)
            worker.end()

    def table(self, name: str) -> pl.DataFrame:
        """A table's rows of all partitions."""
        return tables([self._folder / name for name in self.names], name)


def _head(folder: Path) -> tuple[int, int]:
    """The position of a store, and how many results it holds."""
    reader = Reader(folder)
    return reader.head("position"), len(reader.table("facts")) + len(reader.table("kpi"))


def tables(folders: Iterable[Path], name: str) -> pl.DataFrame:
    """A table's rows of several stores, no key of which is in two."""
    return pl.concat([Reader(folder).table(name) for folder in folders]).sort(TABLES[name].key)
