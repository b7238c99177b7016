"""Files merged by source time: totals for a progress bar, what was rejected, and the readings a day at a time.

Everything is read once and held as 21 bytes a reading until it has been handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from collectors.files.layout import described, is_long, rows
from collectors.files.sift import FINDINGS, RejectedRows, sift
from collectors.files.table import BROKEN, open_table, unreadable
from collectors.files.zones import resolve
from plant.errors import ConfigurationError, Fault
from plant.model import Plant
from plant.reading import Readings


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
    tables, faults = [], []
    for path in paths:
        try:
            table = open_table(path)
            layout = described(table, points, wide)
            tables.append((table, layout, rows(table, layout, scales)))
        except ConfigurationError as error:
            faults += error.faults
    wides = [table for table, _, _ in tables if not is_long(table)]
    if wide is not None and wides and not faults:
        missing = [column for column in wide.columns if not any(column in table.schema for table in wides)]
        faults += [Fault(wides[0].path, 1, f"no file has the column '{column}'") for column in missing]
    if faults:
        raise ConfigurationError(faults)
    frames, rejected = [], []
    for table, layout, lazy in tables:
        try:
            read = lazy.collect(engine="streaming").sort("line", maintain_order=True)
            read = read.with_columns(resolve(read, zone, layout.midnight_closes_day).alias("time"))
            frame, refused = sift(read, table)
        except BROKEN as error:
            raise unreadable(table.path, error) from error
        frames.append(frame)
        rejected.append(refused)
    merged = pl.concat(frames).sort("time", maintain_order=True) if frames else _EMPTY
    return History(points, merged, zone, rejected)


_EMPTY = pl.DataFrame(
    schema={"point": pl.Int32, "time": pl.Int64, "value": pl.Float64, "quality": pl.UInt8, "finding": pl.UInt8}
)
