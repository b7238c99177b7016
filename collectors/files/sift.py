"""Rows of a file apart: what is a reading, and what is none or a bad one, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from collectors.files.layout import FOREIGN_POINT, UNCLEAR_POINT, UNKNOWN_POINT, UNKNOWN_QUALITY
from collectors.files.table import Table
from plant.reading import NO_LONGER_VALID, STILL_VALID, Quality

FINDINGS = ("", "not available", "not a number", "marked bad in the file", NO_LONGER_VALID, STILL_VALID)
NOT_AVAILABLE, NOT_A_NUMBER, MARKED_BAD, ENDED, CONTINUED = range(1, 6)
SAMPLES = 5
TORN = "a quote that is not closed"
REASONS = {
    "beyond": "more fields than the header",
    "point": "no such point",
    "foreign": "a point of another device",
    "unclear": "the name of more than one point",
    "time": "not a time that exists",
    "until": "no time of day to which it is valid, or one before it begins",
    "sample": "valid from and to, but not a sample",
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

    def add(self, count: int, samples: list[Sample]) -> None:
        """Counts more and keeps their rows while there is room."""
        self.count += count
        self.samples += samples[: SAMPLES - len(self.samples)]


def sift(read: pl.DataFrame, table: Table, samples: frozenset[int] = frozenset()) -> tuple[pl.DataFrame, RejectedRows]:
    """Readings, and the rows that hold none (or a value that is not a number).

    `read` has the columns of `layout.rows` and `time`; with `until` [µs] too, only the points `samples` may be in it.
    """
    value = pl.col("value")
    reason = (
        pl.when("beyond")
        .then(pl.lit("beyond"))
        .when(pl.col("point") == UNKNOWN_POINT)
        .then(pl.lit("point"))
        .when(pl.col("point") == FOREIGN_POINT)
        .then(pl.lit("foreign"))
        .when(pl.col("point") == UNCLEAR_POINT)
        .then(pl.lit("unclear"))
        .when(pl.col("time").is_null())
        .then(pl.lit("time"))
    )
    if "until" in read.columns:
        ends = pl.col("until")
        wrong = pl.col("until_given") & (ends.is_null() | (ends <= pl.col("time")))
        is_sample = pl.col("point").is_in(sorted(samples))
        reason = reason.when(wrong).then(pl.lit("until"))
        reason = reason.when(pl.col("until_given") & ~is_sample).then(pl.lit("sample"))
    reason = reason.when(pl.col("quality") == UNKNOWN_QUALITY).then(pl.lit("quality"))
    read = read.with_columns(reason=reason.when(value.is_nan()).then(pl.lit("value")))
    refused = read.filter(pl.col("reason").is_not_null())
    rejected = RejectedRows(table.path)
    if refused.height:
        firsts = refused.unique("line", keep="first", maintain_order=True).head(SAMPLES)
        lines = firsts["line"].to_list()
        found = zip(lines, firsts["reason"].to_list(), table.text(lines), strict=True)
        rejected.add(refused.height, [Sample(line, REASONS[why], text) for line, why, text in found])
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
            *(["until"] if "until" in read.columns else []),
        )
    )
    return frame, rejected
