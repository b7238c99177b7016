"""Running the tasks of a recompute, side by side where that pays, and storing what they found."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
KEPT_BYTES = str(2**30)
WORKER = {"POLARS_MAX_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": KEPT_BYTES, "MALLOC_MMAP_THRESHOLD_": str(2**25)}
"""A worker has a core, and keeps what one batch has freed for the next (glibc's malloc): to give memory back to the
kernel and to take it anew cost a fifth of its time."""

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
        following = context.Value("i", 0)
        arguments = (target, list(tasks), following)
        # a daemon: it ends with us, and what it has saved is gone on with
        running = [
            context.Process(target=_work, args=arguments, daemon=True) for _ in range(min(self.workers, len(tasks)))
        ]
        try:
            with worker_environment():
                for process in running:
                    process.start()
            while sum(_is_running(what, process) for process in running):
                self.progress(what, sum(one.told() for one in told) / len(told))
                time.sleep(POLL_S)
        finally:
            for process in running:
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


@contextmanager
def worker_environment() -> Iterator[None]:
    """What processes that are spawned meanwhile find in their environment; what a person has set stays."""
    added = {name: value for name, value in WORKER.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _work(target: Callable[[Any], None], tasks: Sequence[Task], following: Any) -> None:
    """Does the task that follows until there is none: starting a process for each would cost more than many a task."""
    while True:
        with following.get_lock():
            number = following.value
            following.value += 1
        if number >= len(tasks):
            return
        try:
            target(tasks[number])
        except StorageError as error:
            _log.error("%s: %s", tasks[number].name, error)
            raise SystemExit(STORAGE) from error


def _is_running(what: str, process: BaseProcess) -> bool:
    if process.exitcode == STORAGE:
        raise StorageError(f"recomputing {what} failed: what is stored could not be read")
    if process.exitcode:
        raise RuntimeError(f"recomputing {what} ended with {process.exitcode}; its own words are above")
    return process.exitcode is None
