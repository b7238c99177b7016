"""History from files: long and wide, CSV and Parquet, the traps of local time, and rows that are no readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from collectors_plant import plant
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.files import History, read_files
from plant.clock import to_datetime, to_us
from plant.errors import ConfigurationError
from plant.model import Plant
from plant.reading import Quality, Readings

MANUAL = {"file": {"protocol": "manual"}}
POINTS = {"kwh": ("file", "kwh", "interval", "kWh"), "load": ("file", "load", "level", "1")}
WIDE = {
    "time": "date",
    "time_format": "%d/%m/%Y %H:%M",
    "day_end": "midnight closes the day",
    "columns": {"Usage_kWh": "kwh", "Load_Type": "load"},
    "categories": {"Load_Type": {"Light_Load": 1, "Maximum_Load": 3}},
}


def described(zone: str = "Asia/Shanghai", **wide: Any) -> Plant:
    """A plant of two points; with `wide` an import block."""
    more = {"import": wide} if wide else {}
    points = {"kwh": {**dict(zip(("from", "read", "kind", "unit"), POINTS["kwh"], strict=True)), "span": "15 min"}}
    return plant(MANUAL, {**points, "load": POINTS["load"]}, time_zone=zone, **more)


def write(path: Path, *lines: str, start: str = "") -> Path:
    """A text file of some lines."""
    path.write_text(start + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(history: History) -> list[tuple[str, str, float | None]]:
    """(point, UTC time, value or None), in order."""
    readings = Readings.join(list(history))
    return [
        (readings.points[point], to_datetime(time).strftime("%d %H:%M:%S"), None if np.isnan(value) else value)
        for point, time, value in zip(
            readings.point.tolist(), readings.time.tolist(), readings.value.tolist(), strict=True
        )
    ]


def look_alike(path: Path, days: int = 3) -> float:
    """A made-up year of a steel plant's meter, cut short, with its trap: the row of DD 00:00 follows DD 23:45.

    Returns the sum of its kWh.
    """
    total, lines = 0.0, ["date,Usage_kWh,NSM,Load_Type"]
    for day in range(1, days + 1):
        for quarter in range(1, 97):
            hour, minute = divmod(15 * (quarter % 96), 60)
            usage = round(3 + day + quarter / 7, 2)
            total += usage
            load = "Light_Load" if quarter < 40 else "Maximum_Load"
            lines.append(f"{day:02d}/01/2018 {hour:02d}:{minute:02d},{usage},{900 * quarter % 86400},{load}")
    write(path, *lines, start="\ufeff")
    return total


def test_midnight_closes_the_day_in_a_wide_file(tmp_path: Path) -> None:
    """Promise 4: a file with a BOM whose 00:00 rows end their day becomes one unbroken grid with every kWh in it."""
    total = look_alike(tmp_path / "steel.csv")
    history = read_files(described("Asia/Seoul", **WIDE), [tmp_path / "steel.csv"])
    assert len(history) == 2 * 3 * 96
    assert history.rejected_count == 0
    readings = Readings.join(list(history))
    kwh = readings.take(readings.point == 0)
    assert set(np.diff(kwh.time).tolist()) == {15 * 60 * 1_000_000}
    assert to_datetime(int(kwh.time[0])) == datetime(2017, 12, 31, 15, 15, tzinfo=UTC)
    assert to_datetime(int(kwh.time[-1])) == datetime(2018, 1, 3, 15, 0, tzinfo=UTC)
    assert kwh.value.sum() == pytest.approx(total, rel=1e-12)
    assert readings.value[readings.point == 1].tolist() == ([1.0] * 39 + [3.0] * 57) * 3


def test_batches_are_whole_local_days_in_order(tmp_path: Path) -> None:
    """Each batch holds one day of the plant's zone; together they are everything, in order of source time."""
    look_alike(tmp_path / "steel.csv")
    history = read_files(described("Asia/Seoul", **WIDE), [tmp_path / "steel.csv"])
    batches = list(history)
    days = [{(to_datetime(int(time)) + timedelta(hours=9)).date() for time in batch.time} for batch in batches]
    assert [len(day) for day in days] == [1] * 4
    assert sorted(day for one in days for day in one) == [day for one in days for day in one]
    assert sum(len(batch) for batch in batches) == len(history)
    assert history.start == int(batches[0].time[0])
    assert history.end == int(batches[-1].time[-1])


