"""Fuzz target: MQTT payloads of every style but Sparkplug, sound ones and mutated ones, beside the reference."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from random import Random
from typing import Any, NamedTuple

from benchmarks import fuzz_json as reference
from benchmarks.fuzz_common import Tally, mutate, outcome, raised
from benchmarks.fuzz_json import EPOCH, FORMATS, MISSING, NEVER, NOW, ZONE, Row, at, moment, parsed, row, scaled
from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import Topics, topics
from plant.model import Plant
from plant.reading import MINUTE, Quality, Readings
from simulators.gateway import SITE_FORMAT, TAGGED

BATCH = 25
_ODD: Sequence[Any] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    "",
    "7.5",
    " 8 ",
    "1_0",
    "nan",
    "x",
    [],
    {},
    [1],
    {"a": 1},
    2**64,
    1e308,
)
_LISTED = '"tag":"%s","ts":%s,"value":%s'

_LENIENT = re.compile(rb"\\u[dD][89a-fA-F]|[0-9]{300}|[eE]\+?[0-9]{3}")


class Feed(NamedTuple):
    """One topic: its reference, and sound payloads."""

    topic: str
    expect: Callable[[bytes, int, dict[str, int]], list[Row]]
    sound: Callable[[Random], bytes]


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

        found.append((device, points, [Feed(name, reference.object_rows(name, form), body)]))
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

        found.append((device, points, [Feed(name, reference.list_rows(name, form), listed)]))
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
        return '{{"method":"NotifyStatus","params":{{"ts":{},"em:0":{{"total_act_power":{}}}}}}}'.format(
            *parts
        ).encode()

    def status(chance: Random) -> bytes:
        return f'{{"id":0,"total_act_power":{_value(chance)}}}'.encode()

    def site_rows(payload: bytes, received: int, _: dict[str, int]) -> list[Row]:
        body = parsed(payload)
        time, value = moment(at(body, "ts"), "rfc3339", received), at(body, "reuse.total")
        return [] if time == NEVER or value is MISSING else [row("site_0", time, received, scaled(value, 1.0))]

    return [
        (
            {"bare": {"topic": "w/{read}", "payload": "number"}},
            {"p_number": ("bare", "x", 0.1, "1")},
            [Feed("w/x", reference.bare_rows, bare)],
        ),
        (
            {"gate": {"topic": "gate", "payload": "json", "time": "ts"}},
            {"site_0": ("gate", "reuse.total", 1.0, "1")},
            [Feed("gate", site_rows, site)],
        ),
        (
            {"plug": {"topic": "tele/plug/SENSOR", "payload": "tasmota"}},
            {"plug_0": ("plug", "ENERGY.Total", 1.0, "kWh"), "plug_1": ("plug", "S.Temperature", 1.0, "degC")},
            [
                Feed("tele/plug/SENSOR", reference.plug_rows, plug),
                Feed("tele/plug/LWT", reference.offline_rows(b"Offline", "plug_0", "plug_1"), lambda _: b"Offline"),
            ],
        ),
        (
            {"shelly": {"topic": "sh", "payload": "shelly"}},
            {"shelly_0": ("shelly", "em:0.total_act_power", 1.0, "kW")},
            [
                Feed("sh/events/rpc", reference.events_rows, events),
                Feed("sh/status/em:0", reference.status_rows, status),
                Feed("sh/online", reference.offline_rows(b"false", "shelly_0"), lambda _: b"false"),
            ],
        ),
    ]


def described(devices: dict[str, Any], points: dict[str, Any]) -> Topics:
    """The topics of a plant of MQTT devices; a point is (device, read, scale, unit)."""
    keys = ("from", "read", "scale", "unit")
    full = {name: dict(zip(keys, point, strict=True)) for name, point in points.items()}
    kinds = {"kWh": "counter", "kW": "rate"}
    for point in full.values():
        point["kind"] = kinds.get(point["unit"], "level")
    return topics(
        Plant.model_validate(
            {
                "format": "keepclean/1",
                "site": {"id": "fuzz", "name": "Fuzz", "time_zone": ZONE},
                "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
                "devices": {name: {"title": name, "protocol": "mqtt", **one} for name, one in devices.items()},
                "points": {name: {"title": name, "in": "site", **one} for name, one in full.items()},
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
    return not own and _LENIENT.search(payload) is not None


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


def examine(
    decoder: Decoder, messages: list[tuple[Feed, bytes]], since: int, notified: dict[str, int], tally: Tally
) -> None:
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
