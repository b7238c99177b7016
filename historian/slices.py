"""Readings of some points of one file by row number: its footer says how many rows each point has, and how many odd.

A file is sorted by point, so that a point's rows need no look at names. Rows that are not odd are good, and nothing was
found out about them: their quality and finding need not be read either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import polars as pl

from historian.tables import READINGS

FOOTER = "keepclean points"
NEAR_ROWS = 65_536
"""Rows between two points that are sooner read and dropped than passed over: they are of one row group."""
PLAIN = ("time", "received", "value")
ODD = ((pl.col("quality") != "good") | (pl.col("finding") != "")).fill_null(True)


@dataclass(frozen=True)
class Place:
    """The rows of a point in a file."""

    point: str
    first: int
    rows: int
    odd: int

    @property
    def end(self) -> int:
        """The row after the last."""
        return self.first + self.rows


def footer(frame: pl.DataFrame, rows: pl.Series) -> dict[str, str]:
    """What a file of table `readings` says in its footer; `rows` are the numbers of those that it holds, by point."""
    counted = (
        frame.lazy()
        .with_row_index("#row")
        .filter(pl.col("#row").is_in(rows.implode()))
        .group_by("point")
        .agg(pl.len(), ODD.sum().alias("odd"))
        .sort("point")
        .collect()
    )
    return {FOOTER: json.dumps({point: [rows, odd] for point, rows, odd in counted.iter_rows()})}


def places(path: Path) -> dict[str, Place] | None:
    """Where a file's points are; None where it does not say. Raises FileNotFoundError or a Polars error."""
    found = pl.read_parquet_metadata(path).get(FOOTER)
    if found is None:
        return None
    counts: dict[str, tuple[int, int]] = json.loads(found)
    firsts = accumulate((rows for rows, _ in counts.values()), initial=0)
    return {point: Place(point, first, *counts[point]) for point, first in zip(counts, firsts, strict=False)}


def read(path: Path, wanted: Sequence[Place], points: Sequence[str]) -> pl.DataFrame:
    """Columns point (an Enum of `points`), time, received and value of the places wanted, sorted by natural key.

    Raises FileNotFoundError or a Polars error.
    """
    scan = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(PLAIN)
    parts, codes, counts = [], [], []
    for near in _near(sorted(wanted, key=lambda place: place.first)):
        begin = near[0].first
        frame = scan.slice(begin, near[-1].end - begin).collect()
        for place in near:
            parts.append(frame.slice(place.first - begin, place.rows))
            codes.append(points.index(place.point))
            counts.append(place.rows)
    point = pl.Series("point", np.repeat(np.array(codes, np.min_scalar_type(len(points))), counts))
    rows = pl.concat(parts) if parts else READINGS.empty().select(PLAIN)
    return rows.select(point.cat.to(pl.Enum(points)), *PLAIN)


def _near(places: Sequence[Place]) -> Iterator[list[Place]]:
    """Places that are best read together."""
    together: list[Place] = []
    for place in places:
        if together and place.first - together[-1].end > NEAR_ROWS:
            yield together
            together = []
        together.append(place)
    if together:
        yield together
