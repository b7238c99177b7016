"""Sparkplug payloads for tests, written byte by byte: protobuf's wire format without the schema under test."""

from __future__ import annotations

import struct

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING = range(1, 13)


def varint(value: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def whole(field: int, value: int) -> bytes:
    """A field of wire type 0."""
    return varint(field << 3) + varint(value)


def block(field: int, body: bytes) -> bytes:
    """A field of wire type 2."""
    return varint(field << 3 | 2) + varint(len(body)) + body


def value(field: int, number: float) -> bytes:
    """The value of a metric in one of its fields: 10 and 11 whole, 12 float, 13 double, 14 boolean."""
    if field == 12:
        return varint(12 << 3 | 5) + struct.pack("<f", number)
    if field == 13:
        return varint(13 << 3 | 1) + struct.pack("<d", number)
    return whole(field, int(number))


def metric(
    name: str = "",
    alias: int | None = None,
    datatype: int = 0,
    sent: bytes = b"",
    *,
    at: int | None = None,
    null: bool = False,
    quality: int | None = None,
) -> bytes:
    """A metric; `sent` is its value as bytes, `at` its time [ms]."""
    out = block(1, name.encode()) if name else b""
    out += whole(2, alias) if alias is not None else b""
    out += whole(3, at) if at is not None else b""
    out += whole(4, datatype) if datatype else b""
    out += whole(7, 1) if null else b""
    if quality is not None:
        out += block(9, block(1, b"Unit") + block(1, b"Quality") + block(2, whole(1, 12)) + block(2, whole(3, quality)))
    return out + sent


def payload(seq: int | None, *metrics: bytes, at: int | None = None) -> bytes:
    """A payload; `at` is its time [ms]."""
    out = whole(1, at) if at is not None else b""
    out += b"".join(block(2, one) for one in metrics)
    return out + (whole(3, seq) if seq is not None else b"")


def bd_seq(number: int) -> bytes:
    """The metric that ties a death to its birth."""
    return metric("bdSeq", datatype=INT64, sent=value(11, number))


def double(name: str, alias: int | None, number: float) -> bytes:
    """A metric of a birth."""
    return metric(name, alias, DOUBLE, value(13, number))


def by_alias(alias: int, number: float) -> bytes:
    """A metric of data."""
    return metric(alias=alias, sent=value(13, number))
