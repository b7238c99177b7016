"""Polls one device at a fixed beat of plant time, and backs off while it does not answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from collectors.modbus.connection import Answer
from collectors.modbus.line import Pace
from collectors.modbus.request import DevicePlan, Request, Search
from collectors.modbus.source import ModbusSource, Polled, words
from collectors.source import Source
from collectors.status import Status
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.reading import SECOND

BACKOFF_FIRST_TIMEOUTS = 4.0
BACKOFF_GROWTH = 4.0
BACKOFF_LAST_TIMEOUTS = 64.0
SPREAD_SHARE, SPREAD_MOST_US = 0.2, SECOND


class Reader(Protocol):
    """What a poller needs of a connection."""

    async def read(self, device_id: int, request: Request, pace: Pace) -> Answer:
        """Reads registers. Raises DeviceError."""


class Sink(Protocol):
    """Where answers go."""

    def put(self, source: Source[Any], items: Sequence[Any]) -> None:
        """Takes answers."""

    def accepts(self) -> bool:
        """Whether there is room for more."""


def backoff_s(failures: int, timeout_s: float, chance: Callable[[float, float], float] = random.uniform) -> float:
    """How long to leave a device alone after its n-th failure in a row: full jitter up to 4, 16, 64 timeouts [s].

    A silent device then costs its line a timeout in 33 in the long run, and in the first minute (of 1 s timeouts) 7 %
    on average; one that returns is noticed within 64 timeouts. M. Brooker, "Exponential backoff and jitter", AWS
    Architecture Blog 2015.
    """
    longest = min(BACKOFF_LAST_TIMEOUTS, BACKOFF_FIRST_TIMEOUTS * BACKOFF_GROWTH ** min(failures - 1, 16))
    return chance(0.0, longest * timeout_s)


class Poller:
    """One device's polling, `phase` (0..1) of the spread after each full interval; `chance` draws between two numbers.

    Where all devices were asked at the same instant, each would wait for all before it, in an order that changes: with
    200 devices at 1 s the beat of each would be lost in it.
    """

    def __init__(
        self,
        planned: DevicePlan,
        pace: Pace,
        connection: Reader,
        clock: PlantClock,
        sink: Sink,
        source: ModbusSource,
        status: Status,
        phase: float = 0.0,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._planned, self._device, self._pace = planned, planned.device, pace
        self._connection, self._clock, self._sink, self._source, self._status = connection, clock, sink, source, status
        self._chance = chance
        self._phase_us = int(phase * min(SPREAD_SHARE * self._device.interval_us, SPREAD_MOST_US))
        self._requests = planned.requests
        self._missing: tuple[Request, ...] = ()
        self._search: Search | None = None
        self._failures = 0

    @property
    def name(self) -> str:
        """The device's."""
        return self._device.name

    async def run(self) -> None:
        """Polls until cancelled. What an interval's poll did not get is asked for again until the next one."""
        due = self._next()
        while True:
            await asyncio.sleep(self._clock.real_seconds_until(due))
            due = self._next()
            complete = await self.poll()
            while not complete:
                await asyncio.sleep(backoff_s(self._failures, self._pace.timeout_s, self._chance))
                if self._clock.now_us() >= due:
                    due = self._next()
                    complete = await self.poll()
                else:
                    complete = await self.resume()

    async def poll(self) -> bool:
        """Asks for everything that the device brings, as `resume` does."""
        self._missing = self._requests
        if self._planned.locate is not None and not self._requests:
            self._search = self._planned.locate()
        return await self.resume()

    async def resume(self) -> bool:
        """Asks for what is missing, and hands over what comes. Whether there is nothing to be tried again.

        A request that failed is tried again at once as often as the device's `retries` say, unless the device has been
        failing for longer. Then the round ends, so that a silent device costs its line no more; a request that the
        device refuses for good is not tried again before the next interval. Where a device must first be searched, it
        is searched anew after a failure, since another may be in its place.
        """
        if not self._sink.accepts():
            self._status.failure(self._device.name, "not polled: the journal cannot be written")
            return True
        retries = 0 if self._failures else self._pace.retries
        while (request := self._search.wanted if self._search else next(iter(self._missing), None)) is not None:
            try:
                answer = await self._connection.read(self._device.device_id, request, self._pace)
            except DeviceError as error:
                where = f"function {request.function}, registers {request.address} to "
                if self._search is None or error.retryable:
                    reason = f"{error} ({where}{request.address + request.count - 1})"
                    self._status.failure(self._device.name, reason)
                if not error.retryable:
                    self._take(request, None)
                elif retries:
                    retries -= 1
                else:
                    self._failures += 1
                    if self._planned.locate is not None:
                        self._requests, self._search = (), self._planned.locate()
                    return False
                continue
            self._failures = 0
            self._take(request, answer)
        return True

    def _take(self, request: Request, answer: Answer | None) -> None:
        """An answer, or None for a request that the device refused."""
        if self._search is not None:
            self._searched(self._search, words(request, [answer.data])[0].tolist() if answer else None)
            return
        self._missing = self._missing[1:]
        if answer is not None:
            self._sink.put(self._source, (Polled(request, answer.data, answer.time, answer.received),))
            self._status.success(self._device.name, answer.latency_s, len(request.points))

    def _searched(self, search: Search, found: list[int] | None) -> None:
        try:
            search.take(found)
        except DeviceError as error:
            self._status.failure(self._device.name, str(error))
            self._search = None
            return
        if search.wanted is None:
            self._search = None
            self._requests = self._missing = search.found

    def _next(self) -> int:
        interval_us = self._device.interval_us
        return ((self._clock.now_us() - self._phase_us) // interval_us + 1) * interval_us + self._phase_us
