"""The smallest plants and readings that show one disagreement each; times are minutes since a Monday's 00:00 UTC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import oracle_product
import polars as pl
from oracle_readings import DAY, MINUTE, SECOND, at

from plant.model import Plant

START = at(2, 0)
Row = tuple[float, float] | tuple[float, float, int]


def plant(point: dict[str, Any], device: dict[str, Any] | None = None, **kpi: Any) -> Plant:
    """One point "p" of a hall (and one KPI "k" of it)."""
    return Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "works", "name": {"en": "w", "zh": "w"}, "time_zone": "UTC"},
            "audit": {"name": "a", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
            "process_units": {"hall": {"title": "h"}},
            "devices": {"plc": {"protocol": "manual", "title": "d", **(device or {})}},
            "points": {"p": {"title": "t", "in": "hall", "from": "plc", "read": "r", **point}},
            "kpis": {"k": {"title": "k", "scope": "hall", "unit": point["unit"], **kpi}} if kpi else {},
        }
    )


def answer(described: Plant, rows: list[Row], folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Facts and KPI values of the product for readings (minute, value, quality), each received a second later.

    In the facts `minute` is counted from the start, in the values `since` and `until`.
    """
    frame = pl.DataFrame(
        {
            "time": [START + round(row[0] * MINUTE) for row in rows],
            "value": [float(row[1]) for row in rows],
            "quality": [row[2] if len(row) > 2 else 0 for row in rows],
        },
        schema={"time": pl.Int64, "value": pl.Float64, "quality": pl.UInt8},
    ).with_columns(received=pl.col("time") + SECOND, point=pl.lit("p"))
    reader = oracle_product.run(described, frame, folder, START, START + DAY // 2)
    return (
        oracle_product.facts(reader).with_columns((pl.col("minute") - START) // MINUTE).sort("minute"),
        oracle_product.kpis(reader).with_columns((pl.col("since", "until") - START) // MINUTE),
    )


def rising(minutes: range, rate: float = 1.0, opening: float = 1000.0) -> list[Row]:
    """A counter read on every full minute."""
    return [(minute, opening + rate * minute) for minute in minutes]
