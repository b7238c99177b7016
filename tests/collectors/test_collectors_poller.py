"""Polling without sockets: what is asked again, how long a failing device is left alone, what a refusal costs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collectors_plant import Hand, hand_clock, modbus, plant

from collectors.modbus.connection import Answer
from collectors.modbus.line import Line, Pace, line
from collectors.modbus.poller import Poller, backoff_s
from collectors.modbus.pollers import pace
from collectors.modbus.request import DevicePlan, Request
from collectors.modbus.source import ModbusSource
from collectors.plan import plan
from collectors.source import Source
from collectors.status import Status
from plant.errors import DeviceError
from plant.model import Modbus
from plant.model_measured import Serial
from plant.reading import Readings


class FakeConnection:
    """Answers zeros, or raises what a test says for an address: each time, or once for each error of a list."""

    def __init__(self) -> None:
        self.trouble: dict[int, DeviceError | list[DeviceError]] = {}
        self.asked: list[int] = []
        self.words: dict[int, list[int]] = {}

    async def read(self, device_id: int, request: Request, pace: Pace) -> Answer:
        """The answer of one poll at plant time 42."""
        self.asked.append(request.address)
        trouble = self.trouble.get(request.address)
        if isinstance(trouble, DeviceError):
            raise trouble
        if trouble:
            raise trouble.pop(0)
        held = self.words.get(request.address, [0] * request.count)
        return Answer(b"".join(word.to_bytes(2, "big") for word in held), 42, 43, 0.004)


class Basket:
    """Where answers go: their readings."""

    def __init__(self) -> None:
        self.readings: list[Readings] = []
        self.room = True

    def put(self, source: Source[Any], items: Sequence[Any]) -> None:
        """Keeps what the source makes of them."""
        self.readings.append(source.decode(items).readings)

    def accepts(self) -> bool:
        """As the test says."""
        return self.room


def bench(retries: int = 0) -> tuple[Poller, FakeConnection, Basket, Status, tuple[Request, ...]]:
    """A poller of a meter with two requests."""
    described = plant(
        {"meter": modbus("127.0.0.1:502", "eastron-sdm120")},
        {"kw": ("meter", "active_power", "rate", "kW"), "kwh": ("meter", "energy_import", "counter", "kWh")},
    )
    [planned] = plan(described, Path()).modbus
    return *poller_of(planned, retries), planned.requests


def poller_of(planned: DevicePlan, retries: int = 0) -> tuple[Poller, FakeConnection, Basket, Status]:
    """A poller of a device, and what surrounds it."""
    clock = hand_clock(Hand())
    status, connection, basket = Status(clock, {"meter": "modbus"}), FakeConnection(), Basket()
    poller = Poller(planned, Pace(1.0, retries), connection, clock, basket, ModbusSource(), status)
    return poller, connection, basket, status


SILENT = DeviceError("no answer within 1 s")


def test_readings_carry_the_time_of_their_own_request() -> None:
    """Each request is stamped by itself, not the whole poll at once."""
    poller, _, basket, status, _ = bench()
    assert asyncio.run(poller.poll())
    assert [one.time.tolist() for one in basket.readings] == [[42], [42]]
    assert [one.received.tolist() for one in basket.readings] == [[43], [43]]
    assert status.device("meter").latency_ms == 4.0


def test_a_timeout_ends_the_round_and_only_the_rest_is_asked_again() -> None:
    """Promise 6: a silent device costs its line one timeout; what it already answered is not asked again."""
    poller, connection, basket, status, (first, second) = bench()
    connection.trouble[second.address] = SILENT
    assert not asyncio.run(poller.poll())
    assert connection.asked == [first.address, second.address]
    assert not asyncio.run(poller.resume())
    assert connection.asked[2:] == [second.address]
    connection.trouble[first.address] = SILENT
    assert not asyncio.run(poller.poll())
    assert connection.asked[3:] == [first.address]
    assert len(basket.readings) == 1
    assert "no answer" in status.device("meter").last_error


def test_retries_are_made_within_a_poll() -> None:
    """A device that may be asked again at once is, as often as it says; one that has been failing for longer is not,
    since every try costs its line a timeout."""
    poller, connection, basket, status, (first, second) = bench(retries=2)
    connection.trouble[first.address] = [SILENT]
    connection.trouble[second.address] = [SILENT]
    assert asyncio.run(poller.poll())
    assert connection.asked == [first.address] * 2 + [second.address] * 2
    assert len(basket.readings) == 2
    connection.asked.clear()
    connection.trouble[first.address] = SILENT
    assert not asyncio.run(poller.poll())
    assert connection.asked == [first.address] * 3
    assert not asyncio.run(poller.resume())
    assert connection.asked == [first.address] * 4
    assert status.device("meter").errors == 6


def test_a_refused_request_does_not_stop_the_others() -> None:
    """A register that the device does not have is reported and left until the next interval; the others are read."""
    poller, connection, basket, status, requests = bench()
    connection.trouble[requests[0].address] = DeviceError("illegal data address", retryable=False)
    assert asyncio.run(poller.poll())
    assert [one.points for one in basket.readings] == [("kwh",)]
    assert "registers 12 to 13" in status.device("meter").last_error


def test_no_polling_into_a_journal_that_cannot_be_written() -> None:
    """When too much waits for the disk the device is left alone, with a notice, until there is room again."""
    poller, connection, basket, status, requests = bench()
    basket.room = False
    assert asyncio.run(poller.poll())
    assert connection.asked == []
    assert "journal" in status.device("meter").last_error
    basket.room = True
    assert asyncio.run(poller.poll())
    assert connection.asked == [request.address for request in requests]


class TwoSteps:
    """A search: register 100 says where the values are, unless the device refuses it, then register 200 does."""

    def __init__(self) -> None:
        self.wanted: Request | None = Request(3, 100, 1, (), ())
        self.found: tuple[Request, ...] = ()

    def take(self, held: Sequence[int] | None) -> None:
        """The place, or the next register to ask."""
        if held is None and self.wanted is not None and self.wanted.address == 200:
            raise DeviceError("not such a device", retryable=False)
        if held is None:
            self.wanted = Request(3, 200, 1, (), ())
        else:
            self.wanted, self.found = None, (Request(3, held[0], 2, (), ()),)


def test_a_device_that_must_be_searched_first() -> None:
    """The search is made before the first poll, not with every one, and anew after a failure."""
    points = {"kw": ("meter", "active_power", "rate", "kW")}
    [planned] = plan(plant({"meter": modbus("127.0.0.1:502", "eastron-sdm120")}, points), Path()).modbus
    poller, connection, _, status = poller_of(replace(planned, requests=(), locate=TwoSteps))
    refused = DeviceError("illegal data address", retryable=False)
    connection.trouble[100] = refused
    connection.words[200] = [4000]
    for _ in range(2):
        assert asyncio.run(poller.poll())
    assert connection.asked == [100, 200, 4000, 4000]
    assert status.device("meter").errors == 0
    connection.trouble[4000] = [SILENT]
    connection.words[200] = [5000]
    assert not asyncio.run(poller.poll())
    assert asyncio.run(poller.resume())
    assert connection.asked[4:] == [4000, 100, 200, 5000]
    connection.trouble[5000], connection.trouble[200] = [SILENT], refused
    assert not asyncio.run(poller.poll())
    assert asyncio.run(poller.resume())
    assert status.device("meter").last_error == "not such a device"


@pytest.mark.parametrize("failures", [1, 2, 5, 50, 5000])
def test_backoff_is_jittered_and_bounded(failures: int) -> None:
    """Pauses are drawn from zero up to 4, 16, 64 timeouts and never beyond, so that who returns is soon noticed."""
    chance = random.Random(failures)
    pauses = [backoff_s(failures, 1.5, chance.uniform) for _ in range(500)]
    longest = 1.5 * min(64.0, 4.0 ** min(failures, 10))
    assert 0 <= min(pauses) < 0.1 * longest
    assert 0.9 * longest < max(pauses) <= longest


def test_a_silent_unit_costs_a_shared_line_little_from_the_start() -> None:
    """Promise 6: of the time since a unit fell silent a tenth at most is spent on it: of the first 60 timeouts in 99 of
    100 cases, of the first 120 and more in all of 1,000, and 3 % in the long run."""

    def lost(seed: int, timeouts: float) -> float:
        chance, now, spent, failures = random.Random(seed), 0.0, 0.0, 0
        while now < timeouts:
            spent += min(1.0, timeouts - now)
            failures += 1
            now += 1.0 + backoff_s(failures, 1.0, chance.uniform)
        return spent / timeouts

    assert np.quantile([lost(seed, 60) for seed in range(1000)], 0.99) <= 0.1 + 1e-9
    assert max(lost(seed, 120) for seed in range(1000)) < 0.1
    assert max(lost(seed, 600) for seed in range(200)) < 0.06
    assert np.mean([lost(seed, 20_000) for seed in range(20)]) < 0.033


def test_addresses_are_lines() -> None:
    """What an address and its serial settings mean; what must lie between two frames (Modbus over Serial Line 1.02,
    2.5.1.1: 3.5 characters of 11 bits, 1.75 ms above 19,200 baud)."""
    assert line("Meter.local:502") == Line("Meter.local:502", False, "meter.local", 502)
    assert line("tcp://localhost:503") == Line("tcp://localhost:503", False, "127.0.0.1", 503)
    assert line("rtu://10.0.0.7:4001") == Line("rtu://10.0.0.7:4001", True, "10.0.0.7", 4001)
    assert line("COM3", Serial(baud=1200)) == Line("COM3", True, "COM3", 0, Serial(baud=1200))
    assert line("/dev/ttyUSB0").silence_s == pytest.approx(3.5 * 11 / 9600)
    assert line("/dev/ttyUSB0", Serial(baud=38400)).silence_s == 0.00175
    assert line("10.0.0.7:502").silence_s == 0.0


def test_a_device_says_how_it_is_asked() -> None:
    """The description's settings reach the connection."""
    more = {"timeout": "2.5 s", "retries": 2, "pause_after_connect": "0.5 s", "pause": "0.1 s"}
    described = plant({"meter": modbus("10.0.0.7:502", "eastron-sdm120", **more)}, {})
    device = described.devices["meter"]
    assert isinstance(device, Modbus)
    assert pace(device) == Pace(2.5, 2, 0.5, 0.1)
