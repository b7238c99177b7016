"""Modbus as others speak it: our devices read by mbpoll, our collector reading a server made with libmodbus."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import struct
import sys
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import collectors_libmodbus
import pytest
from collectors_plant import free_port

from collectors.modbus.connection import Connection
from collectors.modbus.line import Pace, line
from collectors.modbus.request import Request
from collectors.modbus.source import words
from collectors.plan import plan
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.load import load
from plant.model_measured import Serial
from simulators.live import LivePlant
from simulators.live_modbus import ModbusServers
from simulators.lockstep import LockStep
from simulators.scenario import load_scenario

pytestmark = pytest.mark.server

EXAMPLE = Path(__file__).parents[2] / "examples" / "electroplating"
MBPOLL = shutil.which("mbpoll")
LIBMODBUS = collectors_libmodbus.library()
needs_mbpoll = pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed")
needs_libmodbus = pytest.mark.skipif(LIBMODBUS is None, reason="libmodbus5 is not installed")


async def mbpoll(port: int, device_id: int, kind: str, address: int, count: int) -> list[str]:
    """What mbpoll shows: one text a value."""
    command = ["-1", "-0", "-q", "-B", "-a", device_id, "-p", port, "-t", kind, "-r", address, "-c", count, "127.0.0.1"]
    child = await asyncio.create_subprocess_exec(
        str(MBPOLL), *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    shown = (await child.communicate())[0].decode()
    assert child.returncode == 0, shown
    return re.findall(r"^\[\d+\]:\s+(\S+)", shown, re.MULTILINE)


@needs_mbpoll
def test_mbpoll_reads_our_devices_as_we_do() -> None:
    """Every request that the example plant's meters are read with brings mbpoll the same registers, and a float meter's
    values are those that mbpoll makes of them."""
    scenario = load_scenario(EXAMPLE / "scenario.yaml")
    clock = PlantClock(scenario.start_us + 5 * 60_000_000 + 123_456, 0.0, 1.0, lambda: 0.0)  # stands still
    planned = plan(load(EXAMPLE / "plant.yaml"), EXAMPLE).modbus

    async def scenario_of_reads() -> int:
        shop = LivePlant(LockStep(scenario), clock)
        shop.catch_up()
        servers, compared = ModbusServers(shop.registers), 0
        ports = await servers.start()
        try:
            for one in planned:
                port, device_id = ports[one.device.port], one.device.device_id
                connection = Connection(line(f"127.0.0.1:{port}"), clock)
                for request in one.requests:
                    answer = await connection.read(device_id, request, Pace(5.0))
                    ours = [int(word) for word in words(request, [answer.data])[0]]
                    kind = {3: "4:hex", 4: "3:hex"}[request.function]
                    shown = await mbpoll(port, device_id, kind, request.address, request.count)
                    assert [int(text, 16) for text in shown] == ours
                    compared += len(ours)
                connection.close()
            connection = Connection(line(f"127.0.0.1:{ports[15021]}"), clock)
            answer = await connection.read(
                1, Request(4, 52, 2, (), ()), Pace(5.0)
            )  # Eastron: total power, high word first
            [shown_float] = await mbpoll(ports[15021], 1, "3:float", 52, 1)
            assert float(shown_float) == pytest.approx(struct.unpack(">f", answer.data)[0], rel=1e-5)
            connection.close()
        finally:
            await servers.stop()
        return compared

    assert asyncio.run(scenario_of_reads()) > 100


@asynccontextmanager
async def libmodbus(way: str, where: str) -> AsyncIterator[None]:
    """The server as a process of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, collectors_libmodbus.__file__, way, where, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        assert await asyncio.wait_for(child.stdout.readline(), 10) == b"listens\n"
        yield
    finally:
        child.kill()
        await child.wait()


@asynccontextmanager
async def null_modem() -> AsyncIterator[tuple[str, str]]:
    """Two pseudo-terminals with what is written to one coming out of the other."""
    loop = asyncio.get_running_loop()
    (one, one_end), (two, two_end) = os.openpty(), os.openpty()
    for end in (one_end, two_end):
        tty.setraw(end)
    loop.add_reader(one, lambda: os.write(two, os.read(one, 1024)))
    loop.add_reader(two, lambda: os.write(one, os.read(two, 1024)))
    try:
        yield os.ttyname(one_end), os.ttyname(two_end)
    finally:
        for end in (one, two):
            loop.remove_reader(end)
        for end in (one, two, one_end, two_end):
            os.close(end)


async def read_all(connection: Connection) -> None:
    """All four functions, the longest requests, and what libmodbus refuses."""

    async def ask(function: int, address: int, count: int) -> list[int]:
        request = Request(function, address, count, (), ())
        answer = await connection.read(1, request, Pace(5.0))
        return [int(word) for word in words(request, [answer.data])[0]]

    for address, count in ((0, 1), (7, 2), (175, 125)):
        assert await ask(3, address, count) == [3 * place + 1 for place in range(address, address + count)]
        assert await ask(4, address, count) == [65535 - place for place in range(address, address + count)]
    for address, count in ((0, 1), (3, 8), (5, 17), (0, 300)):
        assert await ask(1, address, count) == [int(place % 3 == 0) for place in range(address, address + count)]
        assert await ask(2, address, count) == [int(place % 5 == 0) for place in range(address, address + count)]
    with pytest.raises(DeviceError, match="illegal data address") as caught:
        await ask(3, 299, 2)
    assert not caught.value.retryable
    assert await ask(3, 299, 1) == [898]


@needs_libmodbus
def test_we_read_a_libmodbus_server() -> None:
    """Modbus TCP as libmodbus serves it."""

    async def scenario() -> None:
        port = free_port()
        async with libmodbus("tcp", str(port)):
            connection = Connection(line(f"tcp://127.0.0.1:{port}"), PlantClock.real())
            await read_all(connection)
            connection.close()

    asyncio.run(scenario())


@needs_libmodbus
def test_we_read_a_libmodbus_server_over_a_serial_line() -> None:
    """Modbus RTU as libmodbus serves it, our pyserial at the other end of the line."""

    async def scenario() -> None:
        async with null_modem() as (ours, theirs), libmodbus("rtu", theirs):
            connection = Connection(line(ours, Serial(baud=19200)), PlantClock.real())
            await read_all(connection)
            connection.close()

    asyncio.run(scenario())
