"""Runs the oracle: raw readings in, tables `facts` and `kpi_values` of a DuckDB out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from oracle_definitions import load, plant
from oracle_readings import END_US, START_US
from oracle_sql_facts import ALL, COUNTED, HELD
from oracle_sql_kpis import COEFFICIENTS, PIECES, RUNNING, TERMS, VALUES, WINDOWS
from oracle_sql_readings import ACCEPT, FREEZE, JUDGE, SEGMENTS

STAGES = (ACCEPT, FREEZE, JUDGE, SEGMENTS, COUNTED, HELD, ALL, COEFFICIENTS, TERMS, PIECES, WINDOWS, RUNNING, VALUES)


def answer(readings: pl.DataFrame, folder: Path) -> duckdb.DuckDBPyConnection:
    """Every minute fact and KPI value that the definitions give for a month of raw readings in order of arrival."""
    path = folder / "readings.parquet"
    readings.with_row_index("row").write_parquet(path)
    db = duckdb.connect()
    load(db, plant())
    db.execute(f"create table readings as select * from read_parquet('{path}')")
    for stage in STAGES:
        for statement in stage.split(";\n"):
            if statement.strip():
                db.execute(statement.replace("$first", str(START_US)).replace("$end", str(END_US)))
    return db


def frame(db: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    """A query's rows."""
    found = db.execute(query)
    names = [column[0] for column in found.description]
    columns = found.fetchnumpy()
    return pl.DataFrame({name: _column(columns[name]) for name in names})


def _column(values: Any) -> pl.Series:
    absent = np.ma.getmaskarray(values)
    if np.ma.getdata(values).dtype == object:
        return pl.Series(
            [None if gone else str(one) for one, gone in zip(values, absent, strict=True)], dtype=pl.String
        )
    return pl.Series(np.ma.getdata(values)).set(pl.Series(absent), None)
