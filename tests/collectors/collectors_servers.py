"""Modbus TCP servers for tests: pymodbus's own, and a hand-made one that can misbehave in named ways."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

Trouble = Literal["none", "silent", "late", "rubbish", "short", "closing", "other transaction", "busy", "illegal"]


@asynccontextmanager
async def pymodbus_server(port: int, registers: dict[int, dict[int, int]]) -> AsyncIterator[None]:
    """A server with devices by id, each with some registers (the same as holding and input registers)."""
    devices = [
        SimDevice(
            id=device_id,
            simdata=[
                SimData(address, values=[word], datatype=DataType.REGISTERS) for address, word in sorted(words.items())
            ],
        )
        for device_id, words in registers.items()
    ]
    server = ModbusTcpServer(devices, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


class Troubled:
    """A server whose register r holds r + `step`, and that misbehaves as `trouble` says for device id 1."""

    def __init__(self, trouble: Trouble = "none", late_s: float = 0.3) -> None:
        self.trouble, self.late_s, self.step = trouble, late_s, 0
        self.requests = self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def on(self, port: int) -> AsyncIterator[None]:
        """Serves on a port of loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                transaction, _, length, device_id = struct.unpack(">HHHB", await reader.readexactly(7))
                function, address, count = struct.unpack(">BHH", await reader.readexactly(length - 1))
                self.requests += 1
                trouble = self.trouble if device_id == 1 else "none"
                if trouble == "closing":
                    break
                await self._answer(writer, trouble, transaction, device_id, function, address, count)
        writer.close()

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        trouble: Trouble,
        transaction: int,
        device_id: int,
        function: int,
        address: int,
        count: int,
    ) -> None:
        words = [(address + place + self.step) & 0xFFFF for place in range(count - (trouble == "short"))]
        body = struct.pack(f">BBB{len(words)}H", device_id, function, 2 * len(words), *words)
        if trouble in {"busy", "illegal"}:
            body = struct.pack(">BBB", device_id, function | 0x80, 6 if trouble == "busy" else 2)
        if trouble == "other transaction":
            transaction = (transaction + 7) & 0xFFFF
        frame = struct.pack(">HHH", transaction, 0, len(body)) + body
        if trouble == "rubbish":
            frame = bytes((37 * place + 11) & 0xFF for place in range(40))
        if trouble == "late":
            task = asyncio.create_task(self._later(writer, frame))
            self._tasks.add(task)
        elif trouble != "silent":
            writer.write(frame)
            await writer.drain()

    async def _later(self, writer: asyncio.StreamWriter, frame: bytes) -> None:
        await asyncio.sleep(self.late_s)
        with suppress(ConnectionError):
            writer.write(frame)
            await writer.drain()
