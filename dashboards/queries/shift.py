"""The InfluxQL of the shift board: alarms and their drifts, what the open drifts cost, a shift against its like."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.queries.common import ALL, STANDING

BEFORE = "time >= ${__from}ms - 28d AND time <= ${__from}ms"
"""The four weeks that end where the range shown begins."""

IN_UNIT = '"scope" =~ /^$unit$/'


def transitions() -> str:
    """Every transition of every alarm that may still stand, the newest first, as a table."""
    return (
        'SELECT "alarm", "drift", "to_state", "scope", "priority" FROM "alarms"'
        f" WHERE {ALL} AND {IN_UNIT} AND {STANDING} ORDER BY time DESC LIMIT 5000"
    )


def drifts_behind() -> str:
    """What stands behind the alarms, by drift, as a table; the onset in milliseconds."""
    return (
        'SELECT "drift", "kpi", "onset" / 1000 AS "onset", "size_per_hour", "unit", "cost_per_day" FROM "drift"'
        f" WHERE {ALL} AND {IN_UNIT} AND {STANDING} ORDER BY time DESC LIMIT 2000"
    )


def raised() -> str:
    """How many alarms sounded in the range shown, by shift."""
    return (
        f'SELECT count("valid") AS "alarms" FROM "alarms" WHERE {ALL} AND {IN_UNIT} AND "shift" =~ /^$shift$/'
        ' AND "to_state"=\'unacknowledged\' AND $timeFilter GROUP BY "shift"'
    )


def open_cost(tag: str) -> str:
    """What the open drifts cost a day, by `tag` (kpi or scope)."""
    return f'SELECT sum("cost_per_day") AS "cost" FROM "drift" WHERE {_open()} GROUP BY "{tag}"'


def causes() -> str:
    """The open drifts as a table; what is watched stands in it three times, to be shown as title, cause and check."""
    return (
        'SELECT "kpi", "scope", "cost_per_day", "onset" / 1000 AS "onset", "kpi" AS "cause", "kpi" AS "check"'
        f' FROM "drift" WHERE {_open()} ORDER BY time DESC LIMIT 100'
    )


def newest(kpis: Sequence[str]) -> str:
    """The newest value of each KPI in the shift chosen, with its unit: as far as the shift has come, or its total."""
    return (
        f'SELECT last("value") AS "newest", "unit" FROM "kpi" WHERE {_shift(kpis)} AND $timeFilter'
        ' GROUP BY "kpi","shift"'
    )


def weeks_before(kpis: Sequence[str]) -> str:
    """Mean, lowest and highest total of the same shift in the four weeks before; the mean is that of the sums."""
    return (
        'SELECT sum("weighted") / sum("made") AS "mean", min("total") AS "lowest", max("total") AS "highest" FROM ('
        'SELECT "value" * "denominator" AS "weighted", "denominator" AS "made", "value" AS "total" FROM "kpi"'
        f' WHERE {_shift(kpis)} AND "settled"=true AND {BEFORE} GROUP BY "kpi","shift") GROUP BY "kpi","shift"'
    )


def totals(kpi: str) -> str:
    """A KPI's totals of each shift over time."""
    return (
        f'SELECT "value" FROM "kpi" WHERE {_shift([kpi])} AND "settled"=true AND $timeFilter'
        ' GROUP BY "shift" ORDER BY time'
    )


def _open() -> str:
    return f'{ALL} AND {IN_UNIT} AND "open"=1 AND {STANDING}'


def _shift(kpis: Sequence[str]) -> str:
    names = "|".join(kpis)
    return f'{ALL} AND {IN_UNIT} AND "window"=\'shift\' AND "shift" =~ /^$shift$/ AND "kpi" =~ /^({names})$/'
