"""What is wrong with the stations of a plant description: addresses, MNs, reads, units, stamps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collectors.hj212.codes import AMOUNT, unit
from collectors.hj212.plan import EVERYWHERE, INSTANT_FIELDS, PERIOD_FIELDS, address, fields, split
from plant.draft import suggestion
from plant.errors import Fault
from plant.model import Hj212, Kind, Plant, Point
from plant.partial import tolerant
from plant.units import conversion, parse

LineOf = Callable[[tuple[str, ...]], int]
FaultAt = Callable[[tuple[str, ...], str, str], Fault]

_CODE = re.compile(r"[0-9A-Za-z]{1,10}")
# HJ 212-2017, table 4, MinInterval [min]; an hour's and a day's report cover just that
_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_INTERVALS = {"minute": tuple(60.0 * minutes for minutes in _MINUTES), "hour": (3600.0,), "day": (86400.0,)}
_INTERVAL_HINTS = {
    "minute": f"{', '.join(map(str, _MINUTES[:-1]))} or {_MINUTES[-1]} min, as the station is set",
    "hour": "write 'interval: 1 h'",
    "day": "write 'interval: 24 h'",
}


def check(plant: Plant, path: Path, line_of: LineOf) -> Iterator[Fault]:
    """The faults of all stations and of the points that read them; see `collectors.check`."""

    def fault(where: tuple[str, ...], message: str, hint: str) -> Fault:
        return Fault(path, line_of(where), message, hint)

    stations = {name: device for name, device in plant.devices.items() if isinstance(device, Hj212)}
    known: list[tuple[str, Hj212]] = []
    for name, device in stations.items():
        yield from tolerant(_address(name, device, known, fault))
        yield from tolerant(_interval(name, device, fault))
        known.append((name, device))
    for key, point in plant.points.items():
        station = stations.get(getattr(point, "device", ""))
        if station is not None:
            yield from tolerant(_read(key, point, station, fault))
            yield from tolerant(_stamp(key, point, station, fault))


def _address(name: str, device: Hj212, known: Sequence[tuple[str, Hj212]], fault: FaultAt) -> Iterator[Fault]:
    at = ("devices", name, "listen")
    host, _, port = address(device.listen).rpartition(":")
    if not 0 < int(port) < 65536:
        yield fault(at, f"device '{name}': there is no port {port}", "ports go from 1 to 65535, as '0.0.0.0:9002'")
        return
    for other, first in known:
        if not {"listen", "mn"} <= vars(first).keys():
            continue
        its_host, _, its_port = address(first.listen).rpartition(":")
        if its_port == port and its_host != host and EVERYWHERE in (host, its_host):
            message = f"device '{name}': '{device.listen}' and '{first.listen}' of '{other}' are one port"
            yield fault(at, message, f"write 'listen: {first.listen}': stations may share it")
            return
        if (its_host, its_port) == (host, port) and first.mn == device.mn:
            message = f"device '{name}': '{other}' has the same MN on {device.listen}"
            hint = "each station has an MN of its own; read both as one device, or correct 'mn'"
            yield fault(("devices", name, "mn"), message, hint)
            return


def _interval(name: str, device: Hj212, fault: FaultAt) -> Iterator[Fault]:
    if device.packets != "real_time" and device.interval not in _INTERVALS[device.packets]:
        message = f"device '{name}': no {device.packets} reports come every {device.interval:g} s"
        yield fault(("devices", name, "interval"), message, _INTERVAL_HINTS[device.packets])


def _read(key: str, point: Point, device: Hj212, fault: FaultAt) -> Iterator[Fault]:
    at = ("points", key, "read")
    code, field = split(point.read)
    if not _CODE.fullmatch(code):
        yield fault(at, f"point '{key}': '{point.read}' is not a code and a field", "write it as w01018-Avg")
        return
    possible = fields(device.packets)
    if field not in possible:
        known = field in (*INSTANT_FIELDS, *PERIOD_FIELDS)
        hint = f"one of {', '.join(possible)}" if known else suggestion(field, possible)
        yield fault(at, f"point '{key}': {device.packets} reports have no field '{field}'", hint)
        return
    given = unit(code, field)
    if given == "":
        yield fault(at, f"point '{key}': HJ 212 has no amount of {code}", "read another field than Cou")
    elif given is not None and _is_unit(point.unit):
        try:
            conversion(given, point.unit)
        except ValueError as error:
            message = f"point '{key}' is in {point.unit}, but HJ 212 gives {point.read} in {given}: {error}"
            hint = f"write 'unit: {given}' or a unit that {given} converts to"
            yield fault(("points", key, "unit"), message, hint)


def _stamp(key: str, point: Point, device: Hj212, fault: FaultAt) -> Iterator[Fault]:
    """A period's report carries the time of its beginning. HJ 212-2017, table 4, DataTime."""
    if device.packets == "real_time":
        return
    if split(point.read)[1] == AMOUNT and point.kind != Kind.INTERVAL:
        message = f"point '{key}': Cou is the amount of one {device.packets} report, not a {point.kind}"
        yield fault(("points", key, "kind"), message, "write 'kind: interval', 'stamp: begin' and its 'span'")
    if point.kind != Kind.INTERVAL:
        return
    if point.stamp != "begin":
        message = f"point '{key}': HJ 212 stamps the beginning of what a report covers"
        yield fault(("points", key, "stamp"), message, "write 'stamp: begin'")
    if point.span is not None and point.span != device.interval:
        message = f"point '{key}' spans {point.span:g} s, but its station reports every {device.interval:g} s"
        yield fault(("points", key, "span"), message, "write the same 'span' here and 'interval' at the device")


def _is_unit(text: str) -> bool:
    """A text that is none is the fault of the plant description itself, which says so."""
    try:
        parse(text)
    except ValueError:
        return False
    return True
