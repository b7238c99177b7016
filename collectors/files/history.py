"""Files merged by source time: totals for a progress bar, what was rejected, and the readings a day at a time.

Everything is read once and held as 21 bytes a reading until it has been handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from collectors.files.layout import UNKNOWN_POINT, UNKNOWN_QUALITY, is_long, rows
from collectors.files.table import Table, open_table
from collectors.files.zones import resolve
from plant.errors import ConfigurationError, Fault
from plant.model import Plant
from plant.reading import Quality, Readings

FINDINGS = ("", "not available", "not a number", "marked bad in the file")
NOT_AVAILABLE, NOT_A_NUMBER, MARKED_BAD = 1, 2, 3
SAMPLES = 5
REASONS = {
    "beyond": "more fields than the header",
    "point": "no such point",
    "time": "not a time that exists",
    "quality": "not a quality",
    "value": "not a number",
}


@dataclass(frozen=True)
class Sample:
    """A row that could not be used."""

    line: int
    reason: str
    text: str


@dataclass
class RejectedRows:
    """What of a file could not be used: how many values, and some of their rows."""

    path: Path
    count: int = 0
    samples: list[Sample] = field(default_factory=list)


class History:
    """The readings of some files; iterate over it for day-long batches in the order of source time."""

    def __init__(self, points: tuple[str, ...], frame: pl.DataFrame, zone: str, rejected: list[RejectedRows]) -> None:
        self._points, self._frame, self._zone = points, frame, zone
        self.rejected = rejected

    def __len__(self) -> int:
        """How many readings there are."""
        return self._frame.height

    @property
    def start(self) -> int | None:
        """The first source time [µs UTC]."""
        return int(self._frame["time"][0]) if self._frame.height else None

    @property
    def end(self) -> int | None:
        """The last source time [µs UTC]."""
        return int(self._frame["time"][-1]) if self._frame.height else None

    @property
    def rejected_count(self) -> int:
        """How many values of all files could not be used."""
        return sum(one.count for one in self.rejected)

    def __iter__(self) -> Iterator[Readings]:
        """Readings of one local day after another; days without readings are passed over."""
        if not self._frame.height:
            return
        local = pl.col("time").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self._zone).dt.date()
        lengths = self._frame.select(local.rle().struct.field("len")).to_series().to_list()
        start = 0
        for length in lengths:
            yield self._batch(self._frame.slice(start, length))
            start += length

    def _batch(self, day: pl.DataFrame) -> Readings:
        time = day["time"].to_numpy()
        return Readings(
            self._points,
            day["point"].to_numpy(),
            time,
            time,
            day["value"].fill_null(float("nan")).to_numpy(),
            day["quality"].to_numpy(),
            day["finding"].to_numpy(),
            FINDINGS,
        )


def read_files(plant: Plant, paths: Sequence[Path]) -> History:
    """The history that CSV and Parquet files hold.

    A long file has the columns time, point, value and maybe quality; any other is read by the plant description's
    `import:` block. A row that cannot be understood is counted and sampled in `rejected`, never raised; one whose value
    alone is not a number is a bad reading as well.

    Raises ConfigurationError when a file cannot be read at all, or when no file has a column that `import:` names.
    """
    points = tuple(plant.points)
    scales = [point.scale for point in plant.points.values()]
    zone, wide = plant.site.time_zone, plant.import_
    closes = wide is not None and wide.day_end == "midnight closes the day"
    tables, faults = [], []
    for path in paths:
        try:
            table = open_table(path)
            tables.append((table, rows(table, points, scales, wide)))
        except ConfigurationError as error:
            faults += error.faults
    described = [table for table, _ in tables if not is_long(table)]
    if wide is not None and described and not faults:
        missing = [column for column in wide.columns if not any(column in table.schema for table in described)]
        faults += [Fault(described[0].path, 1, f"no file has the column '{column}'") for column in missing]
    if faults:
        raise ConfigurationError(faults)
    frames, rejected = [], []
    for table, lazy in tables:
        try:
            read = lazy.collect(engine="streaming")
        except pl.exceptions.PolarsError as error:
            raise ConfigurationError([Fault(table.path, 1, f"cannot be read: {error}")]) from error
        read = read.sort("line", maintain_order=True)
        read = read.with_columns(resolve(read, zone, closes and not is_long(table)).alias("time"))
        frame, refused = _sift(read, table)
        frames.append(frame)
        rejected.append(refused)
    merged = pl.concat(frames).sort("time", maintain_order=True) if frames else _EMPTY
    return History(points, merged, zone, rejected)


_EMPTY = pl.DataFrame(
    schema={"point": pl.Int32, "time": pl.Int64, "value": pl.Float64, "quality": pl.UInt8, "finding": pl.UInt8}
)


def _sift(read: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, RejectedRows]:
    """Readings, and the rows that hold none (or a value that is not a number)."""
    value = pl.col("value")
    reason = (
        pl.when("beyond")
        .then(pl.lit("beyond"))
        .when(pl.col("point") == UNKNOWN_POINT)
        .then(pl.lit("point"))
        .when(pl.col("time").is_null())
        .then(pl.lit("time"))
        .when(pl.col("quality") == UNKNOWN_QUALITY)
        .then(pl.lit("quality"))
        .when(value.is_nan())
        .then(pl.lit("value"))
    )
    read = read.with_columns(reason=reason)
    refused = read.filter(pl.col("reason").is_not_null())
    firsts = refused.unique("line", keep="first", maintain_order=True).head(SAMPLES)
    lines = firsts["line"].to_list()
    samples = [
        Sample(line, REASONS[why], text)
        for line, why, text in zip(lines, firsts["reason"].to_list(), table.text(lines), strict=True)
    ]
    bad = int(Quality.BAD)
    finding = (
        pl.when(value.is_null())
        .then(NOT_AVAILABLE)
        .when(value.is_nan())
        .then(NOT_A_NUMBER)
        .when(pl.col("quality") == bad)
        .then(MARKED_BAD)
        .otherwise(0)
        .cast(pl.UInt8)
    )
    frame = (
        read.filter(pl.col("reason").is_null() | (pl.col("reason") == "value"))
        .with_columns(finding=finding)
        .select(
            "point",
            "time",
            "value",
            pl.when(pl.col("finding") > 0).then(bad).otherwise(pl.col("quality")).cast(pl.UInt8).alias("quality"),
            "finding",
        )
    )
    return frame, RejectedRows(table.path, refused.height, samples)
