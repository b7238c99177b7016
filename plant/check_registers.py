"""No two points may read one register, one topic or one field, or it would be counted twice."""

from __future__ import annotations

from collections.abc import Iterator

from plant.draft import Draft
from plant.errors import Fault
from plant.model import Hj212, Manual, Modbus, Mqtt, Point
from plant.partial import tolerant


def check(draft: Draft) -> Iterator[Fault]:
    """Points that read the same value, MQTT topics that cannot tell their points apart, impossible addresses."""
    first: dict[tuple[object, ...], str] = {}
    twins: set[str] = set()
    for name, point in draft.plant.points.items():
        source = next(tolerant(_source(draft, point)), None)
        if source is None:
            continue
        if source in first:
            other = first[source]
            twin = draft.plant.points[other].device
            if twin != point.device and isinstance(draft.plant.devices[twin], Modbus):
                if point.device not in twins:
                    yield _twin(draft, twin, point.device)
                twins.add(point.device)
                continue
            line = draft.document.line(("points", other))
            message = f"points.{name}: reads what '{other}' reads: '{point.read}' of '{point.device}'"
            hint = f"'{other}' is on line {line}: correct 'read' or 'from'"
            yield draft.fault(("points", name, "read"), message, hint)
        first.setdefault(source, name)
    yield from _columns(draft)
    lines: dict[str, str] = {}
    for name, device in draft.plant.devices.items():
        if isinstance(device, Mqtt):
            yield from tolerant(_topic(draft, name, device))
        elif isinstance(device, Modbus):
            yield from tolerant(_address(draft, name, device))
            yield from tolerant(_line(draft, name, device, lines))


def _address(draft: Draft, name: str, device: Modbus) -> Iterator[Fault]:
    """Impossible ports and ids, and settings that an address has no use for."""
    if is_serial(device.address):
        if int(device.device_id) == 0:
            hint = "id 0 is for all devices at once, and none of them answers it: write the device's own id"
            yield draft.fault(("devices", name, "device_id"), f"devices.{name}.device_id: nobody answers id 0", hint)
        return
    if not 0 < int(device.address.rpartition(":")[2]) < 65536:
        hint = "ports go from 1 to 65535; Modbus TCP's own is 502"
        yield draft.fault(("devices", name, "address"), f"devices.{name}.address: there is no such port", hint)
    if "serial" in device.model_fields_set:
        hint = "leave 'serial' out: whatever listens at that address has these settings itself"
        yield draft.fault(("devices", name, "serial"), f"devices.{name}.serial: the address is no serial line", hint)


def _line(draft: Draft, name: str, device: Modbus, first: dict[str, str]) -> Iterator[Fault]:
    """Devices of one line of which characters or frames differ; `first` holds the first device of each line."""
    address = normal(device.address)
    other = first.setdefault(address.rpartition("://")[2], name)
    one = draft.plant.devices[other]
    if other == name or not isinstance(one, Modbus):
        return
    line = draft.document.line(("devices", other))
    if is_rtu(one.address) != is_rtu(device.address):
        hint = f"'{other}' is on line {line}: what listens there speaks either Modbus TCP or RTU (rtu://)"
        message = f"devices.{name}.address: '{one.address}' of '{other}' with other frames"
        yield draft.fault(("devices", name, "address"), message, hint)
    if is_serial(device.address):
        for key in ("baud", "data_bits", "parity", "stop_bits"):
            mine, its = getattr(device.serial, key), getattr(one.serial, key)
            if mine != its:
                stated = "serial" in device.model_fields_set
                where = ("devices", name, "serial", key) if stated else ("devices", name, "address")
                message = f"devices.{name}.serial.{key}: {mine}, but '{other}' has {its} on the same line"
                hint = f"'{other}' is on line {line}: all devices of one line need the same settings"
                yield draft.fault(where, message, hint)


def _twin(draft: Draft, first: str, second: str) -> Fault:
    """Two devices that are one and the same meter, of which points read the same."""
    line = draft.document.line(("devices", first))
    device_id = getattr(draft.plant.devices[second], "device_id", 1)
    message = f"devices.{second}: is the meter '{first}' once more: same address, profile and device_id {device_id}"
    hint = f"'{first}' is on line {line}: correct 'address' or 'device_id', or read both as one device"
    return draft.fault(("devices", second, "device_id"), message, hint)


def _columns(draft: Draft) -> Iterator[Fault]:
    """Two columns of a file for one point."""
    first: dict[str, str] = {}
    for column, point in getattr(draft.plant.import_, "columns", {}).items():
        if point in first:
            message = f"import.columns.{column}: '{point}' is already filled by column '{first[point]}'"
            hint = "give each column a point of its own, or leave one column out"
            yield draft.fault(("import", "columns", column), message, hint)
        first.setdefault(point, column)


def _source(draft: Draft, point: Point) -> Iterator[tuple[object, ...]]:
    """What tells the value of one point from all others."""
    device = draft.plant.devices.get(point.device)
    if isinstance(device, Modbus):
        yield normal(device.address), device.device_id, device.profile, point.read
    elif isinstance(device, Mqtt):
        yield device.topic, point.read
    elif isinstance(device, Manual | Hj212):
        yield point.device, point.read


def is_serial(address: str) -> bool:
    """Whether a Modbus address is a serial line of this machine."""
    return address.startswith(("/", "COM"))


def is_rtu(address: str) -> bool:
    """Whether RTU frames are spoken at a Modbus address."""
    return is_serial(address) or address.startswith("rtu://")


def normal(address: str) -> str:
    """One way to write an address, whether it names this machine by its name or by its number.

    >>> normal("tcp://LocalHost:0502")
    '127.0.0.1:502'
    """
    if is_serial(address):
        return address
    host, _, port = address.lower().removeprefix("tcp://").rpartition(":")
    scheme, _, bare = host.rpartition("://")
    return f"{scheme}{'://' if scheme else ''}{'127.0.0.1' if bare == 'localhost' else bare}:{int(port)}"


def _topic(draft: Draft, name: str, device: Mqtt) -> Iterator[Fault]:
    points = [point for point, one in draft.plant.points.items() if getattr(one, "device", None) == name]
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
