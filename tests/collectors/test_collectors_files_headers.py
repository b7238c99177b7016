"""Files as people write them: which headers are understood, which are refused, and what a sample's end becomes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from collectors_plant import plant
from hypothesis import given, settings
from hypothesis import strategies as st
from test_collectors_files import CELL, write

from collectors.check import check
from collectors.files import blocks
from collectors.files.stream import FileReader, Part
from plant.clock import to_datetime, to_us
from plant.errors import ConfigurationError
from plant.reading import Quality, Readings

NOW = to_us(datetime(2026, 5, 1, tzinfo=UTC))
DEVICES = {"rounds": {"protocol": "manual"}, "gate": {"protocol": "manual"}}
POINTS = {
    "kwh": {"from": "rounds", "read": "M7", "kind": "counter", "unit": "kWh", "title": {"en": "Mains", "zh": "总电表"}},
    "water": {"from": "rounds", "read": "w", "kind": "counter", "unit": "m3", "title": {"en": "Water", "zh": "水表"}},
    "cod": {"from": "rounds", "read": "cod", "kind": "sample", "unit": "mg/L", "valid": "8 h"},
    "weight": ("gate", "kg", "count", "kg"),
    "twin": {"from": "gate", "read": "x", "kind": "level", "unit": "1", "title": {"en": "Pair", "zh": "双"}},
    "twin2": {"from": "gate", "read": "x", "kind": "level", "unit": "1", "title": {"en": "Pair", "zh": "双"}},
}
PLANT = plant(DEVICES, POINTS)


def parts(path: Path, device: str | None = "rounds", zone: str = "Asia/Shanghai") -> list[Part]:
    """A file's parts."""
    return list(FileReader(plant(DEVICES, POINTS, time_zone=zone), device).open(path).parts(NOW))


def rows(found: list[Part]) -> list[tuple[str, str, float]]:
    """(point, UTC day and time, value) of parts."""
    all_of = Readings.join([part.readings for part in found])
    columns = zip(all_of.point.tolist(), all_of.time.tolist(), all_of.value.tolist(), strict=True)
    return [(all_of.points[point], to_datetime(time).strftime("%d %H:%M"), value) for point, time, value in columns]


@pytest.mark.parametrize(
    "header",
    [
        "time,kwh,water",
        "Zeit,KWH,Water",
        "时间,总电表,水表",
        "日期,M7,水表（m³）,备注",
        "Date,Mains [kWh],w,note",
        "抄表时间,总电表(kWh),water [m3]",
    ],
)
@pytest.mark.parametrize("time", ["2026-04-03 08:00", "2026/4/3 8:00", "2026年4月3日 8:00:00", "2026.04.03 08:00"])
def test_a_meter_round_as_people_write_it(header: str, time: str, tmp_path: Path) -> None:
    """Names, `read` and titles in either language head the columns; a day begins with its year."""
    path = write(tmp_path / "x.csv", header, f"{time},100,7,")
    assert rows(parts(path)) == [("kwh", "03 00:00", 100.0), ("water", "03 00:00", 7.0)]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("time,kwh,steam", "'steam' is not a point"),
        ("kwh,water", "no column is the time; the columns are kwh, water"),
        ("日期,时间,kwh", "日期 and 时间 are both times"),
        ("time,kwh,总电表", "kwh and 总电表 are both the point 'kwh'"),
        ("time,Mains [MWh]", "the column 'Mains [MWh]' says MWh, the point 'kwh' is read in kWh"),
        ("time,note", "no column is a point"),
        ("to,kwh", "no column says from when"),
        ("time,point,value,when", "'when' is not a point"),
        ("time,time", "a name twice"),
        ("", "an empty name|the columns are none|no column is the time"),
    ],
)
def test_a_header_that_must_be_guessed_at_is_refused(header: str, says: str, tmp_path: Path) -> None:
    """Promise 8: nothing of such a file is read, and the fault says file and line."""
    path = write(tmp_path / "x.csv", header, "2026-04-03 08:00,1,2,3")
    with pytest.raises(ConfigurationError) as caught:
        parts(path)
    assert any(part in str(caught.value) for part in says.split("|"))
    assert (caught.value.faults[0].file, caught.value.faults[0].line) == (path, 1)


