"""Small tables, and the open days of KPIs and blocks, as rows of SQLite by natural key."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from historian.keys import newest
from historian.tables import KPI, TABLES, Table
from plant.reading import MINUTE

KEPT_IN_ROWS = ("kpi", "blocks", "drift", "alarms", "notices")
SHIFT = "shift"
PASSING = ("15min", "1h", SHIFT)
QUARTER_US = 15 * MINUTE
_SQL_TYPES = {
    pl.Float64: "REAL",
    pl.Float32: "REAL",
    pl.Int64: "INTEGER",
    pl.Boolean: "INTEGER",
    pl.String: "TEXT",
}


def schema() -> Iterable[str]:
    """The statements that create the tables."""
    for table in (TABLES[name] for name in KEPT_IN_ROWS):
        columns = ", ".join(
            f'"{name}" {"INTEGER" if isinstance(kind, pl.Datetime) else _SQL_TYPES[kind]}'  # type: ignore[index]
            for name, kind in table.schema.items()
        )
        key = ", ".join(f'"{name}"' for name in table.key)
        yield f'CREATE TABLE IF NOT EXISTS "{table.name}" ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID'


def to_sql(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The table's columns in order, times as integer microseconds.

    SQLite knows no NaN: in a key it is stored as infinity.
    """
    return frame.select(
        pl.col(name).cast(pl.Int64)
        if isinstance(kind, pl.Datetime)
        else pl.col(name).fill_nan(math.inf)
        if name in table.key and kind == pl.Float64
        else pl.col(name)
        for name, kind in table.schema.items()
    )


def from_sql(table: Table, rows: list[tuple[object, ...]]) -> pl.DataFrame:
    """Rows as SQLite gives them, in the table's schema."""
    plain = {
        name: pl.Int64 if isinstance(kind, pl.Datetime | pl.Boolean) else kind for name, kind in table.schema.items()
    }
    frame = pl.DataFrame(rows, schema=plain, orient="row")
    return frame.select(
        pl.when(pl.col(name).is_infinite()).then(math.nan).otherwise(pl.col(name)).alias(name)
        if name in table.key and kind == pl.Float64
        else pl.col(name).cast(kind)
        for name, kind in table.schema.items()
    )


def upsert(db: sqlite3.Connection, table: Table, frame: pl.DataFrame) -> None:
    """Stores rows, within the caller's transaction. Raises sqlite3.Error."""
    if frame.is_empty():
        return
    marks = ",".join("?" * len(table.schema))
    others = [name for name in table.schema if name not in table.key]
    db.executemany(
        f'INSERT INTO "{table.name}" VALUES ({marks}) ON CONFLICT DO UPDATE SET '
        + ", ".join(f'"{name}" = excluded."{name}"' for name in others),
        # in the order of the key SQLite appends instead of searching; of one key only the newest
        to_sql(table, newest(table, frame)).rows(),
    )


def select(
    db: sqlite3.Connection,
    table: Table,
    start_us: int | None,
    end_us: int | None,
    wanted: Mapping[str, Sequence[str]],
) -> pl.DataFrame:
    """Rows with start_us <= day column < end_us whose columns have one of the values wanted."""
    clauses, values = ["1"], list[Any]()
    if start_us is not None:
        clauses.append(f'"{table.day}" >= ?')
        values.append(start_us)
    if end_us is not None:
        clauses.append(f'"{table.day}" < ?')
        values.append(end_us)
    for key, choices in wanted.items():
        clauses.append(f'"{key}" IN ({",".join("?" * len(choices))})')
        values.extend(choices)
    names = ", ".join(f'"{column}"' for column in table.schema)
    return from_sql(
        table, db.execute(f'SELECT {names} FROM "{table.name}" WHERE {" AND ".join(clauses)}', values).fetchall()
    )


def lasting(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Of a closed day's windows that slide by the minute, those on the quarter hour and closed shifts are kept."""
    if table is not KPI:
        return frame
    passing = pl.col("window").is_in(PASSING) & (pl.col("end").cast(pl.Int64) % QUARTER_US != 0)
    return frame.filter(~passing | ((pl.col("window") == SHIFT) & pl.col("settled")))


def forget_passing(db: sqlite3.Connection) -> None:
    """Of windows that slide by the minute, those on the quarter hour, closed shifts and the latest are kept."""
    db.execute(
        f'DELETE FROM kpi WHERE "window" IN ({",".join("?" * len(PASSING))}) AND "end" % ? <> 0'
        ' AND NOT ("window" = ? AND settled) AND "end" < (SELECT max(later."end") FROM kpi AS later WHERE'
        " later.kpi = kpi.kpi AND later.scope = kpi.scope AND later.product = kpi.product"
        ' AND later."window" = kpi."window")',
        (*PASSING, QUARTER_US, SHIFT),
    )
