"""The InfluxQL of the alert rules: one number a query, of one plant, valid results only, within the rule's time range.

A rule has no variables: the site stands in the text. Grafana 9 takes a rule for one without data as soon as any of its
queries gives no row, so what may be missing in a row that is there (a size, a cost) is added to nought times what is
always there: the row comes, with a null.
"""

from __future__ import annotations

from collections.abc import Sequence

from plant.model import Plant


def drifts_open(plant: Plant, baseline: str) -> str:
    """How many drifts of a baseline are open, in the direction that asks for a person."""
    return f'SELECT sum("open") AS "open" FROM "drift" WHERE {_drift(plant, baseline)}'


def drift_figure(plant: Plant, baseline: str, column: str) -> str:
    """A figure of a baseline's newest drift: `column` of table drift."""
    return f'SELECT last("{column}") + 0 * last("open") AS "{column}" FROM "drift" WHERE {_drift(plant, baseline)}'


def drift_onset(plant: Plant, baseline: str, offset_s: int) -> str:
    """When a baseline's newest drift began, as seconds since 1970, `offset_s` later."""
    return f'SELECT last("onset") / 1000000 + {offset_s} AS "onset" FROM "drift" WHERE {_drift(plant, baseline)}'


def kpi_value(plant: Plant, kpi: str, window: str, *, whole: bool = False) -> str:
    """A KPI's newest known value over a window, of whole windows only when asked for."""
    over = ' AND "settled"=true' if whole else ""
    return f'SELECT last("value") AS "value" FROM "kpi" WHERE {_kpi(plant, kpi, window)}{over}'


def kpi_excess(plant: Plant, kpi: str, window: str, limit: float, per_hours: float) -> str:
    """What a KPI's distance from a limit amounts to in an hour: (value - limit) × denominator ÷ hours."""
    return (
        f'SELECT (last("value") - {limit:.12g}) * last("denominator") / {per_hours:.12g} AS "excess" FROM "kpi"'
        f" WHERE {_kpi(plant, kpi, window)}"
    )


def points_heard(plant: Plant, points: Sequence[str]) -> str:
    """Of how many of the points there are results."""
    names = " OR ".join(f"\"point\"='{name}'" for name in points)
    return (
        'SELECT count("facts") AS "heard" FROM (SELECT count("coverage") AS "facts" FROM "facts"'
        f' WHERE {_site(plant)} AND ({names}) AND $timeFilter GROUP BY "point") WHERE $timeFilter'
    )


def facts_written(plant: Plant) -> str:
    """How many minute facts of the whole plant there are."""
    return f'SELECT count("coverage") AS "facts" FROM "facts" WHERE {_site(plant)} AND $timeFilter'


def _drift(plant: Plant, baseline: str) -> str:
    direction = plant.baselines[baseline].drift
    return f"{_site(plant)} AND \"kpi\"='{baseline}' AND \"direction\"='{direction}' AND $timeFilter"


def _kpi(plant: Plant, kpi: str, window: str) -> str:
    return f"{_site(plant)} AND \"kpi\"='{kpi}' AND \"window\"='{window}' AND $timeFilter"


def _site(plant: Plant) -> str:
    return f'"site"=\'{plant.site.id}\' AND "valid"=1'
