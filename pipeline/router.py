"""Between journal and step: splits a batch by process unit; a unit gets every reading of a point it names.

Each copy carries `position` (the last message's journal row) and `previous` (that of the unit's last batch).
"""

from __future__ import annotations

import numpy as np

from journal.message import Message
from pipeline.messages import UnitMessages
from pipeline.plans import UnitPlan
from plant.reading import Readings, Times


class Batch:
    """A run of messages in the journal's order, its readings joined once."""

    def __init__(self, messages: list[Message], tick_us: int | None) -> None:
        """`tick_us` is the last tick before the batch: it decides what lies in the future."""
        self.position = messages[-1].position
        self.tick_us = tick_us
        self.first_tick_us: int | None = None
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
        self.readings = Readings.join(parts)
        self._now = np.concatenate(now) if now else np.empty(0, np.int64)

    def of(self, unit: UnitPlan, previous: int) -> UnitMessages:
        """The unit's share of the batch."""
        named = np.array([name in unit.points for name in self.readings.points], np.bool_)
        rows = np.flatnonzero(named[self.readings.point]) if len(self.readings) else np.empty(0, np.intp)
        mine = self.readings.take(rows)
        # indices follow the unit's own names, so that every name in `points` is one the unit knows
        names = [name for name in self.readings.points if name in unit.points]
        index = np.array([names.index(name) if name in unit.points else -1 for name in mine.points], np.int32)
        own = Readings(
            tuple(names),
            index[mine.point] if len(mine) else mine.point,
            mine.time,
            mine.received,
            mine.value,
            mine.quality,
            mine.finding,
            mine.findings,
        )
        return UnitMessages(self.position, previous, own, self._now[rows], self.tick_us, self.first_tick_us)
