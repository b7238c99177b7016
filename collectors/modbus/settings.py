"""A Modbus device as it is to be read: its points with address, type, order and the factor to the point's unit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from collectors.profile import Order, Profile, RegisterField, RegisterType, load
from plant.model import Modbus, Plant, Point
from plant.reading import SECOND
from plant.units import conversion


@dataclass(frozen=True)
class Value:
    """What one point reads: `raw × factor + offset` in the point's own unit.

    The factor is a fraction, so that a tenth divides by 10 instead of multiplying by a rounded 0.1.
    """

    point: str
    function: int
    address: int
    type: RegisterType
    width: int
    word_order: Order
    byte_order: Order
    factor: Fraction
    offset: float
    not_available: tuple[int, ...]


@dataclass(frozen=True)
class Device:
    """A Modbus device with the points that read it."""

    name: str
    address: str
    device_id: int
    interval_us: int
    timeout_s: float
    max_registers: int
    max_gap: int
    values: tuple[Value, ...]

    @property
    def port(self) -> int:
        """The TCP port of its declared address."""
        return int(self.address.rsplit(":", 1)[1])


def exact(number: float) -> Fraction:
    """The fraction that a number was meant to be: 0.1 is 1/10, and 16.666666666666668 is 50/3."""
    written = Fraction(str(number))
    simple = written.limit_denominator(10**7)
    return simple if abs(simple - written) <= abs(written) * Fraction(5, 10**15) else written


def factor(point: Point, source: RegisterField, device: Modbus) -> Fraction:
    """What turns `source`'s raw value into the point's unit: scale, transformer ratios, unit, the point's own scale."""
    convert = Fraction(1) if source.unit == point.unit else exact(conversion(source.unit, point.unit))
    ct = exact(device.ct_ratio) if source.ratio in {"ct", "ct_pt"} else Fraction(1)
    pt = exact(device.pt_ratio) if source.ratio in {"pt", "ct_pt"} else Fraction(1)
    return convert * ct * pt * exact(point.scale)


def settings(plant: Plant, folder: Path) -> list[Device]:
    """Every Modbus device of the plant that a point reads; `folder` holds the plant description.

    Raises ConfigurationError when a profile is missing, KeyError when a point names a field that its profile does not
    have; `collectors.check` reports both beforehand.
    """
    devices = []
    for name, device in plant.devices.items():
        if isinstance(device, Modbus):
            profile = load(device.profile, folder)
            points = {key: point for key, point in plant.points.items() if point.device == name}
            values = tuple(_value(key, point, profile, device) for key, point in points.items())
            if values:
                devices.append(
                    Device(
                        name,
                        device.address,
                        device.device_id,
                        int(device.interval * SECOND),
                        device.timeout,
                        profile.max_registers,
                        profile.max_gap,
                        values,
                    )
                )
    return devices


def _value(name: str, point: Point, profile: Profile, device: Modbus) -> Value:
    source = profile.fields[point.read]
    to_unit = factor(point, source, device)
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
    )
