"""Numbers as payloads write them: as text or as a JSON value; what is none is a finding, never a zero."""

from __future__ import annotations

from math import isfinite, nan

from collectors.mqtt.columns import NOT_A_NUMBER, NOT_AVAILABLE, SOUND, Columns
from collectors.mqtt.topics import Reader, Route


def from_text(text: bytes) -> tuple[float, int]:
    """The value of a text and its finding; Python's own liberties (1_000, nan, infinity) are not numbers here."""
    try:
        value = float(text)
    except ValueError:
        return nan, NOT_A_NUMBER if text.strip() else NOT_AVAILABLE
    return (value, SOUND) if isfinite(value) and b"_" not in text else (nan, NOT_A_NUMBER)


def from_json(written: object) -> tuple[float, int]:
    """The value of something out of JSON and its finding: truth values, lists and objects are not numbers."""
    if type(written) is float and isfinite(written):
        return written, SOUND
    if written is None:
        return nan, NOT_AVAILABLE
    if isinstance(written, str):
        return from_text(written.encode("utf-8", "replace"))
    if isinstance(written, bool) or not isinstance(written, int | float):
        return nan, NOT_A_NUMBER
    try:
        value = float(written)
    except OverflowError:
        return nan, NOT_A_NUMBER
    return (value, SOUND) if isfinite(value) else (nan, NOT_A_NUMBER)


def reader(route: Route) -> Reader:
    """Reads a bare number, stamped on receipt."""
    ((_, point),) = route.points

    def read(received: int, payload: bytes, columns: Columns) -> str:
        # what nearly every message takes, without a call more than it needs
        try:
            value = float(payload)
        except ValueError:
            value = nan
        if isfinite(value) and b"_" not in payload:
            columns.point.append(point)
            columns.time.append(received)
            columns.value.append(value)
            return ""
        _, finding = from_text(payload)
        columns.add(point, received, received, nan, finding)
        return "not a number" if finding == NOT_A_NUMBER else ""

    return read
