"""Frames without sockets: only reads leave, whatever comes in is the answer, an error, or waited for; never a crash."""

from __future__ import annotations

import ast
import asyncio
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from collectors_servers import checksum
from hypothesis import given
from hypothesis import strategies as st

from collectors.modbus import transport
from collectors.modbus.request import Request
from collectors.modbus.source import words
from collectors.modbus.transport import Ask, DesyncError, Mbap, Reply, Rtu, Wire, ask

ROOT = Path(__file__).parents[2]
PACKAGES = [file.parent for file in ROOT.glob("*/__init__.py") if file.parent.name != "simulators"]
WRITES = re.compile(
    r"write_?(single|multiple|coil|register)|mask_?write|read_?write|writefile|write_file", re.IGNORECASE
)
LIBRARY = {
    "FramerRTU",
    "FramerSocket",
    "DecodePDU",
    "ReadCoilsRequest",
    "ReadDiscreteInputsRequest",
    "ReadHoldingRegistersRequest",
    "ReadInputRegistersRequest",
    "create_serial_connection",
}


class Sent:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keeps it."""
        self.frames.append(data)

    def abort(self) -> None:
        """Nothing to close."""


async def wire(framing: Mbap | Rtu, late: Callable[[Reply], bool] = lambda reply: False) -> tuple[Wire, Sent]:
    """An open wire that goes nowhere."""
    one, sent = Wire(framing, late), Sent()
    one.connection_made(sent)  # type: ignore[arg-type]
    return one, sent


def test_no_product_file_names_a_write() -> None:
    """The product reads meters and never writes to them: nothing outside simulators/ names a Modbus write function, and
    of pymodbus only these parts are imported, none of which can make a write request."""
    imported: set[str] = set()
    files = [file for package in PACKAGES for file in package.rglob("*.py")]
    assert len(files) > 100
    for file in files:
        source = file.read_text(encoding="utf-8")
        named = set(re.findall(r"\w+", source))
        assert not [name for name in named if WRITES.search(name)], file
        if "pymodbus" in named:
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pymodbus"):
                    imported |= {one.name for one in node.names}
                elif isinstance(node, ast.Import):
                    assert not [one.name for one in node.names if one.name.startswith("pymodbus")], file
    assert imported == LIBRARY


def test_one_place_sends() -> None:
    """Bytes leave for a device in one line of one file, the guarded one."""
    sending = [
        f"{file.name}: {line.strip()}"
        for file in (ROOT / "collectors" / "modbus").glob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"\.(write|sendall|sendto|sendmsg|sock_sendall|writelines)\(", line)
    ]
    assert sending == ["transport.py: self._transport.write(frame)"]


@pytest.mark.parametrize("framing", [Mbap, Rtu])
def test_only_reads_leave(framing: type[Mbap | Rtu], monkeypatch: pytest.MonkeyPatch) -> None:
    """A request with any other function code than 1 to 4 is refused before a byte leaves: where it is built, and where
    it is sent, even if it was built otherwise."""

    async def scenario() -> None:
        one, sent = await wire(framing())
        for function in set(range(256)) - {1, 2, 3, 4}:
            with pytest.raises(ValueError, match=f"function code {function} is not a read"):
                one.ask(Ask(1, function, 0, 1, 2), 1.0)
        monkeypatch.setattr(transport, "_body", lambda function, address, quantity: bytes([6, 0, 1, 0, 2]))
        with pytest.raises(ValueError, match="function code 6 is not a read"):
            one.ask(ask(1, 3, 1, 1), 1.0)
        assert sent.frames == []

    asyncio.run(scenario())


def test_requests_are_those_of_the_specification() -> None:
    """Byte for byte: MODBUS Application Protocol 1.1b3, 6.3 (registers 108 to 110), over TCP and as an RTU frame whose
    check sum was computed by its definition."""

    async def scenario() -> None:
        one, sent = await wire(Mbap())
        one.ask(ask(17, 3, 107, 3), 1.0)
        assert sent.frames == [bytes.fromhex("000100000006 11 03006B0003")]
        one.close()
        two, sent = await wire(Rtu())
        two.ask(ask(17, 3, 107, 3), 1.0)
        assert sent.frames == [bytes.fromhex("1103006B0003") + checksum(bytes.fromhex("1103006B0003"))]
        two.close()

    asyncio.run(scenario())


ANSWER = bytes.fromhex("11 03 06 022B 0000 0064")
TCP_ANSWER = bytes.fromhex("0001 0000 0009") + ANSWER
RTU_ANSWER = ANSWER + checksum(ANSWER)


def outcome(framing: Mbap | Rtu, chunks: list[bytes]) -> bytes | str | None:
    """What chunks make of the specification's request: the values, the error's name, None while it is waited for."""

    async def scenario() -> bytes | str | None:
        one, _ = await wire(framing)
        answer = one.ask(ask(17, 3, 107, 3), 60.0)
        for chunk in chunks:
            one.data_received(chunk)
        found: bytes | str | None = None
        if answer.done():
            error = answer.exception()
            found = type(error).__name__ if error else answer.result().data
        one.close()
        if not answer.cancelled() and answer.done():
            answer.exception()
        return found

    return asyncio.run(scenario())


@pytest.mark.parametrize("framing", [Mbap, Rtu])
def test_an_answer_in_pieces(framing: type[Mbap | Rtu]) -> None:
    """However the bytes are cut, the values are the same; before the last byte there are none."""
    whole = TCP_ANSWER if framing is Mbap else RTU_ANSWER
    for cut in range(1, len(whole)):
        assert outcome(framing(), [whole[:cut]]) is None
        assert outcome(framing(), [whole[:cut], whole[cut:]]) == ANSWER[3:]
    assert outcome(framing(), [bytes([byte]) for byte in whole]) == ANSWER[3:]


@given(st.binary(max_size=40), st.integers(0, 2**32), st.booleans())
def test_whatever_comes_is_an_answer_or_an_error(rubbish: bytes, seed: int, tcp: bool) -> None:
    """Rubbish and mutated frames: no exception leaves, and values are taken only from a frame that is whole, with the
    right id, function, length and (TCP) number or (RTU) check sum."""
    chance = random.Random(seed)
    whole = bytearray(TCP_ANSWER if tcp else RTU_ANSWER)
    for _ in range(chance.randint(1, 3)):
        kind = chance.randrange(3)
        place = chance.randrange(len(whole))
        if kind == 0:
            whole[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del whole[place:]
            break
        else:
            whole[place:place] = bytes([chance.randrange(256)])
    for data in (rubbish, bytes(whole), bytes(whole) + rubbish):
        found = outcome(Mbap() if tcp else Rtu(), [data])
        if isinstance(found, bytes) and len(found) == 6:
            head = bytes.fromhex("0001 0000 0009 11 03 06") if tcp else bytes.fromhex("11 03 06")
            body = head + found
            assert data.startswith(body if tcp else body + checksum(body))
        else:
            assert found in (None, "DesyncError") or (isinstance(found, bytes) and len(found) == 1)


def test_a_late_frame_among_others() -> None:
    """RTU: a frame that another device still owed, in the same piece as the answer, costs the answer nothing; one that
    nobody owed does."""
    other = bytes.fromhex("05 03 02 0001")
    late: list[Reply] = []

    async def scenario(owed: bool) -> Any:
        one, _ = await wire(Rtu(), lambda reply: bool(late.append(reply)) or owed)
        answer = one.ask(ask(17, 3, 107, 3), 60.0)
        one.data_received(other + checksum(other) + RTU_ANSWER)
        try:
            return await answer
        finally:
            one.close()

    assert asyncio.run(scenario(True)).data == ANSWER[3:]
    assert [reply.unit for reply in late] == [5]
    with pytest.raises(DesyncError, match="asked id 17, id 5 answered"):
        asyncio.run(scenario(False))


def test_words_of_answers() -> None:
    """Registers are big-endian words; bits come eight a byte, the first in the lowest place (6.1 of the same: 27 to 38
    are CD 6B, of which 27 is the lowest bit of CD)."""
    registers = Request(3, 107, 3, (), ())
    assert words(registers, [ANSWER[3:], bytes(6)]).tolist() == [[555, 0, 100], [0, 0, 0]]
    coils = words(Request(1, 19, 12, (), ()), [b"\xcd\x6b"])
    assert coils.tolist() == [[1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1]]
    assert struct.unpack(">3H", ANSWER[3:]) == (555, 0, 100)
