"""The InfluxQL of the boards; every query names the site, asks for valid results and bounds the time.

Grafana fills in `$site`, `$unit`, `$window`, `$__interval`, `$timeFilter`, `${__from}` and `${__to}` (milliseconds).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE_UID = "keepclean-influxdb"
SOURCE = DataSourceRef(type_val="influxdb", uid=SOURCE_UID)
STANDING = "time >= ${__from}ms - 90d AND time <= ${__to}ms"
"""A drift stands at the time it was found; one that is still open may have been found long before the range shown."""


@dataclass
class Query(Dataquery):
    """A raw InfluxQL query; the SDK has no type for it. Its JSON is what Grafana's InfluxDB plugin reads."""

    query: str
    alias: str = ""
    form: Literal["time_series", "table"] = "time_series"
    ref: str = "A"

    def to_json(self) -> dict[str, object]:
        """The query as Grafana stores it."""
        return {
            "refId": self.ref,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": self.form,
            "alias": self.alias,
            "datasource": SOURCE,
        }


@dataclass
class Target(Builder[Dataquery]):
    """A builder around a query, as the SDK's panels want one."""

    query: Query

    def build(self) -> Dataquery:
        """The query."""
        return self.query


SITES = 'SHOW TAG VALUES FROM "kpi" WITH KEY = "site"'
ALL = '"site" =~ /^$site$/ AND "valid"=1'
"""What every query asks for: the plant looked at, and results that stand."""


def course(kpi: str, column: str = "value") -> str:
    """A KPI's `column` over time in the window chosen, one series a scope and product."""
    return (
        f'SELECT last("{column}") AS "{column}" FROM "kpi" WHERE {ALL} AND "kpi"=\'{kpi}\''
        ' AND "window"=\'$window\' AND "scope" =~ /^$unit$/ AND $timeFilter'
        ' GROUP BY time($__interval),"scope" fill(null)'
    )


def latest(kpi: str) -> str:
    """A KPI's newest value with the course that led there, whatever scopes are chosen."""
    return (
        f'SELECT last("value") AS "value" FROM "kpi" WHERE {ALL} AND "kpi"=\'{kpi}\''
        " AND \"window\"='$window' AND $timeFilter GROUP BY time($__interval) fill(none)"
    )


def open_drifts(baselines: Sequence[str] = ()) -> str:
    """How many drifts are open: of the baselines named, or of all."""
    return f'SELECT sum("open") AS "open drifts" FROM "drift" WHERE {_standing(baselines)}'


def open_cost(by_scope: bool = False) -> str:
    """What the open drifts cost a day, in all or by scope."""
    group = ' GROUP BY "scope"' if by_scope else ""
    return f'SELECT sum("cost_per_day") AS "cost" FROM "drift" WHERE {_standing()} AND "open"=1{group}'


def drifting(column: str) -> str:
    """The sum of a block's column (cost, co2) over the blocks in which a drift stands."""
    return f'SELECT sum("{column}") AS "{column}" FROM "blocks" WHERE {ALL} AND "state"=\'drift\' AND $timeFilter'


def hourly_amounts(points: Sequence[str]) -> str:
    """The amounts of points by the hour (by what the range shown allows); an hour without any is a gap."""
    names = " OR ".join(f"\"point\"='{name}'" for name in points)
    return (
        f'SELECT sum("amount") AS "amount" FROM "facts" WHERE {ALL} AND ({names}) AND $timeFilter'
        ' GROUP BY time($__interval),"point" fill(null)'
    )


def drift_list() -> str:
    """The drifts, newest first, as a table; onset in milliseconds."""
    return (
        'SELECT "state", "kpi", "scope", "onset" / 1000 AS "onset", "size_per_hour", "unit", "cost_per_day", "evidence"'
        f' FROM "drift" WHERE {_standing()} AND "scope" =~ /^$unit$/ ORDER BY time DESC LIMIT 100'
    )


def drift_marks(scope: str = "") -> dict[str, Any]:
    """The drifts found in the range shown, as an annotation: of process units (a|b), or of all."""
    only = f' AND "scope" =~ /^({scope})$/' if scope else ""
    query = f'SELECT "evidence", "kpi", "state" FROM "drift" WHERE {ALL}{only} AND $timeFilter'
    return _annotation(query, "evidence", "kpi,state")


def alarm_marks(scope: str = "") -> dict[str, Any]:
    """The alarms raised in the range shown, as an annotation."""
    only = f' AND "scope" =~ /^({scope})$/' if scope else ""
    query = (
        f'SELECT "note", "alarm", "priority" FROM "alarms" WHERE {ALL}{only} AND "to_state"=\'unacknowledged\''
        " AND $timeFilter"
    )
    return _annotation(query, "alarm", "priority")


def option_marks(title: str) -> dict[str, Any]:
    """The options commissioned in the range shown, as an annotation; `title` is the field of the board's language."""
    return _annotation(f'SELECT "{title}", "option" FROM "options" WHERE {ALL} AND $timeFilter', title, "option")


MARKS: dict[str, Callable[[str], dict[str, Any]]] = {"drift": drift_marks, "alarm": alarm_marks, "option": option_marks}


def _annotation(query: str, text: str, tags: str) -> dict[str, Any]:
    return {"query": query, "rawQuery": True, "textColumn": text, "tagsColumn": tags, "fromAnnotations": True}


def _standing(baselines: Sequence[str] = ()) -> str:
    names = " OR ".join(f"\"kpi\"='{name}'" for name in baselines)
    only = f" AND ({names})" if names else ""
    return f"{ALL}{only} AND {STANDING}"
