"""JSON payloads: values by path from an object, or by tag from a list of objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from math import nan
from typing import Any

import msgspec

from collectors.mqtt.columns import NOT_A_NUMBER, NOT_AVAILABLE, Columns
from collectors.mqtt.numbers import from_json
from collectors.mqtt.times import NOT_SET
from collectors.mqtt.topics import Path, Reader, Route

MISSING = object()
NO_TIME = "an element has no time that can be understood"
INVALID = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
decode = msgspec.json.Decoder().decode


def at(body: object, path: Path) -> object:
    """What is at a path; MISSING when nothing is."""
    for step in path:
        if isinstance(body, dict):
            body = body.get(step, MISSING)
        elif isinstance(body, list) and step.isdecimal() and len(step) < 6 and int(step) < len(body):
            body = body[int(step)]
        else:
            return MISSING
    return body


def take(
    body: object, points: Iterable[tuple[Path, int]], time: int, received: int, columns: Columns
) -> tuple[bool, str]:
    """Takes what is at the paths of points; a point whose path is absent takes nothing.

    Returns whether anything was there, and why a value was not a number.
    """
    found, reason = False, ""
    for path, point in points:
        written = at(body, path)
        if written is not MISSING:
            found = True
            value, finding = from_json(written)
            columns.add(point, time, received, value, finding)
            if finding == NOT_A_NUMBER:
                reason = f"'{'.'.join(path)}' is not a number"
    return found, reason


def object_reader(route: Route) -> Reader:
    """Reads an object; every point takes the value at its path."""

    def read(received: int, payload: bytes, columns: Columns) -> str:
        try:
            body = decode(payload)
        except INVALID:
            return "not JSON"
        time = route.clock(at(body, route.time_path), received) if route.time_path else received
        if time is None:
            return "no time that can be understood"
        found, reason = take(body, route.points, time, received, columns)
        return reason if found else "none of the paths is there"

    return read


class ArrayReader:
    """Reads a list of objects, each with a tag; tags that no point reads are passed over.

    As long as every element has the expected form, the list is decoded into typed elements; otherwise one by one, so
    that a wrong element does not take the others with it.
    """

    def __init__(self, route: Route) -> None:
        self._route = route
        self._points: dict[str, list[int]] = {}
        for (tag,), point in route.points:
            self._points.setdefault(tag, []).append(point)
        self._single = {tag: points[0] for tag, points in self._points.items()}
        paths = (route.tag_path, route.value_path, route.time_path)
        self._typed = _typed(*paths) if len(self._single) == len(route.points) else None

    def __call__(self, received: int, payload: bytes, columns: Columns) -> str:
        """See `collectors.mqtt.topics.Reader`."""
        try:
            if self._typed is not None:
                if not payload.isascii():
                    payload.decode()  # what elements have beyond these fields, msgspec passes over unseen
                return self._quick(received, self._typed(payload), columns)
        except msgspec.ValidationError:
            pass  # an element of another form
        except INVALID:
            return "not JSON"
        try:
            body = decode(payload)
        except INVALID:
            return "not JSON"
        if not isinstance(body, list):
            return "not a list"
        reason = ""
        for element in body:
            reason = self._one(element, received, columns) or reason
        return reason

    def _quick(self, received: int, elements: list[Any], columns: Columns) -> str:
        reason = ""
        get, clock, has_time = self._single.get, self._route.clock, bool(self._route.time_path)
        add_point, add_time, add_value = columns.point.append, columns.time.append, columns.value.append
        last: object = MISSING
        time: int | None = received
        for element in elements:
            point = get(element.tag)
            if point is None:
                continue
            if has_time and element.time != last:
                last = element.time
                time = clock(last, received)
            if time is None:
                reason = NO_TIME
            elif element.value is None:
                columns.add(point, time, received, nan, NOT_AVAILABLE)
            elif time == NOT_SET:
                columns.add(point, time, received, element.value)
            else:
                add_point(point)
                add_time(time)
                add_value(element.value)
        return reason

    def _one(self, element: object, received: int, columns: Columns) -> str:
        route = self._route
        tag = at(element, route.tag_path)
        if not isinstance(tag, str):
            return f"an element has no tag at '{'.'.join(route.tag_path)}'"
        points = self._points.get(tag)
        if points is None:
            return ""
        time = route.clock(at(element, route.time_path), received) if route.time_path else received
        if time is None:
            return NO_TIME
        written = at(element, route.value_path)
        value, finding = (nan, NOT_AVAILABLE) if written is MISSING else from_json(written)
        for point in points:
            columns.add(point, time, received, value, finding)
        return f"the value of '{tag}' is not a number" if finding == NOT_A_NUMBER else ""


@cache
def _typed(tag: Path, value: Path, time: Path) -> Callable[[bytes], list[Any]] | None:
    """Decodes a list whose elements hold tag, value and time as plain fields; None when they are deeper or the same."""
    used = {field: path[0] for field, path in (("tag", tag), ("value", value), ("time", time)) if len(path) == 1}
    if len(set(used.values())) < 2 + bool(time):
        return None
    kinds: list[tuple[str, Any] | tuple[str, Any, Any]] = [("tag", str), ("value", float | None, None)]
    if time:
        kinds.append(("time", str | int | float | msgspec.UnsetType, msgspec.UNSET))
    element = msgspec.defstruct("Element", kinds, rename=used, gc=False)
    return msgspec.json.Decoder(list[element]).decode  # type: ignore[valid-type]  # a type made at run time
