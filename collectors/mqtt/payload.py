"""What a payload says: topics and bytes to readings. Pure; garbage is counted, with one sample kept, never raised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan

import msgspec
import numpy as np

from collectors.mqtt.topics import Path, Route, Target, Topics
from collectors.source import Decoded, Rejected
from plant.reading import Quality, Readings

FINDINGS = ("", "not available", "not a number")
NOT_AVAILABLE, NOT_A_NUMBER = 1, 2
_MISSING = object()

Received = tuple[int, str, bytes]


@dataclass
class _Columns:
    point: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    finding: list[int] = field(default_factory=list)

    def add(self, target: Target, time: int, received: int, value: float, finding: int) -> None:
        self.point.append(target.point)
        self.time.append(time)
        self.received.append(received)
        self.value.append(value * target.scale)
        self.finding.append(finding)


class Decoder:
    """Decodes message after message, with what must be remembered from one to the next."""

    def __init__(self, topics: Topics, marks: Mapping[str, bytes] | None = None) -> None:
        """`marks` are what earlier decoders have left in the journal."""
        self._topics = topics

    def decode(self, messages: Sequence[Received]) -> Decoded:
        """The readings of messages, what was rejected, and what is to be remembered with them."""
        readings, rejected = decode(self._topics, messages)
        return Decoded(readings, rejected)

    def wanted(self) -> list[tuple[str, bytes]]:
        """Messages (topic, payload) that what was decoded gave cause to send; each is handed out once."""
        return []


def decode(topics: Topics, messages: Iterable[Received]) -> tuple[Readings, dict[str, Rejected]]:
    """The readings of messages (received [µs UTC], topic, payload), and what was rejected, by device.

    A value that is not a finite number is a bad reading without a value; a message or an element that cannot be
    understood at all gives none.
    """
    columns = _Columns()
    rejected: dict[str, Rejected] = {}
    for received, topic, payload in messages:
        for route in topics.routes.get(topic, ()):
            reason = _STYLES[route.style](route, received, payload, columns)
            if reason:
                rejected.setdefault(route.device, Rejected()).add(reason, payload)
    finding = np.array(columns.finding, np.uint8)
    readings = Readings(
        topics.points,
        np.array(columns.point, np.int32),
        np.array(columns.time, np.int64),
        np.array(columns.received, np.int64),
        np.array(columns.value, np.float64),
        np.where(finding, Quality.BAD, Quality.GOOD).astype(np.uint8),
        finding,
        FINDINGS,
    )
    return readings, rejected


def _number(route: Route, received: int, payload: bytes, columns: _Columns) -> str:
    """A bare number, stamped on receipt."""
    value, finding = _from_text(payload)
    if route.number is not None:
        columns.add(route.number, received, received, value, finding)
    return "not a number" if finding == NOT_A_NUMBER else ""


def _json(route: Route, received: int, payload: bytes, columns: _Columns) -> str:
    """An object; every point takes the value at its path, a point whose path is absent takes none."""
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "not JSON"
    time = _time(route, body, received)
    if time is None:
        return "no time that can be understood"
    found = False
    reason = ""
    for path, target in route.paths:
        written = _at(body, path)
        if written is not _MISSING:
            found = True
            value, finding = _from_json(written)
            columns.add(target, time, received, value, finding)
            if finding == NOT_A_NUMBER:
                reason = f"'{'.'.join(path)}' is not a number"
    return reason if found else "none of the paths is there"


def _json_array(route: Route, received: int, payload: bytes, columns: _Columns) -> str:
    """A list of objects, each with a tag; tags that no point reads are passed over."""
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "not JSON"
    if not isinstance(body, list):
        return "not a list"
    reason = ""
    for element in body:
        tag = _at(element, route.tag_path)
        if not isinstance(tag, str):
            reason = f"an element has no tag at '{'.'.join(route.tag_path)}'"
            continue
        targets = route.tags.get(tag)
        if targets is None:
            continue
        time = _time(route, element, received)
        if time is None:
            reason = "an element has no time that can be understood"
            continue
        written = _at(element, route.value_path)
        value, finding = (nan, NOT_AVAILABLE) if written is _MISSING else _from_json(written)
        if finding == NOT_A_NUMBER:
            reason = f"the value of '{tag}' is not a number"
        for target in targets:
            columns.add(target, time, received, value, finding)
    return reason


_STYLES = {"number": _number, "json": _json, "json_array": _json_array}


def _time(route: Route, body: object, received: int) -> int | None:
    return route.clock(_at(body, route.time_path)) if route.time_path else received


def _at(body: object, path: Path) -> object:
    for step in path:
        if isinstance(body, dict):
            body = body.get(step, _MISSING)
        elif isinstance(body, list) and step.isdecimal() and len(step) < 6 and int(step) < len(body):
            body = body[int(step)]
        else:
            return _MISSING
    return body


def _from_json(written: object) -> tuple[float, int]:
    if written is None:
        return nan, NOT_AVAILABLE
    if isinstance(written, str):
        return _from_text(written.encode("utf-8", "replace"))
    if isinstance(written, bool) or not isinstance(written, int | float):
        return nan, NOT_A_NUMBER
    try:
        value = float(written)
    except OverflowError:
        return nan, NOT_A_NUMBER
    return (value, 0) if isfinite(value) else (nan, NOT_A_NUMBER)


def _from_text(text: bytes) -> tuple[float, int]:
    """A number as text; Python's own liberties (1_000, nan, infinity) are not numbers here."""
    try:
        value = float(text)
    except ValueError:
        return nan, NOT_A_NUMBER if text.strip() else NOT_AVAILABLE
    return (value, 0) if isfinite(value) and b"_" not in text else (nan, NOT_A_NUMBER)
