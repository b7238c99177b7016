"""Modbus over real sockets and a pseudo-terminal: a good server, and servers in every kind of trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from collectors_plant import free_port, modbus, plant, until
from collectors_servers import Trouble, Troubled, pymodbus_server

from collectors.collect import collect
from collectors.modbus.connection import Connection
from collectors.modbus.line import Pace, line
from collectors.modbus.request import Request
from collectors.modbus.source import words
from collectors.status import FILE
from journal.journal import Journal
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.model import Plant
from plant.model_measured import Serial
from plant.reading import SECOND, Readings

pytestmark = pytest.mark.server

OWN = """
{make: A, model: B, source: the test's own device, fields: {
  low: {title: x, function: 3, address: 10, type: uint16, unit: m},
  high: {title: x, function: 4, address: 20, type: uint32, scale: 0.1, unit: m}}}
"""

Way = Literal["tcp", "rtu over tcp", "line"]
WAYS: list[Way] = ["tcp", "rtu over tcp", "line"]


def request(address: int = 10, count: int = 2, function: int = 3) -> Request:
    """A request for some holding registers."""
    return Request(function, address, count, (), ())


async def ask(connection: Connection, device_id: int, asked: Request, timeout_s: float = 2.0) -> list[int]:
    """The words that a request brings."""
    answer = await connection.read(device_id, asked, Pace(timeout_s))
    return [int(word) for word in words(asked, [answer.data])[0]]


@asynccontextmanager
async def connected(
    way: Way, trouble: Trouble, late_s: float = 0.3, owed_s: float = 0.2
) -> AsyncIterator[tuple[Troubled, Connection]]:
    """A server and our connection to it, which waits `owed_s` for a late reply."""
    server, port = Troubled(trouble, late_s, rtu=way != "tcp"), free_port()
    serving = server.on_line() if way == "line" else server.on(port)
    async with serving as path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("collectors.modbus.connection.OWED_TIMEOUTS", 1.0)
            patch.setattr("collectors.modbus.connection.OWED_LEAST_S", owed_s)
            address = path or f"{'rtu' if server.rtu else 'tcp'}://127.0.0.1:{port}"
            connection = Connection(line(address, Serial(baud=115200)), PlantClock.real())
            yield server, connection
            connection.close()


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


TROUBLES: list[tuple[Trouble, str, bool, list[Way]]] = [
    ("silent", "no answer", True, WAYS),
    ("rubbish", "what came is not Modbus", True, WAYS),
    ("short", "asked for 4 bytes, the answer has 2", True, WAYS),
    ("closing", "connection lost", True, ["tcp", "rtu over tcp"]),
    ("other transaction", "another request", True, ["tcp"]),
    ("other id", "asked id 1, id 2 answered", True, WAYS),
    ("other function", "asked with function 3, answered with 4", True, WAYS),
    ("bad sum", "the check sum", True, ["rtu over tcp", "line"]),
    ("busy", "device busy", True, WAYS),
    ("illegal", "illegal data address", False, WAYS),
]


@pytest.mark.parametrize(
    ("trouble", "says", "retryable", "way"),
    [(trouble, says, retryable, way) for trouble, says, retryable, ways in TROUBLES for way in ways],
)
def test_trouble_is_an_error_and_the_next_read_is_right(
    trouble: Trouble, says: str, retryable: bool, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a device does, its answer is a DeviceError or the right registers, and no traceback on the terminal;
    once it behaves it is read again."""

    async def scenario() -> None:
        async with connected(way, trouble) as (server, connection):
            with pytest.raises(DeviceError, match=says) as caught:
                await ask(connection, 1, request(), 0.1)
            assert caught.value.retryable == retryable
            server.trouble, server.step = "none", 1000
            assert await ask(connection, 1, request()) == [1010, 1011]

    with caplog.at_level(logging.WARNING, "asyncio"):
        asyncio.run(scenario())
    assert caplog.records == []


@pytest.mark.parametrize("way", WAYS)
def test_every_reading_function(way: Way) -> None:
    """Function codes 1 to 4, the longest answers among them."""

    async def scenario() -> None:
        async with connected(way, "none") as (_, connection):
            assert await ask(connection, 3, request(7, 125)) == list(range(7, 132))
            assert await ask(connection, 3, request(9, 1, 4)) == [9]
            for function in (1, 2):
                for count in (1, 8, 9, 2000):
                    bits = await ask(connection, 3, request(5, count, function))
                    assert bits == [int(place % 3 == 0) for place in range(5, 5 + count)]

    asyncio.run(scenario())


def test_a_late_reply_never_answers_the_next_request() -> None:
    """TCP: the answer to a request that timed out, arriving during the next one, is not taken for its answer."""

    async def scenario() -> None:
        async with connected("tcp", "late", late_s=0.15) as (server, connection):
            with pytest.raises(DeviceError, match="no answer"):
                await ask(connection, 1, request(10), 0.1)
            assert await ask(connection, 1, request(500)) == [500, 501]
            assert server.connections == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("way", ["rtu over tcp", "line"])
