"""Answers of Modbus devices as the commit thread sees them: raw words, decoded for all polls at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from collectors.modbus.decode import decode
from collectors.modbus.plan import Request
from collectors.source import Decoded
from plant.reading import Readings


class Polled(NamedTuple):
    """One answer: `words` are the request's registers; `time` and `received` [µs UTC plant time]."""

    request: Request
    words: Sequence[int]
    time: int
    received: int


class ModbusSource:
    """Decodes polls; nobody waits for an acknowledgement."""

    enough = 10_000

    def decode(self, items: Sequence[Polled]) -> Decoded:
        """The readings of answers, those of one request together."""
        together: dict[int, list[Polled]] = {}
        for item in items:
            together.setdefault(id(item.request), []).append(item)
        batches = []
        for polls in together.values():
            words = np.array([poll.words for poll in polls], np.uint16)
            times = np.array([poll.time for poll in polls])
            received = np.array([poll.received for poll in polls])
            batches.append(decode(polls[0].request, words, times, received))
        return Decoded(Readings.join(batches))

    def committed(self, items: Sequence[Polled]) -> None:
        """Nothing to do."""
