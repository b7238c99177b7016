"""What collectors alone know to be wrong in a plant description: profiles, registers, topics, columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.files.zones import FORMATS
from collectors.mqtt.session import host_port
from collectors.mqtt.topics import READ, path
from collectors.profile import Examined, RegisterField, builtin, examine
from plant.check_points import SUMMABLE
from plant.check_registers import normal
from plant.draft import suggestion
from plant.errors import ConfigurationError, Fault
from plant.model import Kind, Modbus, Mqtt, Plant, Point
from plant.partial import tolerant
from plant.units import conversion, is_rate, parse

BROKER_FILES = {
    "password_file": ("password file", "write the password, nothing else, into a file beside the plant description"),
    "ca_file": ("file of trusted certificates", "a PEM file beside the plant description"),
    "cert_file": ("certificate file", "a PEM file beside the plant description"),
    "key_file": ("key file", "a PEM file beside the plant description"),
}

LineOf = Callable[[tuple[str, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> list[Fault]:
    """The faults of everything that is to be read.

    `path` is the description's file; `line_of(("points", NAME, "read"))` gives the line of an entry in it. The plant
    may be sound in part only (`plant.partial`): then what its sound fields say is checked.
    """
    checker = _Checker(plant, path, line_of)
    parts = (checker.modbus(), checker.mqtt(), checker.broker(), checker.wide())
    return [fault for part in parts for fault in tolerant(part)]


@dataclass(frozen=True)
class _Claim:
    """A point's registers; `names` is how it asks for them."""

    point: str
    names: tuple[str, str]
    source: RegisterField

    def clashes(self, other: _Claim) -> bool:
        """Whether two points share a register by different names; by the same name the plant's own check says so."""
        one, two = self.source, other.source
        return (
            self.names != other.names
            and one.function == two.function
            and one.address < two.address + two.width
            and two.address < one.address + one.width
        )


