"""Polls one device at the full intervals of plant time, and backs off while it does not answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from collectors.modbus.connection import Answer
from collectors.modbus.plan import DevicePlan, Request
from collectors.modbus.source import ModbusSource, Polled
from collectors.source import Source
from collectors.status import Status
from plant.clock import PlantClock
from plant.errors import DeviceError

BACKOFF_FIRST_TIMEOUTS = 1.0
BACKOFF_LAST_TIMEOUTS = 20.0


class Reader(Protocol):
    """What a poller needs of a connection."""

    async def read(self, device_id: int, request: Request, timeout_s: float) -> Answer:
        """Reads registers. Raises DeviceError."""


class Sink(Protocol):
    """Where answers go."""

    def put(self, source: Source[Any], items: Sequence[Any]) -> None:
        """Takes answers."""

    def accepts(self) -> bool:
        """Whether there is room for more."""


def backoff_s(failures: int, timeout_s: float, chance: Callable[[float, float], float] = random.uniform) -> float:
    """How long to leave a device alone after its n-th failure in a row: full jitter up to 1, 2, 4 … 20 timeouts [s].

    At the upper bound a silent device costs its line a timeout in 10 on average. M. Brooker, "Exponential backoff and
    jitter", AWS Architecture Blog 2015.
    """
    longest = min(BACKOFF_LAST_TIMEOUTS, BACKOFF_FIRST_TIMEOUTS * 2.0 ** min(failures - 1, 16))
    return chance(0.0, longest * timeout_s)


class Poller:
    """One device's polling."""

    def __init__(
        self,
        planned: DevicePlan,
        connection: Reader,
        clock: PlantClock,
        sink: Sink,
        source: ModbusSource,
        status: Status,
    ) -> None:
        self._device, self._requests = planned.device, planned.requests
        self._connection, self._clock, self._sink, self._source, self._status = connection, clock, sink, source, status
        self._failures = 0

    async def run(self) -> None:
        """Polls until cancelled. What an interval's poll did not get is asked for again until the next one."""
        due = self._next()
        while True:
            await asyncio.sleep(self._clock.real_seconds_until(due))
            due = self._next()
            missing = await self.poll(self._requests)
            while missing:
                pause = backoff_s(self._failures, self._device.timeout_s)
                await asyncio.sleep(pause)
                if self._clock.now_us() >= due:
                    due = self._next()
                    missing = self._requests
                missing = await self.poll(missing)

    async def poll(self, requests: tuple[Request, ...]) -> tuple[Request, ...]:
        """Sends requests and hands over what they bring. The requests to be tried again.

        A timeout ends the round, so that a silent device costs its line no more than one; a request that the device
        refuses for good is not tried again before the next interval.
        """
        if not self._sink.accepts():
            self._status.failure(self._device.name, "not polled: the journal cannot be written")
            return ()
        for done, request in enumerate(requests):
            try:
                answer = await self._connection.read(self._device.device_id, request, self._device.timeout_s)
            except DeviceError as error:
                where = f"function {request.function}, registers {request.address} to "
                self._status.failure(self._device.name, f"{error} ({where}{request.address + request.count - 1})")
                if error.retryable:
                    self._failures += 1
                    return requests[done:]
                continue
            self._failures = 0
            self._sink.put(self._source, [Polled(request, answer.words, answer.time, answer.received)])
            self._status.success(self._device.name, answer.latency_s, len(request.points))
        return ()

    def _next(self) -> int:
        return (self._clock.now_us() // self._device.interval_us + 1) * self._device.interval_us
