"""What a topic seems to carry, from its name and some of its payloads, with lines to paste into a description. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from collectors.mqtt.json_values import INVALID, decode
from collectors.mqtt.names import native_unit
from collectors.mqtt.numbers import from_json, from_text
from collectors.mqtt.sparkplug.value import number
from collectors.mqtt.sparkplug.wire import parse
from collectors.mqtt.times import EPOCHS, NOT_SET, clockwork
from collectors.mqtt.topics import DEVICE_KINDS, NODE_KINDS, SPARKPLUG, Path

VALUES_MAX = 200
_DEPTH_MAX = 8
_TIME_NAME = re.compile(r"(^|_|\b)(ts|t|time|timestamp|date|datetime|epoch|at)($|_|\b)|(time|stamp|Time|Stamp)$")
_TAG_NAMES = ("tag", "name", "id", "point", "key", "metric", "sensor", "signal")
_VALUE_NAMES = ("value", "v", "val", "reading", "data")
_SHELLY_STATUS = re.compile(r"(.+)/status/([a-z0-9_]+(?::\d+)?)")
_SHELLY_METERS = ("em", "emdata", "em1", "em1data", "switch", "pm1", "cover", "light", "temperature", "humidity")
_YEAR_2100 = 4_102_444_800 * 10**6
# what a device's own unit becomes in a description, and of what kind the point then is
_UNITS = {
    "Wh": ("kWh", "counter"),
    "kWh": ("kWh", "counter"),
    "kvarh": ("kvarh", "counter"),
    "W": ("kW", "rate"),
    "var": ("kvar", "rate"),
    "VA": ("kVA", "rate"),
}


@dataclass(frozen=True)
class Found:
    """A value: how a point reads it, an example of it, and its unit where the name tells."""

    read: str
    example: float | None
    unit: str | None = None


@dataclass(frozen=True)
class Suggestion:
    """How a topic could be read.

    `payload` is the style, None when it cannot be read: `remark` then says why, or what else is to be known. `topic` is
    the device's, as a description has it. `settings` are the device's further keys.
    """

    payload: str | None
    topic: str
    values: tuple[Found, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    remark: str = ""

    def device_lines(self, name: str) -> list[str]:
        """The lines for `devices:`; none when the topic cannot be read."""
        if self.payload is None:
            return []
        keys = (("protocol", "mqtt"), ("title", self.topic), ("topic", self.topic), ("payload", self.payload))
        return [f"  {name}:", *(f"    {key}: {_scalar(value)}" for key, value in (*keys, *self.settings))]

    def point_lines(self, name: str) -> list[str]:
        """The lines for `points:`, one point a value; kinds and units that the name does not tell are guesses."""
        lines: list[str] = []
        used: set[str] = set()
        for found in self.values:
            key = _name(f"{name}_{found.read}", used)
            unit, kind = _UNITS.get(found.unit or "", (found.unit or "1", "level"))
            keys = (("title", found.read), ("in", "site"), ("from", name), ("read", found.read))
            lines.append(f"  {key}:")
            lines += [f"    {one}: {_scalar(value)}" for one, value in (*keys, ("kind", kind), ("unit", unit))]
            if found.unit not in (None, unit):
                lines[-1] += f"  # sent in {found.unit}; converted"
        return lines


def describe_payload(topic: str, payloads: Sequence[bytes]) -> Suggestion:
    """How the messages of a topic could be read, judged by some of its payloads; the latest gives the examples."""
    if topic.startswith("spBv1.0/"):
        return _sparkplug(topic, payloads)
    seen = [payload for payload in payloads if payload.strip()]
    if not seen:
        return Suggestion(None, topic, remark="its messages are empty")
    if all(from_text(payload)[1] == 0 for payload in seen):
        return _number(topic, from_text(seen[-1])[0])
    bodies = list(_bodies(seen))
    if not bodies:
        return Suggestion(None, topic, remark=_no_json(topic, seen[-1]))
    found = _shelly(topic, bodies) or _tasmota(topic, bodies)
    if found is None:
        lists = [body for body in bodies if isinstance(body, list)]
        found = _array(topic, [element for body in lists for element in body]) if lists else _object(topic, bodies)
    if len(found.values) > VALUES_MAX:
        more = f"{len(found.values) - VALUES_MAX} more values are not shown"
        found = replace(found, values=found.values[:VALUES_MAX], remark=f"{found.remark}; {more}".lstrip("; "))
    return found


def _number(topic: str, example: float) -> Suggestion:
    head, _, last = topic.rpartition("/")
    return Suggestion("number", f"{head}/{{read}}" if head else topic, (Found(last, example),))


def _bodies(payloads: Sequence[bytes]) -> Iterator[Any]:
    for payload in payloads:
        try:
            yield decode(payload)
        except INVALID:
            continue


def _no_json(topic: str, payload: bytes) -> str:
    if payload in (b"Online", b"Offline") and topic.endswith("/LWT"):
        return "a Tasmota's last will: it is read together with the topic of its SENSOR"
    try:
        text = payload[:40].decode()
    except UnicodeDecodeError:
        return f"{len(payload)} bytes that are neither text nor JSON"
    return f"text that is neither a number nor JSON: '{text}'"


def _leaves(body: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """All values of an object by path; keys that hold a dot cannot be part of one."""
    if len(path) > _DEPTH_MAX:
        return
    if isinstance(body, dict):
        for key, inner in body.items():
            if key and "." not in key:
                yield from _leaves(inner, (*path, key))
    elif isinstance(body, list):
        for index, inner in enumerate(body[:VALUES_MAX]):
            yield from _leaves(inner, (*path, str(index)))
    elif path:
        yield path, body


def _numbers(bodies: Sequence[object]) -> dict[Path, float]:
    found: dict[Path, float] = {}
    for body in bodies:
        for path, written in _leaves(body):
            value, finding = from_json(written)
            if not finding:
                found[path] = value
    return found


def _time(bodies: Sequence[object]) -> tuple[Path, str] | None:
    """The path that holds the time of a message, and its format; the shallowest when several do."""
    leaves = [leaf for body in bodies for leaf in _leaves(body)]
    for path, written in sorted(leaves, key=lambda leaf: len(leaf[0])):
        written_format = _time_format(written, path[-1])
        if written_format is not None:
            return path, written_format
    return None


def _time_format(written: object, name: str) -> str | None:
    zone = ZoneInfo("UTC")
    if isinstance(written, bool):
        return None
    if isinstance(written, int | float) or (isinstance(written, str) and written.isdecimal()):
        formats = list(EPOCHS) if _TIME_NAME.search(name) else []
    else:
        formats = ["rfc3339", "local"]
    for one in formats:
        time = clockwork(one, zone)(written, 0)
        if time is not None and time != NOT_SET and time < _YEAR_2100:
            return one
    return None


def _settings(time: tuple[Path, str] | None) -> tuple[tuple[str, str], ...]:
    return (("time", ".".join(time[0])), ("time_format", time[1])) if time else ()


def _object(topic: str, bodies: Sequence[object]) -> Suggestion:
    if all(isinstance(body, bool) for body in bodies):
        return Suggestion(None, topic, remark="a truth value")
    if not any(isinstance(body, dict) for body in bodies):
        return Suggestion(None, topic, remark="JSON that is neither an object nor a list of objects")
    time = _time(bodies)
    values = [Found(".".join(path), value) for path, value in _numbers(bodies).items() if not time or path != time[0]]
    if not values:
        return Suggestion(None, topic, remark="a JSON object without a number")
    remark = "" if time else "no time of its own was seen: messages are stamped on receipt"
    return Suggestion("json", topic, tuple(values), _settings(time), remark)


def _array(topic: str, elements: Sequence[object]) -> Suggestion:
    objects = [element for element in elements if isinstance(element, dict)]
    keys = list(dict.fromkeys(key for element in objects for key in element))
    time = _time([{key: inner for key, inner in one.items() if not isinstance(inner, dict | list)} for one in objects])
    taken = time[0][0] if time else None
    tag = _best(keys, _TAG_NAMES, lambda key: key != taken and all(isinstance(one.get(key), str) for one in objects))
    value = _best(
        keys,
        _VALUE_NAMES,
        lambda key: key not in (taken, tag) and any(from_json(one.get(key))[1] == 0 for one in objects),
    )
    if tag is None or value is None:
        remark = "a list whose elements are not objects with a tag and a value"
        return Suggestion(None, topic, remark=remark)
    examples: dict[str, float | None] = {}
    for one in objects:
        number_, finding = from_json(one.get(value))
        examples[one[tag]] = None if finding else number_
    settings = (("tag", tag), ("value", value), *_settings(time))
    return Suggestion("json_array", topic, tuple(Found(*one) for one in examples.items()), settings)


def _best(keys: Sequence[str], names: Sequence[str], fits: Any) -> str | None:
    """The first key that fits, those with a usual name first."""
    ordered = sorted(
        (key for key in keys if key and "." not in key),
        key=lambda key: names.index(key.lower()) if key.lower() in names else len(names),
    )
    return next((key for key in ordered if fits(key)), None)


def _tasmota(topic: str, bodies: Sequence[object]) -> Suggestion | None:
    objects = [body for body in bodies if isinstance(body, dict)]
    if not topic.endswith(("/SENSOR", "/STATE")) or not any("Time" in body or "ENERGY" in body for body in objects):
        return None
    values = [
        Found(read, value, native_unit("tasmota", read))
        for path, value in _numbers(objects).items()
        if (read := ".".join(path)) and (path[0] != "ENERGY" or native_unit("tasmota", read))
    ]
    return Suggestion("tasmota", topic, tuple(values))


def _shelly(topic: str, bodies: Sequence[object]) -> Suggestion | None:
    status = _SHELLY_STATUS.fullmatch(topic)
    if topic.endswith("/events/rpc"):
        prefix = topic.removesuffix("/events/rpc")
        parts = [body.get("params") for body in bodies if isinstance(body, dict) and "method" in body]
    elif status and status[2].partition(":")[0] in _SHELLY_METERS:
        prefix, parts = status[1], [{status[2]: body} for body in bodies]
    else:
        return None
    values = [
        Found(read, value, unit)
        for path, value in _numbers(parts).items()
        if (unit := native_unit("shelly", read := ".".join(path))) is not None
    ]
    remark = "" if values else "a Shelly's topic without a value whose unit is known"
    return Suggestion("shelly" if values else None, prefix, tuple(values), remark=remark)


def _sparkplug(topic: str, payloads: Sequence[bytes]) -> Suggestion:
    _, group, kind, node, device = (*topic.split("/", 4), "", "", "", "", "")[:5]
    named = "/".join(part for part in (group, node, device) if part)
    if kind not in (DEVICE_KINDS if device else NODE_KINDS):
        return Suggestion(None, topic, remark="a Sparkplug topic that holds no values")
    if not kind.endswith("BIRTH"):
        return Suggestion(
            None, named, remark="Sparkplug B: what it holds is told by its birth certificate, not seen yet"
        )
    values: dict[str, Found] = {}
    for payload in payloads:
        message = parse(payload)
        for metric in message.metrics if message is not None else ():
            value, finding = number(metric, metric.datatype)
            name = metric.name.decode("utf-8", "replace")
            if not finding and name != "bdSeq" and not name.startswith("Node Control/"):
                values[name] = Found(name, value)
    if not values:
        return Suggestion(None, named, remark="a Sparkplug birth certificate without a number")
    return Suggestion(SPARKPLUG, named, tuple(values.values())[:VALUES_MAX])


def _scalar(text: str) -> str:
    """A text as YAML takes it for a text."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) and text.lower() not in (
        "null",
        "true",
        "false",
        "yes",
        "no",
    )
    return text if plain and text.lower() not in ("on", "off", "y", "n") else json.dumps(text, ensure_ascii=True)


def _name(text: str, used: set[str]) -> str:
    """A name for a point: small letters, digits and underscores, used once."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:56] or "point"
    name = name if name[0].isalpha() else f"p_{name}"
    number_, free = 2, name
    while free in used:
        free, number_ = f"{name}_{number_}", number_ + 1
    used.add(free)
    return free
