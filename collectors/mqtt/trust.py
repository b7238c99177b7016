"""Why a broker may not keep its part of the promise, as far as it lets one see: what it answers, forgets and drops."""

from __future__ import annotations

from paho.mqtt.properties import Properties

DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"  # Mosquitto's count of what did not fit into queues

FORGOTTEN = "the broker had forgotten the session: what came while keepclean was away may be lost"


def doubts(properties: Properties | None, expiry_s: int) -> list[str]:
    """What an MQTT 5 broker's CONNACK gives cause to doubt; `expiry_s` is how long a session should be kept [s]."""
    found = []
    granted = getattr(properties, "SessionExpiryInterval", None)
    if granted is not None and granted < expiry_s:
        found.append(f"the broker keeps the session for {granted} s only, {expiry_s} s were asked for")
    if getattr(properties, "MaximumQoS", 1) < 1:
        found.append("the broker delivers at QoS 0 only: nothing is delivered again")
    return found


class Dropped:
    """Follows the broker's own count of dropped messages."""

    def __init__(self) -> None:
        self._last: int | None = None

    def more(self, payload: bytes) -> int:
        """By how much the count has risen since it was last heard; 0 the first time, and for anything that is none."""
        try:
            count = int(payload)
        except ValueError:
            return 0
        rise = count - self._last if self._last is not None else 0
        self._last = count
        return max(rise, 0)
