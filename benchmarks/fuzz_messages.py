"""Fuzz target: MQTT payloads of every style but Sparkplug, beside a slow reference on Python's own json module."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.fuzz_common import Tally, mutate, outcome, raised
from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import Topics, topics
from plant.model import Plant
from plant.reading import MINUTE, Quality, Readings
from simulators.gateway import SITE_FORMAT, TAGGED

NOW = 1_772_424_000_000_000  # 2026-03-02 04:00 UTC
ZONE = "Europe/Berlin"
BATCH = 25
FORMATS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9, "rfc3339": 0, "local": 0}
NOTIFIED_MINUTES = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNSET, NEVER = "clock not set", "no time"
_NUMERAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANK = " \t\n\r\v\f"
_ODD: Sequence[Any] = (None, True, False, 0, -1, 1.5, "", "7.5", " 8 ", "1_0", "nan", "x", [], {}, [1], {"a": 1}, 2**64)
_LISTED = '"tag":"%s","ts":%s,"value":%s'

Row = tuple[str, int, float | None]
MISSING = object()


class Feed(NamedTuple):
    """One topic: its reference, and sound payloads."""

    topic: str
    expect: Callable[[bytes, int, dict[str, int]], list[Row]]
    sound: Callable[[Random], bytes]


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


def _bare(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
    return [("p_number", received, scaled(payload.decode("latin-1"), 0.1))]


def _object(name: str, form: str) -> Callable[[bytes, int, dict[str, int]], list[Row]]:
    def expect(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
        body = parsed(payload)
        time = moment(at(body, "t.own"), form, received) if form else received
        if body is MISSING or time == NEVER:
            return []
        places = ((f"{name}_0", "a.0.b", 1.0), (f"{name}_1", "reuse.total", 1000.0))
        found = [(point, at(body, path), scale) for point, path, scale in places]
        return [row(point, time, received, scaled(one, scale)) for point, one, scale in found if one is not MISSING]

    return expect


def _list(name: str, form: str) -> Callable[[bytes, int, dict[str, int]], list[Row]]:
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


def _plug(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
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


def _events(payload: bytes, received: int, notified: dict[str, int]) -> list[Row]:
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


def _status(payload: bytes, received: int, notified: dict[str, int]) -> list[Row]:
    value = at(parsed(payload), "total_act_power")
    if value is MISSING or received - notified.get("shelly_0", -(10**18)) < NOTIFIED_MINUTES * MINUTE:
        return []
    return [("shelly_0", received, scaled(value, 0.001))]


def _offline(text: bytes, *points: str) -> Callable[[bytes, int, dict[str, int]], list[Row]]:
    return lambda payload, received, _: [(one, received, None) for one in points] if payload == text else []


def _time(form: str, chance: Random) -> str:
    """A time as a device of that form writes it, in JSON."""
    time = NOW + chance.randint(-(10**13), 10**13)
    if form in ("rfc3339", "local"):
        text = (EPOCH + timedelta(microseconds=time)).isoformat()
        if form == "local" and chance.random() < 0.2:
            return f'"{chance.choice(("2026-10-25", "2026-03-29"))}T02:{chance.randrange(60):02}:00"'
        return f'"{text[:19]}"' if form == "local" else f'"{text}"'
    count = time * FORMATS[form] // 10**6
    return chance.choice((str(count), f'"{count}"', f"{count}.25"))


def _value(chance: Random) -> str:
    return chance.choice((str(round(chance.uniform(-1e4, 1e4), 2)), str(chance.randint(0, 10**6)), "null", '"12.5"'))


def _feeds() -> list[tuple[dict[str, Any], dict[str, Any], list[Feed]]]:
    """Devices and points as a plant description has them, and their topics."""
    found = []
    for form in ("", *FORMATS):
        name, more = f"o_{form}", ({"time": "t.own", "time_format": form} if form else {})
        device: dict[str, Any] = {name: {"topic": name, "payload": "json", **more}}
        points: dict[str, Any] = {
            f"{name}_0": (name, "a.0.b", 1.0, "1"),
            f"{name}_1": (name, "reuse.total", 1000.0, "1"),
        }

        def body(chance: Random, form: str = form) -> bytes:
            own = f'"t":{{"own":{_time(form, chance)}}},' if form else ""
            return f'{{{own}"a":[{{"b":{_value(chance)}}}],"reuse":{{"total":{_value(chance)}}}}}'.encode()

        found.append((device, points, [Feed(name, _object(name, form), body)]))
        name, more = f"l_{form}", ({"time": "ts", "time_format": form} if form else {})
        device = {name: {"topic": name, "payload": "json_array", **more}}
        points = {f"{name}_0": (name, "x", 1.0, "1"), f"{name}_1": (name, "y", 0.1, "1")}
        if form != "epoch_ms":
            points[f"{name}_2"] = (name, "x", -1.0, "1")

        def listed(chance: Random, form: str = form) -> bytes:
            if form == "epoch_ms" and chance.random() < 0.5:
                return ("[" + TAGGED % (chance.choice("xy"), NOW // 1000, _value(chance)) + "]").encode()
            form = form or "epoch_s"
            parts = (_LISTED % (chance.choice("xyz"), _time(form, chance), _value(chance)) for _ in range(3))
            return ("[" + ",".join(f"{{{part}}}" for part in parts) + "]").encode()

        found.append((device, points, [Feed(name, _list(name, form), listed)]))
    return [*found, *_vendors()]


def _vendors() -> list[tuple[dict[str, Any], dict[str, Any], list[Feed]]]:
    def bare(chance: Random) -> bytes:
        return f"{chance.uniform(-1e3, 1e3):.3f}".encode()

    def site(chance: Random) -> bytes:
        return (SITE_FORMAT % ("2026-03-02T04:00:30", *(chance.uniform(0, 99) for _ in range(5)))).encode()

    def plug(chance: Random) -> bytes:
        unit = chance.choice("CCF")
        parts = _time("local", chance), _value(chance), _value(chance), unit
        return '{{"Time":{},"ENERGY":{{"Total":{}}},"S":{{"Temperature":{}}},"TempUnit":"{}"}}'.format(*parts).encode()

    def events(chance: Random) -> bytes:
        parts = _time("epoch_s", chance), _value(chance)
        return '{{"method":"NotifyStatus","params":{{"ts":{},"em:0":{{"total_act_power":{}}}}}}}'.format(*parts).encode()

    def status(chance: Random) -> bytes:
        return f'{{"id":0,"total_act_power":{_value(chance)}}}'.encode()

    def site_rows(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
        body = parsed(payload)
        time, value = moment(at(body, "ts"), "rfc3339", received), at(body, "reuse.total")
        return [] if time == NEVER or value is MISSING else [row("site_0", time, received, scaled(value, 1.0))]

    return [
        ({"bare": {"topic": "w/{read}", "payload": "number"}}, {"p_number": ("bare", "x", 0.1, "1")}, [Feed("w/x", _bare, bare)]),
        ({"gate": {"topic": "gate", "payload": "json", "time": "ts"}}, {"site_0": ("gate", "reuse.total", 1.0, "1")}, [Feed("gate", site_rows, site)]),
        (
            {"plug": {"topic": "tele/plug/SENSOR", "payload": "tasmota"}},
            {"plug_0": ("plug", "ENERGY.Total", 1.0, "kWh"), "plug_1": ("plug", "S.Temperature", 1.0, "degC")},
            [
                Feed("tele/plug/SENSOR", _plug, plug),
                Feed("tele/plug/LWT", _offline(b"Offline", "plug_0", "plug_1"), lambda _: b"Offline"),
            ],
        ),
        (
            {"shelly": {"topic": "sh", "payload": "shelly"}},
            {"shelly_0": ("shelly", "em:0.total_act_power", 1.0, "kW")},
            [
                Feed("sh/events/rpc", _events, events),
                Feed("sh/status/em:0", _status, status),
                Feed("sh/online", _offline(b"false", "shelly_0"), lambda _: b"false"),
            ],
        ),
    ]  # fmt: skip


def described(devices: dict[str, Any], points: dict[str, Any]) -> Topics:
    """The topics of a plant of MQTT devices; a point is (device, read, scale, unit)."""
    keys = ("from", "read", "scale", "unit")
    full = {name: dict(zip(keys, point, strict=True)) for name, point in points.items()}
    counters = {name: "counter" if point["unit"] == "kWh" else "rate" if point["unit"] == "kW" else "level" for name, point in full.items()}  # fmt: skip
    return topics(
        Plant.model_validate(
            {
                "format": "keepclean/1",
                "site": {"id": "fuzz", "name": "Fuzz", "time_zone": ZONE},
                "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
                "devices": {name: {"title": name, "protocol": "mqtt", **one} for name, one in devices.items()},
                "points": {
                    name: {"title": name, "in": "site", "kind": counters[name], **one} for name, one in full.items()
                },
            }
        )
    )


@cache
def feeds() -> tuple[Topics, tuple[Feed, ...]]:
    """The plant's topics, and all feeds."""
    devices: dict[str, Any] = {}
    points: dict[str, Any] = {}
    every: list[Feed] = []
    for some_devices, some_points, some in _feeds():
        devices |= some_devices
        points |= some_points
        every += some
    return described(devices, points), tuple(every)


