"""`keepclean audit`: the audit's targets and options as they stand, for the report and for a spreadsheet."""

from __future__ import annotations

import polars as pl
from rich.table import Table

from audit.options import option_table
from audit.targets import newest, target_table
from historian.reader import Reader
from plant.model import Plant
from plant.reading import DAY

YEAR_AND_MORE = 400 * DAY
SHOWN = {
    "targets": (
        "kpi",
        "product",
        "window",
        "value",
        "baseline",
        "near_term",
        "long_term",
        "to_near_term",
        "grade",
        "verdict",
    ),
    "options": (
        "option",
        "promised",
        "promised_unit",
        "kpi",
        "before",
        "now",
        "reason",
        "verification",
        "endangered_by",
    ),
}


def frames(plant: Plant, reader: Reader) -> dict[str, pl.DataFrame]:
    """The table of targets and the table of options, from the newest results."""
    settled = reader.head("settled")
    kpis = reader.table("kpi", start_us=settled - 2 * DAY)
    if plant.periods:
        # a period that is over still has its total: the newest of a year and more
        own = reader.table("kpi", start_us=settled - YEAR_AND_MORE, where={"window": list(plant.periods)})
        kpis = pl.concat([kpis, newest(own)])
    return {
        "targets": target_table(plant, kpis),
        "options": option_table(plant, kpis, reader.table("drift"), reader.table("alarms")),
    }


def shown(name: str, frame: pl.DataFrame) -> Table:
    """A table for the terminal."""
    table = Table(title=name)
    # where no KPI is of a product the column would be empty
    columns = [column for column in SHOWN[name] if column != "product" or frame[column].str.len_bytes().sum()]
    for column in columns:
        table.add_column(column)
    for row in frame.select(columns).iter_rows():
        table.add_row(*(_text(value) for value in row))
    return table


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}"
    return ", ".join(value) if isinstance(value, list) else str(value)
