"""The plants that come with keepclean load, are whole, and say what the audit promised."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plant.load import load, plant_hash
from plant.model import Kind, Modbus, Plant
from plant.schema import text, write

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*/plant.yaml"))


@pytest.fixture(scope="module")
def shop() -> Plant:
    """The electroplating shop."""
    return load(ROOT / "examples" / "electroplating" / "plant.yaml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_loads_and_names_its_schema(path: Path) -> None:
    """An example is a description without fault, and an editor finds the schema from its first line."""
    load(path)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
    assert found
    assert (path.parent / found[1]).resolve() == ROOT / "docs" / "plant.schema.json"


def test_the_schema_has_not_drifted(tmp_path: Path) -> None:
    """docs/plant.schema.json is what `python -m plant.schema` writes."""
    write(tmp_path / "schema.json")
    assert (ROOT / "docs" / "plant.schema.json").read_text(encoding="utf-8") == text()
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == text()


def test_the_shop_is_measured_by_the_minute(shop: Plant) -> None:
    """At least 80 points by the minute, of every kind, from ten Modbus devices and more."""
    by_the_minute = [point for point in shop.points.values() if point.kind not in (Kind.SAMPLE, Kind.INTERVAL)]
    assert len(by_the_minute) >= 80
    assert {point.kind for point in shop.points.values()} == set(Kind)
    assert sum(isinstance(device, Modbus) for device in shop.devices.values()) >= 10


def test_every_process_unit_has_points_of_its_own(shop: Plant) -> None:
    """A process unit in which nothing is measured only groups others."""
    groups = {unit.within for unit in shop.process_units.values()}
    assert {unit for unit in shop.process_units if not shop.points_of(unit)} <= groups


def test_everything_that_a_person_reads_is_there_in_both_languages(shop: Plant) -> None:
    """Titles, causes and first checks are Chinese where they say so, not English again."""
    texts = [point.title for point in shop.points.values()] + [kpi.title for kpi in shop.kpis.values()]
    for baseline in shop.baselines.values():
        texts += [baseline.title, baseline.likely_cause, baseline.first_check]
    for one in texts:
        assert one.en.isascii(), one.en
        assert one.zh != one.en


def test_the_shop_s_meters_have_certificates(shop: Plant) -> None:
    """Evidence for an auditor: accuracy class and calibration of every Modbus meter, no certificate twice."""
    meters = [device for device in shop.devices.values() if isinstance(device, Modbus)]
    assert all(meter.accuracy_class and meter.calibrated_until for meter in meters)
    certificates = [meter.certificate for meter in meters]
    assert len(set(certificates)) == len(certificates)


def test_every_kpi_has_a_target_and_every_option_a_chart(shop: Plant) -> None:
    """What the audit promised can be held against something."""
    assert all(kpi.target for name, kpi in shop.kpis.items() if name not in shop.of_balances())
    assert all(option.baselines for option in shop.options.values())


def test_the_hash_tells_versions_apart() -> None:
    """The hash is of the whole text, whatever the line ends of the machine."""
    assert plant_hash("a: 1\n") == plant_hash("a: 1\r\n")
    assert plant_hash("a: 1\n") != plant_hash("a: 2\n")
