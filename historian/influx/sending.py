"""Rows on their way to the time-series server: made into lines and written, a request at a time, in their order.

The server is the slower one: while it takes a request, the next rows are read, their lines are made, and what it has
taken is remembered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import numpy as np
import polars as pl

from historian.influx.client import ServerError
from historian.influx.line_protocol import lines
from plant.errors import StorageError
from plant.model import Plant

BATCH_ROWS = 5_000
"""Lines of a request."""
LINES_ROWS = 60_000
"""Rows of which the lines are made at once."""
AHEAD = 4
"""Requests that are ready or under way, at most, before more lines are made."""
REFUSED_MAX = 20
PROBES = 9
REFUSING = (400, 413, 422)
"""The server has understood, and does not want these lines."""

Write = Callable[[str], None]
Refusal = tuple[dict[str, Any], str]


@dataclass
class Batch:
    """Rows of a table, and how far it was taken once they are; filled in: lines taken, rows refused and why."""

    table: str
    rows: pl.DataFrame
    revision: int
    part: tuple[int, int] | None = None
    taken: int = 0
    understood: bool = False
    misfits: list[Refusal] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class Sender:
    """Writes batches in a thread of its own."""

    def __init__(self, plant: Plant, write: Write) -> None:
        self.plant, self.write = plant, write
        self._thread = ThreadPoolExecutor(1, "outbox writer")

    def send_lines(self, some: Iterable[str]) -> None:
        """Writes lines in one request. Raises ServerError."""
        self._thread.submit(self.write, "\n".join(some)).result()

    def send(self, batches: Iterable[Batch], taken: Callable[[Batch], None]) -> None:
        """Writes batches in turn and tells of each when all its lines were taken or refused.

        The next ones are asked for before. Raises ServerError when the server takes nothing at present, and then
        writes no more, and StorageError when batches cannot be read, after those that could.
        """
        over, steps = Event(), deque[Future[None] | Batch]()
        source, failed = iter(batches), None

        def settle() -> None:
            step = steps.popleft()
            if isinstance(step, Batch):
                taken(step)
            else:
                step.result()

        try:
            while True:
                try:
                    batch = next(source, None)
                except StorageError as error:
                    failed = error
                    break
                if batch is None:
                    break
                for rows in self._requests(batch):
                    while len(steps) >= AHEAD:
                        settle()
                    steps.append(self._thread.submit(self._write, over, batch, rows))
                steps.append(batch)
            while steps:
                settle()
        finally:
            over.set()
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()

    def _requests(self, batch: Batch) -> Iterator[pl.DataFrame]:
        """The rows of a batch with their lines, a request's worth at a time; those that make none are misfits."""
        for some in batch.rows.iter_slices(LINES_ROWS):
            written = some.with_columns(lines(batch.table, some, self.plant))
            fit = written["line"].is_not_null()
            if not fit.all():
                batch.misfits += [(row, "not line protocol") for row in written.filter(~fit).iter_rows(named=True)]
                written = written.filter(fit)
            yield from written.iter_slices(BATCH_ROWS)

    def _write(self, over: Event, batch: Batch, rows: pl.DataFrame) -> None:
        """Writes a request, unless one before it failed."""
        if over.is_set():
            return
        try:
            self._halve(batch, rows, rows["line"])
        except BaseException:
            over.set()
            raise

    def _halve(self, batch: Batch, rows: pl.DataFrame, every: pl.Series) -> None:
        """Writes rows; those refused are found by halving. `every` are the lines of the request that they are from.

        A server that refuses one after the other and has taken none, not even from elsewhere in the request, is not at
        odds with a line but with us all.
        """
        if rows.is_empty():
            return
        try:
            self.write(rows["line"].str.join("\n").item())
        except ServerError as error:
            if error.status not in REFUSING:
                raise
            if len(rows) > 1:
                half = len(rows) // 2
                self._halve(batch, rows.slice(0, half), every)
                self._halve(batch, rows.slice(half), every)
                return
            batch.refused.append((rows.row(0, named=True), str(error)))
            if len(batch.refused) > REFUSED_MAX and not batch.taken and not batch.understood:
                batch.understood = self._takes_one(every)
                if not batch.understood:
                    raise
            return
        batch.taken += len(rows)

    def _takes_one(self, every: pl.Series) -> bool:
        """Whether the server takes any of some lines from all over a request; they are written again in their turn."""
        for at in np.linspace(0, len(every) - 1, PROBES).astype(int).tolist():
            try:
                self.write(every[at])
            except ServerError as error:
                if error.status not in REFUSING:
                    raise
            else:
                return True
        return False
