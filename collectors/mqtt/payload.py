"""What a payload says: topics and bytes to readings. Garbage is counted, with one sample kept, never raised."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from collectors.mqtt import json_values, numbers, shelly, tasmota
from collectors.mqtt.columns import Columns
from collectors.mqtt.sparkplug.node import EdgeNode
from collectors.mqtt.topics import SPARKPLUG, Reader, Route, Topics
from collectors.source import Decoded, Rejected
from plant.reading import Readings

Received = tuple[int, str, bytes]
_Readers = tuple[tuple[str, Reader], ...]
# topics of Sparkplug devices that nobody reads are learnt as they come
LEARNT_MAX = 10_000


_log = logging.getLogger(__name__)


class Decoder:
    """Decodes message after message, with what must be remembered from one to the next."""

    def __init__(self, topics: Topics, marks: Mapping[str, bytes] | None = None) -> None:
        """`marks` are what earlier decoders have left in the journal."""
        self._topics = topics
        self._scales = np.array(topics.scales, np.float64)
        self._edges = {(edge.group, edge.name): EdgeNode(edge, marks or {}) for edge in topics.edges}
        notified: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._readers: dict[str, _Readers] = {
            topic: tuple((route.device, _reader(route, notified[route.device])) for route in routes)
            for topic, routes in topics.routes.items()
            if all(route.style != SPARKPLUG for route in routes)
        }

    def decode(self, messages: Iterable[Received]) -> Decoded:
        """The readings of messages (received [µs UTC], topic, payload), what was rejected (by device), and what is to
        be remembered with them.

        A value that is not a finite number is a bad reading without a value; a message or an element that cannot be
        understood at all gives none.
        """
        columns = Columns()
        rejected: dict[str, Rejected] = {}
        get, rows = self._readers.get, columns.point
        add_received, add_end = columns.received.append, columns.ends.append
        for received, topic, payload in messages:
            readers = get(topic)
            if readers is None:
                readers = self._learn(topic)
            for device, reader in readers:
                before = len(rows)
                try:
                    reason = reader(received, payload, columns)
                except Exception as error:  # noqa: BLE001 - a fault of ours; raised, this message would come for ever
                    _log.exception("a message on %s could not be decoded", topic)
                    columns.cut(before)
                    reason = f"keepclean failed at it: {type(error).__name__}"
                if reason:
                    rejected.setdefault(device, Rejected()).add(reason, payload)
            add_received(received)
            add_end(len(rows))
        marks: dict[str, bytes] = {}
        for edge in self._edges.values():
            marks.update(edge.marks())
        return Decoded(columns.readings(self._topics.points, self._scales), rejected, marks)

    def wanted(self) -> list[tuple[str, bytes]]:
        """Messages (topic, payload) that what was decoded gave cause to send; each is handed out once."""
        return [wanted for edge in self._edges.values() if (wanted := edge.wanted()) is not None]

    def _learn(self, topic: str) -> _Readers:
        readers = tuple(
            (edge.owner(device), self._edges[edge.group, edge.name].reader(kind, device))
            for edge, kind, device in self._topics.sparkplug(topic)
        )
        if len(self._readers) < LEARNT_MAX + len(self._topics.routes):
            self._readers[topic] = readers
        return readers


def decode(topics: Topics, messages: Sequence[Received]) -> tuple[Readings, Mapping[str, Rejected]]:
    """The readings of messages and what was rejected, without memory of what came before."""
    decoded = Decoder(topics).decode(messages)
    return decoded.readings, decoded.rejected


def _reader(route: Route, notified: dict[int, int]) -> Reader:
    """What reads the messages of a route; `notified` is shared by the topics of a Shelly device."""
    if route.style == "shelly_events":
        return shelly.events_reader(route, notified)
    if route.style == "shelly_status":
        return shelly.status_reader(route, notified)
    return _MAKERS[route.style](route)


_MAKERS: dict[str, Callable[[Route], Reader]] = {
    "number": numbers.reader,
    "json": json_values.object_reader,
    "json_array": json_values.ArrayReader,
    "tasmota": tasmota.sensor_reader,
    "tasmota_will": tasmota.will_reader,
    "shelly_online": shelly.online_reader,
}
