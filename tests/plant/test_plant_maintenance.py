"""Maintenance: what is marked, from when to when, and that nothing is declared twice."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from plant.clock import to_us
from plant.errors import ConfigurationError
from plant.load import load, load_text
from plant.maintenance import Work, works
from plant.model import Exchange, Maintenance, Plant

ROOT = Path(__file__).parents[2]
WORK = {"title": "Pump", "scope": "ro"}


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The electroplating shop."""
    return load(ROOT / "examples/electroplating/plant.yaml")


def found(plant: Plant) -> dict[str, Work]:
    """What is marked, by name."""
    return {work.name: work for work in works(plant)}


def utc(*moment: int) -> int:
    """A UTC time [µs]."""
    return to_us(datetime(*moment, tzinfo=UTC))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        (date(2026, 3, 3), date(2026, 3, 4), (2026, 3, 2, 16), (2026, 3, 4, 16)),
        (datetime(2026, 3, 3, 6, 30), "2026-03-03 08:00", (2026, 3, 2, 22, 30), (2026, 3, 3, 0)),
        ("2026-03-03 06:30", date(2026, 3, 3), (2026, 3, 2, 22, 30), (2026, 3, 3, 16)),
        ("2026-03-03", None, (2026, 3, 2, 16), (2026, 3, 2, 16)),
        (datetime(2026, 3, 3), "2026-03-03T00:00:00", (2026, 3, 2, 16), (2026, 3, 2, 16)),
    ],
)
def test_days_and_times_are_the_plant_s_own(
    plant: Plant, since: object, until: object, start: tuple[int, ...], end: tuple[int, ...]
) -> None:
    """A last day is included, a time is not stretched to its day, and without an end the beginning is marked."""
    work = Maintenance.model_validate({**WORK, "from": since, "to": until})
    (one,) = (one for one in works(plant.model_copy(update={"maintenance": {"pump": work}})) if one.name == "pump")
    assert (one.start, one.end, one.scope, one.note) == (utc(*start), utc(*end), "ro", "")


@pytest.mark.parametrize(
    ("since", "until", "word"),
    [
        ("2026-11-15", "2026-11-14", "reversed"),
        ("2026-11-15 08:00", "2026-11-15 07:00", "reversed"),
        ("2026-11-15", "9999-12-31", "of no year"),
        ("0001-01-01", None, "of no year"),
    ],
)
def test_an_end_before_the_beginning_and_days_of_no_calendar_are_faults(
    tmp_path: Path, since: str, until: str | None, word: str
) -> None:
    """Told with its place, never a traceback."""
    document = yaml.safe_load((ROOT / "examples/electroplating/plant.yaml").read_text(encoding="utf-8"))
    document["maintenance"] = {"pump": {**WORK, "from": since, **({"to": until} if until else {})}}
    with pytest.raises(ConfigurationError) as refused:
        load_text(yaml.safe_dump(document, allow_unicode=True), ROOT / "examples/electroplating/plant.yaml")
    (fault,) = refused.value.faults
    assert word in fault.message


def test_an_hour_that_clocks_leave_out_does_not_end_before_it_begins(plant: Plant) -> None:
    """02:30 in Berlin on 29 March 2026 does not exist; 03:00 does."""
    there = plant.site.model_copy(update={"time_zone": "Europe/Berlin"})
    work = Maintenance.model_validate({**WORK, "from": "2026-03-29 02:30", "to": "2026-03-29 03:00"})
    one = found(plant.model_copy(update={"site": there, "maintenance": {"pump": work}}))["pump"]
    assert one.end == one.start


def test_a_day_is_one_also_when_clocks_are_put_forward(plant: Plant) -> None:
    """23 hours in Berlin on 29 March 2026."""
    there = plant.site.model_copy(update={"time_zone": "Europe/Berlin"})
    work = Maintenance.model_validate({**WORK, "from": "2026-03-29", "to": "2026-03-29"})
    one = found(plant.model_copy(update={"site": there, "maintenance": {"pump": work}}))["pump"]
    assert (one.start, one.end) == (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))


def test_exchanges_and_calibrations_are_marked_without_being_listed(plant: Plant) -> None:
    """With the point's or device's title, at the point's process unit; of a device of several, at the site."""
    at = datetime.fromisoformat("2026-03-03T10:15:00+08:00")
    exchange = Exchange(at=at, closing=15234.5)
    point = plant.points["zn_rinse1_water"].model_copy(update={"exchanges": [exchange]})
    marked = found(plant.model_copy(update={"points": {**plant.points, "zn_rinse1_water": point}}))
    one = marked["exchange.zn_rinse1_water"]
    assert (one.start, one.end, one.scope) == (to_us(at), to_us(at), "zinc")
    assert one.title.en == f"Meter exchanged: {point.title.en}" and one.title.zh == f"换表：{point.title.zh}"
    assert one.note == "15234.5 → 0 m3"
    due = marked["calibration.zn_rectifier_meter"]
    # 30 June 2027 is the last day of the certificate
    assert (due.start, due.end) == (utc(2027, 6, 30, 16), utc(2027, 6, 30, 16))
    assert (due.scope, due.note) == ("zinc", "E-2025-0311")
    assert marked["calibration.plating_plc"].scope == "site"
    dated = {name for name, device in plant.devices.items() if getattr(device, "calibrated_until", None)}
    assert set(marked) == {*plant.maintenance, *(f"calibration.{name}" for name in dated), "exchange.zn_rinse1_water"}


def test_a_title_in_one_language_serves_for_both_and_yaml_s_own_times_are_read() -> None:
    """2026-03-03 is a date to YAML, 2026-03-03 06:30:00 a time, 2026-03-03 06:30 a text: each is what it looks like."""
    text = (ROOT / "tests/cases/plant/sound/plant.yaml").read_text(encoding="utf-8")
    works_there = "{from: 2026-03-03, to: 2026-03-03 06:30:00, title: Pump, scope: site, note: seal}"
    alike = "{from: 2026-03-03, to: 2026-03-03 06:30, title: Pump, scope: site, note: seal}"
    assert isinstance(yaml.safe_load(alike)["to"], str)
    plant, same = (
        load_text(f"{text}\nmaintenance:\n  pump: {one}\n", Path("plant.yaml")) for one in (works_there, alike)
    )
    assert found(plant)["pump"] == found(same)["pump"]
    assert found(plant)["pump"].title.zh == "Pump"
