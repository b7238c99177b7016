"""The InfluxQL of the balances board: a balance's parts day by day, and how much of it is not accounted for."""

from __future__ import annotations

from dashboards.queries.common import ALL


def days(kpi: str) -> str:
    """A part's amount on each whole day of the range shown, at the day's end."""
    return f'SELECT "value" FROM "kpi" WHERE {_of(kpi, "day")} AND "settled"=true AND $timeFilter'


def closure(kpi: str, window: str) -> str:
    """What is not accounted for, of what came in, over time in the balance's own window."""
    return (
        f'SELECT last("value") AS "closure" FROM "kpi" WHERE {_of(kpi, window)} AND $timeFilter'
        " GROUP BY time($__interval) fill(null)"
    )


def newest(kpi: str, window: str) -> str:
    """The newest value in the range shown."""
    return f'SELECT last("value") AS "value" FROM "kpi" WHERE {_of(kpi, window)} AND $timeFilter'


def _of(kpi: str, window: str) -> str:
    return f"{ALL} AND \"kpi\"='{kpi}' AND \"window\"='{window}'"
