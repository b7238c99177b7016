"""Which messages have come already: a broker delivers again what it has no acknowledgement for.

A message without a time of its own is stamped on receipt, so nothing in it tells a redelivery from a new one. Its
packet id and a checksum of topic and payload are therefore kept with its readings, in their transaction: a message that
comes marked as a repetition (DUP) under the same id and checksum is the same one, also when keepclean was killed before
its acknowledgement had left. MQTT 5, 2.2.1 and 4.4; MQTT 3.1.1, 4.4.

The marks form a ring: one a commit, so that the last RING commits, hence at least the last RING messages, are known
after a restart. A broker may have no more unacknowledged messages under way than the receive maximum; what lies
further back has been acknowledged, and is forgotten: its id may come again for an equal message of a meter that stands
still, whose first transmission was cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np

from collectors.mqtt.payload import Received

RING = 1024
KNOWN_MAX = 16_384
NUMBER_MAX = 1 << 63
MARK = "mqtt/delivered/"
_NUMBER = struct.Struct("<Q")
_PAIR = np.dtype([("packet", "<u2"), ("checksum", "<u4")])

Delivery = tuple[int, int, bool]  # the connection that brought a message, its packet id, whether it is a repetition
Item = tuple[Received | None, Delivery | None]
FORGET: Item = (None, None)  # the broker has begun a new session: packet ids mean nothing any more


class Identities:
    """The packet ids of the session with what came under them."""

    def __init__(self, marks: Mapping[str, bytes]) -> None:
        """`marks` are those of earlier commits, as the journal gives them back; a damaged one is passed over."""
        kept = [body for name, body in marks.items() if name.startswith(MARK) and _sound(name, body)]
        kept.sort(key=lambda body: int(_NUMBER.unpack_from(body)[0]))
        self._number = int(_NUMBER.unpack_from(kept[-1])[0]) + 1 if kept else 0
        self._used = {name for name in marks if name.startswith(MARK)}
        self._known: dict[int, int] = {}
        for body in kept:
            pairs = np.frombuffer(body[_NUMBER.size :], _PAIR)
            for packet, checksum in zip(pairs["packet"].tolist(), pairs["checksum"].tolist(), strict=True):
                self._know(packet, checksum)

    def sift(self, items: Iterable[Item]) -> tuple[list[Received], dict[str, bytes]]:
        """The messages that are new, and the mark that says so."""
        fresh: list[Received] = []
        packets: list[tuple[int, int]] = []
        marks: dict[str, bytes] = {}
        known = self._known
        for message, delivery in items:
            if message is None:
                marks.update(dict.fromkeys(self._used, b""))
                self._used.clear()
                known.clear()
                packets.clear()
                continue
            if delivery is not None:
                _, packet, repeated = delivery
                checksum = crc32(message[2], crc32(message[1].encode()))
                if repeated and known.get(packet) == checksum:
                    continue
                self._know(packet, checksum)
                packets.append((packet, checksum))
            fresh.append(message)
        if packets:
            marks[self._next()] = _NUMBER.pack(self._number) + _packed(packets)
        return fresh, marks

    def _know(self, packet: int, checksum: int) -> None:
        self._known.pop(packet, None)
        self._known[packet] = checksum
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]

    def _next(self) -> str:
        self._number += 1
        name = _name(self._number)
        self._used.add(name)
        return name


def _name(number: int) -> str:
    return f"{MARK}{number % RING:04}"


def _sound(name: str, body: bytes) -> bool:
    """Whether a mark is one that was written under this name: it carries the number before that of its name."""
    if len(body) < _NUMBER.size or (len(body) - _NUMBER.size) % _PAIR.itemsize:
        return False
    number = int(_NUMBER.unpack_from(body)[0])
    return number < NUMBER_MAX and name == _name(number + 1)


def _packed(packets: Sequence[tuple[int, int]]) -> bytes:
    return np.array(packets, _PAIR).tobytes()
