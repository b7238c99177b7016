"""The scratch folder of one recompute: what each task has done so far, so that a killed one goes on where it was.

`<task>.<n>.<table>.parquet` are rows found, in the order of n; `<task>.at` says up to which n they count, and holds the
state from which to go on. A chunk without its `.at` is written again.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from plant import durable

SAVE_EVERY_S = 5.0
SAVE_ROWS = 2_000_000
SAY_EVERY_S = 0.3

State = dict[tuple[str, int], bytes]


class Scratch:
    """One task's part of the folder."""

    def __init__(self, folder: Path, task: str) -> None:
        """Opens the folder, and takes up what is there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._task = folder, task
        self._at = folder / f"{task}.at"
        self.memory: dict[str, Any] = {"chunks": 0, "batches": 0, "done": False}
        self.state: State = {}
        self._frames: dict[str, list[pl.DataFrame]] = {}
        self._rows = 0
        self._said = 0.0
        self._saved = time.monotonic()
        if self._at.exists():
            stored = msgspec.msgpack.decode(self._at.read_bytes())
            self.state = {(kind, start): body for kind, start, body in stored.pop("state")}
            self.memory = stored

    def add(self, table: str, frame: pl.DataFrame) -> None:
        """Rows found."""
        if not frame.is_empty():
            self._frames.setdefault(table, []).append(frame)
            self._rows += len(frame)

    def due(self) -> bool:
        """Whether it is time to save what was done."""
        return time.monotonic() - self._saved >= SAVE_EVERY_S or self._rows >= SAVE_ROWS

    def touch(self, rows: list[tuple[str, str, int, bytes | None]]) -> None:
        """Takes the state rows of a checkpoint."""
        for _, kind, start, body in rows:
            if body is None:
                self.state.pop((kind, start), None)
            else:
                self.state[kind, start] = body

    def save(self, **memory: Any) -> None:
        """Everything so far, on disk. Ends the process when who started it is gone: another may do the same by now."""
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise SystemExit("whoever wanted this recompute is gone")
        number = self.memory["chunks"]
        for table, frames in self._frames.items():
            pl.concat(frames).write_parquet(self._folder / f"{self._task}.{number:06}.{table}.parquet")
        self._frames, self._rows = {}, 0
        self.memory = {**self.memory, **memory, "chunks": number + 1}
        fresh = self._at.with_suffix(".new")
        state = [(kind, start, body) for (kind, start), body in self.state.items()]
        fresh.write_bytes(msgspec.msgpack.encode({**self.memory, "state": state}))
        durable.put(fresh, self._at)
        self._saved = time.monotonic()

    def progress(self, done: float) -> None:
        """Tells how far the task is (0..1), for a progress bar; nothing rests on it."""
        if time.monotonic() - self._said < SAY_EVERY_S:
            return
        self._said = time.monotonic()
        (self._folder / f"{self._task}.progress").write_text(f"{done:.4f}")

    def told(self) -> float:
        """How far the task says it is (0..1)."""
        try:
            return float((self._folder / f"{self._task}.progress").read_text() or 0)
        except (OSError, ValueError):
            return 0.0

    def rows(self) -> list[tuple[str, int, bytes]]:
        """The state rows saved."""
        return [(kind, start, body) for (kind, start), body in self.state.items()]

    def chunks(self) -> Iterator[dict[str, pl.DataFrame]]:
        """The rows found, by table, in their order."""
        for number in range(self.memory["chunks"]):
            found = sorted(self._folder.glob(f"{self._task}.{number:06}.*.parquet"))
            if found:
                yield {path.name.split(".")[-2]: pl.read_parquet(path) for path in found}