def test_every_way_to_write_a_time_in_a_long_file(tmp_path: Path) -> None:
    """RFC 3339 with Z or offset, epoch of any size, and local time without a zone mean the same instant."""
    ways = [
        "2026-03-02T04:00:00Z",
        "2026-03-02 04:00:00.000+00:00",
        "2026-03-02T12:00+08:00",
        "1772424000",
        "1772424000000",
        "1772424000000000",
        "2026-03-02T12:00:00",
        "2026-03-02 12:00",
        " 2026-03-02 12:00:00.000000 ",
    ]
    path = write(tmp_path / "long.csv", "time,point,value", *(f"{way},kwh,{n}" for n, way in enumerate(ways)))
    history = read_files(described(), [path])
    assert rows(history) == [("kwh", "02 04:00:00", float(n)) for n in range(len(ways))]


def test_files_are_merged_by_source_time(tmp_path: Path) -> None:
    """Long CSV and Parquet files, their rows out of order, come as one stream."""
    write(tmp_path / "a.csv", "point,value,time", "kwh,3,2026-03-03T00:00:00Z", "kwh,1,2026-03-01T00:00:00Z")
    times = [datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)]
    pl.DataFrame({"time": times, "point": ["kwh", "load"], "value": [2, 4]}).write_parquet(tmp_path / "b.parquet")
    history = read_files(described(), [tmp_path / "a.csv", tmp_path / "b.parquet"])
    assert [value for _, _, value in rows(history)] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    "time",
    [
        pl.Series([datetime(2026, 3, 2, 12)], dtype=pl.Datetime("ns")),
        pl.Series([datetime(2026, 3, 2, 4)], dtype=pl.Datetime("ms")).dt.replace_time_zone("UTC"),
        pl.Series([1772424000]),
        pl.Series([1772424000.0]),
        pl.Series(["2026-03-02 12:00"]),
    ],
    ids=["naive", "zoned", "epoch", "float epoch", "text"],
)
def test_parquet_times_of_any_type(time: pl.Series, tmp_path: Path) -> None:
    """Timestamps with and without a zone, numbers and text are understood."""
    pl.DataFrame({"time": time, "point": ["kwh"], "value": ["1.5"]}).write_parquet(tmp_path / "x.parquet")
    assert rows(read_files(described(), [tmp_path / "x.parquet"])) == [("kwh", "02 04:00:00", 1.5)]


def test_the_hour_that_a_clock_change_repeats(tmp_path: Path) -> None:
    """The second 02:15 of a 25-hour day is an hour after the first; a time that was skipped does not exist."""
    lines = ["2026-10-25 02:15,kwh,1", "2026-10-25 02:45,kwh,2", "2026-10-25 02:15,kwh,3", "2026-10-25 02:45,kwh,4"]
    path = write(tmp_path / "x.csv", "time,point,value", *lines, "2026-03-29 02:30,kwh,5")
    history = read_files(described("Europe/Berlin"), [path])
    assert rows(history) == [
        ("kwh", "25 00:15:00", 1.0),
        ("kwh", "25 00:45:00", 2.0),
        ("kwh", "25 01:15:00", 3.0),
        ("kwh", "25 01:45:00", 4.0),
    ]
    assert [sample.line for sample in history.rejected[0].samples] == [6]


def test_rows_that_are_no_readings_are_counted_with_their_lines(tmp_path: Path) -> None:
    """Promise 3: whatever is wrong with a row, it is no reading or a bad one, is counted, and shows its line."""
    path = write(
        tmp_path / "x.csv",
        "time,point,value,quality",
        "2026-03-02T00:00:00Z,kwh,1,good",
        "yesterday,kwh,2,",
        "2026-03-02T00:01:00Z,khw,3,",
        "2026-03-02T00:02:00Z,kwh,1,5,good",
        "2026-03-02T00:03:00Z,kwh,Error,",
        "",
        "2026-03-02T00:04:00Z,kwh,,",
        "2026-03-02T00:05:00Z,kwh,4,splendid",
        "2026-03-02T00:06:00Z,kwh,5,Suspect",
        "2026-03-02T00:07:00Z,kwh,6,bad",
        "x",
    )
    history = read_files(described(), [path])
    assert rows(history) == [
        ("kwh", "02 00:00:00", 1.0),
        ("kwh", "02 00:03:00", None),
        ("kwh", "02 00:04:00", None),
        ("kwh", "02 00:06:00", 5.0),
        ("kwh", "02 00:07:00", 6.0),
    ]
    [batch] = list(history)
    assert batch.quality.tolist() == [Quality.GOOD, Quality.BAD, Quality.BAD, Quality.SUSPECT, Quality.BAD]
    assert [batch.findings[one] for one in batch.finding] == [
        "",
        "not a number",
        "not available",
        "",
        "marked bad in the file",
    ]
    [rejected] = history.rejected
    assert rejected.count == 6
    assert [(sample.line, sample.reason) for sample in rejected.samples] == [
        (3, "not a time that exists"),
        (4, "no such point"),
        (5, "more fields than the header"),
        (6, "not a number"),
        (9, "not a quality"),
    ]
    assert rejected.samples[0].text == "yesterday,kwh,2,"


