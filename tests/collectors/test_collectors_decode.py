"""Decoding of register words against published vectors and against its own promises."""

from __future__ import annotations

import importlib.util
import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.modbus.decode import decode, raw
from collectors.modbus.numbers import text_of
from collectors.modbus.plan import plan
from collectors.modbus.settings import Device, Limits, Value, exact
from collectors.profile_fields import WIDTH
from plant.reading import Quality

ROOT = Path(__file__).parents[2]
KINDS = {**WIDTH, "string": 2, "absent": 1}
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
    merged = {"width": WIDTH.get(kind, 1), **rest, **more}  # type: ignore[call-overload]
    return Value(name, address=address, type=kind, **merged)  # type: ignore[arg-type]


def device(*values: Value, **limits: Any) -> Device:
    """A device that holds some values."""
    return Device("meter", "127.0.0.1:502", 1, 60_000_000, 1.0, Limits(**limits), values)


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


def test_every_section_of_the_published_vectors_is_run() -> None:
    """Vectors that are added to the file fail here until a test reads them."""
    assert set(VECTORS) == {"origin", "telegraf", "garo_gnm3d"}
    assert {vector["type"] for vector in VECTORS["telegraf"]["vectors"]} == {
        *("INT32", "UINT32", "FLOAT32", "INT64", "UINT64")
    }


@pytest.mark.parametrize(
    ("kind", "more", "words", "expected"),
    [
        # one register, by hand: 0xABCD is 43981, in two's complement 43981 - 65536, with its bytes swapped 0xCDAB
        ("uint16", {}, [0xABCD], 43981.0),
        ("int16", {}, [0xABCD], -21555.0),
        ("uint16", {"byte_order": "little"}, [0xABCD], 52651.0),
        # binary-coded decimals: each hexadecimal digit is a decimal one
        ("bcd16", {}, [0x1234], 1234.0),
        ("bcd16", {"byte_order": "little"}, [0x3412], 1234.0),
        ("bcd32", {}, [0x0012, 0x3456], 123456.0),
        ("bcd32", {"word_order": "little"}, [0x3456, 0x0012], 123456.0),
        ("bcd64", {}, [0x0000, 0x0123, 0x4567, 0x8901], 12345678901.0),
        ("bcd16", {}, [0x12A4], "not a number"),
        ("bcd64", {}, [0xF000, 0, 0, 0], "not a number"),
        # "M10K format" of the ION/Modbus register map: 12345678 is 1234, 5678 and -12345678 is FB2E, E9D2
        ("m10k32", {}, [0x04D2, 0x162E], 12_345_678.0),
        ("m10k32", {}, [0xFB2E, 0xE9D2], -12_345_678.0),
        # Schneider FAQ FA146443, lowest register first: 4567, 0123, 0000, 0000 is 1,234,567
        ("m10k64", {"word_order": "little"}, [4567, 123, 0, 0], 1_234_567.0),
        # Schneider FAQ FA212766: R3 × 10,000² + R2 × 10,000 + R1
        ("m10k48", {"word_order": "little"}, [7, 2, 1], 100_020_007.0),
        ("m10k32", {}, [0, 10_000], "not a number"),
        ("m10k64", {}, [0, 0, 0, 0xD8F0], "not a number"),
        ("m10k32", {}, [1, 0xFFFF], "not a number"),
        ("m10k32", {"not_available": (0x80008000,)}, [0x8000, 0x8000], "not available"),
        # bits: 0 is the least significant
        ("uint16", {"bits": (0, 1)}, [0b1010], 0.0),
        ("uint16", {"bits": (3, 1)}, [0b1010], 1.0),
        ("uint16", {"bits": (4, 4)}, [0xABCD], 12.0),
        ("uint32", {"bits": (31, 1)}, [0x8000, 0], 1.0),
        ("uint64", {"bits": (0, 64)}, [0, 0, 0, 9], 9.0),
        ("uint16", {"bits": (0, 2), "not_available": (0xFFFF,)}, [0xFFFF], "not available"),
        ("bool", {"function": 1}, [1], 1.0),
        ("bool", {"function": 2}, [0], 0.0),
        ("uint16", {"listed": ((1, 0.0), (2, 1.0))}, [2], 1.0),
        ("uint16", {"listed": ((1, 0.0), (2, 1.0))}, [3], "not a listed value"),
        ("uint16", {"bits": (8, 2), "listed": ((2, 0.5),), "factor": Fraction(100)}, [0x0200], 50.0),
        ("int16", {"listed": ((-1, 7.0),)}, [0xFFFF], 7.0),
        ("string", {"width": 3, "listed": (("RUN", 2.0), ("STOP", 0.0))}, [0x5255, 0x4E20, 0x2020], 2.0),
        ("string", {"width": 2, "listed": (("STOP", 0.0),)}, [0x5354, 0x4F50], 0.0),
        ("string", {"width": 2, "listed": (("STOP", 0.0),), "byte_order": "little"}, [0x5453, 0x504F], 0.0),
        ("string", {"width": 2, "listed": (("STOP", 0.0),)}, [0xFFFF, 0], "not a listed value"),
        ("uint16", {"scale_at": 1, "factor": Fraction(1, 10)}, [25, 0xFFFE], 0.025),
        ("uint16", {"scale_at": 1}, [25, 10], 25e10),
        ("uint16", {"scale_at": 1}, [25, 11], "not a number"),
        ("uint16", {"scale_at": 1}, [25, 0x8000], "not available"),
        ("absent", {"width": 1}, [17], "not available"),
    ],
)
def test_every_type_reads_what_its_definition_says(
    kind: str, more: dict[str, Any], words: list[int], expected: float | str
) -> None:
    """A value, or the reason why there is none; never a number that the registers do not hold."""
    found = read(value(kind=kind, **more), words=[words])
    if isinstance(expected, str):
        assert found.findings[found.finding[0]] == expected
        assert found.quality[0] == Quality.BAD
        assert np.isnan(found.value[0])
    else:
        assert found.value[0] == expected
        assert found.quality[0] == Quality.GOOD


