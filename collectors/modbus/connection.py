"""One connection to a line, on which its devices take turns; it opens itself and takes no late reply for another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pymodbus.transport.serialtransport import create_serial_connection

from collectors.modbus.line import Line, Pace
from collectors.modbus.request import Request
from collectors.modbus.transport import REFUSED, Ask, DesyncError, Mbap, Reply, Rtu, Wire, ask
from plant.clock import PlantClock
from plant.errors import DeviceError

try:
    from termios import error as PortError
except ImportError:  # Windows, where pyserial raises nothing else
    PortError = OSError  # type: ignore[misc,assignment]

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
PARITY = {"none": "N", "even": "E", "odd": "O"}
OWED_TIMEOUTS = 10.0
OWED_LEAST_S = 10.0
REQUEST_CHARACTERS, ANSWER_CHARACTERS = 8, 5


class RefusedError(DeviceError):
    """The device, or a gateway before it, answered with an exception."""

    def __init__(self, code: int) -> None:
        meaning = EXCEPTIONS.get(code, "unknown")
        super().__init__(f"the device answered exception {code}: {meaning}", retryable=code not in TERMINAL)
        self.code = code


class UnreachableError(DeviceError):
    """There is no connection to the line at all."""


class Answer(NamedTuple):
    """What one request brought.

    `data` are the bytes of its values. `time` [µs UTC plant time] lies midway between sending and reply: the device
    read its registers somewhere in between.
    """

    data: bytes
    time: int
    received: int
    latency_s: float


class _Owed(NamedTuple):
    """A reply that a device may still send: to what, how long it is waited for, and that it came."""

    ask: Ask
    until: float
    came: asyncio.Event


class Connection:
    """A connection that opens itself when needed; an answer that does not fit its request closes it.

    Frames over TCP are numbered, and a timeout closes the connection too: a reply that is late finds nobody. RTU frames
    have no number, so a late reply looks like the answer to the next request of the same length to the same device.
    Whatever did not end with a legible answer is therefore owed, across reconnections: until that frame has come and
    been thrown away, or ten timeouts (10 s at least) have passed, this device is not asked again; the others are, since
    their id tells their answers from it.
    """

    def __init__(self, line: Line, clock: PlantClock) -> None:
        self.line = line
        self._clock = clock
        self._turn = asyncio.Lock()
        self._framing = Rtu() if line.rtu else Mbap()
        self._wire: Wire | None = None
        self._opened = self._ended = 0.0
        self._owed: dict[int, _Owed] = {}

    async def read(self, device_id: int, request: Request, pace: Pace) -> Answer:
        """Waits for its turn and reads. `pace.timeout_s` bounds connecting and answering each, in real seconds.

        Raises DeviceError: terminal when the device refuses the request for good, retryable otherwise.
        """
        asked = ask(device_id, request.function, request.address, request.count)
        while True:
            if device_id in self._owed:
                await self._settled(device_id)
            async with self._turn:
                if device_id not in self._owed:  # another device's poller may have asked the same id meanwhile
                    return await self._exchange(asked, pace)

    def close(self) -> None:
        """Closes the connection; the next read opens it again."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _exchange(self, asked: Ask, pace: Pace) -> Answer:
        wire = self._wire
        if wire is None or not wire.sound:
            wire = await self._open(pace.timeout_s)
        await self._pause(wire, pace)
        timeout_s = pace.timeout_s
        if self.line.serial is not None:
            timeout_s += self.line.transmission_s(REQUEST_CHARACTERS + ANSWER_CHARACTERS + asked.size)
        sent, began = self._clock.now_us(), time.monotonic()
        try:
            reply = await wire.ask(asked, timeout_s)
        except TimeoutError:
            self._failed(asked, pace)
            if not self.line.rtu:
                self.close()
            raise DeviceError(f"no answer within {pace.timeout_s:g} s") from None
        except DesyncError as error:
            if not error.answered:
                self._failed(asked, pace)
            self.close()
            raise DeviceError(str(error)) from None
        except BaseException as error:
            self._failed(asked, pace)
            self.close()
            if isinstance(error, OSError):
                raise DeviceError(f"connection lost: {error}") from error
            raise
        received, self._ended = self._clock.now_us(), time.monotonic()
        if reply.function & REFUSED:
            raise RefusedError(reply.data[0])
        return Answer(reply.data, (sent + received) // 2, received, self._ended - began)

    async def _pause(self, wire: Wire, pace: Pace) -> None:
        """What the device and the line need before a request."""
        if pace.pause_after_connect_s or pace.pause_s or self.line.serial is not None:
            begin = max(self._opened + pace.pause_after_connect_s, self._ended + max(pace.pause_s, self.line.silence_s))
            if (pause := begin - time.monotonic()) > 0:
                await asyncio.sleep(pause)
        if self.line.rtu:
            try:
                async with asyncio.timeout(max(pace.timeout_s, 1.0)):
                    await wire.quiet()
            except TimeoutError:
                self.close()
                raise DeviceError("the line is never quiet: something sends without being asked") from None

    def _failed(self, asked: Ask, pace: Pace) -> None:
        """On a line without numbers the reply to this may still come."""
        self._ended = time.monotonic()
        if self.line.rtu:
            wait = max(OWED_TIMEOUTS * pace.timeout_s, OWED_LEAST_S)
            self._owed[asked.unit] = _Owed(asked, self._ended + wait, asyncio.Event())

    def _late(self, reply: Reply) -> bool:
        """Whether a frame that answers nothing comes from a device that owes one; if it is that one, it is settled."""
        owed = self._owed.get(reply.unit)
        if owed is None:
            return False
        if reply.answers(owed.ask):
            owed.came.set()
            del self._owed[reply.unit]
        return True

    async def _settled(self, unit: int) -> None:
        """Waits until a device owes nothing any more."""
        while (owed := self._owed.get(unit)) is not None:
            try:
                async with asyncio.timeout(owed.until - time.monotonic()):
                    await owed.came.wait()
            except TimeoutError:
                if self._owed.get(unit) is owed:
                    del self._owed[unit]

    async def _open(self, timeout_s: float) -> Wire:
        self.close()
        wire = Wire(self._framing, self._late)
        try:
            async with asyncio.timeout(timeout_s):
                await self._connect(wire)
        except (OSError, ValueError, PortError) as error:  # TimeoutError is an OSError
            wire.close()
            raise UnreachableError(f"{self.line.address} cannot be reached{_reason(error)}") from error
        except BaseException:
            wire.close()
            raise
        self._wire, self._opened = wire, time.monotonic()
        return wire

    async def _connect(self, wire: Wire) -> None:
        loop = asyncio.get_running_loop()
        serial = self.line.serial
        if serial is None:
            await loop.create_connection(lambda: wire, self.line.host, self.line.port)
            return
        connect: Callable[..., Awaitable[tuple[asyncio.Transport, asyncio.BaseProtocol]]] = create_serial_connection
        transport, _ = await connect(
            loop,
            lambda: wire,
            self.line.host,
            serial.baud,
            serial.data_bits,
            PARITY[serial.parity],
            serial.stop_bits,
            0,
        )
        wire.connection_made(transport)


def _reason(error: BaseException) -> str:
    return f": {error}" if str(error) else ""
