"""Meter profiles as data: they load, their units are units, and words as the manuals describe them give the values."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from collectors_plant import modbus, plant

from collectors.modbus.decode import decode
from collectors.plan import plan
from collectors.profile import builtin, load, parse
from plant.errors import ConfigurationError
from plant.load import load as load_plant
from plant.model import Modbus
from plant.units import parse as parse_unit

DEMO = Path(__file__).parents[2] / "examples" / "electroplating" / "plant.yaml"
FOLDER = DEMO.parent
OWN = sorted(str(path.relative_to(FOLDER)) for path in (FOLDER / "profiles").glob("*.yaml"))


def words(form: str, number: float, *, low_first: bool = False) -> list[int]:
    """A number's registers, packed independently of the decoder."""
    packed = struct.pack(f">{form}", number)
    found = list(struct.unpack(f">{len(packed) // 2}H", packed))
    return found[::-1] if low_first else found


@pytest.mark.parametrize("name", [*builtin(), *OWN])
def test_a_profile_loads_and_says_where_it_comes_from(name: str) -> None:
    """Every profile names make, model and source, and its units are units."""
    profile = load(name, FOLDER)
    assert profile.make
    assert profile.model
    assert len(profile.source) > 20
    for field in profile.fields.values():
        parse_unit(field.unit)


# Registers as the manuals describe them: function, address on the wire, words, and the value in the point's unit.
MANUALS = [
    ("eastron-sdm630", "active_power", "kW", 4, 0x0034, words("f", 41250.0), 41.25),
    ("eastron-sdm630", "energy_import", "kWh", 4, 0x0048, words("f", 1234.5), 1234.5),
    ("eastron-sdm120", "energy_import", "kWh", 4, 0x0048, words("f", 0.75), 0.75),
    ("schneider-iem3255", "energy_import", "kWh", 3, 3203, words("q", 5_123_456_789), 5123456.789),
    ("schneider-iem3255", "active_power", "kW", 3, 3059, words("f", 33.5), 33.5),
    ("carlo-gavazzi-em24", "energy_import", "kWh", 3, 0x3E, words("i", 12345, low_first=True), 1234.5),
    ("carlo-gavazzi-em24", "active_power", "kW", 3, 0x28, words("i", -25_000, low_first=True), -2.5),
    ("abb-b23", "energy_import", "kWh", 3, 0x5000, words("Q", 123_456), 1234.56),
    ("siemens-pac3200", "energy_import", "kWh", 3, 801, words("d", 987_654_321.5), 987654.3215),
    ("siemens-pac3200", "active_power", "kW", 3, 65, words("f", 250_000.0), 250.0),
    ("janitza-umg604", "energy_import", "kWh", 3, 19068, words("f", 1000.0), 20.0),
    ("janitza-umg604", "active_power", "kW", 3, 19026, words("f", 2750.0), 55.0),
    ("endress-hauser-promag400", "volume", "m3", 3, 2609, words("f", 512.25, low_first=True), 512.25),
    ("endress-hauser-promag400", "flow", "L/min", 3, 2008, words("f", 3.0, low_first=True), 50.0),
]


@pytest.mark.parametrize(
    ("profile", "field", "unit", "function", "address", "registers", "expected"),
    MANUALS,
    ids=[f"{row[0]}-{row[1]}" for row in MANUALS],
)
def test_words_as_the_manual_has_them_become_the_value(
    profile: str, field: str, unit: str, function: int, address: int, registers: list[int], expected: float
) -> None:
    """The right registers are asked for, and scale, word order, CT ratio (20 for the Janitza) and unit are applied."""
    device = modbus("127.0.0.1:502", profile, ct_ratio=20)
    [planned] = plan(plant({"meter": device}, {"x": ("meter", field, "level", unit)}), FOLDER).modbus
    [request] = planned.requests
    assert (request.function, request.address, request.count) == (function, address, len(registers))
    now = np.zeros(1, np.int64)
    assert decode(request, np.array([registers], np.uint16), now, now).value.tolist() == [expected]


def test_every_device_of_the_demo_plant_can_be_read() -> None:
    """The demo plant's points all have a register or a topic."""
    demo = load_plant(DEMO)
    planned = plan(demo, FOLDER)
    polled = {name for one in planned.modbus for request in one.requests for name in request.points}
    expected = {name for name, point in demo.points.items() if isinstance(demo.devices[point.device], Modbus)}
    assert polled == expected
    assert polled | set(planned.mqtt.points) == {
        name for name, point in demo.points.items() if demo.devices[point.device].protocol != "manual"
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("make: A\n\tmodel: B", "not YAML"),
        ("[]", "not a meter profile"),
        ("{make: A, model: B, source: C, speed: 9, fields: {}}", "unknown key 'speed'"),
        (
            "{make: A, model: B, source: C, fields: {x: {title: x, function: 3, address: 0, type: int16, unit: kwh}}}",
            "did you mean 'kWh'",
        ),
        (
            "{make: A, model: B, source: C, max_registers: 1, fields:"
            " {x: {title: x, function: 3, address: 0, type: int32, unit: W}}}",
            "needs 2 registers, max_registers is 1",
        ),
        (
            "{make: A, model: B, source: C, fields: {x: {title: x, function: 6, address: 0, type: int16, unit: W}}}",
            "function",
        ),
        (
            "{make: A, model: B, source: C, fields:"
            " {x: {title: x, function: 3, address: 0, type: int32, unit: W, not_available: ['8000']}}}",
            "needs 8 hex digits",
        ),
        (
            "{make: A, model: B, source: C, fields:"
            " {x: {title: x, function: 3, address: 65535, type: int32, unit: W}}}",
            "beyond register 65535",
        ),
    ],
)
def test_a_wrong_profile_is_refused_with_the_reason(text: str, says: str) -> None:
    """Promise 8: unknown keys, function codes that write, and values that cannot be read whole are refused."""
    with pytest.raises(ConfigurationError, match=says):
        parse(text, Path("meter.yaml"))


def test_all_faults_of_a_profile_are_told_with_their_lines() -> None:
    """Promise 8: a profile file is checked as the plant description is, all at once, with line and hint."""
    text = """make: A
model: B
sauce: C
fields:
  one: {title: x, function: 3, address: 0, type: unit32, unit: kWh}
  two: {title: x, function: 3, address: 70000, type: int16, unit: kW, sacle: 0.1}
  three: {title: x, function: 3, address: 4, type: int16, unit: kW
  four: {title: x, function: 3, type: int16, unit: kW}
"""
    with pytest.raises(ConfigurationError) as caught:
        parse(text, Path("meter.yaml"))
    assert [(fault.line, fault.message.partition(":")[0]) for fault in caught.value.faults] == [
        (3, "unknown key 'sauce'"),
        (5, "fields.one.type"),
        (6, "fields.two.address"),
        (6, "fields.two"),
        (7, "this is not YAML"),
        (8, "fields.four"),
    ]
    assert all(fault.hint for fault in caught.value.faults)
