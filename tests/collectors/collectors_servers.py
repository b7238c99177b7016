"""Modbus servers for tests: pymodbus's own, and a hand-made one that can misbehave in named ways.

As a program (`collectors_servers.py '["none", "silent"]'`) it serves one port for each trouble, all ids alike, in a
process of its own, and prints the ports.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import time
import tty
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

Trouble = Literal[
    "none",
    "silent",
    "late",
    "rubbish",
    "short",
    "closing",
    "other transaction",
    "other id",
    "other function",
    "bad sum",
    "busy",
    "illegal",
]


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


def checksum(data: bytes) -> bytes:
    """The check sum of an RTU frame, by the definition: polynomial A001, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return struct.pack("<H", crc)


class Troubled:
    """A server whose register r holds r + `step`, and bit b is on when b % 3 is 0; `rtu`: in RTU frames.

    It misbehaves as `trouble` says for device id 1 (with `everybody`, for all). `asked` are the requests that came
    (monotonic time, id).
    """

    def __init__(
        self, trouble: Trouble = "none", late_s: float = 0.3, *, rtu: bool = False, everybody: bool = False
    ) -> None:
        self.trouble, self.late_s, self.step, self.rtu, self.everybody = trouble, late_s, 0, rtu, everybody
        self.requests = self.connections = 0
        self.asked: deque[tuple[float, int]] = deque(maxlen=10_000)
        self.bodies: dict[tuple[object, ...], bytes] = {}
        self.transports: set[asyncio.Transport] = set()
        self.send: Callable[[bytes], None] = lambda data: None

    @asynccontextmanager
    async def on(self, port: int) -> AsyncIterator[str]:
        """Serves on a port of loopback."""
        server = await asyncio.get_running_loop().create_server(lambda: _Talk(self), "127.0.0.1", port)
        try:
            yield ""
        finally:
            server.close()
            for transport in list(self.transports):
                transport.abort()

    @asynccontextmanager
    async def on_line(self) -> AsyncIterator[str]:
        """Serves on one end of a pseudo-terminal; gives the path of the other."""
        master, slave = os.openpty()
        tty.setraw(slave)
        reading = os.fdopen(os.dup(master), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: _Talk(self, lambda data: os.write(master, data)), reading
        )
        try:
            yield os.ttyname(slave)
        finally:
            transport.close()
            os.close(slave)
            os.close(master)

    def body(self, trouble: Trouble, device_id: int, function: int, address: int, count: int) -> bytes:
        """The answer without its envelope."""
        key = (trouble, device_id, function, address, count, self.step)
        if key not in self.bodies:
            self.bodies[key] = self.made(trouble, device_id, function, address, count)
        return self.bodies[key]

    def made(self, trouble: Trouble, device_id: int, function: int, address: int, count: int) -> bytes:
        """The same, made anew."""
        if trouble in {"busy", "illegal"}:
            return struct.pack(">BBB", device_id, function | 0x80, 6 if trouble == "busy" else 2)
        if function in (1, 2):
            bits = [(address + place) % 3 == 0 for place in range(count)]
            values = bytes(
                sum(bit << place for place, bit in enumerate(bits[first : first + 8])) for first in range(0, count, 8)
            )
        else:
            words = ((address + place + self.step) & 0xFFFF for place in range(count))
            values = b"".join(word.to_bytes(2, "big") for word in words)
        values = values[: -2 if trouble == "short" else None]
        device_id += trouble == "other id"
        function ^= 7 if trouble == "other function" else 0
        return struct.pack(">BBB", device_id, function, len(values)) + values


class _Talk(asyncio.Protocol):
    """One connection, or a line."""

    def __init__(self, server: Troubled, write: Callable[[bytes], object] | None = None) -> None:
        self.server, self.write = server, write
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.server.connections += 1
        if self.write is None:
            assert isinstance(transport, asyncio.Transport)
            self.transport, self.write = transport, transport.write
            self.server.transports.add(transport)
        self.server.send = self.write  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "transport"):
            self.server.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        size = 8 if self.server.rtu else 12
        while len(self.buffer) >= size:
            frame, self.buffer = self.buffer[:size], self.buffer[size:]
            self.answer(frame)

    def answer(self, frame: bytes) -> None:
        server, loop = self.server, asyncio.get_running_loop()
        transaction = 0
        if server.rtu:
            assert checksum(frame[:6]) == frame[6:], "a request with a wrong check sum"
            device_id, function, address, count = struct.unpack(">BBHH", frame[:6])
        else:
            transaction, _, _, device_id, function, address, count = struct.unpack(">HHHBBHH", frame)
        server.requests += 1
        server.asked.append((time.monotonic(), device_id))
        trouble = server.trouble if device_id == 1 or server.everybody else "none"
        if trouble == "closing":
            self.transport.abort()
            return
        body = server.body(trouble, device_id, function, address, count)
        if trouble == "other transaction":
            transaction = (transaction + 7) & 0xFFFF
        if trouble == "bad sum":
            sent = body + bytes(2)
        elif server.rtu:
            sent = body + checksum(body)
        else:
            sent = struct.pack(">HHH", transaction, 0, len(body)) + body
        if trouble == "rubbish":
            sent = bytes((37 * place + 11) & 0xFF for place in range(40))
        if trouble == "late":
            loop.call_later(server.late_s, self.later, sent)
        elif trouble != "silent" and self.write is not None:
            self.write(sent)

    def later(self, sent: bytes) -> None:
        with suppress(OSError):
            if self.write is not None:
                self.write(sent)


@contextmanager
def served(troubles: list[Trouble], late_s: float = 5.0) -> Iterator[list[int]]:
    """A process of its own that serves one port for each trouble; gives the ports."""
    command = [sys.executable, str(Path(__file__).resolve()), json.dumps(troubles), str(late_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.kill()


async def _serve(troubles: list[Trouble], late_s: float) -> None:
    loop = asyncio.get_running_loop()
    ports = []
    for trouble in troubles:
        troubled = Troubled(trouble, late_s, everybody=True)
        server = await loop.create_server(lambda troubled=troubled: _Talk(troubled), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)  # until the parent is gone


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1]), float(sys.argv[2])))
