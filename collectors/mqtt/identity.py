"""Which messages have come already: a broker delivers again what it has no acknowledgement for.

A message without a time of its own is stamped on receipt, so nothing in it tells a redelivery from a new one. Its
packet id and a checksum of topic and payload are therefore kept with its readings, in their transaction: a message that
comes marked as a repetition (DUP) under the same id and checksum is the same one, also when keepclean was killed before
its acknowledgement had left. MQTT 5, 2.2.1 and 4.4; MQTT 3.1.1, 4.4.

The marks form a ring: one a commit, so that the last RING commits are known after a restart. How many messages a
broker has under way is not relied on: Mosquitto 2.0 was seen to send a whole backlog after a reconnect. What had been
committed SETTLED_US before a connection's end is another matter: its acknowledgement had passed by then, since pings
were answered after it. Its id may come again for an equal message of a meter that stands still, whose first
transmission was cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np

from collectors.mqtt.payload import Received
from plant.reading import SECOND

RING = 2048
SETTLED_US = 120 * SECOND
LARGEST = 1 << 62
MARK = "mqtt/delivered/"
_HEAD = struct.Struct("<QQ")  # the commit's number, and its last time of receipt [µs]
_PAIR = np.dtype([("packet", "<u2"), ("checksum", "<u4")])

Delivery = tuple[int, int, bool]  # the connection that brought a message, its packet id, whether it is a repetition
Item = tuple[Received | None, Delivery | None]
FORGET: Item = (None, None)  # the broker has begun a new session: packet ids mean nothing any more


class Identities:
    """The packet ids of the session with what came under them."""

    def __init__(self, marks: Mapping[str, bytes]) -> None:
        """`marks` are those of earlier commits, as the journal gives them back; a damaged one is passed over."""
        kept = [body for name, body in marks.items() if name.startswith(MARK) and _sound(name, body)]
        kept.sort(key=lambda body: int(_HEAD.unpack_from(body)[0]))
        self._number = int(_HEAD.unpack_from(kept[-1])[0]) + 1 if kept else 0
        self._used = {name for name in marks if name.startswith(MARK)}
        self._known: dict[int, tuple[int, int]] = {}
        self._connection: int | None = None
        self._latest = self._ended = 0
        for body in kept:
            stamp = int(_HEAD.unpack_from(body)[1])
            pairs = np.frombuffer(body[_HEAD.size :], _PAIR)
            for packet, checksum in zip(pairs["packet"].tolist(), pairs["checksum"].tolist(), strict=True):
                self._known[packet] = checksum, stamp
            self._latest = max(self._latest, stamp)

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
                connection, packet, repeated = delivery
                if connection != self._connection:
                    self._connection, self._ended = connection, min(self._latest, message[0])
                checksum = crc32(message[2], crc32(message[1].encode()))
                same = repeated and self._is(known.get(packet), checksum)
                # also of a repetition, since the acknowledgement that now goes out may be lost in its turn
                known[packet] = checksum, message[0]
                packets.append((packet, checksum))
                self._latest = message[0]
                if same:
                    continue
            fresh.append(message)
        if packets:
            marks[self._next()] = _HEAD.pack(self._number, self._latest) + _packed(packets)
        return fresh, marks

    def _is(self, known: tuple[int, int] | None, checksum: int) -> bool:
        """Whether what is known under an id may still have been without acknowledgement when its connection ended."""
        return known is not None and known[0] == checksum and self._ended - known[1] <= SETTLED_US

    def _next(self) -> str:
        self._number += 1
        name = _name(self._number)
        self._used.add(name)
        return name


def _name(number: int) -> str:
    return f"{MARK}{number % RING:04}"


def _sound(name: str, body: bytes) -> bool:
    """Whether a mark is one that was written under this name: it carries the number before that of its name."""
    if len(body) < _HEAD.size or (len(body) - _HEAD.size) % _PAIR.itemsize:
        return False
    number, stamp = _HEAD.unpack_from(body)
    return max(number, stamp) < LARGEST and name == _name(number + 1)


def _packed(packets: Sequence[tuple[int, int]]) -> bytes:
    return np.array(packets, _PAIR).tobytes()
