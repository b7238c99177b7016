"""One file as parts, each small enough for a message of the journal: readings, what was refused, how far it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from collectors.files.blocks import Block, blocks
from collectors.files.headers import layout
from collectors.files.layout import Layout, rows
from collectors.files.samples import Due, Extra, Validity
from collectors.files.sift import CONTINUED, ENDED, FINDINGS, TORN, RejectedRows, Sample, sift
from collectors.files.table import BROKEN, Table, open_table, unreadable
from collectors.files.zones import Repeated, resolve
from plant.model import Plant
from plant.reading import Quality, Readings


@dataclass(frozen=True)
class Part:
    """What the lines after the last part's, up to `line`, bring; they end at `share` (0..1) of the file.

    `dues` is what of samples is to be read later.
    """

    readings: Readings
    rejected: RejectedRows
    dues: tuple[Due, ...]
    line: int
    share: float


class FileReader:
    """Reads files for one device's points, or for all points without a device."""

    def __init__(self, plant: Plant, device: str | None) -> None:
        self._plant, self._device = plant, device
        self._points = tuple(plant.points)
        self._scales = [point.scale for point in plant.points.values()]
        self._zone = plant.site.time_zone
        self._validity = Validity(plant)

    def open(self, path: Path) -> OpenFile:
        """Opens a file. Raises ConfigurationError when its columns are not understood."""
        table = open_table(path)
        return OpenFile(self, table, layout(table, self._plant, self._device))

    def part(self, block: Block, columns: Layout, repeated: Repeated, after: int, now: int) -> Part:
        """The part that a block brings beyond line `after`; received `now` [µs UTC]."""
        read = rows(block, columns, self._scales).collect().sort("line", maintain_order=True)
        time = resolve(read, self._zone, columns.midnight_closes_day, repeated)
        read = read.with_columns(time.alias("time"))
        if columns.until is not None:
            ends = read.select("point", utc="until_utc", local="until_local")
            read = read.with_columns(resolve(ends, self._zone, False).alias("until"))
        frame, rejected = sift(read.filter(pl.col("line") > after), block, self._validity.points)
        torn = [Sample(line, TORN, text) for line, text in block.torn if line > after]
        rejected.add(len(torn), torn)
        extras, dues = self._extras(frame, now)
        return Part(self._readings(frame, extras, now), rejected, tuple(dues), block.last, block.share)

    def _extras(self, frame: pl.DataFrame, now: int) -> tuple[list[Extra], list[Due]]:
        if "until" not in frame.columns:
            return [], []
        return self._validity.extras(frame.select("point", "time", "value", "until").iter_rows(), now)

    def _readings(self, frame: pl.DataFrame, extras: list[Extra], now: int) -> Readings:
        read = Readings(
            self._points,
            frame["point"].to_numpy(),
            frame["time"].to_numpy(),
            np.full(frame.height, now, np.int64),
            frame["value"].fill_null(float("nan")).to_numpy(),
            frame["quality"].to_numpy(),
            frame["finding"].to_numpy(),
            FINDINGS,
        )
        return Readings.join([read, said(self._points, extras, now)]) if extras else read


@dataclass(frozen=True)
class OpenFile:
    """A file whose columns are understood."""

    reader: FileReader
    table: Table
    layout: Layout

    def parts(self, now: int, after: int = 0) -> Iterator[Part]:
        """The file's parts beyond line `after`, received `now` [µs UTC]. Raises ConfigurationError when it breaks."""
        repeated = Repeated()
        for block in blocks(self.table):
            try:
                part = self.reader.part(block, self.layout, repeated, after, now)
            except BROKEN as error:
                raise unreadable(self.table.path, error) from error
            if block.last > after:
                yield part


def said(points: tuple[str, ...], extras: list[Extra], now: int) -> Readings:
    """What follows from samples' validity, as readings."""
    value = np.array([extra.value for extra in extras], np.float64)
    ended = np.isnan(value)
    return Readings(
        points,
        np.array([extra.point for extra in extras], np.int32),
        np.array([extra.time for extra in extras], np.int64),
        np.full(len(extras), now, np.int64),
        value,
        np.where(ended, Quality.BAD, Quality.GOOD).astype(np.uint8),
        np.where(ended, ENDED, CONTINUED).astype(np.uint8),
        FINDINGS,
    )
