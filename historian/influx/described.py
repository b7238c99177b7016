"""What the plant description itself says and boards mark, as line protocol: its options and its maintenance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from historian.influx.line_protocol import DESCRIBED, lines
from plant.calendar import Calendar
from plant.maintenance import works
from plant.model import Plant

NO_NOTE = "–"
"""Grafana 10 and later leave a mark out of which a column is empty."""


def described_lines(plant: Plant) -> list[str]:
    """A line for each option, at the local midnight of its commissioning, and for each work, at its beginning."""
    found = []
    for measurement, rows in (("options", [*_options(plant)]), ("maintenance", [*_works(plant)])):
        if rows:
            form = DESCRIBED[measurement]
            instants = pl.col(form.time, *form.instants).cast(pl.Datetime("us", "UTC"))
            found += lines(measurement, pl.DataFrame(rows).with_columns(instants), plant).drop_nulls().to_list()
    return found


def _options(plant: Plant) -> Iterator[dict[str, Any]]:
    calendar = Calendar(plant)
    for name, option in plant.options.items():
        yield {
            "time": calendar.midnight(option.commissioned),
            "option": name,
            "scope": option.scope,
            "title": option.title.en,
            "title_zh": option.title.zh,
            "promised": option.promised,
            "unit": option.promised_unit,
        }


def _works(plant: Plant) -> Iterator[dict[str, Any]]:
    for work in works(plant):
        yield {
            "time": work.start,
            "maintenance": work.name,
            "scope": work.scope,
            "title": work.title.en,
            "title_zh": work.title.zh,
            "note": work.note or NO_NOTE,
            "end": work.end,
        }
