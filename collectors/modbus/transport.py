"""The wire: a request becomes a frame, bytes become its reply; nothing but function codes 1 to 4 can leave here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

BITS, REGISTERS = (1, 2), (3, 4)
READS = frozenset({*BITS, *REGISTERS})
REFUSED = 0x80
QUIET_S = 0.05

_REQUESTS = {
    one.function_code: one
    for one in (
        ReadCoilsRequest,
        ReadDiscreteInputsRequest,
        ReadHoldingRegistersRequest,
        ReadInputRegistersRequest,
    )
}


class DesyncError(Exception):
    """What came is not the answer to what was asked. `answered`: the device has answered, though not legibly."""

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class Ask(NamedTuple):
    """A question to a device for `quantity` registers or bits: `size` is how many bytes of values answer it."""

    unit: int
    function: int
    address: int
    quantity: int
    size: int


class Reply(NamedTuple):
    """What a frame holds: the bytes of the values, or of an exception its code; `transaction` is 0 on a line."""

    transaction: int
    unit: int
    function: int
    data: bytes

    def answers(self, ask: Ask) -> bool:
        """Whether unit, function and length are those of the answer, or of a refusal."""
        if ask.unit not in (0, self.unit):  # 0 on TCP is the device itself, which may answer with its own id
            return False
        if self.function == ask.function:
            return len(self.data) == ask.size
        return self.function == ask.function | REFUSED


def ask(unit: int, function: int, address: int, count: int) -> Ask:
    """The question for `count` registers or bits from `address` on."""
    return Ask(unit, function, address, count, (count + 7) // 8 if function in BITS else 2 * count)


@lru_cache(4096)
def _body(function: int, address: int, count: int) -> bytes:
    """A request without its envelope. Raises ValueError for what is not a read."""
    if function not in READS:
        raise ValueError(f"function code {function} is not a read: only 1 to 4 are ever sent")
    return bytes([function]) + _REQUESTS[function](address=address, count=count).encode()


class Framing(Protocol):
    """How frames look; `function_at` is where the function code stands in one."""

    @property
    def function_at(self) -> int:
        """Its place, from the start of the frame."""

    def frame(self, asked: Ask) -> tuple[int, bytes]:
        """The transaction number and the bytes of a request. Raises ValueError for what is not a read."""

    def take(self, data: bytes) -> tuple[Reply | None, int]:
        """The first frame, None when more must come, and its length. Raises DesyncError when it is none."""


class Mbap:
    """Modbus TCP: frames are numbered."""

    function_at = 7
    longest = 254

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(False))
        self._transaction = 0

    def frame(self, asked: Ask) -> tuple[int, bytes]:
        """See Framing."""
        self._transaction = self._transaction % 0xFFFF + 1
        body = _body(asked.function, asked.address, asked.quantity)
        return self._transaction, self._framer.encode(body, asked.unit, self._transaction)

    def take(self, data: bytes) -> tuple[Reply | None, int]:
        """See Framing."""
        if len(data) >= 6 and (data[2] or data[3] or not 3 <= data[4] << 8 | data[5] <= self.longest):
            raise DesyncError("what came is not Modbus TCP")
        size, unit, transaction, body = self._framer.decode(data)
        if not body:
            return None, 0
        if body[0] & REFUSED:
            return Reply(transaction, unit, body[0], body[1:2]), size
        if len(body) != 2 + body[1]:
            raise DesyncError("what came contradicts its own length", answered=True)
        return Reply(transaction, unit, body[0], body[2:]), size


class Rtu:
    """Frames with a check sum and without a number.

    Their length follows from their third byte; pymodbus's own reading would hunt for a frame in rubbish, and swallow
    what follows a late one.
    """

    function_at = 1
    least = 5

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(False))

    def frame(self, asked: Ask) -> tuple[int, bytes]:
        """See Framing."""
        return 0, self._framer.encode(_body(asked.function, asked.address, asked.quantity), asked.unit, 0)

    def take(self, data: bytes) -> tuple[Reply | None, int]:
        """See Framing."""
        if len(data) > 1 and data[1] & ~REFUSED not in READS:
            raise DesyncError("what came is not Modbus RTU")
        if len(data) < self.least:
            return None, 0
        size = self.least if data[1] & REFUSED else self.least + data[2]
        if len(data) < size:
            return None, 0
        if not FramerRTU.check_CRC(data[: size - 2], int.from_bytes(data[size - 2 : size], "big")):
            raise DesyncError("the check sum of what came is wrong", answered=len(data) == size)
        values = data[2:3] if data[1] & REFUSED else data[3 : size - 2]
        return Reply(0, data[0], data[1], values), size


class Wire(asyncio.Protocol):
    """One open connection; one question at a time is on it.

    `late` is shown every frame that answers nothing: whether it was still owed, and may be thrown away. Anything else
    that does not fit fails the question, and the wire is not `sound` any more when its framing may be lost.
    """

    def __init__(self, framing: Framing, late: Callable[[Reply], bool]) -> None:
        self._framing, self._late = framing, late
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._asked: Ask | None = None
        self._transaction = 0
        self._answer: asyncio.Future[Reply] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_at = 0.0
        self.sound = True

    def ask(self, asked: Ask, timeout_s: float) -> asyncio.Future[Reply]:
        """Sends a question; the future brings its reply, TimeoutError, ConnectionError or DesyncError.

        Raises ValueError for whatever would not merely read: the one place where anything is sent.
        """
        if self._transport is None:
            raise ConnectionResetError("closed by the other end")
        transaction, frame = self._framing.frame(asked)
        if frame[self._framing.function_at] not in READS:
            raise ValueError(f"function code {frame[self._framing.function_at]} is not a read: it is never sent")
        self._asked, self._transaction = asked, transaction
        self._answer = self._loop.create_future()
        self._deadline = self._loop.time() + timeout_s
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._expired)
        self._transport.write(frame)
        return self._answer

    async def quiet(self) -> None:
        """Waits while something that nobody asked for is coming in, and throws it away."""
        while self._buffer or self._quiet_at:
            pause = self._quiet_at - self._loop.time()
            if pause <= 0:
                self._buffer, self._quiet_at = b"", 0.0
            else:
                await asyncio.sleep(pause)

    def close(self) -> None:
        """Closes the wire; a question that is on it fails."""
        self.sound = False
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fail(ConnectionResetError("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From asyncio."""
        if self.sound:
            self._transport = transport  # type: ignore[assignment]  # TCP and serial transports are asyncio.Transport

    def connection_lost(self, exc: Exception | None) -> None:
        """From asyncio."""
        self._transport, self.sound = None, False
        self._fail(ConnectionResetError(str(exc) if exc else "closed by the other end"))

    def data_received(self, data: bytes) -> None:
        """From asyncio: bytes in pieces of any size."""
        self._buffer += data
        try:
            while self._buffer:
                reply, size = self._framing.take(self._buffer)
                if reply is None:
                    break
                self._buffer = self._buffer[size:]
                self._take(reply)
        except DesyncError as error:
            self._buffer = b""
            self._unasked()
            self._fail(error)
        else:
            if self._buffer and self._answer is None:
                self._unasked()

    def _take(self, reply: Reply) -> None:
        asked, answer = self._asked, self._answer
        if asked is not None and reply.transaction == self._transaction and reply.answers(asked):
            self._asked = self._answer = None
            if answer is not None and not answer.done():
                answer.set_result(reply)
        elif not self._late(reply):
            raise DesyncError(_misfit(reply, asked, self._transaction))

    def _unasked(self) -> None:
        """The line must be quiet before the next question; a connection with numbered frames is not to be trusted."""
        self._quiet_at = self._loop.time() + QUIET_S
        if isinstance(self._framing, Mbap):
            self.sound = False

    def _expired(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expired)
            return
        if self._buffer:
            self._unasked()
        self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        answer, self._asked, self._answer = self._answer, None, None
        if answer is not None and not answer.done():
            answer.set_exception(error)


def _misfit(reply: Reply, asked: Ask | None, transaction: int) -> str:
    if asked is None:
        return f"id {reply.unit} answered without being asked"
    if reply.unit != asked.unit:
        return f"asked id {asked.unit}, id {reply.unit} answered"
    if reply.function & ~REFUSED != asked.function:
        return f"asked with function {asked.function}, answered with {reply.function}"
    if reply.transaction != transaction:
        return "the answer belongs to another request"
    return f"asked for {asked.size} bytes, the answer has {len(reply.data)}"
