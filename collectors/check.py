"""What collectors alone know to be wrong in a plant description: profiles, registers, topics, columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.files.zones import FORMATS
from collectors.mqtt.client import host_port
from collectors.mqtt.topics import READ, path
from collectors.profile import Profile, RegisterField, builtin, load
from plant.draft import suggestion
from plant.errors import ConfigurationError, Fault
from plant.model import Modbus, Mqtt, Plant, Point
from plant.units import conversion, parse

LineOf = Callable[[tuple[str, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> list[Fault]:
    """The faults of everything that is to be read.

    `path` is the description's file; `line_of(("points", NAME, "read"))` gives the line of an entry in it.
    """
    checker = _Checker(plant, path, line_of)
    return [*checker.modbus(), *checker.mqtt(), *checker.broker(), *checker.wide()]


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
        return [(name, point) for name, point in self.plant.points.items() if point.device == device]

    def modbus(self) -> Iterator[Fault]:
        """Profiles, fields, units, and registers that two points claim."""
        claimed: dict[tuple[str, int], list[_Claim]] = {}
        reported: set[Fault] = set()
        for name, device in self.plant.devices.items():
            if not isinstance(device, Modbus):
                continue
            try:
                profile = load(device.profile, self.path.parent)
            except ConfigurationError as error:
                for fault in self._profile_faults(name, device.profile, error):
                    if fault not in reported:
                        reported.add(fault)
                        yield fault
                continue
            claims = claimed.setdefault((device.address, device.device_id), [])
            for key, point in self.points_of(name):
                source = profile.fields.get(point.read)
                if source is None:
                    hint = suggestion(point.read, profile.fields)
                    message = f"point '{key}': profile '{device.profile}' has no field '{point.read}'"
                    yield self.fault(("points", key, "read"), message, hint)
                    continue
                yield from self._unit(key, point, source, profile)
                claim = _Claim(key, (device.profile, point.read), source)
                yield from (self._twice(device, other, claim) for other in claims if other.clashes(claim))
                claims.append(claim)

    def _profile_faults(self, device: str, profile: str, error: ConfigurationError) -> Iterator[Fault]:
        where = ("devices", device, "profile")
        file = self.path.parent / profile
        if not profile.endswith((".yaml", ".yml")):
            hint = suggestion(profile, builtin())
            yield self.fault(where, f"device '{device}': there is no meter profile '{profile}'", hint)
        elif not file.is_file():
            hint = f"write the profile beside the plant description, as {file}"
            yield self.fault(where, f"device '{device}': there is no profile file '{profile}'", hint)
        else:
            yield from error.faults

    def _twice(self, device: Modbus, first: _Claim, second: _Claim) -> Fault:
        return self.fault(
            ("points", second.point, "read"),
            f"points '{first.point}' and '{second.point}' read the same register of {device.address} id"
            f" {device.device_id} (function {second.source.function}, {_registers(first.source)} and"
            f" {_registers(second.source)})",
            "a register belongs to one point; use that point wherever its value is needed",
        )

    def _unit(self, key: str, point: Point, source: RegisterField, profile: Profile) -> Iterator[Fault]:
        if source.unit == point.unit or not _is_unit(point.unit):
            return
        try:
            conversion(source.unit, point.unit)
        except ValueError as error:
            yield self.fault(
                ("points", key, "unit"),
                f"point '{key}' is in {point.unit}, but {profile.make} {profile.model} gives '{point.read}' in"
                f" {source.unit}: {error}",
                f"write 'unit: {source.unit}' or a unit that {source.unit} converts to",
            )

    def mqtt(self) -> Iterator[Fault]:
        """Topics that are none, and paths that lead nowhere."""
        for name, device in self.plant.devices.items():
            if not isinstance(device, Mqtt):
                continue
            at = ("devices", name, "topic")
            named = f"device '{name}': topic '{device.topic}'"
            bare = device.topic.replace(READ, "")
            if not device.topic or "#" in bare or "+" in bare:
                hint = f"write the whole topic, without + and #; {READ} stands for a point's read"
                yield self.fault(at, f"{named} is not one topic", hint)
            elif "{" in bare or "}" in bare:
                yield self.fault(at, f"{named} has a placeholder other than {READ}", f"only {READ} is filled in")
            for key, point in self.points_of(name):
                if device.payload == "json" and not all(path(point.read)):
                    message = f"point '{key}': '{point.read}' is not a dotted path"
                    yield self.fault(("points", key, "read"), message, "write it as a.b.c")

    def broker(self) -> Iterator[Fault]:
        """The broker's address and password file."""
        broker = self.plant.broker
        if broker is None:
            return
        try:
            host_port(broker.url)
        except ValueError as error:
            yield self.fault(("broker", "url"), f"broker: {error}", "write mqtt://HOST:1883")
        if broker.password_file and not (self.path.parent / broker.password_file).is_file():
            message = f"broker: there is no password file '{broker.password_file}'"
            hint = "write the password, nothing else, into a file beside the plant description"
            yield self.fault(("broker", "password_file"), message, hint)

    def wide(self) -> Iterator[Fault]:
        """The columns and time format of a wide file."""
        wide = self.plant.import_
        if wide is None:
            return
        if wide.time_format not in FORMATS and "%" not in wide.time_format:
            hint = f"one of {', '.join(FORMATS)}, or a format as '%d/%m/%Y %H:%M'"
            message = f"import: '{wide.time_format}' is not a time format"
            yield self.fault(("import", "time_format"), message, hint)
        for column in wide.categories:
            if column not in wide.columns:
                message = f"import: categories for '{column}', which is not among the columns"
                yield self.fault(("import", "categories", column), message, suggestion(column, wide.columns))


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
