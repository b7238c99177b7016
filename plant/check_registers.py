"""No two points may read one register, one topic or one field, or it would be counted twice."""

from __future__ import annotations

from collections.abc import Iterator

from plant.draft import Draft
from plant.errors import Fault
from plant.model import Manual, Modbus, Mqtt, Point


def check(draft: Draft) -> Iterator[Fault]:
    """Points that read the same value, MQTT topics that cannot tell their points apart, impossible addresses."""
    first: dict[tuple[object, ...], str] = {}
    for name, point in draft.plant.points.items():
        source = _source(draft, point)
        if source is None:
            continue
        if source in first:
            other = first[source]
            line = draft.document.line(("points", other))
            message = f"points.{name}: reads what '{other}' reads: '{point.read}' of '{point.device}'"
            hint = f"'{other}' is on line {line}: correct 'read' or 'from'"
            yield draft.fault(("points", name, "read"), message, hint)
        first.setdefault(source, name)
    yield from _columns(draft)
    for name, device in draft.plant.devices.items():
        if isinstance(device, Mqtt):
            yield from _topic(draft, name, device)
        elif isinstance(device, Modbus) and not 0 < int(device.address.rpartition(":")[2]) < 65536:
            hint = "ports go from 1 to 65535; Modbus TCP's own is 502"
            yield draft.fault(("devices", name, "address"), f"devices.{name}.address: there is no such port", hint)


def _columns(draft: Draft) -> Iterator[Fault]:
    """Two columns of a file for one point."""
    first: dict[str, str] = {}
    for column, point in draft.plant.import_.columns.items() if draft.plant.import_ else ():
        if point in first:
            message = f"import.columns.{column}: '{point}' is already filled by column '{first[point]}'"
            hint = "give each column a point of its own, or leave one column out"
            yield draft.fault(("import", "columns", column), message, hint)
        first.setdefault(point, column)


def _source(draft: Draft, point: Point) -> tuple[object, ...] | None:
    """What tells the value of one point from all others."""
    device = draft.plant.devices.get(point.device)
    if isinstance(device, Modbus):
        return device.address, device.device_id, device.profile, point.read
    if isinstance(device, Mqtt):
        return device.topic, point.read
    return (point.device, point.read) if isinstance(device, Manual) else None


def _topic(draft: Draft, name: str, device: Mqtt) -> Iterator[Fault]:
    points = [point for point, one in draft.plant.points.items() if one.device == name]
    where = ("devices", name, "topic")
    if device.payload == "number" and "{read}" not in device.topic and len(points) > 1:
        hint = "write {read} where the topics differ, as plant/wastewater/{read}"
        yield draft.fault(where, f"devices.{name}.topic: one number for {len(points)} points", hint)
    if device.payload != "number" and "{read}" in device.topic:
        hint = "leave {read} out: the payload's own fields tell the points apart"
        yield draft.fault(where, f"devices.{name}.topic: {{read}} belongs to payload: number", hint)
    if device.payload == "number" and device.time is not None:
        hint = "leave 'time' out: a bare number is stamped on receipt"
        yield draft.fault(("devices", name, "time"), f"devices.{name}.time: a bare number holds no time", hint)
