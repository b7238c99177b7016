"""The InfluxQL of the boards; every query names the site, asks for valid results and bounds the time.

Grafana fills in `$scope`, `$window`, `$__interval`, `$timeFilter`, `${__from}` and `${__to}` (milliseconds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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


def course(site: str, kpi: str, column: str = "value") -> str:
    """A KPI's `column` over time, one series a scope."""
    return (
        f'SELECT last("{column}") AS "{column}" FROM "kpi" WHERE "site"=\'{site}\' AND "kpi"=\'{kpi}\''
        ' AND "window"=\'$window\' AND "scope" =~ /^$scope$/ AND "valid"=1 AND $timeFilter'
        ' GROUP BY time($__interval),"scope" fill(null)'
    )


def latest(site: str, kpi: str) -> str:
    """A KPI's newest value with the course that led there, whatever scopes are chosen."""
    return (
        f'SELECT last("value") AS "value" FROM "kpi" WHERE "site"=\'{site}\' AND "kpi"=\'{kpi}\''
        ' AND "window"=\'$window\' AND "valid"=1 AND $timeFilter GROUP BY time($__interval) fill(none)'
    )


def open_drifts(site: str, baselines: Sequence[str] = ()) -> str:
    """How many drifts are open: of the baselines named, or of all."""
    return f'SELECT sum("open") AS "open drifts" FROM "drift" WHERE {_standing(site, baselines)}'


def open_cost(site: str, by_scope: bool = False) -> str:
    """What the open drifts cost a day, in all or by scope."""
    group = ' GROUP BY "scope"' if by_scope else ""
    return f'SELECT sum("cost_per_day") AS "cost" FROM "drift" WHERE {_standing(site)} AND "open"=1{group}'


def drift_list(site: str) -> str:
    """The drifts, newest first, as a table; onset in milliseconds."""
    return (
        'SELECT "state", "kpi", "scope", "onset" / 1000 AS "onset", "size_per_hour", "unit", "cost_per_day", "evidence"'
        f' FROM "drift" WHERE {_standing(site)} AND "scope" =~ /^$scope$/ ORDER BY time DESC LIMIT 100'
    )


def drift_marks(site: str) -> str:
    """The drifts found in the range shown, as annotations."""
    return f'SELECT "evidence", "kpi" FROM "drift" WHERE "site"=\'{site}\' AND "valid"=1 AND $timeFilter'


def _standing(site: str, baselines: Sequence[str] = ()) -> str:
    names = " OR ".join(f"\"kpi\"='{name}'" for name in baselines)
    only = f" AND ({names})" if names else ""
    return f'"site"=\'{site}\' AND "valid"=1{only} AND {STANDING}'
