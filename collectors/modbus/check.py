"""What is wrong with the Modbus part of a plant description: profiles, fields, units, registers claimed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collectors.fitting import fits_kind, is_unit
from collectors.profile import Examined, builtin, examine
from collectors.profile_fields import RegisterField, SunspecField
from plant.check_registers import normal
from plant.draft import suggestion
from plant.errors import ConfigurationError, Fault
from plant.model import Modbus, Plant, Point
from plant.partial import tolerant
from plant.units import conversion

LineOf = Callable[[tuple[str, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> Iterator[Fault]:
    """The faults of all Modbus devices and their points; the plant may be sound in part only (`plant.partial`)."""
    yield from _Checker(plant, path, line_of).devices()


@dataclass(frozen=True)
class _Claim:
    """A point's registers; `names` is how it asks for them."""

    point: str
    names: tuple[str, str]
    source: RegisterField | SunspecField

    def clashes(self, other: _Claim) -> bool:
        """Whether two points share a register by different names; by the same name the plant's own check says so.

        Bits of one register are values of their own, unless they overlap.
        """
        one, two = self.source, other.source
        if self.names == other.names:
            return False
        if isinstance(one, SunspecField) or isinstance(two, SunspecField):
            return isinstance(one, SunspecField) and isinstance(two, SunspecField) and one.point == two.point
        return (
            one.function == two.function
            and one.address < two.address + two.width
            and two.address < one.address + one.width
            and not _apart(one, two)
        )


class _Checker:
    def __init__(self, plant: Plant, path: Path, line_of: LineOf) -> None:
        self.plant, self.path, self.line_of = plant, path, line_of

    def fault(self, where: tuple[str, ...], message: str, hint: str = "") -> Fault:
        return Fault(self.path, self.line_of(where), message, hint)

    def points_of(self, device: str) -> list[tuple[str, Point]]:
        return [(name, point) for name, point in self.plant.points.items() if getattr(point, "device", None) == device]

    def devices(self) -> Iterator[Fault]:
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
        yield from tolerant(self._text(key, point, source, profile))
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
                f" {device.device_id} ({_shared(first.source, second.source)})",
                "a register belongs to one point; use that point wherever its value is needed",
            )

    def _text(self, key: str, point: Point, source: RegisterField | SunspecField, profile: Examined) -> Iterator[Fault]:
        if isinstance(source, RegisterField) and source.type == "string" and not source.values:
            message = f"point '{key}': '{point.read}' of {profile.title} is a text, not a number"
            yield self.fault(("points", key, "read"), message, "give the profile's field 'values: {TEXT: NUMBER}'")

    def _unit(self, key: str, point: Point, source: RegisterField | SunspecField, profile: Examined) -> Iterator[Fault]:
        if source.unit == point.unit or not is_unit(source.unit) or not fits_kind(point):
            return
        try:
            conversion(source.unit, point.unit)
        except ValueError as error:
            yield self.fault(
                ("points", key, "unit"),
                f"point '{key}' is in {point.unit}, but {profile.title} gives '{point.read}' in {source.unit}: {error}",
                f"write 'unit: {source.unit}' or a unit that {source.unit} converts to",
            )


def _apart(one: RegisterField, two: RegisterField) -> bool:
    """Whether two fields are different bits of the same registers, read in the same order."""
    if one.bits is None or two.bits is None:
        return False
    same = all(getattr(one, key) == getattr(two, key) for key in ("address", "type", "word_order", "byte_order"))
    (first, count), (other, others) = one.bits, two.bits
    return same and (first + count <= other or other + others <= first)


def _shared(one: RegisterField | SunspecField, two: RegisterField | SunspecField) -> str:
    if isinstance(one, SunspecField) or isinstance(two, SunspecField):
        return "the same SunSpec point"
    return f"function {two.function}, {_registers(one)} and {_registers(two)}"


def _registers(source: RegisterField) -> str:
    last = source.address + source.width - 1
    registers = str(source.address) if last == source.address else f"{source.address}-{last}"
    return registers if source.bit is None else f"{registers} bit {source.bit}"
