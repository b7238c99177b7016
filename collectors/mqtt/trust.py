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
    """Follows the broker's own count of dropped messages, which begins anew when the broker does."""

    def __init__(self, last: int | None) -> None:
        """`last` is the count that was heard in an earlier life."""
        self.last = last

    def more(self, payload: bytes) -> int:
        """By how much the count has risen since it was last heard; 0 the first time, and for anything that is none."""
        if not payload.isdigit():
            return 0
        count = int(payload)
        before, self.last = self.last, count
        if before is None:
            return 0
        return count - before if count >= before else count
