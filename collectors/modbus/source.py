"""Answers of Modbus devices as the commit thread sees them: bytes as they came, decoded for all polls at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.modbus.decode import decode
from collectors.modbus.request import Request
from collectors.modbus.transport import BITS
from collectors.source import Decoded
from plant.reading import Readings


class Polled(NamedTuple):
    """One answer: `data` are the bytes of the request's values; `time` and `received` [µs UTC plant time]."""

    request: Request
    data: bytes
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
            request = polls[0].request
            times = np.array([poll.time for poll in polls])
            received = np.array([poll.received for poll in polls])
            batches.append(decode(request, words(request, [poll.data for poll in polls]), times, received))
        return Decoded(Readings.join(batches))

    def committed(self, items: Sequence[Polled]) -> None:
        """Nothing to do."""


def words(request: Request, data: Sequence[bytes]) -> NDArray[np.uint16]:
    """The registers of some answers to a request, or its bits as words of 0 and 1: shape (answers, request.count)."""
    together = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)
    if request.function in BITS:
        return np.unpackbits(together, axis=1, count=request.count, bitorder="little").astype(np.uint16)
    return together.view(">u2").astype(np.uint16)