def test_names_that_two_points_share(tmp_path: Path) -> None:
    """A title that says two points heads no column; in a long file its rows are rejected."""
    with pytest.raises(ConfigurationError, match="'Pair' is what more than one point is called"):
        parts(write(tmp_path / "x.csv", "time,Pair", "2026-04-03 08:00,1"), "gate")
    found = parts(
        write(tmp_path / "y.csv", "time,point,value", "2026-04-03 08:00,双,1", "2026-04-03 08:00,twin2,1"), "gate"
    )
    assert rows(found) == [("twin2", "03 00:00", 1.0)]
    assert found[0].rejected.samples[0].reason == "the name of more than one point"


def test_a_wide_column_of_another_device_is_rejected_value_by_value(tmp_path: Path) -> None:
    """What is in the wrong folder is told, the rest is read; an import for the whole plant takes it all."""
    path = write(tmp_path / "x.csv", "time,kwh,weight", "2026-04-03 08:00,1,2", "2026-04-03 08:01,2,")
    [found] = parts(path)
    assert rows([found]) == [("kwh", "03 00:00", 1.0), ("kwh", "03 00:01", 2.0)]
    assert [(sample.line, sample.reason) for sample in found.rejected.samples] == [(2, "a point of another device")]
    assert len(rows(parts(path, None))) == 3


def test_a_quote_that_is_not_closed_takes_no_other_line(tmp_path: Path) -> None:
    """Promise 3: such a line is rejected, with its number; those after it are read."""
    path = write(tmp_path / "x.csv", "time,kwh,note", '2026-04-03 08:00,1,5" pipe', '2026-04-03 08:01,"2","a ""b"""')
    [found] = parts(path)
    assert rows([found]) == [("kwh", "03 00:01", 2.0)]
    assert [(sample.line, sample.reason) for sample in found.rejected.samples] == [(2, "a quote that is not closed")]


