"""Polling without sockets: what is asked again, how long a failing device is left alone, what a refusal costs."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest
from collectors_plant import Hand, hand_clock, modbus, plant

from collectors.modbus.connection import Answer
from collectors.modbus.plan import Request
from collectors.modbus.poller import Poller, backoff_s
from collectors.plan import plan
from collectors.status import Status
from plant.errors import DeviceError
from plant.reading import Readings


class FakeConnection:
    """Answers zeros, or raises what a test says for an address."""

    def __init__(self) -> None:
        self.trouble: dict[int, DeviceError] = {}
        self.asked: list[int] = []

    async def read(self, device_id: int, request: Request, timeout_s: float) -> Answer:
        """The answer of one poll at plant time 42."""
        self.asked.append(request.address)
        if request.address in self.trouble:
            raise self.trouble[request.address]
        return Answer(np.zeros((1, request.count), np.uint16), 42, 43, 0.004)


class Basket:
    """Where readings go."""

    def __init__(self) -> None:
        self.readings: list[Readings] = []
        self.room = True

    def put(self, readings: Readings) -> None:
        """Keeps them."""
        self.readings.append(readings)

    def accepts(self) -> bool:
        """As the test says."""
        return self.room


def bench() -> tuple[Poller, FakeConnection, Basket, Status, tuple[Request, ...]]:
    """A poller of a meter with two requests."""
    described = plant(
        {"meter": modbus("127.0.0.1:502", "eastron-sdm120")},
        {"kw": ("meter", "active_power", "rate", "kW"), "kwh": ("meter", "energy_import", "counter", "kWh")},
    )
    [planned] = plan(described, Path()).modbus
    clock = hand_clock(Hand())
    status, connection, basket = Status(clock, {"meter": "modbus"}), FakeConnection(), Basket()
    return Poller(planned, connection, clock, basket, status), connection, basket, status, planned.requests


def test_readings_carry_the_time_of_their_own_request() -> None:
    """Each request is stamped by itself, not the whole poll at once."""
    poller, _, basket, status, requests = bench()
    assert asyncio.run(poller.poll(requests)) == ()
    assert [one.time.tolist() for one in basket.readings] == [[42], [42]]
    assert [one.received.tolist() for one in basket.readings] == [[43], [43]]
    assert status.device("meter").latency_ms == 4.0


def test_a_timeout_ends_the_round_and_only_the_rest_is_asked_again() -> None:
    """Promise 6: a silent device costs its line one timeout; what it already answered is not asked again."""
    poller, connection, basket, status, requests = bench()
    connection.trouble[requests[1].address] = DeviceError("no answer within 1 s")
    assert asyncio.run(poller.poll(requests)) == requests[1:]
    connection.trouble[requests[0].address] = DeviceError("no answer within 1 s")
    assert asyncio.run(poller.poll(requests)) == requests
    assert connection.asked == [requests[0].address, requests[1].address, requests[0].address]
    assert len(basket.readings) == 1
    assert "no answer" in status.device("meter").last_error


def test_a_refused_request_does_not_stop_the_others() -> None:
    """A register that the device does not have is reported and left until the next interval; the others are read."""
    poller, connection, basket, status, requests = bench()
    connection.trouble[requests[0].address] = DeviceError("illegal data address", retryable=False)
    assert asyncio.run(poller.poll(requests)) == ()
    assert [one.points for one in basket.readings] == [("kwh",)]
    assert "registers 12 to 13" in status.device("meter").last_error


def test_no_polling_into_a_journal_that_cannot_be_written() -> None:
    """When too much waits for the disk the device is left alone, with a notice."""
    poller, connection, basket, status, requests = bench()
    basket.room = False
    assert asyncio.run(poller.poll(requests)) == ()
    assert connection.asked == []
    assert "journal" in status.device("meter").last_error


@pytest.mark.parametrize("failures", [1, 2, 5, 50, 5000])
def test_backoff_is_jittered_and_bounded(failures: int) -> None:
    """Pauses are drawn from zero up to 1, 2, 4 … 20 timeouts and never beyond."""
    chance = random.Random(failures)
    pauses = [backoff_s(failures, 1.5, chance.uniform) for _ in range(500)]
    longest = 1.5 * min(20.0, 2.0 ** min(failures - 1, 10))
    assert 0 <= min(pauses) < 0.1 * longest
    assert 0.9 * longest < max(pauses) <= longest
