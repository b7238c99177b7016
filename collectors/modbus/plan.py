"""Which requests read a device: neighbouring registers joined within its limits, no value over two requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collectors.modbus.decode import Group, group
from collectors.modbus.settings import Device, Value


@dataclass(frozen=True)
class Request:
    """One read of `count` registers from `address` on with function code 3 or 4, and what it brings."""

    function: int
    address: int
    count: int
    points: tuple[str, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class DevicePlan:
    """A device and its requests."""

    device: Device
    requests: tuple[Request, ...]


def plan(device: Device) -> DevicePlan:
    """The fewest requests that bring every value of a device within `max_registers` and `max_gap`."""
    requests: list[Request] = []
    pending: list[Value] = []
    end = 0
    for value in sorted(device.values, key=lambda value: (value.function, value.address, value.width)):
        after = max(end, value.address + value.width)
        joins = (
            bool(pending)
            and value.function == pending[0].function
            and value.address - end <= device.max_gap
            and after - pending[0].address <= device.max_registers
        )
        if joins:
            pending.append(value)
            end = after
        else:
            if pending:
                requests.append(_request(pending, end))
            pending, end = [value], value.address + value.width
    if pending:
        requests.append(_request(pending, end))
    return DevicePlan(device, tuple(requests))


def _request(values: Sequence[Value], end: int) -> Request:
    start = values[0].address
    within = [replace(value, address=value.address - start) for value in values]
    return Request(values[0].function, start, end - start, tuple(value.point for value in values), tuple(group(within)))