def test_a_line_without_end_is_no_csv(tmp_path: Path) -> None:
    """A binary file under a wrong name is refused, and never held whole."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"time,kwh\n" + b"\0" * (blocks.LINE_BYTES_MAX + 2 * blocks.BLOCK_BYTES))
    with pytest.raises(ConfigurationError, match="longer than 4 MiB"):
        parts(path)


def long_file(path: Path, zone: str) -> int:
    """Two nights on which the clocks change, a reading every 10 min for two points in local time; how many."""
    lines = ["time,point,value"]
    for first in (datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)):
        for step in range(36):
            local = (first + timedelta(minutes=10 * step)).astimezone(ZoneInfo(zone))
            lines += [f"{local:%Y-%m-%d %H:%M},{point},{step}" for point in ("kwh", "water")]
    write(path, *lines)
    return len(lines) - 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_in_parts_of_any_size_a_file_holds_the_same(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 2: also the hour that a clock change repeats, cut anywhere; and beyond a line it holds the rest."""
    count = long_file(tmp_path / "x.csv", "Europe/Berlin")
    path = tmp_path / f"x.{kind}"
    if kind == "parquet":
        pl.read_csv(tmp_path / "x.csv").write_parquet(path)
    whole = rows(parts(path, zone="Europe/Berlin"))
    assert len(set(whole)) == count
    for size in (90, 600):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        monkeypatch.setattr(blocks, "BLOCK_CELLS", size // 10)
        monkeypatch.setattr(blocks, "FETCHED_CELLS", size)
        cut = parts(path, zone="Europe/Berlin")
        assert rows(cut) == whole
        assert [part.line for part in cut] == sorted({part.line for part in cut})
        assert cut[-1].share == pytest.approx(1.0)
    after = cut[0].line
    opened = FileReader(plant(DEVICES, POINTS, time_zone="Europe/Berlin"), "rounds").open(path)
    assert rows(list(opened.parts(NOW, after))) == whole[len(cut[0].readings) :]


SAMPLES = ("2026-04-03 08:00", "2026-04-03 12:00"), ("2026-04-03 12:00", "2026-04-04 08:00")


@pytest.mark.parametrize("names", ["from,to", "von,bis", "时间从,时间到"])
def test_samples_valid_from_and_to(names: str, tmp_path: Path) -> None:
    """One valid for less than declared gets an end just before it; one valid for more is said again until its end."""
    path = write(tmp_path / "x.csv", f"{names},COD", *(f"{one},{two},{n}" for n, (one, two) in enumerate(SAMPLES)))
    readings = parts(path)[0].readings
    said = [
        (to_datetime(int(time)).strftime("%d %H:%M:%S.%f"), value, readings.findings[finding], quality)
        for time, value, finding, quality in zip(
            readings.time, readings.value.tolist(), readings.finding, readings.quality, strict=True
        )
    ]
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert said == [
        ("03 00:00:00.000000", 0.0, "", Quality.GOOD),
        ("03 04:00:00.000000", 1.0, "", Quality.GOOD),
        ("03 03:59:59.999999", nan, "no longer valid", Quality.BAD),
        ("03 12:00:00.000000", 1.0, "still valid", Quality.GOOD),
        ("03 20:00:00.000000", 1.0, "still valid", Quality.GOOD),
        ("03 23:59:59.999999", nan, "no longer valid", Quality.BAD),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-04-03 08:00,2026-04-03,cod,1", "no time of day to which it is valid"),
        ("2026-04-03 08:00,2026-04-03 08:00,cod,1", "or one before it begins"),
        ("2026-04-03 08:00,later,cod,1", "no time of day to which it is valid"),
        ("2026-04-03 08:00,2026-04-03 09:00,kwh,1", "not a sample"),
    ],
)
def test_an_end_that_cannot_be_meant(row: str, reason: str, tmp_path: Path) -> None:
    """Promise 3: a day alone may count itself or not; nobody guesses. Without an end the declared `valid` stands."""
    path = write(tmp_path / "x.csv", "from,to,point,value", row, "2026-04-03 08:00,,cod,2")
    [found] = parts(path)
    assert rows([found]) == [("cod", "03 00:00", 2.0)]
    assert reason in found.rejected.samples[0].reason


def test_a_parquet_end_that_is_a_day_alone(tmp_path: Path) -> None:
    """A typed day is no time of day either."""
    frame = pl.DataFrame({"from": [datetime(2026, 4, 3, 8)], "to": [date(2026, 4, 4)], "cod": [1.0]})
    frame.write_parquet(tmp_path / "x.parquet")
    [found] = parts(tmp_path / "x.parquet")
    assert (len(found.readings), found.rejected.count) == (0, 1)


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        ({"a": "away"}, "device 'a': there is no folder 'away'"),
        ({"a": "plant.yaml"}, "device 'a': 'plant.yaml' is not a folder"),
        ({"a": "here", "b": "./here/"}, "device 'b': './here/' is the folder of device 'a' too"),
        ({"a": "here", "b": "/not/mounted/yet"}, ""),
    ],
)
def test_folders_are_checked(folders: dict[str, str], says: str, tmp_path: Path) -> None:
    """Promise 8: a folder that cannot be meant is found by check; one that may be mounted later is none of its."""
    (tmp_path / "here").mkdir()
    (tmp_path / "plant.yaml").touch()
    devices = {name: {"protocol": "manual", "folder": folder} for name, folder in folders.items()}
    faults = check(plant(devices, {}), tmp_path / "plant.yaml", len)
    assert [(fault.message, fault.line) for fault in faults] == ([(says, 3)] if says else [])


@given(st.lists(st.lists(CELL, max_size=6), max_size=12), st.integers(20, 200))
@settings(max_examples=30, deadline=None)
def test_no_row_raises_in_parts(tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], size: int) -> None:
    """Any text in any cell: no exception, and every value is a reading or rejected."""
    path = write(tmp_path_factory.mktemp("any") / "x.csv", "time,point,value,quality", *(",".join(c) for c in lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", size)
        for part in parts(path):
            assert ((part.readings.quality == Quality.BAD) | (abs(part.readings.value) < float("inf"))).all()
