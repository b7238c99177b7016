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

DAY_MAX_H = 25
"""Of a day on which clocks are put back."""


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


def drifting(column: str, zone: str) -> str:
    """The sum of a block's column (cost, co2) over the blocks in which a drift stands: yesterday's rest, then today's.

    Today begins at midnight in the plant's zone, and is so whatever range the board shows: Grafana's own `timeFrom`
    gives way to an absolute range, and 9.4 takes midnight in the reader's zone. A block stands at its end, so that one
    that ends at midnight is yesterday's.
    """
    return (
        f'SELECT sum("{column}") AS "{column}" FROM "blocks" WHERE {ALL} AND "state"=\'drift\''
        f" AND time >= now() - {DAY_MAX_H}h AND time <= now() GROUP BY time(1d, 1s) fill(null) tz('{zone}')"
    )


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
    query = f'SELECT "evidence", "kpi", "state" FROM "drift" WHERE {_of(scope)} AND $timeFilter'
    return _annotation(query, "evidence", "kpi,state")


def alarm_marks(scope: str = "") -> dict[str, Any]:
    """The alarms raised in the range shown, as an annotation."""
    query = (
        f'SELECT "note", "alarm", "priority" FROM "alarms" WHERE {_of(scope)} AND "to_state"=\'unacknowledged\''
        " AND $timeFilter"
    )
    return _annotation(query, "alarm", "priority")


def option_marks(title: str) -> dict[str, Any]:
    """The options commissioned in the range shown, as an annotation; `title` is the field of the board's language."""
    # later Grafanas look for the column of the tags within 'options.title': it must not be called option
    query = f'SELECT "{title}", "option" AS "name" FROM "options" WHERE {ALL} AND $timeFilter'
    return _annotation(query, title, "name")


def maintenance_marks(title: str, scope: str = "") -> dict[str, Any]:
    """Maintenance that reaches into the range shown, as an annotation from its beginning to its end.

    Grafana 9.4 draws the span. From 10 on the names of its columns carry the measurement's, and none is found for the
    end: the beginning is marked there, with the same words.
    """
    # microseconds beside Grafana's milliseconds
    query = (
        f'SELECT "{title}" AS "title", "note", "scope", "end" / 1000 AS "end" FROM "maintenance" WHERE {_of(scope)}'
        ' AND "end" >= ${__from}000 AND ' + STANDING
    )
    return {**_annotation(query, "note", "scope"), "titleColumn": "title", "timeEndColumn": "end"}


MARKS: dict[str, Callable[..., dict[str, Any]]] = {
    "drift": drift_marks,
    "alarm": alarm_marks,
    "option": option_marks,
    "maintenance": maintenance_marks,
}


def _annotation(query: str, text: str, tags: str) -> dict[str, Any]:
    columns = {"textColumn": text, "tagsColumn": tags, "fromAnnotations": True}
    return {"refId": "marks", "datasource": SOURCE.to_json(), "query": query, "rawQuery": True, **columns}


def _of(scope: str) -> str:
    return f'{ALL} AND "scope" =~ /^({scope})$/' if scope else ALL


def _standing(baselines: Sequence[str] = ()) -> str:
    names = " OR ".join(f"\"kpi\"='{name}'" for name in baselines)
    only = f" AND ({names})" if names else ""
    return f"{ALL}{only} AND {STANDING}"
