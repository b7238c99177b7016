"""The InfluxQL of a process unit's board: its KPIs, its baselines hour by hour, its shifts, and a meter's minutes.

`scopes` are the process unit and its parts, `baselines` and `kpi` are names of the description.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.queries.common import ALL, STANDING

HOURLY = 60
"""Minutes of an hour: an amount of a minute times this is an amount per hour."""


def course(kpi: str, column: str = "value") -> str:
    """A KPI's `column` over time in the window chosen."""
    return (
        f'SELECT last("{column}") AS "{column}" FROM "kpi" WHERE {ALL} AND "kpi"=\'{kpi}\''
        " AND \"window\"='$window' AND $timeFilter GROUP BY time($__interval) fill(null)"
    )


def hourly(baseline: str, column: str, hours: float) -> str:
    """A baseline's `column` (actual or expected) as an amount per hour, from blocks of `hours`; unknown is a gap."""
    return (
        f'SELECT mean("{column}") / {hours:g} AS "{column}" FROM "blocks" WHERE {ALL} AND "baseline"=\'{baseline}\''
        " AND $timeFilter GROUP BY time($__interval) fill(null)"
    )


def running(baselines: Sequence[str], column: str) -> str:
    """The running sum (CUSUM) of the residual, or of its cost, from the beginning of the range shown, by baseline."""
    return (
        f'SELECT cumulative_sum(sum("{column}")) AS "{column}" FROM "blocks" WHERE {ALL}'
        f' AND {_any("baseline", baselines)} AND $timeFilter GROUP BY time($__interval),"baseline" fill(none)'
    )


def deviation(baselines: Sequence[str], column: str) -> str:
    """The sum of the residual, or of its cost, over the range shown, by baseline."""
    return (
        f'SELECT sum("{column}") AS "{column}" FROM "blocks" WHERE {ALL} AND {_any("baseline", baselines)}'
        ' AND $timeFilter GROUP BY "baseline"'
    )


def by_shift(kpi: str, column: str) -> str:
    """The mean of a KPI's `column` over whole shifts, by shift and weekday of their beginning, as a table."""
    return (
        f'SELECT mean("{column}") AS "mean" FROM "kpi" WHERE {ALL} AND "kpi"=\'{kpi}\' AND "window"=\'shift\''
        ' AND "settled"=true AND $timeFilter GROUP BY "shift","weekday"'
    )


def open_drifts(scopes: Sequence[str]) -> str:
    """The drifts that stand open, newest first, as a table; onset in milliseconds."""
    return (
        'SELECT "state", "kpi", "scope", "onset" / 1000 AS "onset", "size_per_hour", "unit", "cost_per_day", "evidence"'
        f' FROM "drift" WHERE {ALL} AND "open"=1 AND {_any("scope", scopes)} AND {STANDING}'
        " ORDER BY time DESC LIMIT 100"
    )


def meter_amount(meter: str) -> str:
    """What the meter chosen by variable `meter` counted, as an amount per hour; nothing where it measures a state."""
    return _meter(meter, f'mean("amount") * {HOURLY} AS "amount"')


def meter_state(meter: str, how: str) -> str:
    """What the chosen meter read: the mean, min or max of its minutes' own; nothing where it only counts."""
    return _meter(meter, f'{how}("{how}") AS "{how}"')


def meter_coverage(meter: str, column: str) -> str:
    """The part of each step in which the chosen meter is known (coverage) or was estimated; no minute at all is 0."""
    return _meter(meter, f'sum("{column}") * 60000 / $__interval_ms AS "{column}"', fill="0")


def meter_minutes(meter: str) -> str:
    """The newest minute facts of the chosen meter, as a table."""
    return (
        'SELECT "amount", "mean", "min", "max", "last", "unit", "coverage", "estimated", "quality"'
        f' FROM "facts" WHERE {ALL} AND "point"=\'${meter}\' AND $timeFilter ORDER BY time DESC LIMIT 60'
    )


def _meter(meter: str, what: str, fill: str = "null") -> str:
    return (
        f'SELECT {what} FROM "facts" WHERE {ALL} AND "point"=\'${meter}\' AND $timeFilter'
        f" GROUP BY time($__interval) fill({fill})"
    )


def _any(tag: str, names: Sequence[str]) -> str:
    return f'"{tag}" =~ /^({"|".join(names)})$/'
