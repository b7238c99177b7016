"""MQTT messages as the commit thread sees them: repetitions dropped, the rest decoded, acknowledged once on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from collectors.mqtt.identity import Delivery, Identities, Item
from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import Topics
from collectors.source import Decoded
from collectors.status import Status
from plant.reading import Quality

MARKS = "mqtt/"
DROPPED = "mqtt/dropped"


class MqttSource:
    """Decodes what a session brought; `acknowledge` hears which messages are on disk, `publish` what they ask for,
    `forgotten` that the old session's packet ids are forgotten. `dropped` is the broker's last count of dropped ones.
    """

    def __init__(
        self,
        topics: Topics,
        status: Status,
        marks: Mapping[str, bytes],
        acknowledge: Callable[[Sequence[Delivery]], None],
        publish: Callable[[str, bytes], None],
        forgotten: Callable[[], None],
    ) -> None:
        self.window = 1000
        self._topics, self._status = topics, status
        self._identities, self._decoder = Identities(marks), Decoder(topics, marks)
        self._acknowledge, self._publish, self._forgotten = acknowledge, publish, forgotten
        self.dropped = self._dropped = int(marks[DROPPED]) if marks.get(DROPPED, b"").isdigit() else None

    @property
    def enough(self) -> int:
        """Half of what the broker sends without an acknowledgement, so that it never has to wait for one."""
        return max(1, self.window // 2)

    def decode(self, items: Sequence[Item]) -> Decoded:
        """The readings of messages that are new."""
        fresh, marks = self._identities.sift(items)
        decoded = self._decoder.decode(fresh)
        good = decoded.readings.point[decoded.readings.quality < Quality.BAD]
        counts: Counter[str] = Counter()
        for point, count in enumerate(np.bincount(good, minlength=len(self._topics.devices)).tolist()):
            counts[self._topics.devices[point]] += count
        for device, count in counts.items():
            if count:
                self._status.success(device, None, count)
        if self.dropped != self._dropped:
            self._dropped = self.dropped
            marks[DROPPED] = b"%d" % (self.dropped or 0)
        return Decoded(decoded.readings, decoded.rejected, {**decoded.marks, **marks})

    def committed(self, items: Sequence[Item]) -> None:
        """Acknowledges, and sends what the messages gave cause for."""
        self._acknowledge([delivery for _, delivery in items if delivery is not None])
        if any(message is None for message, _ in items):
            self._forgotten()
        for topic, payload in self._decoder.wanted():
            self._publish(topic, payload)
