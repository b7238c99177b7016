"""What collectors refuse in a plant description, with line and hint, all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from collectors_plant import modbus, mqtt, plant

from collectors.check import check
from plant.load import examine, inspect

DEMO = Path(__file__).parents[2] / "examples" / "electroplating" / "plant.yaml"
OWN = """
{make: A, model: B, source: the test, fields: {
  area: {title: x, function: 3, address: 0, type: uint32, unit: m2},
  mode: {title: x, function: 3, address: 1, type: int16, unit: "1"},
  other: {title: x, function: 4, address: 1, type: int16, unit: "1"},
  pump: {title: x, function: 3, address: 9, type: uint16, bit: 0, unit: "1"},
  valve: {title: x, function: 3, address: 9, type: uint16, bit: 1-2, unit: "1"},
  alarms: {title: x, function: 3, address: 9, type: uint16, bit: 2-7, unit: "1"},
  serial: {title: x, function: 3, address: 20, type: string, length: 4, unit: "1"}}}
"""
METER = modbus("127.0.0.1:502", "eastron-sdm630")


def faults(folder: Path, devices: dict[str, Any], points: dict[str, Any], **more: Any) -> list[str]:
    """The faults as 'where: message | hint'; the line stands for the depth at which it was asked."""
    asked: dict[int, tuple[str, ...]] = {}

    def line_of(where: tuple[str, ...]) -> int:
        asked[len(asked) + 1] = where
        return len(asked)

    (folder / "own.yaml").write_text(OWN)
    found = check(plant(devices, points, **more), folder / "plant.yaml", line_of)
    return [f"{'.'.join(asked[one.line]) if one.line else one.file.name}: {one.message} | {one.hint}" for one in found]


@pytest.mark.parametrize(
    ("devices", "points", "more", "expected"),
    [
        (
            {"m": modbus("127.0.0.1:502", "eastron-sdm360")},
            {},
            {},
            "devices.m.profile: device 'm': there is no meter profile 'eastron-sdm360' | did you mean 'eastron-sdm6",
        ),
        (
            {"m": modbus("127.0.0.1:502", "gone.yaml")},
            {},
            {},
            "devices.m.profile: device 'm': there is no profile file 'gone.yaml' | write the profile beside",
        ),
        (
            {"m": METER},
            {"x": ("m", "energy_imported", "counter", "kWh")},
            {},
            "points.x.read: point 'x': profile 'eastron-sdm630' has no field 'energy_imported' | did you mean",
        ),
        (
            {"m": METER},
            {"x": ("m", "energy_import", "counter", "m3")},
            {},
            "points.x.unit: point 'x' is in m3, but Eastron SDM630-Modbus V2 gives 'energy_import' in kWh",
        ),
        (
            {"m": modbus("127.0.0.1:502", "own.yaml")},
            {"x": ("m", "area", "counter", "m2"), "y": ("m", "mode", "level", "1"), "z": ("m", "other", "level", "1")},
            {},
            "points.y.read: points 'x' and 'y' read the same register of 127.0.0.1:502 id 1 (function 3, 0-1 and 1)",
        ),
        (
            {"m": modbus("127.0.0.1:502", "own.yaml")},
            {
                "x": ("m", "pump", "level", "1"),
                "y": ("m", "valve", "level", "1"),
                "z": ("m", "alarms", "level", "1"),
            },
            {},
            "points.z.read: points 'y' and 'z' read the same register of 127.0.0.1:502 id 1 (function 3, 9 bit 1-2 a",
        ),
        (
            {"m": modbus("127.0.0.1:502", "own.yaml")},
            {"x": ("m", "serial", "level", "1")},
            {},
            "points.x.read: point 'x': 'serial' of A B is a text, not a number | give the profile's field 'values:",
        ),
        (
            {"m": modbus("127.0.0.1:502", "sunspec-meter")},
            {"x": ("m", "energy_import", "counter", "m3")},
            {},
            "points.x.unit: point 'x' is in m3, but SunSpec AC meter (models 201-204, 211-214) gives 'energy_im",
        ),
        (
            {"s": mqtt("plant/+", "json")},
            {},
            {"broker": {"url": "mqtt://b", "client_id": "x"}},
            "devices.s.topic: device 's': topic 'plant/+' is not one topic | write the whole topic",
        ),
        (
            {"s": mqtt("plant/{point}", "number")},
            {},
            {"broker": {"url": "mqtt://b", "client_id": "x"}},
            "devices.s.topic: device 's': topic 'plant/{point}' has a placeholder other than {read} | only {read}",
        ),
        (
            {"s": mqtt("plant", "json")},
            {"x": ("s", "a..b", "level", "1")},
            {"broker": {"url": "mqtt://b", "client_id": "x"}},
            "points.x.read: point 'x': 'a..b' is not a dotted path | write it as a.b.c",
        ),
        (
            {},
            {},
            {"broker": {"url": "broker:1883", "client_id": "x"}},
            "broker.url: broker: 'broker:1883' is not of the form mqtt://host:port or mqtts://host:port | write mqtt://HOST:1883",
        ),
        (
            {},
            {},
            {"broker": {"url": "mqtt://b", "client_id": "x", "password_file": "secret"}},
            "broker.password_file: broker: there is no password file 'secret' | write the password",
        ),
        (
            {},
            {},
            {"import": {"time": "t", "time_format": "dd.mm.yyyy", "columns": {}}},
            "import.time_format: import: 'dd.mm.yyyy' is not a time format | one of auto, rfc3339",
        ),
    ],
)
def test_each_fault_has_its_place_and_a_hint(
    devices: dict[str, Any], points: dict[str, Any], more: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """Promise 8: one fault, where it stands, and what to write instead; nothing else is reported."""
    [found] = faults(tmp_path, devices, points, **more)
    assert found.startswith(expected)


def test_a_faulty_profile_file_is_reported_once_however_many_devices_use_it(tmp_path: Path) -> None:
    """The faults of a profile stand in the profile, not at each of its devices."""
    (tmp_path / "bad.yaml").write_text("make: A\nmodel: B\nfields: {}\n")
    devices = {name: modbus("127.0.0.1:502", "bad.yaml") for name in ("a", "b")}
    found = check(plant(devices, {}), tmp_path / "plant.yaml", lambda _: 1)
    assert [str(fault) for fault in found] == [
        f"{tmp_path / 'bad.yaml'}:1: the key 'source' is missing\n    hint: every profile needs it"
    ]


def test_a_field_of_a_faulty_profile_is_known_all_the_same(tmp_path: Path) -> None:
    """A read is held against what a faulty profile declares, and against nothing when its fields cannot be read."""
    (tmp_path / "bad.yaml").write_text("fields: {one: {title: x}}\n")
    (tmp_path / "worse.yaml").write_text("fields: {one: {title: x}\n")
    points = {"x": ("m", "one", "level", "1"), "y": ("m", "other", "level", "1")}
    for profile, expected in (("bad.yaml", ["point 'y': profile 'bad.yaml' has no field 'other'"]), ("worse.yaml", [])):
        found = check(plant({"m": modbus("127.0.0.1:502", profile)}, points), tmp_path / "plant.yaml", lambda _: 1)
        assert [fault.message for fault in found if fault.file.name == "plant.yaml"] == expected


def test_what_is_sound_is_checked_whatever_is_wrong_elsewhere() -> None:
    """Promise 8: profiles, reads and addresses are checked in a description that has other faults, YAML's included."""
    text = DEMO.read_text(encoding="utf-8")
    text = text.replace("eastron-sdm630", "eastron-sdm360", 1).replace("read: energy_import,", "read: energy,", 1)
    text = text.replace("time_zone: ", "time_zone: [", 1).replace("calibrated_until: 2", "calibrated_until: x2", 1)
    described, document = inspect(text, DEMO)
    said = "\n".join(fault.message for fault in check(described, DEMO, document.line))
    assert "there is no meter profile 'eastron-sdm360'" in said
    assert "has no field 'energy'" in said
    assert "this is not YAML" in "\n".join(fault.message for fault in document.faults)


def test_the_demo_plant_has_no_fault() -> None:
    """The demo plant's description passes."""
    described, document = examine(DEMO.read_text(encoding="utf-8"), DEMO)
    assert described is not None
    assert check(described, DEMO, document.line) == []
