"""Running the tasks of a recompute, side by side where that pays, and storing what they found."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import polars as pl

from historian.store import Historian, StateRow
from pipeline.recompute_scopes import ScopeTask
from pipeline.recompute_scratch import Scratch
from pipeline.recompute_units import UnitTask
from plant.errors import StorageError

_log = logging.getLogger("keepclean.recompute")

POLL_S = 0.2
STORAGE = 3
"""How a process ends that could not read what is stored."""
ALONE_READINGS = 3_000_000
"""Below so many readings a process of its own costs more than it saves."""

Progress = Callable[[str, float], None]
"""Told what is being done, and how much of it is (0..1)."""

Task = UnitTask | ScopeTask


def silent(_what: str, _share: float) -> None:
    """Nobody is told."""


class Runner:
    """`settled_us` is stored with every commit; `readings` is about how many there are to work on."""

    def __init__(
        self, historian: Historian, settled_us: int, progress: Progress, workers: int | None, readings: float
    ) -> None:
        self.historian, self.settled_us, self.progress = historian, settled_us, progress
        self.workers = workers if workers is not None else os.cpu_count() or 1
        self.readings = readings
        self.counts: dict[str, int] = {}

    def run(self, tasks: Sequence[Task], target: Callable[[Any], None], what: str) -> None:
        """Runs tasks, side by side where that pays."""
        told = [Scratch(task.scratch, task.name) for task in tasks]
        if len(tasks) < 2 or self.workers < 2 or self.readings < ALONE_READINGS:
            for number, task in enumerate(tasks):
                self.progress(what, number / len(tasks))
                target(task)
            self.progress(what, 1.0)
            return
        context = multiprocessing.get_context("spawn")
        waiting, running = list(tasks), dict[str, BaseProcess]()
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    task = waiting.pop(0)
                    # a daemon: it ends with us, and what it has saved is gone on with
                    running[task.name] = context.Process(target=_do, args=(target, task), daemon=True)
                    running[task.name].start()
                self.progress(what, sum(one.told() for one in told) / len(told))
                time.sleep(POLL_S)
                for name in [name for name, process in running.items() if process.exitcode is not None]:
                    _check(name, running.pop(name))
        finally:
            for process in running.values():
                process.terminate()

    def store(self, found: Sequence[Scratch]) -> None:
        """Stores what tasks found, in the order in which they found it; nothing of it depends on the state."""
        for scratch in found:
            for tables in scratch.chunks():
                self.commit({name: frame for name, frame in tables.items() if name != "drift"}, [], None)

    def commit(self, results: dict[str, pl.DataFrame], state: list[StateRow], position: int | None) -> None:
        """Stores rows, and state where a position is given."""
        for name, frame in results.items():
            self.counts[name] = self.counts.get(name, 0) + len(frame)
        at = position if position is not None else self.historian.head("position")
        self.historian.commit(results, state, at, self.settled_us)

    def replaced(self, key: str, rows: Iterable[tuple[str, int, bytes]]) -> list[StateRow]:
        """State rows in the place of all that were there."""
        fresh = {(kind, start): body for kind, start, body in rows}
        gone: list[StateRow] = [
            (key, kind, start, None) for kind, start, _ in self.historian.state(key) if (kind, start) not in fresh
        ]
        return [*gone, *((key, kind, start, body) for (kind, start), body in fresh.items())]


def _do(target: Callable[[Any], None], task: Task) -> None:
    try:
        target(task)
    except StorageError as error:
        _log.error("%s: %s", task.name, error)
        raise SystemExit(STORAGE) from error


def _check(name: str, process: BaseProcess) -> None:
    if process.exitcode == STORAGE:
        raise StorageError(f"recomputing {name} failed: what is stored could not be read")
    if process.exitcode:
        raise RuntimeError(f"recomputing {name} ended with {process.exitcode}; its own words are above")
