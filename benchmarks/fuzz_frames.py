"""Fuzz target: what a device sends over a connection, mutated, through keepclean's own Modbus client.

The client runs on an event loop whose time is made up, so that waiting for a frame that never becomes complete costs
nothing; a client that waits for nothing at all is found.
"""

from __future__ import annotations

import asyncio
import struct
from random import Random
from typing import Any

from benchmarks.fuzz_common import BAD, GOOD, REJECTED, Tally, mutate, pieces, raised
from collectors.modbus.connection import Answer, Connection
from collectors.modbus.line import Pace, line
from collectors.modbus.request import Request
from collectors.modbus.source import words
from collectors.modbus.transport import Wire
from plant.clock import PlantClock
from plant.errors import DeviceError

BATCH = 100
ENOUGH_S = 600.0
UNITS = (1, 17, 247)


class Loop(asyncio.SelectorEventLoop):
    """Time goes on only when there is nothing to do, and then at once to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._pass  # type: ignore[attr-defined]

    def time(self) -> float:
        """Made-up seconds."""
        return self._now

    def _pass(self, timeout: float | None) -> Any:
        if timeout is None:
            raise RuntimeError("the client waits for nothing: it would wait for ever")
        self._now += timeout
        return self._select(0)


class Device(asyncio.Transport):
    """A device that answers each question with the next of some byte strings, in pieces."""

    def __init__(self, wire: Wire, answer: Any) -> None:
        super().__init__()
        self._wire, self._answer = wire, answer

    def write(self, data: Any) -> None:
        """From the client: a question."""
        loop = asyncio.get_running_loop()
        for number, piece in enumerate(self._answer(bytes(data))):
            if piece:
                loop.call_later(0.001 * number, self._wire.data_received, piece)

    def abort(self) -> None:
        """From the client: it hangs up; what is under way may still arrive."""


class InMemory(Connection):
    """keepclean's connection, to a device in memory."""

    def __init__(self, rtu: bool, answer: Any) -> None:
        super().__init__(line("rtu://10.0.0.7:4001" if rtu else "10.0.0.7:502"), PlantClock.real())
        self._device_answer = answer

    async def _connect(self, wire: Wire) -> None:
        wire.connection_made(Device(wire, self._device_answer))


def crc(data: bytes) -> bytes:
    """The check sum of an RTU frame, bit by bit: Modbus over Serial Line 1.02, 6.2.2."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def framed(rtu: bool, transaction: int, unit: int, body: bytes) -> bytes:
    """A frame of a body (function and what follows)."""
    if rtu:
        data = bytes([unit]) + body
        return data + crc(data)
    return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body


def values_in(rtu: bool, transaction: int, unit: int, function: int, size: int, data: bytes) -> bytes | None:
    """The bytes of the values, if what came begins with the frame that answers the question."""
    if rtu:
        whole = data[: 5 + size]
        right = len(whole) == 5 + size and whole[:3] == bytes([unit, function, size]) and crc(whole[:-2]) == whole[-2:]
        return whole[3:-2] if right else None
    head = struct.pack(">HHHBBB", transaction, 0, 3 + size, unit, function, size)
    return data[9 : 9 + size] if data.startswith(head) and len(data) >= 9 + size else None


class Case:
    """One connection: a question with a mutated answer, and one with a sound answer after it."""

    def __init__(self, chance: Random) -> None:
        self.chance, self.rtu, self.unit = chance, chance.random() < 0.5, chance.choice(UNITS)
        self.sent: list[bytes] = []
        self.values: list[bytes] = []
        self.transactions: list[int] = []
        self.request = self._request()

    def _request(self) -> Request:
        function = self.chance.choice((1, 2, 3, 3, 4))
        count = self.chance.randint(1, 40 if function < 3 else 125)
        return Request(function, self.chance.randint(0, 60_000), count, (), ())

    @property
    def size(self) -> int:
        """How many bytes of values answer the question."""
        return (self.request.count + 7) // 8 if self.request.function < 3 else 2 * self.request.count

    def answer(self, question: bytes) -> list[bytes]:
        """What the device sends; the first time it is mutated."""
        transaction = 0 if self.rtu else int.from_bytes(question[:2], "big")
        self.transactions.append(transaction)
        self.values.append(self.chance.randbytes(self.size))
        body = bytes([self.request.function, self.size]) + self.values[-1]
        data = framed(self.rtu, transaction, self.unit, body)
        if len(self.sent) > 0:
            self.sent.append(data)
            return [data]
        refusal = framed(self.rtu, transaction, self.unit, bytes([self.request.function | 0x80, 2]))
        other = framed(self.rtu, transaction + 1, self.unit, body)
        if self.chance.random() < 0.1:
            data = refusal
        data = mutate(self.chance, data, self.chance.choice((other, refusal, self.chance.randbytes(9))))
        if self.rtu and self.chance.random() < 0.2 and len(data) > 4:
            data = data[:-2] + crc(data[:-2])
        self.sent.append(data)
        return pieces(self.chance, data, 2)

    def say(self) -> str:
        """The case, for a finding."""
        framing = "RTU" if self.rtu else "TCP"
        return f"{framing} unit {self.unit} {self.request} sent {[one.hex() for one in self.sent]}"


async def _one(case: Case, tally: Tally) -> None:
    connection = InMemory(case.rtu, case.answer)
    try:
        found = await _read(connection, case, tally)
        want = values_in(case.rtu, case.transactions[0], case.unit, case.request.function, case.size, case.sent[0])
        if (found.data if found else None) != want:
            tally.finding(f"{case.say()}: {found}, not {want!r}")
        if found is not None:
            _check_words(case, found, tally)
        tally.count(GOOD if found else REJECTED)
        again = await _read(connection, case, tally)
        if again is not None and again.data != case.values[-1]:
            tally.finding(f"{case.say()}: the next question got {again}")
        tally.outcomes["next question answered" if again else "next question failed"] += 1
    finally:
        connection.close()


async def _read(connection: Connection, case: Case, tally: Tally) -> Answer | None:
    try:
        return await connection.read(case.unit, case.request, Pace(timeout_s=0.5))
    except DeviceError:
        return None
    except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
        tally.finding(raised(error, case.say()))
        return None


def _check_words(case: Case, found: Answer, tally: Tally) -> None:
    held = words(case.request, [found.data])[0].tolist()
    if case.request.function < 3:
        own = [found.data[place // 8] >> place % 8 & 1 for place in range(case.request.count)]
    else:
        own = list(struct.unpack(f">{case.request.count}H", found.data))
    if held != own:
        tally.finding(f"{case.say()}: words {held}, not {own}")


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Connections, each with one mutated answer."""
    loop = Loop()
    errors: list[str] = []
    loop.set_exception_handler(lambda _, context: errors.append(str(context)))
    try:
        while tally.inputs < inputs:
            cases = [Case(chance) for _ in range(min(BATCH, inputs - tally.inputs))]
            before = tally.inputs

            async def batch(cases: list[Case] = cases) -> None:
                await asyncio.wait_for(asyncio.gather(*(_one(case, tally) for case in cases)), ENOUGH_S)

            try:
                loop.run_until_complete(batch())
            except (RuntimeError, TimeoutError) as error:
                tally.finding(raised(error, [case.say() for case in cases]))
                tally.count(BAD, len(cases) - (tally.inputs - before))
            for text in errors:
                tally.finding(text)
            errors.clear()
    finally:
        loop.close()