@pytest.mark.parametrize("more", ["", ",6", ",6,7,8"])
def test_a_decimal_comma_is_refused_and_not_cut_off(more: str, tmp_path: Path) -> None:
    """Promise 3: 1,5 without quotes makes a row too long; it is never taken for 1, wherever it stands in the file."""
    good, wrong = "2026-03-02T00:00:00Z,kwh,1", f"2026-03-02T00:01:00Z,kwh,1,5{more}"
    for lines in ([good, wrong], [wrong, good], [wrong]):
        history = read_files(described(), [write(tmp_path / "x.csv", "time,point,value", *lines)])
        assert len(history) == len(lines) - 1
        assert history.rejected[0].samples[0].reason == "more fields than the header"


def test_wide_cells_without_a_value(tmp_path: Path) -> None:
    """An empty cell of a wide file is nothing; one that is no number, or no known category, is a bad reading."""
    path = write(
        tmp_path / "x.csv", "date,Usage_kWh,Load_Type", "02/03/2026 12:00,,Maximum_Load", "02/03/2026 12:15,-,?"
    )
    history = read_files(described(**WIDE), [path])
    assert rows(history) == [("load", "02 04:00:00", 3.0), ("kwh", "02 04:15:00", None), ("load", "02 04:15:00", None)]
    assert history.rejected_count == 2


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("when,what,how_much", "the columns are when, what, how_much"),
        ("date,Usage_kWh", "no file has the column 'Load_Type'"),
        ("date,date", "a name twice"),
        ("", "the header has an empty name|the columns are none"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(header: str, says: str, tmp_path: Path) -> None:
    """Promise 8: columns that nothing describes are an error that names file and line."""
    path = write(tmp_path / "x.csv", header, "1,2,3")
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_files(described(**WIDE), [path])
    assert caught.value.faults[0].file == path


def test_all_unreadable_files_are_named_at_once(tmp_path: Path) -> None:
    """Promise 8: a file that is not there and one that is not Parquet are reported together."""
    (tmp_path / "b.parquet").write_bytes(b"not parquet")
    with pytest.raises(ConfigurationError) as caught:
        read_files(described(), [tmp_path / "a.csv", tmp_path / "b.parquet"])
    assert [fault.file.name for fault in caught.value.faults] == ["a.csv", "b.parquet"]


def test_no_readings_at_all(tmp_path: Path) -> None:
    """A header without rows is an empty history."""
    history = read_files(described(), [write(tmp_path / "x.csv", "time,point,value")])
    assert (len(history), history.start, history.end, list(history)) == (0, None, None, [])


CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters='"\r\n'), max_size=12) | st.sampled_from(
    ("2026-03-02T00:00:00Z", "2026-03-02 00:00", "1772424000", "kwh", "1", "1e5", "inf", "good", "")
)


@given(st.lists(st.lists(CELL, max_size=6), max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_row_raises(tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]]) -> None:
    """Any text in any cell: no exception, and every good reading is a finite number at a possible time."""
    path = tmp_path_factory.mktemp("any") / "x.csv"
    write(path, "time,point,value,quality", *(",".join(cells) for cells in lines))
    history = read_files(described(), [path])
    readings = Readings.join(list(history))
    assert np.isfinite(readings.value[readings.quality < Quality.BAD]).all()
    assert (readings.time <= to_us(datetime(9999, 12, 31, tzinfo=UTC))).all()
    assert len(readings) + history.rejected_count <= 2 * len(lines)


def test_a_value_that_the_factor_makes_infinite_is_none(tmp_path: Path) -> None:
    """Promise 3: 1e308 times a point's scale is not a number, and never a good infinity."""
    described = plant(
        {"hand": {"protocol": "manual"}},
        {"big": {"from": "hand", "read": "big", "kind": "level", "unit": "kg", "scale": 1000.0}},
    )
    path = tmp_path / "big.csv"
    path.write_text("time,point,value\n2026-01-01T00:00:00Z,big,1e308\n2026-01-01T00:01:00Z,big,1\n")
    [batch] = list(read_files(described, [path]))
    assert batch.quality.tolist() == [Quality.BAD, Quality.GOOD]
    assert np.isnan(batch.value[0])