class _Checker:
    def __init__(self, plant: Plant, path: Path, line_of: LineOf) -> None:
        self.plant, self.path, self.line_of = plant, path, line_of

    def fault(self, where: tuple[str, ...], message: str, hint: str = "") -> Fault:
        return Fault(self.path, self.line_of(where), message, hint)

    def points_of(self, device: str) -> list[tuple[str, Point]]:
        return [(name, point) for name, point in self.plant.points.items() if getattr(point, "device", None) == device]

    def modbus(self) -> Iterator[Fault]:
        """Profiles, fields, units, and registers that two points claim."""
        claimed: dict[tuple[str, int], list[_Claim]] = {}
        reported: set[Fault] = set()
        for name, device in self.plant.devices.items():
            if isinstance(device, Modbus) and hasattr(device, "profile"):
                missing = self._missing_profile(name, device.profile)
                if missing is not None:
                    yield missing
                    continue
                try:
                    profile = examine(device.profile, self.path.parent)
                except ConfigurationError as error:
                    yield from (fault for fault in error.faults if fault not in reported)
                    reported.update(error.faults)
                    continue
                yield from (fault for fault in profile.faults if fault not in reported)
                reported.update(profile.faults)
                at = (
                    (normal(device.address), device.device_id)
                    if {"address", "device_id"} <= vars(device).keys()
                    else None
                )
                claims = claimed.setdefault(at, []) if at is not None else []
                for key, point in self.points_of(name):
                    yield from tolerant(self._point(key, point, device, profile, claims))

    def _point(
        self, key: str, point: Point, device: Modbus, profile: Examined, claims: list[_Claim]
    ) -> Iterator[Fault]:
        source = profile.fields.get(point.read)
        if source is None:
            if profile.declared is not None and point.read not in profile.declared:
                hint = suggestion(point.read, profile.declared)
                message = f"point '{key}': profile '{device.profile}' has no field '{point.read}'"
                yield self.fault(("points", key, "read"), message, hint)
            return
        yield from tolerant(self._unit(key, point, source, profile))
        claim = _Claim(key, (device.profile, point.read), source)
        for other in claims:
            yield from tolerant(self._twice(device, other, claim))
        claims.append(claim)

    def _missing_profile(self, device: str, profile: str) -> Fault | None:
        where = ("devices", device, "profile")
        file = self.path.parent / profile
        if not profile.endswith((".yaml", ".yml")):
            if profile in builtin():
                return None
            return self.fault(
                where, f"device '{device}': there is no meter profile '{profile}'", suggestion(profile, builtin())
            )
        if file.is_file():
            return None
        hint = f"write the profile beside the plant description, as {file}"
        return self.fault(where, f"device '{device}': there is no profile file '{profile}'", hint)

    def _twice(self, device: Modbus, first: _Claim, second: _Claim) -> Iterator[Fault]:
        if first.clashes(second):
            yield self.fault(
                ("points", second.point, "read"),
                f"points '{first.point}' and '{second.point}' read the same register of {device.address} id"
                f" {device.device_id} (function {second.source.function}, {_registers(first.source)} and"
                f" {_registers(second.source)})",
                "a register belongs to one point; use that point wherever its value is needed",
            )

    def _unit(self, key: str, point: Point, source: RegisterField, profile: Examined) -> Iterator[Fault]:
        if source.unit == point.unit or not _is_unit(source.unit) or not _fits_kind(point):
            return
        try:
            conversion(source.unit, point.unit)
        except ValueError as error:
            yield self.fault(
                ("points", key, "unit"),
                f"point '{key}' is in {point.unit}, but {profile.title} gives '{point.read}' in {source.unit}: {error}",
                f"write 'unit: {source.unit}' or a unit that {source.unit} converts to",
            )

    def mqtt(self) -> Iterator[Fault]:
        """Topics that are none, and paths that lead nowhere."""
        for name, device in self.plant.devices.items():
            if isinstance(device, Mqtt):
                yield from tolerant(self._topic(name, device))
                for key, point in self.points_of(name):
                    yield from tolerant(self._path(key, point, device))

    def _topic(self, name: str, device: Mqtt) -> Iterator[Fault]:
        at = ("devices", name, "topic")
        named = f"device '{name}': topic '{device.topic}'"
        bare = device.topic.replace(READ, "")
        if not device.topic or "#" in bare or "+" in bare:
            hint = f"write the whole topic, without + and #; {READ} stands for a point's read"
            yield self.fault(at, f"{named} is not one topic", hint)
        elif "{" in bare or "}" in bare:
            yield self.fault(at, f"{named} has a placeholder other than {READ}", f"only {READ} is filled in")

    def _path(self, key: str, point: Point, device: Mqtt) -> Iterator[Fault]:
        if device.payload == "json" and not all(path(point.read)):
            message = f"point '{key}': '{point.read}' is not a dotted path"
            yield self.fault(("points", key, "read"), message, "write it as a.b.c")

    def broker(self) -> Iterator[Fault]:
        """The broker's address and password file."""
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

    def wide(self) -> Iterator[Fault]:
        """The time format of a wide file."""
        wide = self.plant.import_
        if wide is None:
            return
        if wide.time_format not in FORMATS and "%" not in wide.time_format:
            hint = f"one of {', '.join(FORMATS)}, or a format as '%d/%m/%Y %H:%M'"
            message = f"import: '{wide.time_format}' is not a time format"
            yield self.fault(("import", "time_format"), message, hint)


def _fits_kind(point: Point) -> bool:
    """Rates and amounts mixed up are the fault of the plant description itself, which says so."""
    if not _is_unit(point.unit):
        return False
    kind = getattr(point, "kind", None)
    return kind not in SUMMABLE or (kind == Kind.RATE) == is_rate(point.unit)


def _is_unit(text: str) -> bool:
    """A text that is none is the fault of the plant description itself, which says so."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _registers(source: RegisterField) -> str:
    last = source.address + source.width - 1
    return str(source.address) if last == source.address else f"{source.address}-{last}"
