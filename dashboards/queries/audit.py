"""The InfluxQL of the audit board: distances from targets now, and an option's KPI before and after commissioning.

Before and after are ratios of sums over whole days, never means of ratios, as a KPI is everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.queries.common import ALL

SIDE_DAYS = 365
"""How far an option's KPI is looked at on either side of the commissioning date."""
NOW = "$timeFilter AND time >= ${__to}ms - 2d"
"""Newer than this is now: an older value would pass for today's."""
LATELY = "$timeFilter AND time >= ${__to}ms - 35d"
"""Where the time of the value stands beside it: what is known of whole months only is a month old at most."""


@dataclass(frozen=True)
class Whole:
    """How a KPI is taken together from rows of whole windows: their `window`, and what of them gives the value."""

    kpi: str
    window: str
    value: str

    def rows(self) -> str:
        """Which rows are meant: of whole windows only."""
        return f'{ALL} AND "kpi"=\'{self.kpi}\' AND "window"=\'{self.window}\' AND "settled"=true'


def standing(kpis: Sequence[str]) -> str:
    """The newest known value of each KPI with its target, as a table; `long` and `base` repeat the name for a text."""
    return (
        'SELECT "value", "unit", "target", "distance", "kpi" AS "long", "kpi" AS "base", "grade" FROM "kpi"'
        f' WHERE {ALL} AND "window"=\'$window\' AND "kpi" =~ /^({"|".join(kpis)})$/ AND {LATELY}'
        ' GROUP BY "kpi","scope" ORDER BY time DESC LIMIT 1'
    )


def distances_now(kpis: Sequence[str]) -> str:
    """Each KPI's distance from its near-term target now, positive when worse [%]."""
    return (
        f'SELECT last("distance") AS "distance" FROM "kpi" WHERE {ALL} AND "window"=\'$window\''
        f' AND "kpi" =~ /^({"|".join(kpis)})$/ AND {NOW} GROUP BY "kpi"'
    )


def distance_from(kpi: str, target: float, better: str) -> str:
    """A KPI's distance now from a target other than the near-term one, positive when worse [%]."""
    sign = 100 if better == "lower" else -100
    return (
        f'SELECT (last("value") - {target:.12g}) / {abs(target):.12g} * {sign} AS "distance" FROM "kpi"'
        f" WHERE {ALL} AND \"window\"='$window' AND \"kpi\"='{kpi}' AND {NOW}"
    )


def before(whole: Whole, border_ms: int) -> str:
    """The KPI over the whole days of the year before `border_ms` that lie in the range shown."""
    return f'SELECT {whole.value} AS "before" FROM "kpi" WHERE {whole.rows()} AND {_span(border_ms, -1, 0)}'


def after(whole: Whole, border_ms: int) -> str:
    """The KPI over the whole days of the year after `border_ms` that lie in the range shown."""
    return f'SELECT {whole.value} AS "after" FROM "kpi" WHERE {whole.rows()} AND {_span(border_ms, 0, 1)}'


def known_days(whole: Whole, border_ms: int, *, later: bool) -> str:
    """From how many known days (or months) what was before, or after, comes."""
    span = _span(border_ms, 0, 1) if later else _span(border_ms, -1, 0)
    return f'SELECT count("value") AS "known" FROM "kpi" WHERE {whole.rows()} AND {span}'


def change(whole: Whole, border_ms: int) -> str:
    """By how much the KPI differs after from before [%]; no row unless both are known."""
    border_s = border_ms // 1000
    offset = border_s % (SIDE_DAYS * 86400)
    sides = (
        f'SELECT {whole.value} AS "side" FROM "kpi" WHERE {whole.rows()} AND {_span(border_ms, -1, 1)}'
        f" GROUP BY time({SIDE_DAYS}d,{offset}s) fill(none)"
    )
    both = (
        f'SELECT (last("side") - first("side")) / first("side") * 100 AS "change", count("side") AS "n" FROM ({sides})'
    )
    return f'SELECT "change" FROM ({both}) WHERE "n" = 2'


def course(whole: Whole, border_ms: int, *, later: bool) -> str:
    """The KPI over time before, or after, `border_ms`."""
    side = f"time >= {border_ms}ms" if later else f"time < {border_ms}ms"
    return (
        f'SELECT {whole.value} AS "value" FROM "kpi" WHERE {whole.rows()} AND {side} AND $timeFilter'
        " GROUP BY time($__interval) fill(none)"
    )


def _span(border_ms: int, first: int, last: int) -> str:
    side_ms = SIDE_DAYS * 86_400_000
    low, high = border_ms + first * side_ms, border_ms + last * side_ms
    return f"time >= {low}ms AND time < {high}ms AND $timeFilter"
