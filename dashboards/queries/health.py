"""The InfluxQL of the data-health board: notices, and how much of each point's time is covered.

A minute that is unknown, and one that has no fact at all, both count as not covered: coverage is what the known minutes
add up to over the minutes of the range, not the mean of those that were written.
"""

from __future__ import annotations

from dashboards.queries.common import ALL

IN_UNIT = '"scope" =~ /^$unit$/'
RECENT = "time >= ${__from}ms - 30d AND time <= ${__to}ms"
"""A silent point's last fact may lie long before the range shown."""


def notices(tag: str = "") -> str:
    """How many notices began in the range shown: in all, or by `tag`."""
    group = f' GROUP BY "{tag}"' if tag else ""
    return f'SELECT count("valid") AS "notices" FROM "notices" WHERE {_shown()}{group}'


def notices_by_point() -> str:
    """How many notices began in the range shown, by point and finding, as a table."""
    return f'SELECT count("valid") AS "notices" FROM "notices" WHERE {_shown()} GROUP BY "point","finding"'


def notices_over_time() -> str:
    """How many notices began, by finding, over time."""
    return (
        f'SELECT count("valid") AS "notices" FROM "notices" WHERE {_shown()}'
        ' GROUP BY time($__interval),"finding" fill(0)'
    )


def notice_list() -> str:
    """The notices that began in the range shown, the newest first; the end in milliseconds, none while it lasts."""
    return (
        'SELECT "finding", "point", "scope", "evidence", "end" / 1000 AS "end" FROM "notices"'
        f" WHERE {_shown()} ORDER BY time DESC LIMIT 200"
    )


def coverage_by_point() -> str:
    """Which share of the range shown each point's facts cover, and which share is estimated, as a table."""
    whole = "60000 / (${__to} - ${__from})"
    return (
        f'SELECT sum("coverage") * {whole} AS "coverage", sum("estimated") * {whole} AS "estimated"'
        f' FROM "facts" WHERE {_shown()} GROUP BY "point"'
    )


def coverage_over_time() -> str:
    """Which share of each interval a point's facts cover."""
    return (
        f'SELECT sum("coverage") * 60000 / $__interval_ms AS "coverage" FROM "facts" WHERE {_shown()}'
        ' GROUP BY time($__interval),"point" fill(0)'
    )


def last_facts() -> str:
    """The time of each point's last fact, as a table."""
    return f'SELECT last("coverage") AS "coverage" FROM "facts" WHERE {ALL} AND {IN_UNIT} AND {RECENT} GROUP BY "point"'


def speaking() -> str:
    """How many points of the whole plant have a fact in the range shown."""
    return (
        'SELECT count("one") AS "points" FROM (SELECT last("coverage") AS "one" FROM "facts"'
        f' WHERE {ALL} AND $timeFilter GROUP BY "point")'
    )


def newest_fact() -> str:
    """The newest minute that is settled, as a table: its time is what counts."""
    return f'SELECT last("coverage") AS "coverage" FROM "facts" WHERE {_shown()}'


def _shown() -> str:
    return f"{ALL} AND {IN_UNIT} AND $timeFilter"
