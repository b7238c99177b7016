"""One TCP connection per address, on which its devices take turns; function codes 3 and 4, never a write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from collectors.modbus.plan import Request
from plant.clock import PlantClock
from plant.errors import DeviceError

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}
TERMINAL = {1, 2, 3}


@dataclass(frozen=True)
class Answer:
    """What one request brought.

    `words` are its registers. `time` [µs UTC plant time] lies midway between sending and reply: the device read its
    registers somewhere in between.
    """

    words: Sequence[int]
    time: int
    received: int
    latency_s: float


class Connection:
    """A Modbus TCP connection that opens itself when needed.

    After a timeout or an answer that does not fit its request the connection is closed and opened anew, so that a late
    reply can never be taken for the answer to a later request.
    """

    def __init__(self, address: str, clock: PlantClock) -> None:
        """`address` is "host:port"."""
        self.address = address
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._clock = clock
        self._turn = asyncio.Lock()
        self._client: AsyncModbusTcpClient | None = None

    async def read(self, device_id: int, request: Request, timeout_s: float) -> Answer:
        """Waits for its turn and reads. `timeout_s` bounds connecting and answering each, in real seconds.

        Raises DeviceError: terminal when the device refuses the request for good, retryable otherwise.
        """
        async with self._turn:
            client = await self._open(timeout_s)
            sent, began = self._clock.now_us(), time.monotonic()
            try:
                async with asyncio.timeout(timeout_s):
                    pdu = await _request(client, device_id, request)
            except TimeoutError:
                self.close()
                raise DeviceError(f"no answer within {timeout_s:g} s") from None
            except (ModbusException, OSError) as error:
                self.close()
                raise DeviceError(f"connection lost: {error}") from error
            except asyncio.CancelledError:
                self.close()
                raise
            received = self._clock.now_us()
            words = self._words(pdu, request)
            return Answer(words, (sent + received) // 2, received, time.monotonic() - began)

    def close(self) -> None:
        """Closes the connection; the next read opens it again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _open(self, timeout_s: float) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        client = AsyncModbusTcpClient(self._host, port=self._port, timeout=2 * timeout_s, retries=0, reconnect_delay=0)
        try:
            async with asyncio.timeout(timeout_s):
                connected = await client.connect()
        except TimeoutError:
            connected = False
        except BaseException:
            client.close()
            raise
        if not connected:
            client.close()
            raise DeviceError(f"{self.address} cannot be reached")
        self._client = client
        return client

    def _words(self, pdu: ModbusPDU, request: Request) -> Sequence[int]:
        if pdu.isError():
            code = int(getattr(pdu, "exception_code", 0))
            meaning = EXCEPTIONS.get(code, "unknown")
            raise DeviceError(f"the device answered exception {code}: {meaning}", retryable=code not in TERMINAL)
        if pdu.function_code != request.function or len(pdu.registers) != request.count:
            self.close()
            raise DeviceError(f"asked for {request.count} registers, the answer has {len(pdu.registers)}")
        return pdu.registers


async def _request(client: AsyncModbusTcpClient, device_id: int, request: Request) -> ModbusPDU:
    if request.function == 4:
        return await client.read_input_registers(request.address, count=request.count, device_id=device_id)
    return await client.read_holding_registers(request.address, count=request.count, device_id=device_id)
