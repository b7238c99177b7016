"""The stations of a plant with the points that their packets feed, prepared without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from collectors.hj212.codes import AMOUNT, unit
from plant.model import Hj212, Plant, Point
from plant.units import conversion

COMMANDS = {"real_time": "2011", "minute": "2051", "hour": "2061", "day": "2031"}
EVERYWHERE = "0.0.0.0"
INSTANT_FIELDS = ("Rtd", "ZsRtd")
PERIOD_FIELDS = ("Min", "Avg", "Max", "ZsMin", "ZsAvg", "ZsMax", AMOUNT)


@dataclass(frozen=True)
class Target:
    """A point as its index among `Stations.points`, the field that it reads, its flag and the factor to its unit."""

    point: int
    read: str
    flag: str
    scale: float


@dataclass(frozen=True)
class Station:
    """A station: `listen` as `address` writes it, `cn` the command that feeds its points, `zone` its clock's zone."""

    name: str
    listen: str
    mn: str
    cn: str
    zone: ZoneInfo
    interval_s: float
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Stations:
    """Every station of a plant. `points` names all points that they feed."""

    points: tuple[str, ...]
    stations: tuple[Station, ...]


def address(listen: str) -> str:
    """One way to write where to listen, whether it names this machine by its name or by its number.

    >>> address("localhost:09002"), address("*:9002")
    ('127.0.0.1:9002', '0.0.0.0:9002')
    """
    host, _, port = listen.lower().rpartition(":")
    host = {"localhost": "127.0.0.1", "*": EVERYWHERE}.get(host, host)
    return f"{host}:{int(port)}"


def split(read: str) -> tuple[str, str]:
    """A point's `read` as code and field."""
    code, _, field = read.rpartition("-")
    return code, field


def fields(packets: str) -> tuple[str, ...]:
    """The fields that reports of a kind have. HJ 212-2017, annex C, tables C.14 and C.16 to C.18."""
    return INSTANT_FIELDS if packets == "real_time" else PERIOD_FIELDS


def stations(plant: Plant) -> Stations:
    """The stations of a plant, those that no point reads included: their packets are acknowledged all the same.

    Raises ValueError when a point's unit is none that its code can be converted to; `check` says so beforehand.
    """
    zone = ZoneInfo(plant.site.time_zone)
    names: list[str] = []
    found = []
    for name, device in plant.devices.items():
        if isinstance(device, Hj212):
            targets = []
            for key, point in plant.points.items():
                if point.device == name:
                    targets.append(_target(len(names), point))
                    names.append(key)
            cn = COMMANDS[device.packets]
            found.append(Station(name, address(device.listen), device.mn, cn, zone, device.interval, tuple(targets)))
    return Stations(tuple(names), tuple(found))


def _target(index: int, point: Point) -> Target:
    code, field = split(point.read)
    given = unit(code, field)
    scale = conversion(given, point.unit) * point.scale if given else point.scale
    return Target(index, point.read, f"{code}-Flag", scale)
