"""The minute facts that a scope reads, of all its points over the same minutes: columns [point, minute] that grow.

Room is left at the end and old minutes are moved out seldom, so that one more costs the same however many are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.minutes import COLUMNS, UNKNOWN, FactBlock, Minutes

ROOM = 720


@dataclass
class Changed:
    """Since which minute each point's facts changed, and the spans of minutes that were written."""

    since: dict[str, int] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)


class FactTable:
    """Facts of `names` over the minutes [start, start + length)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.start = 0
        self.length = 0
        self._row = {name: number for number, name in enumerate(self.names)}
        self._columns = {name: self._room(name, 0) for name in COLUMNS}
        self._skip = 0

    def _room(self, name: str, minutes: int) -> NDArray[np.generic]:
        return np.full((len(self.names), minutes), UNKNOWN[name], COLUMNS[name])

    @property
    def end(self) -> int:
        """The minute after the last one."""
        return self.start + self.length

    def put(self, blocks: Sequence[FactBlock]) -> Changed:
        """Replaces and appends minutes of the points that are here; minutes between are unknown."""
        changed = Changed()
        for block in blocks:
            rows = [(number, self._row[name]) for number, name in enumerate(block.names) if name in self._row]
            if not rows or block.end == block.start:
                continue
            source, target = (np.array(column) for column in zip(*rows, strict=True))
            self._reach(block.start, block.end)
            low = self._skip + block.start - self.start
            for name, column in self._columns.items():
                column[target, low : low + block.end - block.start] = getattr(block, name)[source]
            for number in source.tolist():
                name = block.names[number]
                changed.since[name] = min(block.start, changed.since.get(name, block.start))
            changed.spans.append((block.start, block.end))
        return changed

    def _reach(self, start: int, end: int) -> None:
        """Makes room for the minutes [start, end)."""
        if not self.length:
            self.start = start
        before, after = max(self.start - start, 0), max(end - self.end, 0)
        capacity = next(iter(self._columns.values())).shape[1]
        if before or self._skip + self.length + after > capacity:
            length = before + self.length + after
            for name, column in self._columns.items():
                whole = self._room(name, length + ROOM)
                whole[:, before : before + self.length] = column[:, self._skip : self._skip + self.length]
                self._columns[name] = whole
            self._skip = 0
        self.start -= before
        self.length += before + after

    def drop_before(self, minute: int) -> None:
        """Forgets older minutes."""
        gone = min(max(minute - self.start, 0), self.length)
        # what is left behind is unknown again when the room is used anew: it never is, room lies at the end
        self._skip, self.start, self.length = self._skip + gone, self.start + gone, self.length - gone

    def part(self, names: Sequence[str], start: int, end: int) -> dict[str, Minutes]:
        """The same minutes [start, end) of several points; unknown where there are none."""
        low, high = max(start, self.start), min(end, self.end)
        whole = low == start and high == end
        found = {}
        for name in names:
            if name in self._row and whole:
                found[name] = self._view(name, low, high)
                continue
            found[name] = Minutes.unknown(start, end)
            if name in self._row and low < high:
                found[name].put(self._view(name, low, high))
        return found

    def _view(self, name: str, start: int, end: int) -> Minutes:
        low, high = self._skip + start - self.start, self._skip + end - self.start
        row = self._row[name]
        return Minutes(start, **{column: values[row, low:high] for column, values in self._columns.items()})  # type: ignore[arg-type]

    def columns(self, start: int, end: int) -> tuple[int, dict[str, NDArray[np.generic]]]:
        """The minutes of [start, end) that are here: the first one, and their columns."""
        low, high = max(start, self.start), max(min(end, self.end), start, self.start)
        rows = slice(self._skip + low - self.start, self._skip + high - self.start)
        return low, {name: column[:, rows] for name, column in self._columns.items()}
