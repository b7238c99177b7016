"""Modbus TCP over real sockets on loopback: a good server, and servers in every kind of trouble."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collectors_plant import free_port, modbus, plant, until
from collectors_servers import Trouble, Troubled, pymodbus_server

from collectors.collect import collect
from collectors.modbus.connection import Connection
from collectors.modbus.plan import Request
from collectors.status import FILE
from journal.journal import Journal
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.model import Plant
from plant.reading import SECOND, Readings

pytestmark = pytest.mark.server

OWN = """
{make: A, model: B, source: the test's own device, fields: {
  low: {title: x, function: 3, address: 10, type: uint16, unit: m},
  high: {title: x, function: 4, address: 20, type: uint32, scale: 0.1, unit: m}}}
"""


def request(address: int = 10, count: int = 2) -> Request:
    """A request for some holding registers."""
    return Request(3, address, count, (), ())


def clock(speed: float = 1.0) -> PlantClock:
    """Plant time from the real clock, faster."""
    real = PlantClock.real()
    return PlantClock(real.anchor_us, real.anchor_monotonic_s, speed)


def readings_in(data: Path) -> Readings:
    """Every reading of the journal."""
    journal = Journal(data / "journal")
    try:
        return Readings.join([row.readings for row in journal.read(0, 100_000) if row.readings is not None])
    finally:
        journal.close()


def values_of(readings: Readings, point: str) -> list[float]:
    """The values of one point."""
    if point not in readings.points:
        return []
    return [float(one) for one in readings.value[readings.point == readings.points.index(point)]]


async def run_until(described: Plant, data: Path, condition: Any, speed: float, addresses: dict[str, str]) -> None:
    """Collects until a condition holds, then stops in order."""
    stop = asyncio.Event()
    task = asyncio.create_task(collect(described, data, data, clock(speed), addresses, None, stop))
    try:
        await until(lambda: task.done() or condition())
    finally:
        stop.set()
        await asyncio.wait_for(task, 3)


def test_a_real_server_is_read_to_the_journal(tmp_path: Path) -> None:
    """Two devices behind one address, declared elsewhere than they are: values, plant-time stamps, ticks and status."""
    port = free_port()
    (tmp_path / "own.yaml").write_text(OWN)
    described = plant(
        {
            "one": modbus("10.0.0.9:502", "own.yaml", device_id=1, interval="60 s"),
            "two": modbus("10.0.0.9:502", "own.yaml", device_id=2, interval="60 s"),
        },
        {
            "low_1": ("one", "low", "level", "cm"),
            "high_1": ("one", "high", "level", "m"),
            "low_2": ("two", "low", "level", "m"),
        },
    )

    async def scenario() -> None:
        async with pymodbus_server(port, {1: {10: 7, 20: 1, 21: 5}, 2: {10: 9}}):
            await run_until(
                described,
                tmp_path,
                lambda: len(readings_in(tmp_path)) >= 9,
                120,
                {"10.0.0.9:502": f"127.0.0.1:{port}"},
            )

    asyncio.run(scenario())
    found = readings_in(tmp_path)
    assert set(values_of(found, "low_1")) == {700.0}
    assert set(values_of(found, "high_1")) == {6554.1}
    assert set(values_of(found, "low_2")) == {9.0}
    assert (found.time <= found.received).all()
    assert (found.time % (60 * SECOND) < 50 * SECOND).all()
    journal = Journal(tmp_path / "journal")
    ticks = [row.body["time"] for row in journal.read(0) if row.kind == "tick"]
    journal.close()
    assert ticks == sorted(set(ticks))
    assert all(tick % (60 * SECOND) == 0 for tick in ticks)
    assert '"low_1"' not in (tmp_path / FILE).read_text()
    assert '"last_error": ""' in (tmp_path / FILE).read_text()


TROUBLES: list[tuple[Trouble, str, bool]] = [
    ("silent", "no answer", True),
    ("rubbish", "no answer|connection lost", True),
    ("short", "has 1", True),
    ("closing", "no answer|connection lost", True),
    ("other transaction", "no answer|connection lost", True),
    ("busy", "device busy", True),
    ("illegal", "illegal data address", False),
]


@pytest.mark.parametrize(("trouble", "says", "retryable"), TROUBLES, ids=[one[0] for one in TROUBLES])
def test_trouble_is_an_error_and_the_next_read_is_right(trouble: Trouble, says: str, retryable: bool) -> None:
    """Whatever a device does, its answer is a DeviceError or the right registers; once it behaves it is read again."""

    async def scenario() -> None:
        port, server = free_port(), Troubled(trouble)
        async with server.on(port):
            connection = Connection(f"127.0.0.1:{port}", PlantClock.real())
            with pytest.raises(DeviceError, match=says) as caught:
                await connection.read(1, request(), 0.3)
            assert caught.value.retryable == retryable
            server.trouble, server.step = "none", 1000
            answer = await connection.read(1, request(), 2.0)
            assert answer.words.tolist() == [[1010, 1011]]
            connection.close()

    asyncio.run(scenario())


def test_a_late_reply_never_answers_the_next_request() -> None:
    """The answer to a request that timed out, arriving during the next one, is not taken for its answer."""

    async def scenario() -> None:
        port, server = free_port(), Troubled("late", late_s=0.15)
        async with server.on(port):
            connection = Connection(f"127.0.0.1:{port}", PlantClock.real())
            with pytest.raises(DeviceError, match="no answer"):
                await connection.read(1, request(10), 0.1)
            answer = await connection.read(1, request(500), 2.0)
            assert answer.words.tolist() == [[500, 501]]
            assert server.connections == 2
            connection.close()

    asyncio.run(scenario())


def test_nothing_listens() -> None:
    """An address where nobody listens is a retryable error within the timeout."""

    async def scenario() -> None:
        connection = Connection(f"127.0.0.1:{free_port()}", PlantClock.real())
        with pytest.raises(DeviceError, match="cannot be reached"):
            await connection.read(1, request(), 0.5)

    asyncio.run(scenario())


def test_devices_on_one_connection_take_turns() -> None:
    """Many reads at once on one connection each get the answer to their own request."""

    async def scenario() -> None:
        port, server = free_port(), Troubled()
        async with server.on(port):
            connection = Connection(f"127.0.0.1:{port}", PlantClock.real())
            reads = [connection.read(1 + place % 6, request(10 * place), 5.0) for place in range(60)]
            answers = await asyncio.gather(*reads)
            assert [one.words[0, 0] for one in answers] == [10 * place for place in range(60)]
            assert server.connections == 1
            connection.close()

    asyncio.run(scenario())


def test_one_bad_device_harms_nothing_else(tmp_path: Path) -> None:
    """Promise 6: beside a silent, a rubbish-talking and a closing device the good ones keep every beat."""
    (tmp_path / "own.yaml").write_text(OWN)
    troubles: list[Trouble] = ["silent", "rubbish", "closing", "none", "none"]
    ports = [free_port() for _ in troubles]
    described = plant(
        {f"d{number}": modbus(f"127.0.0.1:{port}", "own.yaml", timeout="0.2 s") for number, port in enumerate(ports)},
        {f"p{number}": (f"d{number}", "low", "level", "m") for number in range(len(ports))},
    )

    async def scenario() -> None:
        servers = [Troubled(trouble).on(port) for trouble, port in zip(troubles, ports, strict=True)]
        for server in servers:
            await server.__aenter__()
        await run_until(
            described,
            tmp_path,
            lambda: min(len(values_of(readings_in(tmp_path), name)) for name in ("p3", "p4")) >= 6,
            120,
            {},
        )
        for server in servers:
            await server.__aexit__(None, None, None)

    asyncio.run(scenario())
    found = readings_in(tmp_path)
    for name in ("p0", "p1", "p2"):
        assert values_of(found, name) == []
    for name in ("p3", "p4"):
        minutes = np.unique(found.time[found.point == found.points.index(name)] // (60 * SECOND))
        assert (np.diff(minutes) == 1).all()
