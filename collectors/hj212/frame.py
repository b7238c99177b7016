"""Bytes of a connection to data segments: `##`, four digits of length, the segment, its CRC and CR LF.

HJ 212-2017, 6.3.1 (table 2) and annex A. Whatever comes, nothing is raised: what is no frame is reported once and the
next `##` begins anew. A segment that holds `##` is taken for a broken one into which the next frame has run: nothing
that the standard writes has a `#`. Longer segments than the standard's 1024 characters occur and are taken, up to what
four digits can say; CR LF after the CRC may be missing.

The standard's CRC keeps of each step only the register's high byte: it is no stronger than 8 bits against an error of
several bytes. Every field is therefore checked for itself as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BEGIN = b"##"
HEAD = 6
CRC = 4
LENGTH_MAX = 9999
_FILLER = b"\r\n\t \0"
_HEX = frozenset(b"0123456789abcdefABCDEF")


def _table() -> tuple[int, ...]:
    """Eight shifts of each possible byte, polynomial 0xA001."""
    rows = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
        rows.append(register)
    return tuple(rows)


_TABLE = _table()


def crc16(segment: bytes) -> int:
    """The check value of a data segment. HJ 212-2017, annex A.

    >>> start = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;"
    >>> f"{crc16(start + b'Flag=5;CP=&&RtdInterval=30&&'):04X}"
    '1C80'
    """
    register = 0xFFFF
    for byte in segment:
        register = _TABLE[(register >> 8) ^ byte]
    return register


def frame(segment: bytes) -> bytes:
    """A data segment as it goes over the wire."""
    return b"##%04d%b%04X\r\n" % (len(segment), segment, crc16(segment))


@dataclass(frozen=True)
class Broken:
    """Bytes that are no frame, and why."""

    reason: str
    sample: bytes


class Frames:
    """The frames of one connection; holds no more than one of them, however long none is complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[bytes | Broken]:
        """The data segments that these bytes complete, and what had to be passed over, in order."""
        self._buffer += data
        return list(self._next())

    def _next(self) -> Iterator[bytes | Broken]:
        buffer = self._buffer
        while True:
            start = buffer.find(BEGIN)
            if start < 0:
                yield from self._pass_over(len(buffer) - buffer.endswith(b"#"))
                return
            yield from self._pass_over(start)
            length = buffer[len(BEGIN) : HEAD]
            if length and not length.isdigit():
                hashes = len(buffer) - len(buffer.lstrip(b"#"))
                yield from self._pass_over(max(1, hashes - len(BEGIN)))
                continue
            if len(length) < HEAD - len(BEGIN):
                return
            check_at = HEAD + int(length)
            end = check_at + CRC
            inner = buffer.find(BEGIN, HEAD, end)
            if inner >= 0:
                yield self._broken("the next frame begins before its end", inner)
                continue
            if len(buffer) < end:
                return
            segment, check = bytes(buffer[HEAD:check_at]), buffer[check_at:end]
            if not _HEX.issuperset(check) or int(check, 16) != crc16(segment):
                yield self._broken("wrong CRC or length", end)
                continue
            self._lost = False
            del buffer[:end]
            yield segment

    def _broken(self, reason: str, end: int) -> Broken:
        broken = Broken(reason, bytes(self._buffer[:end]))
        del self._buffer[: len(BEGIN)]
        self._lost = True
        return broken

    def _pass_over(self, count: int) -> Iterator[Broken]:
        """Drops bytes outside any frame; one report until the next sound frame."""
        dropped = bytes(self._buffer[:count])
        del self._buffer[:count]
        if not self._lost and dropped.strip(_FILLER):
            self._lost = True
            yield Broken("bytes outside any frame", dropped)
