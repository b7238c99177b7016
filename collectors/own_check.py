"""What is wrong with the points that keepclean tells of itself: reads that do not exist, units that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from collectors.own_fields import SECTIONS, Read, split
from plant.draft import suggestion
from plant.errors import Fault
from plant.model import Manual, Own, Plant, Point
from plant.partial import tolerant
from plant.units import conversion, parse

LineOf = Callable[[tuple[str, ...]], int]
FORMS = "devices.NAME.FIELD, broker.FIELD or journal.FIELD"


def check(plant: Plant, path: Path, line_of: LineOf) -> Iterator[Fault]:
    """The faults of all points of keepclean's own; see `collectors.check`."""

    def fault(where: tuple[str, ...], message: str, hint: str) -> Fault:
        return Fault(path, line_of(where), message, hint)

    for key, point in plant.points.items():
        if isinstance(plant.devices.get(getattr(point, "device", "")), Own):
            yield from tolerant(_point(key, point, plant, fault))


def _point(
    key: str, point: Point, plant: Plant, fault: Callable[[tuple[str, ...], str, str], Fault]
) -> Iterator[Fault]:
    read = split(point.read)
    problem = _read(read, plant)
    if problem is not None:
        yield fault(("points", key, "read"), f"point '{key}': '{point.read}': {problem[0]}", problem[1])
        return
    given = SECTIONS[read.section][read.field].unit
    reason = _refused(given, point.unit)
    if reason:
        named = "a mere number" if given == "1" else f"in {given}"
        message = f"point '{key}' is in {point.unit}, but {read.field} is {named}: {reason}"
        yield fault(("points", key, "unit"), message, f"write 'unit: {given}', or a unit that {given} converts to")


def _read(read: Read, plant: Plant) -> tuple[str, str] | None:
    """What is wrong with a read, and a hint."""
    fields = SECTIONS.get(read.section)
    if fields is None:
        return f"there is no '{read.section}' in keepclean's own state", suggestion(read.section, SECTIONS, FORMS)
    if read.section == "broker" and plant.broker is None:
        return "the plant has no broker", "name one under 'broker', or leave the point out"
    if read.section == "devices":
        device = plant.devices.get(read.device)
        if device is None:
            return f"there is no device '{read.device}'", suggestion(read.device, plant.devices, FORMS)
        if isinstance(device, Manual) and not getattr(device, "folder", None):
            return f"nothing is read from '{read.device}'", "a manual device without a folder has no state"
    if read.field not in fields:
        shown = f"one of {', '.join(fields)}"
        return f"there is no field '{read.field}'", suggestion(read.field, fields, shown)
    return None


def _refused(given: str, wanted: str) -> str:
    """Why a field's unit cannot be had in another; "" when it can, or when the other is no unit at all.

    A text that is no unit is the fault of the plant description itself, which says so.
    """
    try:
        of_information = "byte" in str(parse(wanted)) or "bit" in str(parse(wanted))
    except ValueError:
        return ""
    try:
        conversion(given, wanted)
    except ValueError as error:
        return str(error)
    # to the unit registry a byte is eight mere numbers
    return "" if of_information == (given == "byte") else f"'{given}' and '{wanted}' measure different things"