def test_a_late_reply_on_a_line_is_thrown_away(way: Way) -> None:
    """RTU, whose frames have no number: a device that owes a reply is asked again only after that has come; the others
    go on meanwhile, on the same connection, and get their own answers although the late one arrives among them."""

    async def scenario() -> None:
        async with connected(way, "late", late_s=0.4, owed_s=5.0) as (server, connection):
            with pytest.raises(DeviceError, match="no answer"):
                await ask(connection, 1, request(10), 0.1)
            server.trouble = "none"
            again = asyncio.create_task(ask(connection, 1, request(500)))
            for place in range(1000):
                assert await ask(connection, 2, request(place)) == [place, place + 1]
                if again.done():
                    break
            assert await again == [500, 501]
            times = [when for when, device_id in server.asked if device_id == 1]
            assert 0.4 <= times[1] - times[0] < 2.0
            assert server.connections == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("way", ["rtu over tcp", "line"])
def test_a_late_reply_that_never_comes_is_not_waited_for_without_end(way: Way) -> None:
    """RTU: a silent device is asked again after a while."""

    async def scenario() -> None:
        async with connected(way, "silent", owed_s=0.5) as (server, connection):
            for _ in range(2):
                with pytest.raises(DeviceError, match="no answer"):
                    await ask(connection, 1, request(), 0.05)
            first, second = (when for when, _ in server.asked)
            assert 0.5 <= second - first < 3.0

    asyncio.run(scenario())


@pytest.mark.parametrize("way", ["rtu over tcp", "line"])
def test_a_reply_that_comes_in_pieces_and_noise_between_requests(way: Way) -> None:
    """RTU: what nobody asked for is thrown away until the line is quiet, then the next answer is read."""

    async def scenario() -> None:
        async with connected(way, "none") as (server, connection):
            assert await ask(connection, 1, request()) == [10, 11]
            server.send(b"\x01\x03\x04\x00")
            await until(lambda: connection._wire is not None and connection._wire._quiet_at)  # it has arrived
            assert await ask(connection, 1, request(70)) == [70, 71]

    asyncio.run(scenario())


def test_an_answer_without_a_question_is_not_kept_for_the_next() -> None:
    """TCP: a server that sends a frame with the next number in advance loses the connection, and gives no value."""

    async def scenario() -> None:
        async with connected("tcp", "none") as (server, connection):
            assert await ask(connection, 1, request()) == [10, 11]
            server.send(bytes([0, 2, 0, 0, 0, 7, 1, 3, 4, 0, 99, 0, 99]))
            await until(lambda: connection._wire is None or not connection._wire.sound)
            assert await ask(connection, 1, request(70)) == [70, 71]
            assert server.connections == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "rtu://127.0.0.1:{port}", "/dev/there-is-no-such-line"])
def test_nothing_listens(address: str) -> None:
    """An address where nobody listens is a retryable error within the timeout."""

    async def scenario() -> None:
        connection = Connection(line(address.format(port=free_port())), PlantClock.real())
        with pytest.raises(DeviceError, match="cannot be reached") as caught:
            await ask(connection, 1, request(), 0.5)
        assert caught.value.retryable

    asyncio.run(scenario())


def test_a_line_that_is_pulled_out(caplog: pytest.LogCaptureFixture) -> None:
    """A serial adapter that goes away is a retryable error without a traceback, then and at each further try."""

    async def scenario() -> None:
        server = Troubled(rtu=True)
        async with server.on_line() as path:
            connection = Connection(line(path), PlantClock.real())
            assert await ask(connection, 2, request()) == [10, 11]
        for device_id in (2, 3, 4):
            with pytest.raises(DeviceError, match=r"connection lost|cannot be reached") as caught:
                await ask(connection, device_id, request(), 0.5)
            assert caught.value.retryable
        connection.close()

    with caplog.at_level(logging.WARNING, "asyncio"):
        asyncio.run(scenario())
    assert caplog.records == []


@pytest.mark.parametrize("way", WAYS)
def test_devices_on_one_connection_take_turns(way: Way) -> None:
    """Many reads at once on one connection each get the answer to their own request."""

    async def scenario() -> None:
        async with connected(way, "none") as (server, connection):
            reads = [ask(connection, 1 + place % 6, request(10 * place), 5.0) for place in range(60)]
            assert [found[0] for found in await asyncio.gather(*reads)] == [10 * place for place in range(60)]
            assert server.connections == 1

    asyncio.run(scenario())


def test_pauses_are_kept() -> None:
    """A device that needs time after connecting and between requests gets it."""

    async def scenario() -> None:
        async with connected("tcp", "none") as (server, connection):
            pace = Pace(1.0, 0, pause_after_connect_s=0.3, pause_s=0.1)
            for _ in range(3):
                await connection.read(1, request(), pace)
            opened = connection._opened
            first, second, third = (when for when, _ in server.asked)
            assert first - opened >= 0.3
            assert second - first >= 0.1
            assert third - second >= 0.1

    asyncio.run(scenario())


def test_one_address_written_in_three_ways_is_one_connection(tmp_path: Path) -> None:
    """Devices share a connection whatever way they write its address; another framing or port is another line."""
    (tmp_path / "own.yaml").write_text(OWN)
    port, server = free_port(), Troubled()
    ways = (f"127.0.0.1:{port}", f"tcp://localhost:{port}", f"tcp://127.0.0.1:0{port}")
    described = plant(
        {f"d{number}": modbus(way, "own.yaml", device_id=number) for number, way in enumerate(ways, 1)},
        {f"p{number}": (f"d{number}", "low", "level", "m") for number in (1, 2, 3)},
    )

    async def scenario() -> None:
        async with server.on(port):
            await run_until(described, tmp_path, lambda: len(server.asked) >= 6, 120, {})

    asyncio.run(scenario())
    assert server.connections == 1
    assert {device_id for _, device_id in server.asked} == {1, 2, 3}


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
