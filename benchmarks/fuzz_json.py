"""A slow reference for MQTT payloads of every style but Sparkplug, on Python's own json module."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from plant.reading import MINUTE

NOW = 1_772_424_000_000_000  # 2026-03-02 04:00 UTC
ZONE = "Europe/Berlin"
FORMATS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9, "rfc3339": 0, "local": 0}
NOTIFIED_MINUTES = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNSET, NEVER = "clock not set", "no time"
_NUMERAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANK = " \t\n\r\v\f"

Row = tuple[str, int, float | None]
MISSING = object()


class _NoNumberError(ValueError):
    """NaN or Infinity, which JSON does not have."""


def number(written: Any) -> float | None:
    """The finite number that a JSON value is, or a text that writes one."""
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    if isinstance(written, str) and not _NUMERAL.fullmatch(written.strip(_BLANK)):
        return None
    try:
        value = float(written)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def at(body: Any, path: str) -> Any:
    """What is at a dotted path; MISSING when nothing is."""
    for step in path.split("."):
        if isinstance(body, dict) and step in body:
            body = body[step]
        elif isinstance(body, list) and step.isdecimal() and int(step) < len(body):
            body = body[int(step)]
        else:
            return MISSING
    return body


def moment(written: Any, form: str, received: int) -> int | str:
    """A source time [µs UTC], or that it is none or of a clock that was never set."""
    found = _counted(written, FORMATS[form]) if FORMATS[form] else _dated(written, form, received)
    if isinstance(found, str):
        return found
    if found < (datetime(2000, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1):
        return UNSET
    return found if found <= (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) else NEVER


def _counted(written: Any, per_second: int) -> int | str:
    value = number(written)
    if value is None or value < 0:
        return NEVER
    whole = written if isinstance(written, int) else int(written) if str(written).isdecimal() else None
    if whole is not None:
        return whole * 10**6 // per_second
    return round(Fraction(value) * 10**6 / per_second)


def _dated(written: Any, form: str, received: int) -> int | str:
    try:
        found = datetime.fromisoformat(written)
    except (ValueError, TypeError):
        return NEVER
    if len(written) <= len("2000-01-01"):
        return NEVER
    if found.tzinfo is not None:
        return (found - EPOCH) // timedelta(microseconds=1)
    if form != "local":
        return NEVER
    if found.year < 2000:
        return UNSET
    # every offset of the zone is tried: the instants that its clocks show as what is written
    shown, zone = (found - EPOCH.replace(tzinfo=None)) // timedelta(microseconds=1), ZoneInfo(ZONE)
    meant = []
    for hours in (1, 2):
        time = shown - hours * 60 * MINUTE
        try:
            if (EPOCH + timedelta(microseconds=time)).astimezone(zone).replace(tzinfo=None) == found:
                meant.append(time)
        except OverflowError:
            return NEVER
    return min(meant, key=lambda time: abs(time - received)) if meant else NEVER


def parsed(payload: bytes) -> Any:
    """What Python's own module reads, without NaN and Infinity; MISSING when it is not JSON."""

    def refuse(text: str) -> Any:
        raise _NoNumberError(text)

    try:
        return json.loads(payload.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return MISSING


def row(point: str, time: int | str, received: int, value: float | None) -> Row:
    """A reading; one of a clock that was never set is stamped on receipt."""
    return point, received if isinstance(time, str) else time, value


def scaled(written: Any, scale: float) -> float | None:
    """A number in the point's unit."""
    value = None if written is MISSING else number(written)
    return None if value is None or not math.isfinite(value * scale) else value * scale


def bare_rows(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
    """A bare number."""
    return [("p_number", received, scaled(payload.decode("latin-1"), 0.1))]


def object_rows(name: str, form: str) -> Callable[[bytes, int, dict[str, int]], list[Row]]:
    """An object with two values, and maybe a time of its own."""

    def expect(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
        body = parsed(payload)
        time = moment(at(body, "t.own"), form, received) if form else received
        if body is MISSING or time == NEVER:
            return []
        places = ((f"{name}_0", "a.0.b", 1.0), (f"{name}_1", "reuse.total", 1000.0))
        found = [(point, at(body, path), scale) for point, path, scale in places]
        return [row(point, time, received, scaled(one, scale)) for point, one, scale in found if one is not MISSING]

    return expect


def list_rows(name: str, form: str) -> Callable[[bytes, int, dict[str, int]], list[Row]]:
    """A list of tagged values."""
    points = {"x": [(f"{name}_0", 1.0), (f"{name}_2", -1.0)], "y": [(f"{name}_1", 0.1)]}
    if form == "epoch_ms":
        del points["x"][1]  # no tag is read twice: that is decoded another way

    def expect(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
        body, found = parsed(payload), []
        for element in body if isinstance(body, list) else []:
            tag = at(element, "tag")
            for point, scale in points.get(tag, []) if isinstance(tag, str) else []:
                time = moment(at(element, "ts"), form, received) if form else received
                if time != NEVER:
                    found.append(row(point, time, received, scaled(at(element, "value"), scale)))
        return found

    return expect


def plug_rows(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
    """Tasmota's telemetry."""
    body = parsed(payload)
    time = moment(at(body, "Time"), "local", received) if at(body, "Time") is not MISSING else received
    if body is MISSING or time == NEVER:
        return []
    found = []
    for point, path, scale in (("plug_0", "ENERGY.Total", 1.0), ("plug_1", "S.Temperature", 1.0)):
        if at(body, path) is not MISSING:
            other_unit = point == "plug_1" and at(body, "TempUnit") == "F"
            found.append(row(point, time, received, None if other_unit else scaled(at(body, path), scale)))
    return found


def events_rows(payload: bytes, received: int, notified: dict[str, int]) -> list[Row]:
    """A Shelly's notification; `notified` keeps when the point was last in one."""
    body = parsed(payload)
    if at(body, "method") not in ("NotifyStatus", "NotifyFullStatus"):
        return []
    written = at(body, "params.ts")
    time = UNSET if written is MISSING or written is None else moment(written, "epoch_s", received)
    value = at(body, "params.em:0.total_act_power")
    if time == NEVER or value is MISSING:
        return []
    if time != UNSET:
        notified["shelly_0"] = received
    return [row("shelly_0", time, received, scaled(value, 0.001))]


def status_rows(payload: bytes, received: int, notified: dict[str, int]) -> list[Row]:
    """A Shelly's status: passed over where notifications bring the value."""
    value = at(parsed(payload), "total_act_power")
    if value is MISSING or received - notified.get("shelly_0", -(10**18)) < NOTIFIED_MINUTES * MINUTE:
        return []
    return [("shelly_0", received, scaled(value, 0.001))]


def offline_rows(text: bytes, *points: str) -> Callable[[bytes, int, dict[str, int]], list[Row]]:
    """A last will, by which the points of its device end."""
    return lambda payload, received, _: [(one, received, None) for one in points] if payload == text else []
