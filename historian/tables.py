"""The tables: their columns, natural keys and the column that decides which day a row belongs to. Times are UTC."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

TIME = pl.Datetime("us", "UTC")
TEXT = pl.String


@dataclass(frozen=True)
class Table:
    """A table's schema, natural key and day column."""

    name: str
    schema: dict[str, pl.DataType | type[pl.DataType]]
    key: tuple[str, ...]
    day: str

    def empty(self) -> pl.DataFrame:
        """A frame without rows."""
        return pl.DataFrame(schema=self.schema)


READINGS = Table(
    "readings",
    {"time": TIME, "received": TIME, "point": TEXT, "value": pl.Float64, "quality": TEXT, "finding": TEXT},
    ("point", "time", "value"),
    "time",
)
FACTS = Table(
    "facts",
    {
        "point": TEXT,
        "minute": TIME,
        "amount": pl.Float64,
        "mean": pl.Float64,
        "min": pl.Float64,
        "max": pl.Float64,
        "last": pl.Float64,
        "unit": TEXT,
        "coverage": pl.Float32,
        "estimated": pl.Float32,
        "quality": TEXT,
        "revision": pl.Int64,
    },
    ("point", "minute"),
    "minute",
)
KPI = Table(
    "kpi",
    {
        "kpi": TEXT,
        "scope": TEXT,
        "product": TEXT,
        "window": TEXT,
        "start": TIME,
        "end": TIME,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "unit": TEXT,
        "numerator": pl.Float64,
        "denominator": pl.Float64,
        "coverage": pl.Float64,
        "quality": TEXT,
        "reason": TEXT,
        "settled": pl.Boolean,
        "target": pl.Float64,
        "distance": pl.Float64,
        "grade": TEXT,
        "expected": pl.Float64,
        "config": TEXT,
        "factors": TEXT,
        "revision": pl.Int64,
    },
    ("kpi", "scope", "product", "window", "start", "end"),
    "end",
)
BLOCKS = Table(
    "blocks",
    {
        "baseline": TEXT,
        "scope": TEXT,
        "start": TIME,
        "end": TIME,
        "actual": pl.Float64,
        "expected": pl.Float64,
        "residual": pl.Float64,
        "cost": pl.Float64,
        "co2": pl.Float64,
        "z": pl.Float64,
        "chart": pl.Float64,
        "limit": pl.Float64,
        "cumulative": pl.Float64,
        "unit": TEXT,
        "coverage": pl.Float64,
        "state": TEXT,
        "revision": pl.Int64,
    },
    ("baseline", "start"),
    "end",
)
DRIFT = Table(
    "drift",
    {
        "drift": TEXT,
        "kpi": TEXT,
        "scope": TEXT,
        "onset": TIME,
        "onset_low": TIME,
        "onset_high": TIME,
        "found": TIME,
        "cleared": TIME,
        "size_per_hour": pl.Float64,
        "size_low": pl.Float64,
        "size_high": pl.Float64,
        "unit": TEXT,
        "cost_per_day": pl.Float64,
        "direction": TEXT,
        "state": TEXT,
        "evidence": TEXT,
        "revision": pl.Int64,
    },
    ("drift",),
    "found",
)
ALARMS = Table(
    "alarms",
    {
        "alarm": TEXT,
        "drift": TEXT,
        "scope": TEXT,
        "priority": TEXT,
        "time": TIME,
        "from_state": TEXT,
        "to_state": TEXT,
        "by": TEXT,
        "shift": TEXT,
        "note": TEXT,
        "revision": pl.Int64,
    },
    ("alarm", "time", "to_state"),
    "time",
)
NOTICES = Table(
    "notices",
    {
        "point": TEXT,
        "start": TIME,
        "end": TIME,
        "finding": TEXT,
        "evidence": TEXT,
        "revision": pl.Int64,
    },
    ("point", "start", "finding"),
    "start",
)
TABLES: dict[str, Table] = {table.name: table for table in (READINGS, FACTS, KPI, BLOCKS, DRIFT, ALARMS, NOTICES)}
