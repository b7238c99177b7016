"""Values of Sparkplug metrics: every datatype, its edges, null, and the quality that the source gives."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sparkplug_edge import (
    BOOLEAN,
    DOUBLE,
    FLOAT,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    block,
    metric,
    payload,
    value,
)

from collectors.mqtt.columns import FINDINGS
from collectors.mqtt.sparkplug.value import number
from collectors.mqtt.sparkplug.wire import parse

BITS = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}


def read(one: bytes, datatype: int) -> tuple[float | None, str]:
    """The value of a metric as it comes out of a payload, and its finding."""
    message = parse(payload(0, one))
    assert message is not None
    found, finding = number(message.metrics[0], datatype)
    return None if math.isnan(found) else found, FINDINGS[finding]


@pytest.mark.parametrize(
    ("datatype", "field", "sent", "expected"),
    [
        (INT8, 10, 0xFF, -1.0),
        (INT8, 10, 0xFFFFFF80, -128.0),
        (INT8, 10, 0x7F, 127.0),
        (INT8, 10, 0x100, None),
        (INT16, 10, 0x8000, -32768.0),
        (INT16, 10, 0xFFFF7FFF, None),
        (INT32, 10, 0xFFFFFFFE, -2.0),
        (INT32, 11, 0xFFFFFFFFFFFFFFFE, -2.0),
        (INT64, 11, 0xFFFFFFFFFFFFFFFE, -2.0),
        (INT64, 11, 2**62, 2.0**62),
        (INT64, 10, 5, 5.0),
        (UINT8, 10, 255, 255.0),
        (UINT8, 10, 256, None),
        (UINT16, 10, 65535, 65535.0),
        (UINT32, 10, 2**32 - 1, 2.0**32 - 1),
        (UINT32, 11, 2**32 - 1, 2.0**32 - 1),
        (UINT32, 11, 2**32, None),
        (UINT64, 11, 2**64 - 1, 2.0**64),
        (FLOAT, 12, 21.5, 21.5),
        (DOUBLE, 13, -1e300, -1e300),
        (DOUBLE, 12, 0.5, 0.5),
        (DOUBLE, 13, math.nan, None),
        (DOUBLE, 13, math.inf, None),
        (BOOLEAN, 14, 1, 1.0),
        (BOOLEAN, 14, 0, 0.0),
        (BOOLEAN, 10, 1, None),
        (DOUBLE, 10, 1, None),
        (INT32, 13, 1.0, None),
        (0, 10, 1, None),  # nobody has said whether it has a sign
        (STRING, 10, 1, None),
        (13, 11, 1772424000000, None),  # a date is no number
    ],
)
def test_a_value_is_what_its_datatype_says(datatype: int, field: int, sent: float, expected: float | None) -> None:
    """Two's complement, widths, floats and booleans; what does not fit its datatype is bad, never another number."""
    assert read(metric("x", sent=value(field, sent)), datatype) == (
        expected,
        "" if expected is not None else "not a number",
    )


@given(st.sampled_from(sorted(BITS)), st.data())
def test_signed_integers_come_back_from_two_s_complement(datatype: int, data: st.DataObject) -> None:
    """Any number of the datatype, in its own width, in 32 or in 64 bits, is read as itself."""
    bits = BITS[datatype]
    sent = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for width, field in ((bits, 11 if bits == 64 else 10), (32, 10), (64, 11)):
        if width >= bits:
            assert read(metric("x", sent=value(field, sent % 2**width)), datatype) == (float(sent), "")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (metric("x", null=True), (None, "not available")),
        (metric("x", null=True, sent=value(13, 0.0)), (None, "not available")),
        (metric("x"), (None, "not available")),
        (metric("x", sent=block(15, b"12.5")), (None, "not a number")),
        (metric("x", sent=value(13, 1.0), quality=192), (1.0, "")),
        (metric("x", sent=value(13, 1.0), quality=0), (None, "bad at its source")),
        (metric("x", sent=value(13, 1.0), quality=500), (None, "stale at its source")),
        (metric("x", sent=value(13, 1.0), quality=64), (None, "bad at its source")),
    ],
)
def test_null_and_quality(one: bytes, expected: tuple[float | None, str]) -> None:
    """Promise 3: null is missing and never 0; a quality that is not good is bad, with its name."""
    assert read(one, DOUBLE) == expected


def test_fields_that_are_not_read_are_skipped() -> None:
    """Data sets, templates, metadata and unknown fields do not disturb the others."""
    strange = block(17, b"\x08\x01") + block(18, b"\x0a\x00") + block(8, b"\x08\x00") + block(99, b"x")
    message = parse(payload(3, metric("x", 4, DOUBLE, value(13, 2.0)) + strange) + block(5, b"body"))
    assert message is not None
    assert (message.seq, message.metrics[0].alias, message.metrics[0].double_value) == (3, 4, 2.0)
    assert struct.pack("<d", message.metrics[0].double_value) == struct.pack("<d", 2.0)
