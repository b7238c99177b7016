"""Tasmota's telemetry: tele/NAME/SENSOR with local time, and the last will tele/NAME/LWT."""

from __future__ import annotations

from math import nan

from collectors.mqtt.columns import OFFLINE, OTHER_UNIT, Columns
from collectors.mqtt.json_values import INVALID, MISSING, at, decode, take
from collectors.mqtt.names import TEMPERATURES
from collectors.mqtt.topics import Reader, Route


def sensor_reader(route: Route) -> Reader:
    """Reads values by Tasmota's own path, as ENERGY.Total; `Time` is local, without it the receipt counts.

    A temperature is in what `TempUnit` says: one that is not what its point is in is bad, never converted.
    """
    warm = [(path, point) for path, point in route.points if path[-1] in TEMPERATURES]

    def read(received: int, payload: bytes, columns: Columns) -> str:
        try:
            body = decode(payload)
        except INVALID:
            return "not JSON"
        written = at(body, route.time_path)
        time = received if written is MISSING else route.clock(written, received)
        if time is None:
            return "no time that can be understood"
        points = route.points
        other = [one for one in warm if (at(body, ("TempUnit",)) == "F") != (one[1] in route.fahrenheit)]
        if other:
            points = tuple(one for one in points if one not in other)
            for path, point in other:
                if at(body, path) is not MISSING:
                    columns.add(point, time, received, nan, OTHER_UNIT)
        found, reason = take(body, points, time, received, columns)
        return reason if found or other else "none of the paths is there"

    return read


def will_reader(route: Route) -> Reader:
    """Reads the last will: "Offline" makes all values of the device bad from its receipt on."""

    def read(received: int, payload: bytes, columns: Columns) -> str:
        if payload == b"Offline":
            offline(route, received, columns)
        return ""

    return read


def offline(route: Route, received: int, columns: Columns) -> None:
    """Says of every point of a device that it is not known any more."""
    for _, point in route.points:
        columns.add(point, received, received, nan, OFFLINE)
