"""A table's layout, long or wide, to one form: line, point, time, value, quality."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from collectors.files.table import BEYOND, LINE, Table
from collectors.files.zones import utc_and_local
from plant.errors import ConfigurationError, Fault
from plant.model import Wide
from plant.reading import Quality

LONG = ("time", "point", "value")
UNKNOWN_POINT = -1
UNKNOWN_QUALITY = 255


def is_long(table: Table) -> bool:
    """Whether a table has the columns time, point and value."""
    return all(name in table.schema for name in LONG)


def rows(table: Table, points: Sequence[str], scales: Sequence[float], wide: Wide | None) -> pl.LazyFrame:
    """A table's readings: line, point (index among `points`, -1 for an unknown one), utc [µs], local, value, quality.

    `scales` are the points' own factors. A value is null where there is none and NaN where it is not a finite number;
    quality is 255 where it is none. Raises ConfigurationError when the table is neither long nor described by `wide`.
    """
    if is_long(table):
        return _long(table, points, scales)
    if wide is None:
        hint = "long files have the columns time, point, value and maybe quality; for others write an `import:` block"
        raise ConfigurationError([Fault(table.path, 1, f"the columns are {_names(table)}", hint)])
    if wide.time not in table.schema or not any(column in table.schema for column in wide.columns):
        hint = f"`import:` expects '{wide.time}' and some of {', '.join(wide.columns)}"
        raise ConfigurationError([Fault(table.path, 1, f"the columns are {_names(table)}", hint)])
    return _wide(table, points, scales, wide)


def _long(table: Table, points: Sequence[str], scales: Sequence[float]) -> pl.LazyFrame:
    utc, local = utc_and_local("time", table.schema["time"], "auto")
    index = {name: number for number, name in enumerate(points)}
    point = pl.col("point").cast(pl.String).str.strip_chars()
    number = point.replace_strict(index, default=UNKNOWN_POINT, return_dtype=pl.Int32).fill_null(UNKNOWN_POINT)
    scale = number.replace_strict(dict(enumerate(scales)), default=1.0, return_dtype=pl.Float64)
    quality = pl.lit(int(Quality.GOOD), pl.UInt8)
    if "quality" in table.schema:
        known = {one.name.lower(): one.value for one in Quality} | {str(one.value): one.value for one in Quality}
        written = pl.col("quality").cast(pl.String).str.strip_chars().str.to_lowercase()
        quality = (
            pl.when(written.is_null() | (written == ""))
            .then(pl.lit(int(Quality.GOOD)))
            .otherwise(written.replace_strict(known, default=UNKNOWN_QUALITY, return_dtype=pl.Int64))
            .cast(pl.UInt8)
        )
    return table.rows.select(
        line=pl.col(LINE),
        beyond=pl.col(BEYOND).is_not_null(),
        point=number,
        utc=utc,
        local=local,
        value=_number("value", table.schema["value"]) * scale,
        quality=quality,
    )


def _wide(table: Table, points: Sequence[str], scales: Sequence[float], wide: Wide) -> pl.LazyFrame:
    utc, local = utc_and_local(wide.time, table.schema[wide.time], wide.time_format)
    columns = {column: point for column, point in wide.columns.items() if column in table.schema}
    index = {name: number for number, name in enumerate(points)}
    values = [
        (_number(column, table.schema[column], wide.categories.get(column)) * scales[index[point]]).alias(f"v{number}")
        for number, (column, point) in enumerate(columns.items())
    ]
    places = {f"v{number}": index[point] for number, point in enumerate(columns.values())}
    return (
        table.rows.select(
            pl.col(LINE).alias("line"),
            pl.col(BEYOND).is_not_null().alias("beyond"),
            utc.alias("utc"),
            local.alias("local"),
            *values,
        )
        .unpivot(on=list(places), index=["line", "beyond", "utc", "local"], variable_name="place", value_name="value")
        .filter(pl.col("value").is_not_null())
        .select(
            "line",
            "beyond",
            pl.col("place").replace_strict(places, return_dtype=pl.Int32).alias("point"),
            "utc",
            "local",
            "value",
            pl.lit(int(Quality.GOOD), pl.UInt8).alias("quality"),
        )
    )


def _number(column: str, dtype: pl.DataType, categories: dict[str, float] | None = None) -> pl.Expr:
    """The column as numbers: null where it is empty, NaN where it is not a finite number or not a known category."""
    if dtype.is_numeric():
        value = pl.col(column).cast(pl.Float64)
        return pl.when(value.is_null() | value.is_finite()).then(value).otherwise(float("nan"))
    text = pl.col(column).cast(pl.String).str.strip_chars()
    if categories is not None:
        value = text.replace_strict(categories, default=None, return_dtype=pl.Float64)
    else:
        value = text.cast(pl.Float64, strict=False)
    return (
        pl.when(text.is_null() | (text == ""))
        .then(None)
        .when(value.is_finite())
        .then(value)
        .otherwise(pl.lit(float("nan")))
    )


def _names(table: Table) -> str:
    return ", ".join(table.schema) or "none"
