"""Which requests read a device: neighbouring registers joined within its limits, no value over two requests."""

from __future__ import annotations

from collections.abc import Sequence

from collectors.modbus.decode import group
from collectors.modbus.request import DevicePlan, Request
from collectors.modbus.settings import Device, Limits, Value
from collectors.modbus.sunspec import Chain
from collectors.profile_fields import crosses


def plan(device: Device) -> DevicePlan:
    """The fewest requests that bring every value of a device within its limits."""
    if device.models:
        return DevicePlan(device, (), lambda: Chain(device.models, lambda values: requests(values, device.limits)))
    return DevicePlan(device, requests(device.values, device.limits))


def requests(values: Sequence[Value], limits: Limits) -> tuple[Request, ...]:
    """The fewest requests that bring some values within the limits."""
    found: list[Request] = []
    pending: list[Value] = []
    end = 0
    for value in sorted(values, key=lambda value: (value.function, value.first, value.end)):
        if pending and _joins(pending[0], end, value, limits):
            pending.append(value)
            end = max(end, value.end)
        else:
            if pending:
                found.append(_request(pending, end))
            pending, end = [value], value.end
    if pending:
        found.append(_request(pending, end))
    return tuple(found)


def _joins(first: Value, end: int, value: Value, limits: Limits) -> bool:
    """Whether a value may be read together with the pending ones, which reach from `first` to `end`."""
    if value.function != first.function:
        return False
    if limits.one_request_per_field:
        return (value.first, value.end) == (first.first, end)
    most = limits.max_bits if value.function in {1, 2} else limits.max_registers
    return (
        value.first - end <= limits.max_gap
        and max(end, value.end) - first.first <= most
        and not any(crosses(one, value.function, end, value.first) for one in limits.forbidden)
    )


def _request(values: Sequence[Value], end: int) -> Request:
    start = values[0].first
    within = [value.moved(-start) for value in values]
    points = tuple(value.point for value in values)
    return Request(values[0].function, start, end - start, points, tuple(group(within)))
