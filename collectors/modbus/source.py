"""Answers of Modbus devices as the commit thread sees them: bytes as they came, decoded for all polls at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.modbus.decode import decode
from collectors.modbus.request import Request
from collectors.modbus.transport import BITS
from collectors.source import Decoded
from plant.reading import Readings

_log = logging.getLogger(__name__)


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
        batches, notices = [], []
        for polls in together.values():
            request = polls[0].request
            times = np.array([poll.time for poll in polls])
            received = np.array([poll.received for poll in polls])
            try:
                batches.append(decode(request, words(request, [poll.data for poll in polls]), times, received))
            except Exception as error:  # noqa: BLE001 - a fault of ours at one request costs the others nothing
                _log.exception("answers to %s could not be decoded", request)
                notices.append(_notice(polls, f"keepclean failed at it: {type(error).__name__}"))
        return Decoded(Readings.join(batches), notices=notices)

    def committed(self, items: Sequence[Polled]) -> None:
        """Nothing to do."""


def _notice(polls: Sequence[Polled], evidence: str) -> dict[str, Any]:
    first = polls[0]
    start, end = first.received, polls[-1].received
    return {
        "point": first.request.points[0],
        "start": start,
        "end": end,
        "finding": "answer cannot be decoded",
        "evidence": evidence,
    }


def words(request: Request, data: Sequence[bytes]) -> NDArray[np.uint16]:
    """The registers of some answers to a request, or its bits as words of 0 and 1: shape (answers, request.count)."""
    together = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)
    if request.function in BITS:
        return np.unpackbits(together, axis=1, count=request.count, bitorder="little").astype(np.uint16)
    return together.view(">u2").astype(np.uint16)
