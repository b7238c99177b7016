"""Times in files: as text, as epoch or as Parquet timestamps, with a zone or in the plant's, to µs UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

import polars as pl

FORMATS = ("auto", "rfc3339", "epoch_s", "epoch_ms", "local")
_BY_ITSELF = ("auto", "rfc3339", "local")
UTC = pl.Datetime("us", "UTC")
LOCAL = pl.Datetime("us")
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z")
_NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_ZONE = r"(?:[Zz]|[+-]\d\d:?\d\d)$"
_DAY = r"^(\d{4})[-/.年](\d\d?)[-/.月](\d\d?)日?(?:[T ]\s*(\d))?"
_READ = pl.Struct({"utc": pl.Int64(), "local": LOCAL})
_EARLIEST_US, _LATEST_US = 0, 253_370_764_800_000_000


def prepared(rows: pl.LazyFrame, column: str, dtype: pl.DataType, time_format: str) -> pl.LazyFrame:
    """Rows with what `utc_and_local` needs of a column: a text is read once, whatever is then asked of it."""
    if isinstance(dtype, pl.Datetime | pl.Date) or dtype.is_numeric() or time_format not in _BY_ITSELF:
        return rows
    read = pl.col(column).cast(pl.String).str.strip_chars().map_batches(_read, return_dtype=_READ, is_elementwise=True)
    return rows.with_columns(read.alias(_prepared(column)))


def utc_and_local(column: str, dtype: pl.DataType, time_format: str) -> tuple[pl.Expr, pl.Expr]:
    """Two expressions: the time in µs UTC where the column says it, the local time (without zone) where it does not.

    `time_format` is one of FORMATS or a strftime format. What cannot be understood is null in both. "auto" takes digits
    as an epoch (seconds, milli-, micro- or nanoseconds by their size), an offset at its word, the rest as local time.
    """
    none_utc, none_local = pl.lit(None, pl.Int64), pl.lit(None, LOCAL)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return none_utc, pl.col(column).cast(LOCAL)
        return _bounded(pl.col(column).dt.convert_time_zone("UTC").cast(UTC).cast(pl.Int64)), none_local
    if isinstance(dtype, pl.Date):
        return none_utc, pl.col(column).cast(LOCAL)
    if dtype.is_numeric():
        return _epoch(pl.col(column), time_format), none_local
    text = pl.col(column).cast(pl.String).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    if time_format in {"epoch_s", "epoch_ms"}:
        return _epoch(number, time_format), none_local
    if time_format not in FORMATS:
        if "%z" in time_format or "%:z" in time_format or "%#z" in time_format:
            return _bounded(text.str.strptime(UTC, time_format, strict=False).cast(pl.Int64)), none_local
        return none_utc, text.str.strptime(LOCAL, time_format, strict=False)
    read = pl.col(_prepared(column))
    utc, local = _bounded(read.struct.field("utc")), read.struct.field("local")
    if time_format == "rfc3339":
        return utc, none_local
    if time_format == "local":
        return none_utc, local
    digits = pl.when(text.str.contains(r"^\d+(\.\d+)?$")).then(_epoch(number, "auto"))
    return pl.coalesce(utc, digits), local


@dataclass
class Repeated:
    """The local times of a file's earlier rows (columns point, local) that a clock change may repeat."""

    seen: pl.DataFrame | None = None


def resolve(frame: pl.DataFrame, zone: str, midnight_closes_day: bool, repeated: Repeated | None = None) -> pl.Series:
    """The times of a frame (columns utc [µs], local, point) in µs UTC; null where there is none.

    In the hour that a clock change repeats, a local time that comes a second time for its point is the later one. A
    local time that a clock change leaves out does not exist: null. With `midnight_closes_day` a row of DD 00:00 is the
    end of day DD, not its begin. Of a file that is read in parts, `repeated` goes from one part to the next.
    """
    local = frame["local"]
    if midnight_closes_day:
        stamp = pl.col("local")
        frame = frame.with_columns(
            local=pl.when(stamp.dt.time() == time()).then(stamp + timedelta(days=1)).otherwise(stamp)
        )
        local = frame["local"]
    placed = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    unclear = placed.is_null() & local.is_not_null()
    if unclear.any():
        again = frame.select(pl.int_range(pl.len()).over("point", "local") > 0).to_series()
        if repeated is not None:
            again = again | _seen(frame.select("point", "local"), unclear, repeated)
        choice = pl.select(pl.when(again).then(pl.lit("latest")).otherwise(pl.lit("earliest"))).to_series()
        placed = local.dt.replace_time_zone(zone, ambiguous=choice, non_existent="null")
    return frame["utc"].fill_null(placed.dt.convert_time_zone("UTC").cast(pl.Int64))


def _read(text: pl.Series) -> pl.Series:
    """Times as text, with a zone or without; few files hold both, so that one way of writing is mostly all it takes."""
    iso = text.str.replace(_DAY, "${1}-${2}-${3}T${4}").str.strip_suffix("T").str.replace("[Zz]$", "+00:00")
    utc = local = pl.repeat(None, len(iso), dtype=LOCAL, eager=True)
    ways = [(form, False) for form in _NAIVE]
    zoned = [(form, True) for form in _ZONED]
    for form, has_zone in zoned + ways if iso.head(1).str.contains(_ZONE).any() else ways + zoned:
        if (utc.is_null() & local.is_null()).sum() == iso.null_count():
            break
        if has_zone:
            fresh = iso.str.strptime(UTC, form, strict=False).cast(LOCAL)
            utc = utc.zip_with(utc.is_not_null(), fresh)
        else:
            local = local.zip_with(local.is_not_null(), iso.str.strptime(LOCAL, form, strict=False))
    return pl.DataFrame({"utc": utc.cast(pl.Int64), "local": local}).to_struct(text.name)


def _prepared(column: str) -> str:
    return f"__read {column}"


def _seen(pairs: pl.DataFrame, unclear: pl.Series, repeated: Repeated) -> pl.Series:
    """Which pairs came in an earlier part; those that are unclear are remembered."""
    found = pl.repeat(False, pairs.height, eager=True)
    if repeated.seen is not None:
        known = repeated.seen.with_columns(known=True)
        found = pairs.join(known, on=["point", "local"], how="left", maintain_order="left")["known"].fill_null(False)
    kept = [pairs.filter(unclear), *([] if repeated.seen is None else [repeated.seen])]
    repeated.seen = pl.concat(kept).unique()
    return found


def _epoch(number: pl.Expr, time_format: str) -> pl.Expr:
    if time_format == "epoch_s":
        scaled = number * 1_000_000
    elif time_format == "epoch_ms":
        scaled = number * 1_000
    else:
        scaled = (
            pl.when(number < 1e11)
            .then(number * 1_000_000)
            .when(number < 1e14)
            .then(number * 1_000)
            .when(number < 1e17)
            .then(number)
            .otherwise(number / 1_000)
        )
    return _bounded(scaled.round().cast(pl.Int64, strict=False))


def _bounded(moment: pl.Expr) -> pl.Expr:
    return pl.when(moment.is_between(_EARLIEST_US, _LATEST_US)).then(moment)
