"""Collecting without sockets: register words and payloads handed over in the process, decoded by the same code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from collectors.modbus import decode
from collectors.mqtt import payload
from collectors.mqtt.payload import Received
from collectors.plan import Plan
from plant.reading import Readings, Times


class RegisterSource(Protocol):
    """A Modbus device over a span of time: when it was polled, whether it answered, and what its registers held."""

    @property
    def times(self) -> Times:
        """The poll instants [µs UTC], shape (polls,)."""

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which polls were answered, shape (polls,)."""

    def read(self, function_code: int, address: int, count: int) -> NDArray[np.uint16]:
        """The registers at every poll, shape (polls, count)."""


def collect_delivery(
    plan: Plan, modbus: Mapping[tuple[int, int], RegisterSource], mqtt: Sequence[Received]
) -> Readings:
    """The readings of a delivery, in the order of their receipt.

    `modbus` holds the devices by (port, device id) as the plant description declares them; a device that is missing,
    and a poll that was not answered, give no readings. `mqtt` are messages (received [µs UTC], topic, payload).
    """
    batches = []
    for planned in plan.modbus:
        source = modbus.get((planned.device.port, planned.device.device_id))
        if source is not None and source.answered.any():
            times = source.times[source.answered]
            for request in planned.requests:
                words = source.read(request.function, request.address, request.count)[source.answered]
                batches.append(decode.decode(request, words, times, times))
    batches.append(payload.decode(plan.mqtt, mqtt)[0])
    readings = Readings.join(batches)
    return readings.take(np.argsort(readings.received, kind="stable"))
