"""What is wrong with the MQTT part of a plant description: topics, settings that a payload has no use for, reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from collectors.fitting import fits_kind
from collectors.mqtt.broker import host_port
from collectors.mqtt.names import known_names, native_unit
from collectors.mqtt.topics import READ
from collectors.mqtt.topics import path as steps
from plant.draft import suggestion
from plant.errors import Fault
from plant.model import Mqtt, Plant, Point
from plant.partial import tolerant
from plant.units import conversion

BROKER_FILES = {
    "password_file": ("password file", "write the password, nothing else, into a file beside the plant description"),
    "ca_file": ("file of trusted certificates", "a PEM file beside the plant description"),
    "cert_file": ("certificate file", "a PEM file beside the plant description"),
    "key_file": ("key file", "a PEM file beside the plant description"),
}
# payloads that say by themselves when they were written
OWN_TIME = {
    "tasmota": "a Tasmota device's own Time is used",
    "shelly": "a Shelly's own time is used",
    "sparkplug_b": "a metric's own time is used",
}
TASMOTA_TOPIC = re.compile(r".+/(SENSOR|STATE)")
SHELLY_TOPIC_END = re.compile(r"/(status|events|online|rpc|command)(/.*)?$")
SHELLY_READ = re.compile(r"([a-z0-9_]+)(:\d+)?((?:\.\w+)+)")

LineOf = Callable[[tuple[str, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> Iterator[Fault]:
    """The faults of MQTT devices, of the points that read them, and of the broker.

    `path` is the description's file; the plant may be sound in part only (`plant.partial`).
    """
    checker = _Checker(plant, path, line_of)
    for name, device in plant.devices.items():
        if isinstance(device, Mqtt):
            yield from tolerant(checker.topic(name, device))
            yield from tolerant(checker.settings(name, device))
            for key, point in plant.points.items():
                if getattr(point, "device", None) == name:
                    yield from tolerant(checker.read(key, point, device))
                    yield from tolerant(checker.unit(key, point, device))
    yield from tolerant(checker.broker())


class _Checker:
    def __init__(self, plant: Plant, path: Path, line_of: LineOf) -> None:
        self.plant, self.path, self.line_of = plant, path, line_of

    def fault(self, where: tuple[str, ...], message: str, hint: str = "") -> Fault:
        return Fault(self.path, self.line_of(where), message, hint)

    def topic(self, name: str, device: Mqtt) -> Iterator[Fault]:
        """Topics that are none, or not one."""
        at = ("devices", name, "topic")
        named = f"device '{name}': topic '{device.topic}'"
        bare = device.topic.replace(READ, "")
        if not device.topic or "#" in bare or "+" in bare:
            hint = f"write the whole topic, without + and #; {READ} stands for a point's read"
            yield self.fault(at, f"{named} is not one topic", hint)
        elif "{" in bare or "}" in bare:
            yield self.fault(at, f"{named} has a placeholder other than {READ}", f"only {READ} is filled in")
        elif device.payload == "sparkplug_b":
            parts = device.topic.split("/")
            if len(parts) not in (2, 3) or not all(parts) or parts[0] == "spBv1.0":
                hint = "write GROUP/EDGE, or GROUP/EDGE/DEVICE; spBv1.0 and NDATA are added"
                yield self.fault(at, f"{named} is not an edge node or a device of one", hint)
        elif device.payload == "tasmota" and not TASMOTA_TOPIC.fullmatch(device.topic):
            hint = "write the topic that Tasmota's values come on, as tele/NAME/SENSOR"
            yield self.fault(at, f"{named} is not one of Tasmota's telemetry", hint)
        elif device.payload == "shelly" and SHELLY_TOPIC_END.search(device.topic):
            hint = f"write '{SHELLY_TOPIC_END.sub('', device.topic)}' alone: its topics are added"
            yield self.fault(at, f"{named} is one topic of a Shelly, not the device", hint)

    def settings(self, name: str, device: Mqtt) -> Iterator[Fault]:
        """Settings that mean nothing with the payload, and paths that lead nowhere."""
        written = device.model_fields_set
        where, style = ("devices", name), f"with payload: {device.payload}"
        own_time = OWN_TIME.get(device.payload)
        if own_time and device.time is not None:
            yield self.fault(
                (*where, "time"), f"device '{name}': 'time' has no use {style}", f"leave it out: {own_time}"
            )
        if "time_format" in written and (own_time or device.payload == "number"):
            hint = f"leave it out: {own_time or 'a bare number is stamped on receipt'}"
            yield self.fault((*where, "time_format"), f"device '{name}': 'time_format' has no use {style}", hint)
        elif "time_format" in written and device.time is None:
            hint = "write 'time' as the path of the time in the payload, or leave 'time_format' out"
            yield self.fault((*where, "time_format"), f"device '{name}': 'time_format' without 'time'", hint)
        if device.payload == "json_array":
            for key in ("tag", "value"):
                if not all(steps(getattr(device, key))):
                    yield self._dotted((*where, key), f"device '{name}': {key} '{getattr(device, key)}'")
            if device.tag == device.value:
                message = f"device '{name}': tag and value are both '{device.tag}'"
                yield self.fault((*where, "value"), message, "name the field that holds the number")
        else:
            for key in sorted(written & {"tag", "value"}):
                hint = "leave it out, or write 'payload: json_array'"
                yield self.fault((*where, key), f"device '{name}': '{key}' has no use {style}", hint)
        if device.time is not None and not own_time and not all(steps(device.time)):
            yield self._dotted((*where, "time"), f"device '{name}': time '{device.time}'")
        if device.rebirth and device.payload != "sparkplug_b":
            message = f"device '{name}': 'rebirth' has no use {style}"
            yield self.fault((*where, "rebirth"), message, "leave it out: only Sparkplug has births")

    def read(self, key: str, point: Point, device: Mqtt) -> Iterator[Fault]:
        """Reads that lead nowhere."""
        at = ("points", key, "read")
        if not point.read:
            yield self.fault(at, f"point '{key}': 'read' is empty", "write the name of the value")
        elif device.payload in ("json", "tasmota") and not all(steps(point.read)):
            yield self._dotted(at, f"point '{key}': '{point.read}'")
        elif device.payload == "number" and re.search("[+#/]", point.read) and READ in device.topic:
            message = f"point '{key}': '{point.read}' is not one level of a topic"
            yield self.fault(at, message, f"it stands for {READ} in '{device.topic}'")
        elif device.payload == "tasmota" and steps(point.read)[0] == "ENERGY":
            names = known_names("tasmota", "ENERGY")
            if native_unit("tasmota", point.read) is None:
                yield self._unknown(at, key, point.read, [f"ENERGY.{name}" for name in names])
        elif device.payload == "shelly":
            yield from self._shelly(at, key, point.read)

    def _shelly(self, at: tuple[str, ...], key: str, read: str) -> Iterator[Fault]:
        shape = SHELLY_READ.fullmatch(read)
        names = known_names("shelly", shape[1]) if shape else []
        if shape is None or (names and not shape[2]):
            message = f"point '{key}': '{read}' is not a value of a Shelly's component"
            yield self.fault(
                at, message, "write COMPONENT:NUMBER.NAME, as em:0.total_act_power or switch:0.aenergy.total"
            )
        elif names and native_unit("shelly", read) is None:
            yield self._unknown(at, key, read, [f"{shape[1]}{shape[2]}.{name}" for name in names])

    def _unknown(self, at: tuple[str, ...], key: str, read: str, known: list[str]) -> Fault:
        return self.fault(at, f"point '{key}': the unit of '{read}' is not known", suggestion(read, known))

    def _dotted(self, at: tuple[str, ...], what: str) -> Fault:
        return self.fault(at, f"{what} is not a dotted path", "write it as a.b.c")

    def unit(self, key: str, point: Point, device: Mqtt) -> Iterator[Fault]:
        """Units that a device's own cannot be converted to."""
        unit = native_unit(device.payload, point.read)
        if unit is None or unit == point.unit or not fits_kind(point):
            return
        try:
            conversion(unit, point.unit)
        except ValueError as error:
            message = f"point '{key}' is in {point.unit}, but '{point.read}' is in {unit}: {error}"
            yield self.fault(
                ("points", key, "unit"), message, f"write 'unit: {unit}' or a unit that {unit} converts to"
            )

    def broker(self) -> Iterator[Fault]:
        """The broker's address and its files."""
        broker = self.plant.broker
        if broker is None:
            return
        for key, (what, hint) in BROKER_FILES.items():
            name = getattr(broker, key, None)
            if name and not (self.path.parent / name).is_file():
                yield self.fault(("broker", key), f"broker: there is no {what} '{name}'", hint)
        if getattr(broker, "key_file", None) and not getattr(broker, "cert_file", None):
            hint = "name the certificate that belongs to the key as 'cert_file'"
            yield self.fault(("broker", "key_file"), "broker: a key without a certificate", hint)
        if getattr(broker, "url", "").startswith("mqtt://"):
            for key in ("ca_file", "cert_file"):
                if getattr(broker, key, None):
                    message = f"broker: {key} without TLS"
                    yield self.fault(("broker", key), message, "write the url as mqtts://HOST:8883, or leave it out")
        try:
            host_port(broker.url)
        except ValueError as error:
            yield self.fault(
                ("broker", "url"), f"broker: {error}", "write mqtt://HOST:1883, or mqtts://HOST:8883 for TLS"
            )
