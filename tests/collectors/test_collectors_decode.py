"""Decoding of register words against published vectors and against its own promises."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.modbus.decode import decode, raw
from collectors.modbus.plan import plan
from collectors.modbus.settings import Device, Value, exact
from collectors.profile import WIDTH
from plant.reading import Quality

VECTORS = json.loads((Path(__file__).parent / "modbus_decode.json").read_text())
ORDERS = {
    "ABCD": ("big", "big"),
    "DCBA": ("little", "little"),
    "BADC": ("little", "big"),
    "CDAB": ("big", "little"),
    "ABCDEFGH": ("big", "big"),
    "HGFEDCBA": ("little", "little"),
    "BADCFEHG": ("little", "big"),
    "GHEFCDAB": ("big", "little"),
}


def value(name: str = "x", address: int = 0, kind: str = "uint16", **more: Any) -> Value:
    """A value with everything at rest but what a test names."""
    rest: dict[str, Any] = {
        "function": 3,
        "word_order": "big",
        "byte_order": "big",
        "factor": Fraction(1),
        "offset": 0.0,
        "not_available": (),
    }
    return Value(name, address=address, type=kind, width=WIDTH[kind], **{**rest, **more})  # type: ignore[arg-type,index]


def device(*values: Value, max_registers: int = 125, max_gap: int = 0) -> Device:
    """A device that holds some values."""
    return Device("meter", "127.0.0.1:502", 1, 60_000_000, 1.0, max_registers, max_gap, values)


def read(*values: Value, words: list[list[int]]) -> Any:
    """The readings of one request for neighbouring values, polled once a minute."""
    [request] = plan(device(*values)).requests
    times = np.arange(len(words), dtype=np.int64) * 60_000_000
    return decode(request, np.array(words, np.uint16), times, times)


@pytest.mark.parametrize("vector", VECTORS["telegraf"]["vectors"], ids=lambda v: f"{v['byte_order']}-{v['type']}")
def test_every_byte_and_word_order_decodes_as_telegraf_publishes_it(vector: dict[str, Any]) -> None:
    """All orders of 32 and 64 bits give the published numbers; integers exactly, before they become floats."""
    byte_order, word_order = ORDERS[vector["byte_order"]]
    words = list(struct.unpack(f">{len(vector['bytes_hex']) // 4}H", bytes.fromhex(vector["bytes_hex"])))
    one = value(
        kind=vector["type"].lower(), byte_order=byte_order, word_order=word_order, factor=Fraction(vector["scale"])
    )
    found = read(one, words=[words])
    assert found.value[0] == pytest.approx(float(vector["value"]), rel=1e-7 if "FLOAT" in vector["type"] else 1e-15)
    if vector["type"] != "FLOAT32":
        [request] = plan(device(one)).requests
        number = raw(request.groups[0], np.array([words], np.uint16))[0, 0]
        assert int(number) * vector["scale"] == vector["value"]


@pytest.mark.parametrize("point", VECTORS["garo_gnm3d"]["points"], ids=lambda p: p["name"])
def test_a_low_word_first_meter_decodes_as_its_library_publishes_it(point: dict[str, Any]) -> None:
    """A tenth of a unit is the nearest float to the decimal number, not a multiple of a rounded 0.1."""
    found = read(
        value(kind=point["type"], word_order="little", factor=exact(point["scale"])), words=[point["registers"]]
    )
    assert found.value[0] == point["expected"]


def test_float64_and_mixed_types_of_one_request() -> None:
    """Values of several types and orders in one answer each come from their own registers."""
    words = [
        *struct.unpack(">4H", struct.pack(">d", 123456.789)),
        0xFFFE,
        *struct.unpack(">2H", struct.pack(">f", 2.5))[::-1],
    ]
    found = read(
        value("energy", 0, "float64", factor=Fraction(1, 1000)),
        value("temperature", 4, "int16", factor=Fraction(1, 10)),
        value("flow", 5, "float32", word_order="little"),
        words=[words],
    )
    assert found.points == ("energy", "temperature", "flow")
    assert found.value.tolist() == [123.456789, -0.2, 2.5]


def test_not_available_is_unknown_and_never_a_value() -> None:
    """Promise 3: −32768, 0x7FC00000 and any other not-a-number are bad readings without a value, by name."""
    found = read(
        value("level", 0, "int16", not_available=(0x8000,)),
        value("flow", 1, "float32", not_available=(0x7FC00000,)),
        words=[[0x8000, 0x7FC0, 0], [0xFFFF, 0x7F80, 0], [1, 0x3F80, 0]],
    )
    assert [found.findings[one] for one in found.finding] == ["not available"] * 2 + ["", "not a number", "", ""]
    assert np.isnan(found.value[[0, 1, 3]]).all()
    assert found.value[[2, 4, 5]].tolist() == [-1.0, 1.0, 1.0]
    assert found.quality.tolist() == [Quality.BAD, Quality.BAD, Quality.GOOD, Quality.BAD, Quality.GOOD, Quality.GOOD]


def test_many_polls_at_once_give_what_single_polls_give() -> None:
    """Promise 2: the lock step's block of polls and the live path's single polls decode to the same bits."""
    values = (value("a", 0, "uint32", factor=Fraction(1, 10)), value("b", 2, "float32", word_order="little"))
    words = np.random.default_rng(7).integers(0, 65536, (50, 4)).tolist()
    together = read(*values, words=words)
    for row, one in enumerate(words):
        alone = read(*values, words=[one])
        assert alone.value.tobytes() == together.value[2 * row : 2 * row + 2].tobytes()
    assert together.time.tolist() == [minute * 60_000_000 for minute in range(50) for _ in values]


def test_a_factor_is_the_fraction_it_was_meant_to_be() -> None:
    """Unit factors that come as rounded floats are taken as the simple fractions that they stand for."""
    assert exact(0.01) == Fraction(1, 100)
    assert exact(16.6666666666667) == Fraction(50, 3)
    assert exact(29.3076) == Fraction(293076, 10000)