def read(readings: Readings, since: int, count: int) -> list[list[tuple[Row, int]]]:
    """The rows of each message, which were received a minute apart, with their quality."""
    found: list[list[tuple[Row, int]]] = [[] for _ in range(count)]
    columns = (readings.point, readings.time, readings.received, readings.value, readings.quality)
    for point, time, received, value, quality in zip(*(one.tolist() for one in columns), strict=True):
        own = (readings.points[point], time, None if math.isnan(value) else value)
        found[(received - since) // MINUTE].append((own, quality))
    return found


def agree(found: list[tuple[Row, int]], want: list[Row], payload: bytes) -> bool:
    """Whether the rows of a message are those that it should bring.

    A message that holds a number no one can hold, or half a surrogate pair, may be refused as a whole: the standard
    leaves that open (RFC 8259, 6 and 8.2).
    """
    for (_, _, value), quality in found:
        if (value is None) != (quality == Quality.BAD) or (value is not None and not math.isfinite(value)):
            return False
    own = sorted((one for one, _ in found), key=lambda one: one[0])
    want = sorted(want, key=lambda one: one[0])
    if len(own) == len(want) and all(
        (a[0], a[2]) == (b[0], b[2]) and abs(a[1] - b[1]) <= max(1, b[1] >> 52) for a, b in zip(own, want, strict=True)
    ):
        return True
    return not own and (b"\\u" in payload or re.search(rb"[0-9]{300}|[eE]\+?[0-9]{3}", payload) is not None)


def changed(chance: Random, feed: Feed) -> bytes:
    """A payload of a feed, mutated as bytes or as JSON, or as it is."""
    payload = feed.sound(chance)
    kind = chance.random()
    if kind < 0.1:
        return payload
    if kind < 0.55:
        return mutate(chance, payload, chance.choice(feeds()[1]).sound(chance))
    body = parsed(payload)
    return payload if body is MISSING else json.dumps(_swapped(chance, body)).encode()


def _swapped(chance: Random, body: Any) -> Any:
    """JSON with one of its parts replaced."""
    if isinstance(body, dict) and body and chance.random() < 0.85:
        key = chance.choice(list(body))
        return {**body, key: _swapped(chance, body[key])}
    if isinstance(body, list) and body and chance.random() < 0.85:
        place = chance.randrange(len(body))
        return [*body[:place], _swapped(chance, body[place]), *body[place + 1 :]]
    return chance.choice(_ODD)


def examine(decoder: Decoder, messages: list[tuple[Feed, bytes]], since: int, notified: dict[str, int], tally: Tally) -> None:
    """Decodes messages and compares each with its reference."""
    try:
        items = [(since + number * MINUTE, feed.topic, payload) for number, (feed, payload) in enumerate(messages)]
        found = read(decoder.decode(items).readings, since, len(messages))
    except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
        tally.count("rejected", len(messages))
        tally.finding(raised(error, messages))
        return
    for number, (feed, payload) in enumerate(messages):
        want = feed.expect(payload, since + number * MINUTE, notified)
        own = found[number]
        bad = sum(quality == Quality.BAD for _, quality in own)
        tally.count(outcome(len(own) - bad, bad))
        if not agree(own, want, payload):
            tally.finding(f"{feed.topic} {payload!r} at {since + number * MINUTE}: {own}, not {want}")


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Messages in short runs, each run with a decoder of its own."""
    every, some = feeds()
    while tally.inputs < inputs:
        chosen = [chance.choice(some) for _ in range(min(BATCH, inputs - tally.inputs))]
        examine(Decoder(every), [(feed, changed(chance, feed)) for feed in chosen], NOW, {}, tally)
