"""Meter profiles as data: they load, their units are units, and words as the manuals describe them give the values."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from collectors_plant import modbus, plant

from collectors.modbus.decode import decode
from collectors.modbus.plan import plan as plan_device
from collectors.modbus.settings import whole
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


def field(says: str, more: str = "max_gap: 0") -> str:
    """A profile of one field."""
    return f"{{make: A, model: B, source: C, {more}, fields: {{x: {{title: x, {says}, unit: W}}}}}}"


def sunspec(models: str, point: str, unit: str, more: str = "max_registers: 125") -> str:
    """A SunSpec profile of one field."""
    one = f"{{x: {{title: x, point: {point}, unit: {unit}}}}}"
    return f"{{make: A, model: B, source: C, sunspec: {models}, {more}, fields: {one}}}"


@pytest.mark.parametrize("name", [*builtin(), *OWN])
def test_a_profile_loads_and_says_where_it_comes_from(name: str) -> None:
    """Every profile names make, model and source, and its units are units."""
    profile = load(name, FOLDER)
    assert profile.make
    assert profile.model
    assert len(profile.source) > 20
    for field in profile.fields.values():
        parse_unit(field.unit)


# Function, address on the wire, registers, and the value in the point's unit. None of these numbers was taken from the
# profiles: addresses, types and scales are those of the source named above each group, and where the source has no
# numeric example the registers were packed by hand from what it says.
ELSEWHERE = [
    # Eastron SDM120-Modbus protocol V2.4, 2.1: query 01 04 00 00 00 02, answer 43 66 33 34 is 230.2 V (as float32)
    ("eastron-sdm120", "voltage", "V", 4, 0x0000, [0x4366, 0x3334], struct.unpack(">f", b"\x43\x66\x33\x34")[0]),
    # volkszaehler/mbmd meters/rs485/sdm120.go: Import 0x0048, input registers, IEEE 754
    ("eastron-sdm120", "energy_import", "kWh", 4, 0x0048, words("f", 0.75), 0.75),
    # the same frame in Eastron's SDM230 protocol; mbmd meters/rs485/sdm230.go: Export 0x004A, Sum 0x0156
    ("eastron-sdm230", "voltage", "V", 4, 0x0000, [0x4366, 0x3334], struct.unpack(">f", b"\x43\x66\x33\x34")[0]),
    ("eastron-sdm230", "energy_export", "kWh", 4, 0x004A, words("f", 12.5), 12.5),
    ("eastron-sdm230", "energy_total", "kWh", 4, 0x0156, words("f", 100.25), 100.25),
    # nmakel/sdm_modbus src/sdm_modbus/sdm.py: total_system_power 0x0034 [W], import_energy_active 0x0048 [kWh]
    ("eastron-sdm630", "active_power", "kW", 4, 0x0034, words("f", 41250.0), 41.25),
    ("eastron-sdm630", "energy_import", "kWh", 4, 0x0048, words("f", 1234.5), 1234.5),
    # mbmd meters/rs485/iem3000.go: Import 0x0C83 int64 [Wh], Power 0x0BF3 float32 [kW], Frequency 0x0C25
    ("schneider-iem3255", "energy_import", "kWh", 3, 0x0C83, words("q", 5_123_456_789), 5123456.789),
    ("schneider-iem3255", "active_power", "kW", 3, 0x0BF3, words("f", 33.5), 33.5),
    ("schneider-iem3155", "energy_export", "kWh", 3, 0x0C87, words("q", 1_500), 1.5),
    ("schneider-iem3155", "frequency", "Hz", 3, 0x0C25, words("f", 50.0), 50.0),
    # tetherto/miningos-wrk-powermeter-schneider tests/unit/pm5340.test.js: bytes 120 to 123 of the block that begins
    # with register 3000 (2999 on the wire) hold 6.0 and mean 6000 W; bytes 220 to 223 the frequency
    ("schneider-pm5300", "active_power", "W", 3, 2999 + 60, words("f", 6.0), 6000.0),
    ("schneider-pm5300", "frequency", "Hz", 3, 2999 + 110, words("f", 50.0), 50.0),
    # an EnergyICT driver for the PM5560 maps register 3204 as INT64 [Wh], "Active Energy Delivered (Into Load)"
    ("schneider-pm5300", "energy_import", "kWh", 3, 3204 - 1, words("q", 987_654_321), 987654.321),
    # Schneider FAQ FA146443: registers 1700 to 1703 = 4567, 0123, 0000, 0000 is 1,234,567 Wh
    ("schneider-pm800", "energy_import", "Wh", 3, 1700 - 1, [4567, 123, 0, 0], 1_234_567.0),
    # Carlo Gavazzi EM24-DIN protocol: kWh (+) TOT 0x3E, weights of tenths, low word first (mbmd reads the partial
    # counter, 0x42); mbmd carlogavazzi-em24.go: Power 0x28, Export 0x5C, Frequency 0x37, each in tenths
    ("carlo-gavazzi-em24", "energy_import", "kWh", 3, 0x3E, words("i", 12345, low_first=True), 1234.5),
    ("carlo-gavazzi-em24", "active_power", "kW", 3, 0x28, words("i", -25_000, low_first=True), -2.5),
    ("carlo-gavazzi-em24", "energy_export", "kWh", 3, 0x5C, words("i", 31, low_first=True), 3.1),
    ("carlo-gavazzi-em24", "frequency", "Hz", 3, 0x37, [501], 50.1),
    # mbmd meters/rs485/abb.go: Import 0x5000 uint64 / 100 [kWh], Power 0x5B14 int32 / 100 [W], Frequency 0x5B2C / 100
    ("abb-b23", "energy_import", "kWh", 3, 0x5000, words("Q", 123_456), 1234.56),
    ("abb-b23", "active_power", "W", 3, 0x5B14, words("i", -150), -1.5),
    ("abb-b23", "frequency", "Hz", 3, 0x5B2C, [4998], 49.98),
    # Tinkerforge/esp32-firmware meters_modbus_tcp/siemens.py: 65 F32 [W], 801 F64 [Wh], 55 F32 [Hz], the same for all
    ("siemens-pac2200", "active_power", "kW", 3, 65, words("f", -1_250.0), -1.25),
    ("siemens-pac2200", "frequency", "Hz", 3, 55, words("f", 50.0), 50.0),
    ("siemens-pac2200", "energy_export", "Wh", 3, 809, words("d", 12345.5), 12345.5),
    # Siemens PAC4200 manual A5E02316180B, table A-9 (the tables are common): 801, 4 registers, double, Wh
    ("siemens-pac3200", "energy_import", "kWh", 3, 801, words("d", 987_654_321.5), 987654.3215),
    ("siemens-pac3200", "active_power", "kW", 3, 65, words("f", 250_000.0), 250.0),
    # a public driver's test of the PAC3220: float64 123456789.0 Wh is 123456.789 kWh; 817 reactive import, tariff 1,
    # from the PAC3120/PAC3220 manual L1V30425208F-01, page 117
    ("siemens-pac3220", "energy_import", "kWh", 3, 801, words("d", 123_456_789.0), 123456.789),
    ("siemens-pac3220", "energy_reactive_import", "varh", 3, 817, words("d", 2_000.0), 2000.0),
    # Janitza "Modbus address list and formulary UMG 604": 19068 float [Wh], 19026 float [W]; CT ratio 20
    ("janitza-umg604", "energy_import", "kWh", 3, 19068, words("f", 1000.0), 20.0),
    ("janitza-umg604", "active_power", "kW", 3, 19026, words("f", 2750.0), 55.0),
    # no second list was found for the Promag: addresses and order as its manual has them, packed by hand
    ("endress-hauser-promag400", "volume", "m3", 3, 2609, words("f", 512.25, low_first=True), 512.25),
    ("endress-hauser-promag400", "flow", "L/min", 3, 2008, words("f", 3.0, low_first=True), 50.0),
    # mbmd meters/rs485/dtsu666.go: VoltageL1 0x2006 / 10, Power 0x2012 / 10, Import 0x101E, Frequency 0x2044 / 100;
    # CT ratio 20
    ("chint-dtsu666", "voltage_l1", "V", 3, 0x2006, words("f", 2301.0), 230.1),
    ("chint-dtsu666", "active_power", "W", 3, 0x2012, words("f", 1234.0), 2468.0),
    ("chint-dtsu666", "energy_import", "kWh", 3, 0x101E, words("f", 12.5), 250.0),
    ("chint-dtsu666", "frequency", "Hz", 3, 0x2044, words("f", 4997.0), 49.97),
    # SmartEVSE's test vectors of the Acrel ADL400-D (acrel_mains.py): 0x0 123456 is 1234.56 kWh, 0x16A 11040 is
    # 11040 W, 0x64 1600 is 16.00 A, all of them before the CT ratio (here 20)
    ("acrel-adl400", "energy_total", "kWh", 3, 0x0000, words("I", 123_456), 24691.2),
    ("acrel-adl400", "active_power", "W", 3, 0x016A, words("i", 11_040), 220_800.0),
    ("acrel-adl400", "current_l1", "A", 3, 0x0064, [1600], 320.0),
]


@pytest.mark.parametrize(
    ("profile", "field", "unit", "function", "address", "registers", "expected"),
    ELSEWHERE,
    ids=[f"{row[0]}-{row[1]}" for row in ELSEWHERE],
)
def test_words_as_others_have_them_become_the_value(
    profile: str, field: str, unit: str, function: int, address: int, registers: list[int], expected: float
) -> None:
    """The right registers are asked for, and scale, word order, CT ratio (20 where it applies) and unit are applied."""
    device = modbus("127.0.0.1:502", profile, ct_ratio=20)
    [planned] = plan(plant({"meter": device}, {"x": ("meter", field, "level", unit)}), FOLDER).modbus
    [request] = planned.requests
    assert (request.function, request.address, request.count) == (function, address, len(registers))
    now = np.zeros(1, np.int64)
    assert decode(request, np.array([registers], np.uint16), now, now).value.tolist() == [expected]


PLC = """
{make: A, model: PLC, source: the test, max_gap: 4, fields: {
  running: {title: x, function: 1, address: 3, type: bool, unit: "1"},
  door: {title: x, function: 2, address: 0, type: bool, unit: "1"},
  pump: {title: x, function: 3, address: 0, type: uint16, bit: 2, unit: "1"},
  stage: {title: x, function: 3, address: 0, type: uint16, bit: 8-11, unit: "1"},
  mode: {title: x, function: 3, address: 1, type: uint16, values: {0x01: 0, 2: 50}, unit: "%"},
  water: {title: x, function: 3, address: 2, type: bcd32, scale: 0.001, unit: m3},
  state: {title: x, function: 3, address: 4, type: string, length: 2, values: {RUN: 1, STOP: 0}, unit: "1"},
  serial: {title: x, function: 3, address: 6, type: string, length: 2, unit: "1"}}}
