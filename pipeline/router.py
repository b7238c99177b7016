"""Between journal and step: splits a batch by process unit; a unit gets every reading of a point it names.

Each copy carries `position` (the last message's journal row) and `previous` (that of the unit's last batch).
"""

from __future__ import annotations

import numpy as np

from journal.message import Message
from pipeline.corrections import Corrections
from pipeline.messages import UnitMessages
from pipeline.plans import UnitPlan
from pipeline.series import Ints
from plant.reading import Readings, Times

REMEMBERED = 64


class Router:
    """Knows which of a batch's points a unit names; batches mostly name the same points again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, ...], Ints]] = {}

    def index(self, unit: UnitPlan, points: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
        """The names among `points` that the unit knows, and for each of `points` its place among them (-1: none)."""
        key = (unit.name, points)
        found = self._known.get(key)
        if found is None:
            names = tuple(name for name in points if name in unit.points)
            place = {name: number for number, name in enumerate(names)}
            found = (names, np.array([place.get(name, -1) for name in points], np.int64))
            if len(self._known) >= REMEMBERED * 16:
                self._known.clear()
            self._known[key] = found
        return found


class Batch:
    """A run of messages in the journal's order, its readings joined once."""

    def __init__(self, messages: list[Message], tick_us: int | None, router: Router) -> None:
        """`tick_us` is the last tick before the batch: it decides what lies in the future."""
        self.position = messages[-1].position
        self.tick_us = tick_us
        self.first_tick_us: int | None = None
        self._router = router
        parts: list[Readings] = []
        now: list[Times] = []
        for message in messages:
            if message.kind == "tick":
                self.tick_us = max(int(message.body["time"]), self.tick_us or 0)
                self.first_tick_us = self.first_tick_us or self.tick_us
            elif message.readings is not None and len(message.readings):
                at = self.tick_us if self.tick_us is not None else int(message.readings.received.max())
                parts.append(message.readings)
                now.append(np.full(len(message.readings), at))
        self.readings = parts[0] if len(parts) == 1 else Readings.join(parts)
        self._now = np.concatenate(now) if now else np.empty(0, np.int64)

    def of(self, unit: UnitPlan, previous: int, corrections: Corrections | None, hold: bool) -> UnitMessages:
        """The unit's share of the batch."""
        names, place = self._router.index(unit, self.readings.points)
        if len(names) == len(self.readings.points):
            # all of the batch is the unit's
            return UnitMessages(
                self.position, previous, self.readings, self._now, self.tick_us, self.first_tick_us, corrections, hold
            )
        index = place[self.readings.point]
        rows = np.flatnonzero(index >= 0)
        mine = self.readings.take(rows)
        own = Readings(
            names,
            index[rows].astype(np.int32),
            mine.time,
            mine.received,
            mine.value,
            mine.quality,
            mine.finding,
            mine.findings,
        )
        return UnitMessages(
            self.position, previous, own, self._now[rows], self.tick_us, self.first_tick_us, corrections, hold
        )
