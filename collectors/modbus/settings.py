"""A Modbus device as it is to be read: its points with address, type, order and the factor to the point's unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from collectors.modbus.sunspec_models import Place, places
from collectors.profile import load
from collectors.profile_fields import (
    Forbidden,
    Order,
    Profile,
    RegisterField,
    RegisterType,
    SunspecField,
    SunspecProfile,
)
from plant.model import Modbus, Plant, Point
from plant.reading import SECOND
from plant.units import conversion

ValueType = RegisterType | Literal["absent"]
SUNSPEC_GAP = 124


@dataclass(frozen=True)
class Value:
    """What one point reads: `raw × factor + offset` in the point's own unit.

    The factor is a fraction, so that a tenth divides by 10 instead of multiplying by a rounded 0.1. `bits` are the
    lowest bit and their number; `listed` pairs raw values with the numbers that they stand for. `scale_at` is the
    address of a register that holds a power of ten, read along with the value. A value of type "absent" is one that
    this device does not have.
    """

    point: str
    function: int
    address: int
    type: ValueType
    width: int
    word_order: Order
    byte_order: Order
    factor: Fraction
    offset: float
    not_available: tuple[int, ...] = ()
    bits: tuple[int, int] | None = None
    listed: tuple[tuple[int | str, float], ...] = ()
    scale_at: int | None = None

    @property
    def first(self) -> int:
        """The first register that must be read for it."""
        return self.address if self.scale_at is None else min(self.address, self.scale_at)

    @property
    def end(self) -> int:
        """The register after the last that must be read for it."""
        own = self.address + self.width
        return own if self.scale_at is None else max(own, self.scale_at + 1)

    def moved(self, by: int) -> Value:
        """The same value `by` registers further on."""
        return replace(self, address=self.address + by, scale_at=None if self.scale_at is None else self.scale_at + by)


@dataclass(frozen=True)
class Limits:
    """What one request may ask: so many registers or bits, with so many in between that nobody asked for."""

    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 0
    forbidden: tuple[Forbidden, ...] = ()
    one_request_per_field: bool = False


@dataclass(frozen=True)
class Device:
    """A Modbus device with the points that read it.

    `values` have their addresses. Where only the device itself knows them, `models` holds the values by SunSpec model
    instead, with addresses that count from the model's first register.
    """

    name: str
    address: str
    device_id: int
    interval_us: int
    timeout_s: float
    limits: Limits
    values: tuple[Value, ...]
    models: Mapping[int, tuple[Value, ...]] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The TCP port of its declared address; 0 for a serial line."""
        port = self.address.rpartition(":")[2]
        return int(port) if port.isdecimal() else 0


def exact(number: float) -> Fraction:
    """The fraction that a number was meant to be: 0.1 is 1/10, and 16.666666666666668 is 50/3."""
    written = Fraction(str(number))
    simple = written.limit_denominator(10**7)
    return simple if abs(simple - written) <= abs(written) * Fraction(5, 10**15) else written


def unit_factor(source: str, wanted: str) -> Fraction:
    """What turns a number in one unit into a number in another. Raises ValueError when nothing does."""
    return Fraction(1) if source == wanted else exact(conversion(source, wanted))


def factor(point: Point, source: RegisterField, device: Modbus) -> Fraction:
    """What turns `source`'s raw value into the point's unit: scale, transformer ratios, unit, the point's own scale."""
    ct = exact(device.ct_ratio) if source.ratio in {"ct", "ct_pt"} else Fraction(1)
    pt = exact(device.pt_ratio) if source.ratio in {"pt", "ct_pt"} else Fraction(1)
    return unit_factor(source.unit, point.unit) * ct * pt * exact(point.scale)


def settings(plant: Plant, folder: Path) -> list[Device]:
    """Every Modbus device of the plant that a point reads; `folder` holds the plant description.

    Raises ConfigurationError when a profile is missing, KeyError when a point names a field that its profile does not
    have; `collectors.check` reports both beforehand.
    """
    devices = []
    for name, device in plant.devices.items():
        if isinstance(device, Modbus):
            points = {key: point for key, point in plant.points.items() if point.device == name}
            if points:
                devices.append(_device(name, device, load(device.profile, folder), points))
    return devices


def whole(name: str, device: Modbus, profile: Profile | SunspecProfile) -> Device:
    """A device with every field of its profile, each under its own name and in its own unit, for a look at it."""
    if isinstance(profile, SunspecProfile):
        sought = {key: (one, Fraction(1)) for key, one in profile.fields.items()}
        return _made(name, device, profile, (), sought)
    own = tuple(_value(key, one, profile, Fraction(1)) for key, one in profile.fields.items())
    return _made(name, device, profile, own, {})


def _device(name: str, device: Modbus, profile: Profile | SunspecProfile, points: Mapping[str, Point]) -> Device:
    if isinstance(profile, SunspecProfile):
        sought = {}
        for key, point in points.items():
            one = profile.fields[point.read]
            sought[key] = one, unit_factor(one.unit, point.unit) * exact(point.scale)
        return _made(name, device, profile, (), sought)
    sources = {key: profile.fields[point.read] for key, point in points.items()}
    values = tuple(_value(key, source, profile, factor(points[key], source, device)) for key, source in sources.items())
    return _made(name, device, profile, values, {})


def _made(
    name: str,
    device: Modbus,
    profile: Profile | SunspecProfile,
    values: tuple[Value, ...],
    sought: Mapping[str, tuple[SunspecField, Fraction]],
) -> Device:
    if isinstance(profile, SunspecProfile):
        limits = Limits(profile.max_registers, max_gap=SUNSPEC_GAP)
        models = {model: tuple(_sought(sought, places(model))) for model in profile.sunspec}
    else:
        limits = Limits(
            profile.max_registers,
            profile.max_bits,
            profile.max_gap,
            tuple(profile.forbidden),
            profile.one_request_per_field,
        )
        models = {}
    interval_us = int(device.interval * SECOND)
    return Device(name, device.address, device.device_id, interval_us, device.timeout, limits, values, models)


def _value(name: str, source: RegisterField, profile: Profile, to_unit: Fraction) -> Value:
    return Value(
        name,
        source.function,
        source.address,
        source.type,
        source.width,
        source.word_order or profile.word_order,
        source.byte_order or profile.byte_order,
        exact(source.scale) * to_unit,
        float(exact(source.offset) * to_unit),
        tuple(int(pattern, 16) for pattern in source.not_available),
        source.bits,
        source.listed,
    )


def _sought(sought: Mapping[str, tuple[SunspecField, Fraction]], model: Mapping[str, Place]) -> Sequence[Value]:
    """The points of a model as values whose addresses count from the model's first register."""
    values = []
    for name, (one, to_unit) in sought.items():
        place = model[one.point]
        values.append(
            Value(
                name,
                3,
                place.offset,
                place.type,
                place.width,
                "big",
                "big",
                unit_factor(place.unit, one.unit) * place.scale * to_unit,
                0.0,
                place.not_implemented,
                scale_at=place.scale_at,
            )
        )
    return values