@given(st.integers(0, 10**16 - 1), st.sampled_from(["big", "little"]), st.sampled_from(["big", "little"]))
@settings(max_examples=200, deadline=None)
def test_a_bcd_is_its_own_hexadecimal_digits(number: int, word_order: str, byte_order: str) -> None:
    """Writing a number's decimal digits as hexadecimal ones, in any order of words and bytes, reads as the number."""
    packed = bytes.fromhex(f"{number:016d}")
    words = list(struct.unpack(">4H", packed))[:: 1 if word_order == "big" else -1]
    words = [word if byte_order == "big" else word >> 8 | (word & 0xFF) << 8 for word in words]
    found = read(value(kind="bcd64", word_order=word_order, byte_order=byte_order), words=[words])
    assert found.value[0] == float(number)


@given(st.sampled_from(sorted(KINDS)), st.lists(st.integers(0, 65535), min_size=5, max_size=5), st.data())
@settings(max_examples=300, deadline=None)
def test_no_words_raise_and_what_is_good_is_finite(kind: str, words: list[int], data: st.DataObject) -> None:
    """Promise 3: whatever registers hold, a reading is a finite number or bad without one."""
    more: dict[str, Any] = {"word_order": data.draw(st.sampled_from(["big", "little"]))}
    if data.draw(st.booleans()) and not kind.startswith("float"):
        more["listed"] = (("A" if kind == "string" else 1, 5.0),)
    if data.draw(st.booleans()):
        more["scale_at"] = 4
    one = value(kind=kind, width=KINDS[kind], function=1 if kind == "bool" else 3, **more)
    [request] = plan(device(one)).requests
    now = np.zeros(1, np.int64)
    found = decode(request, np.array([words[: request.count]], np.uint16), now, now)
    assert np.isfinite(found.value[0]) == (found.quality[0] == Quality.GOOD)
    assert bool(found.findings[found.finding[0]]) == (found.quality[0] == Quality.BAD)


def test_a_text_is_shown_without_its_padding() -> None:
    """What a device pads a text with is not part of it, and no byte makes it fail."""
    assert text_of([0x5043, 0x4D20, 0x2000, 0x4141]) == "PCM"
    assert text_of([0x41FF, 0x4220]) == "A\\xffB"


def test_decoding_costs_a_few_times_what_numpy_itself_takes() -> None:
    """100,000 floats in at most 5 times NumPy's own time; here with room for a busy machine, `make bench` measures."""
    spec = importlib.util.spec_from_file_location("decode_benchmark", ROOT / "benchmarks" / "decode.py")
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    assert benchmark.ratio(runs=1) < 15


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