"""


def test_bits_coils_and_texts_of_a_profile_become_values(tmp_path: Path) -> None:
    """Coils, bits, enumerations, decimals and texts, from the profile file to the reading."""
    (tmp_path / "plc.yaml").write_text(PLC)
    fields = ("running", "door", "pump", "stage", "mode", "water", "state")
    points = {name: ("plc", name, "level", "1") for name in fields}
    points |= {"mode": ("plc", "mode", "level", "1"), "water": ("plc", "water", "level", "L")}
    [planned] = plan(plant({"plc": modbus("127.0.0.1:502", "plc.yaml")}, points), tmp_path).modbus
    held = {1: [1], 2: [0], 3: [0x0504, 2, 0x0012, 0x3456, 0x5255, 0x4E20]}
    found: dict[str, float] = {}
    now = np.zeros(1, np.int64)
    for request in planned.requests:
        readings = decode(request, np.array([held[request.function]], np.uint16), now, now)
        found |= zip(readings.points, readings.value, strict=True)
    assert found == {
        **{"running": 1.0, "door": 0.0, "pump": 1.0, "stage": 5.0, "mode": 0.5, "water": 123456.0, "state": 1.0}
    }


@pytest.mark.parametrize("name", [*builtin(), "plc.yaml"])
def test_a_device_can_be_looked_at_whole(name: str, tmp_path: Path) -> None:
    """Every field of a profile is read under its own name and in its own unit, whether a point needs it or not."""
    (tmp_path / "plc.yaml").write_text(PLC)
    profile = load(name, tmp_path)
    device = whole("meter", Modbus(**{"title": "x", **modbus("127.0.0.1:502", name)}), profile)
    values = device.values or next(iter(device.models.values()))
    assert [value.point for value in values] == list(profile.fields)
    planned = plan_device(device)
    assert {point for request in planned.requests for point in request.points} == (
        set() if planned.locate else set(profile.fields)
    )


def test_every_profile_is_held_against_something_else() -> None:
    """No profile comes without a decode test; the SunSpec meter has a file of its own."""
    assert {row[0] for row in ELSEWHERE} | {"sunspec-meter"} == set(builtin())
    assert len(builtin()) >= 14


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
        (field("function: 1, address: 0, type: uint16"), "function 1 does not read uint16"),
        (field("function: 3, address: 0, type: bool"), "function 3 does not read bool"),
        (field("function: 3, address: 0, type: string"), "a string has a 'length'"),
        (field("function: 3, address: 0, type: int16, length: 2"), "other types have none"),
        (field("function: 3, address: 0, type: int16, bit: 3"), "bits are those of uint16"),
        (field("function: 3, address: 0, type: uint16, bit: high"), "'high' is no bit"),
        (field("function: 3, address: 0, type: uint16, bit: 16"), "bit '16' is none of uint16"),
        (field("function: 3, address: 0, type: uint16, bit: 7-4"), "bit '7-4' is none of uint16"),
        (field("function: 3, address: 0, type: float32, values: {1: 2}"), "whole numbers and strings"),
        (field("function: 3, address: 0, type: uint16, values: {run: 1}"), "begin with whole numbers"),
        (field("function: 3, address: 0, type: uint16, scale: 2, values: {1: 2}"), "leave 'scale' and 'offset' out"),
        (
            field("function: 3, address: 8, type: int32", "forbidden: [{first: 9, last: 9}]"),
            "forbidden registers 9 to 9",
        ),
        (
            field("function: 3, address: 8, type: int32", "forbidden: [{first: 9, last: 8}]"),
            "'last' lies before 'first'",
        ),
        (sunspec("[203]", "Watts", "W"), "model 203 has no numeric point 'Watts'"),
        (sunspec("[203]", "W", "kWh"), "gives 'W' in W"),
        (sunspec("[999]", "W", "W"), "there is no SunSpec model 999"),
        (sunspec("[203]", "TotWhImp", "Wh", "max_registers: 8"), "needs 9 registers with its scale factor"),
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
