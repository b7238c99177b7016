"""Gaps with a known total: each is one piece, added to the windows that contain it whole and to no other.

A piece is summed at its last minute, so that hours and days hold it as they hold minutes. A window that begins inside a
piece takes it out again: only pieces that such a beginning can fall into are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.running import Ints, Sums


@dataclass(frozen=True)
class Piece:
    """A gap over the minutes [start, end): what it adds to some columns of a scope's sums, int64 [column, field]."""

    start: int
    end: int
    columns: NDArray[np.intp]
    amount: Sums


class Pieces:
    """The pieces of a scope that a window may begin in, in no order."""

    def __init__(self) -> None:
        self._held: list[Piece] = []
        self._starts, self._ends = np.empty(0, np.int64), np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._held)

    def put(self, start: int, end: int, pieces: Iterable[Piece]) -> set[int]:
        """Replaces the pieces that end with one of the minutes [start, end); the last minutes of all that changed."""
        gone = [piece for piece in self._held if start < piece.end <= end]
        fresh = list(pieces)
        if gone or fresh:
            kept = [piece for piece in self._held if not start < piece.end <= end]
            self._set([*kept, *fresh])
        return {piece.end - 1 for piece in (*gone, *fresh)}

    def reach(self, minute: int) -> bool:
        """Whether a piece ends at a minute or later."""
        return bool(len(self._held)) and int(self._ends.max()) >= minute

    def take_out(self, totals: Sums, starts: Ints, ends: Ints) -> None:
        """Takes pieces out of the totals of windows [start, end) that begin inside them, in place."""
        if not self._held:
            return
        inside = (self._starts < starts[:, None]) & (starts[:, None] < self._ends) & (self._ends <= ends[:, None])
        for window, number in np.argwhere(inside).tolist():
            piece = self._held[number]
            totals[window, piece.columns] -= piece.amount

    def keep(self, needed: Callable[[Piece], bool]) -> set[int]:
        """Forgets what is not needed; the last minutes of what was forgotten."""
        gone = {piece.end - 1 for piece in self._held if not needed(piece)}
        if gone:
            self._set([piece for piece in self._held if needed(piece)])
        return gone

    def row(self, of: Callable[[Piece], bool]) -> dict[str, Sums]:
        """Some of the pieces as columns to store."""
        some = sorted((piece for piece in self._held if of(piece)), key=lambda one: (one.end, one.columns.tolist()))
        spans = [[piece.start, piece.end, len(piece.columns)] for piece in some]
        return {
            "spans": np.array(spans, np.int64).reshape(-1, 3),
            "columns": np.concatenate([np.empty(0, np.int64), *(piece.columns for piece in some)]).astype(np.int64),
            "amounts": np.concatenate([piece.amount for piece in some]) if some else np.empty((0, 0), np.int64),
        }

    def restore(self, row: Mapping[str, Sums], columns: Sequence[int | None]) -> None:
        """Takes back what `row` gave; `columns` says which stored column each of today's was (None: new)."""
        now = {was: number for number, was in enumerate(columns) if was is not None}
        at = 0
        found = []
        for start, end, count in row["spans"].tolist():
            was, amount = row["columns"][at : at + count], row["amounts"][at : at + count]
            here = [number for number, column in enumerate(was.tolist()) if column in now]
            if here:
                numbers = np.array([now[int(was[number])] for number in here], np.intp)
                found.append(Piece(start, end, numbers, amount[here]))
            at += count
        self._set([*self._held, *found])

    def _set(self, pieces: list[Piece]) -> None:
        self._held = pieces
        self._starts = np.array([piece.start for piece in pieces], np.int64)
        self._ends = np.array([piece.end for piece in pieces], np.int64)
