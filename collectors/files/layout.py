"""A table's layout, long or wide, to one form: line, point, time, value, quality, and to when a sample is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from collectors.files.table import BEYOND, LINE, Table
from collectors.files.zones import prepared, utc_and_local
from plant.errors import ConfigurationError, Fault
from plant.model import Wide
from plant.reading import Quality

LONG = ("time", "point", "value")
UNKNOWN_POINT, FOREIGN_POINT, UNCLEAR_POINT = -1, -2, -3
UNKNOWN_QUALITY = 255
MIDNIGHT_CLOSES = "midnight closes the day"


@dataclass(frozen=True)
class Layout:
    """What a table's columns are.

    A long table has a column `point` (what may stand in it, in lower case: `names`) and a column `value`; a wide one
    has `columns`. Both lead to a point's number, or to one of the numbers below zero for what cannot be used. `until`
    is the column that says to when a sample is valid.
    """

    time: str
    time_format: str = "auto"
    until: str | None = None
    point: str | None = None
    value: str = ""
    quality: str | None = None
    names: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    midnight_closes_day: bool = False


def is_long(table: Table) -> bool:
    """Whether a table has the columns time, point and value."""
    return all(name in table.schema for name in LONG)


def described(table: Table, points: Sequence[str], wide: Wide | None) -> Layout:
    """The layout of a history file: long, or as the plant description's `import:` block says.

    Raises ConfigurationError when it is neither.
    """
    index = {name: number for number, name in enumerate(points)}
    if is_long(table):
        quality = "quality" if "quality" in table.schema else None
        return Layout("time", point="point", value="value", quality=quality, names=index)
    if wide is None:
        hint = "long files have the columns time, point, value and maybe quality; for others write an `import:` block"
        raise ConfigurationError([Fault(table.path, 1, f"the columns are {names(table)}", hint)])
    if not is_described(table, wide):
        hint = f"`import:` expects '{wide.time}' and some of {', '.join(wide.columns)}"
        raise ConfigurationError([Fault(table.path, 1, f"the columns are {names(table)}", hint)])
    return imported(table, index, wide)


def is_described(table: Table, wide: Wide) -> bool:
    """Whether a table has the time column of `import:` and at least one of its others."""
    return wide.time in table.schema and any(column in table.schema for column in wide.columns)


def imported(table: Table, index: Mapping[str, int], wide: Wide) -> Layout:
    """The layout that `import:` describes; `index` gives each point's number."""
    columns = {column: index[point] for column, point in wide.columns.items() if column in table.schema}
    closes = wide.day_end == MIDNIGHT_CLOSES
    return Layout(wide.time, wide.time_format, columns=columns, categories=wide.categories, midnight_closes_day=closes)


def rows(table: Table, layout: Layout, scales: Sequence[float]) -> pl.LazyFrame:
    """A table's readings: line, beyond, point (a number), utc [µs], local, value, quality; and, where there is an
    `until`: until_utc, until_local and until_given.

    `scales` are the points' own factors. A value is null where there is none and NaN where it is not a finite number;
    quality is 255 where it is none.
    """
    lazy = prepared(table.rows, layout.time, table.schema[layout.time], layout.time_format)
    utc, local = utc_and_local(layout.time, table.schema[layout.time], layout.time_format)
    base = {"line": pl.col(LINE), "beyond": pl.col(BEYOND).is_not_null(), "utc": utc, "local": local}
    if layout.until is not None:
        lazy = prepared(lazy, layout.until, table.schema[layout.until], "auto")
        base |= _until(layout.until, table.schema[layout.until])
    table = replace(table, rows=lazy)
    return _wide(table, layout, scales, base) if layout.point is None else _long(table, layout, scales, base)


def _long(table: Table, layout: Layout, scales: Sequence[float], base: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    assert layout.point is not None
    written = pl.col(layout.point).cast(pl.String).str.strip_chars().str.to_lowercase()
    number = written.replace_strict(dict(layout.names), default=UNKNOWN_POINT, return_dtype=pl.Int32)
    number = number.fill_null(UNKNOWN_POINT)
    scale = number.replace_strict(dict(enumerate(scales)), default=1.0, return_dtype=pl.Float64)
    quality = pl.lit(int(Quality.GOOD), pl.UInt8)
    if layout.quality is not None:
        known = {one.name.lower(): one.value for one in Quality} | {str(one.value): one.value for one in Quality}
        said = pl.col(layout.quality).cast(pl.String).str.strip_chars().str.to_lowercase()
        quality = (
            pl.when(said.is_null() | (said == ""))
            .then(pl.lit(int(Quality.GOOD)))
            .otherwise(said.replace_strict(known, default=UNKNOWN_QUALITY, return_dtype=pl.Int64))
            .cast(pl.UInt8)
        )
    value = _finite(_number(layout.value, table.schema[layout.value]) * scale)
    return table.rows.select(**base, point=number, value=value, quality=quality)


def _wide(table: Table, layout: Layout, scales: Sequence[float], base: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    values = {}
    for place, (column, number) in enumerate(layout.columns.items()):
        scale = scales[number] if number >= 0 else 1.0
        values[f"v{place}"] = _finite(_number(column, table.schema[column], layout.categories.get(column)) * scale)
    places = {f"v{place}": number for place, number in enumerate(layout.columns.values())}
    return (
        table.rows.select(**base, **values)
        .unpivot(on=list(places), index=list(base), variable_name="place", value_name="value")
        .filter(pl.col("value").is_not_null())
        .select(
            *base,
            pl.col("place").replace_strict(places, return_dtype=pl.Int32).alias("point"),
            "value",
            pl.lit(int(Quality.GOOD), pl.UInt8).alias("quality"),
        )
    )


def _until(column: str, dtype: pl.DataType) -> dict[str, pl.Expr]:
    """The end of a sample. A day alone is none: nobody can say whether it counts itself."""
    utc, local = utc_and_local(column, dtype, "auto")
    given = pl.col(column).is_not_null()
    clear: pl.Expr = pl.lit(not isinstance(dtype, pl.Date))
    if isinstance(dtype, pl.String):
        text = pl.col(column).str.strip_chars()
        given = given & (text != "")
        clear = text.str.contains(r"\d:\d|^\d+(\.\d+)?$")
    none_utc, none_local = pl.lit(None, pl.Int64), pl.lit(None, pl.Datetime("us"))
    return {
        "until_utc": pl.when(clear).then(utc).otherwise(none_utc),
        "until_local": pl.when(clear).then(local).otherwise(none_local),
        "until_given": given,
    }


def _finite(value: pl.Expr) -> pl.Expr:
    """What the point's factor made too large for a number is none."""
    return pl.when(value.is_infinite()).then(float("nan")).otherwise(value)


def _number(column: str, dtype: pl.DataType, categories: Mapping[str, float] | None = None) -> pl.Expr:
    """The column as numbers: null where it is empty, NaN where it is not a finite number or not a known category."""
    if dtype.is_numeric():
        value = pl.col(column).cast(pl.Float64)
        return pl.when(value.is_null() | value.is_finite()).then(value).otherwise(float("nan"))
    text = pl.col(column).cast(pl.String).str.strip_chars()
    if categories is not None:
        value = text.replace_strict(dict(categories), default=None, return_dtype=pl.Float64)
    else:
        value = text.cast(pl.Float64, strict=False)
    return (
        pl.when(text.is_null() | (text == ""))
        .then(None)
        .when(value.is_finite())
        .then(value)
        .otherwise(pl.lit(float("nan")))
    )


def names(table: Table) -> str:
    """A table's columns, for a message."""
    return ", ".join(table.schema) or "none"
