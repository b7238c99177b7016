"""Readings of whole days by row number: whatever the files, the same rows as when they are asked for by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from historian import parts, slices
from historian.reader import Reader
from historian.store import Historian
from historian.tables import READINGS
from plant.clock import to_us
from plant.reading import DAY, MINUTE

START = datetime(2026, 3, 2, tzinfo=UTC)
ZERO = to_us(START)
POINTS = ("a", "b", "c", "d")
COLUMNS = ["received", "quality", "finding"]
ODD = (("good", ""), ("good", ""), ("good", ""), ("suspect", ""), ("bad", "late"), ("good", "calibration expired"))

Row = tuple[str, int, float, int]


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows of table `readings` from (point, minute since START, value, which of ODD)."""
    moments = [START + timedelta(minutes=minute) for _, minute, _, _ in rows]
    columns = {
        "time": moments,
        "received": moments,
        "point": [point for point, _, _, _ in rows],
        "value": [value for _, _, value, _ in rows],
        "quality": [ODD[odd][0] for _, _, _, odd in rows],
        "finding": [ODD[odd][1] for _, _, _, odd in rows],
    }
    return pl.DataFrame(columns, schema=READINGS.schema)


def joined(frames: list[pl.DataFrame]) -> list[tuple[Any, ...]]:
    """Rows of a batch in the columns of a table, by natural key."""
    whole = [READINGS.empty()]
    for one in frames:
        told = {} if "quality" in one.columns else {"quality": pl.lit("good"), "finding": pl.lit("")}
        whole.append(one.with_columns(pl.col("point").cast(pl.String), **told).select(READINGS.schema.keys()))
    return pl.concat(whole).sort(READINGS.key).rows()


def made(folder: Path, files: Sequence[Sequence[Row]]) -> Reader:
    """A data folder with files of these rows on their days, in this order."""
    Historian(folder).close()
    for rows in files:
        for _, of_day in frame(rows).group_by(pl.col("time").dt.date(), maintain_order=True):
            parts.add(folder, READINGS, to_us(of_day["time"][0]) // DAY, of_day)
    return Reader(folder)


ROWS = st.lists(
    st.tuples(st.sampled_from(POINTS), st.integers(0, 3 * 1440 - 1), st.sampled_from([0.0, 1.5]), st.integers(0, 5)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ROWS, max_size=4),
    st.lists(st.sampled_from([*POINTS, "none"]), min_size=1, unique=True),
    st.integers(0, 3 * 1440),
    st.integers(1, 3 * 1440),
    st.sampled_from([0, 3, 65_536]),
)
def test_a_batch_has_the_rows_of_the_table(
    files: list[list[Row]], points: list[str], begin: int, length: int, near: int
) -> None:
    """Days of one file, of many, with the same row in several, odd rows, gaps between points: nothing more or less."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "NEAR_ROWS", near)
        # nobody pulls the plug here, and waiting for the disk takes most of the time
        patch.setattr(os, "fsync", lambda number: None)
        reader = made(Path(name), files)
        low, high = ZERO + begin * MINUTE, ZERO + (begin + length) * MINUTE
        wanted = reader.table("readings", low, high, {"point": points}, COLUMNS)
        assert joined(reader.batch(points, low, high, COLUMNS)) == joined([wanted])


def test_what_is_good_is_read_without_names_and_what_is_odd_by_name(tmp_path: Path) -> None:
    """A day of files that follow one another: only the point with an odd reading is asked for by name."""
    morning = [(point, minute, 1.0, 0) for point in POINTS for minute in range(600)]
    evening = [
        (point, minute, 2.0, int(point == "c" and minute == 700) * 4) for point in POINTS for minute in range(600, 1440)
    ]
    reader = made(tmp_path, [morning, evening])
    found = reader.batch(["d", "c", "a"], ZERO, ZERO + DAY, COLUMNS)
    assert [("quality" in one.columns, len(one)) for one in found] == [(False, 1200), (False, 1680), (True, 1440)]
    assert found[0]["point"].to_list() == ["a"] * 600 + ["d"] * 600
    assert found[2]["point"].unique().to_list() == ["c"]


def test_a_damaged_file_is_left_out_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file whose pages are broken behind a sound footer is met once, told of, and takes nothing else with it."""
    rows = [(point, minute, 1.0, 0) for point in POINTS for minute in range(0, 2880)]
    reader = made(tmp_path, [rows])
    first = min((tmp_path / "readings").rglob("*.parquet"))
    body = first.read_bytes()
    # the footer is at the end
    first.write_bytes(body[:4] + b"\xff" * (len(body) // 2) + body[4 + len(body) // 2 :])
    found = joined(reader.batch(["a", "b"], ZERO, ZERO + 2 * DAY, COLUMNS))
    assert {row[0].date().day for row in found} == {3}
    assert len(found) == 2 * 1440
    assert any(str(first) in one for one in reader.damaged())
    assert "cannot be read" in caplog.text


def test_rows_of_the_open_day_are_read_by_name(tmp_path: Path) -> None:
    """What still lies in chunks may be newer than a file: then nothing is passed by."""
    reader = made(tmp_path, [[("a", minute, 1.0, 0) for minute in range(60)]])
    historian = Historian(tmp_path)
    historian.commit({"readings": frame([("a", 30, 1.0, 3), ("a", 90, 5.0, 0)])}, [], 1, ZERO)
    historian.close()
    found = reader.batch(["a"], ZERO, ZERO + DAY, COLUMNS)
    assert [one.columns for one in found] == [["time", "received", "point", "value", "quality", "finding"]]
    assert joined(found) == joined([reader.table("readings", ZERO, ZERO + DAY)])
    assert len(found[0]) == 61


def test_a_file_that_is_replaced_while_it_is_read_is_read_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 2: what takes a file's place has other rows at the same numbers; none goes to a wrong point."""
    reader = made(tmp_path, [[(point, minute, 1.0, 0) for point in ("b", "c") for minute in range(9)]])
    more = frame([(point, minute, float(ord(point)), 0) for point in POINTS for minute in range(9)])
    footer = slices.places

    def replaced_after(path: Path) -> Any:
        found = footer(path)
        parts.write(READINGS, more, path)
        return found

    monkeypatch.setattr(slices, "places", replaced_after)
    found = reader.batch(["b"], ZERO, ZERO + DAY, COLUMNS)
    assert {row[3] for row in joined(found)} == {float(ord("b"))}
    assert sum(map(len, found)) == 9
