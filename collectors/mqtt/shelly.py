"""Shelly Gen2 and later: notifications with a time, status messages without one, and whether the device is online.

Source: Shelly's Gen2 API documentation, "Notifications", "MQTT" and the components' status. A notification holds what
changed, as params.COMPONENT; NAME/status/COMPONENT holds the whole status of one component. A device usually sends
both. Taking both would mix two clocks, the device's and ours, and a counter that is stamped now by the one, now by the
other seems to fall: of a value that comes by notification the status message is therefore passed over.
"""

from __future__ import annotations

from collectors.mqtt.columns import Columns
from collectors.mqtt.json_values import INVALID, MISSING, at, decode, take
from collectors.mqtt.tasmota import offline
from collectors.mqtt.times import NOT_SET
from collectors.mqtt.topics import Reader, Route
from plant.reading import MINUTE

NOTIFICATIONS = ("NotifyStatus", "NotifyFullStatus")
NOTIFIED_FOR = 10 * MINUTE


def events_reader(route: Route, notified: dict[int, int]) -> Reader:
    """Reads notifications, and keeps in `notified` when each point was last in one [µs UTC]."""

    def read(received: int, payload: bytes, columns: Columns) -> str:
        try:
            body = decode(payload)
        except INVALID:
            return "not JSON"
        if at(body, ("method",)) not in NOTIFICATIONS:
            return ""
        params = at(body, ("params",))
        # a device that has no time yet counts from its start, or says null
        written = at(params, route.time_path)
        time = NOT_SET if written is None or written is MISSING else route.clock(written, received)
        if time is None:
            return "no time that can be understood"
        begin = len(columns.point)
        _, reason = take(params, route.points, time, received, columns)
        if time != NOT_SET:
            notified.update(dict.fromkeys(columns.point[begin:], received))
        return reason

    return read


def status_reader(route: Route, notified: dict[int, int]) -> Reader:
    """Reads the status of one component, stamped on receipt."""

    def read(received: int, payload: bytes, columns: Columns) -> str:
        try:
            body = decode(payload)
        except INVALID:
            return "not JSON"
        points = [one for one in route.points if received - notified.get(one[1], -NOTIFIED_FOR) >= NOTIFIED_FOR]
        found, reason = take(body, points, received, received, columns)
        return reason if found or len(points) < len(route.points) else "none of the paths is there"

    return read


def online_reader(route: Route) -> Reader:
    """Reads the last will: "false" makes all values of the device bad from its receipt on."""

    def read(received: int, payload: bytes, columns: Columns) -> str:
        if payload == b"false":
            offline(route, received, columns)
        return ""

    return read
