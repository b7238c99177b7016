"""What stands in the files from which Grafana provisions itself: the foundation SDK has the types of its API only."""

from __future__ import annotations

from typing import Literal, TypedDict

from grafana_foundation_sdk.models import alerting, expr
from grafana_types import RawQuery


class InfluxFigure(RawQuery):
    """The query of an alert rule."""

    resultFormat: Literal["time_series"]
    intervalMs: int
    maxDataPoints: int


class RuleGroup(TypedDict):
    """A group of rules, as provisioning files have it."""

    orgId: int
    name: str
    folder: str
    interval: str
    rules: list[alerting.Rule]


class Span(TypedDict):
    """Hours within a day."""

    start_time: str
    end_time: str


class TimesOfDay(TypedDict, total=False):
    """When a mute timing holds, as provisioning files have it."""

    times: list[Span]
    weekdays: list[str]
    location: str


class MuteTiming(TypedDict):
    """A mute timing, as provisioning files have it."""

    orgId: int
    name: str
    time_intervals: list[TimesOfDay]


_Continue = TypedDict("_Continue", {"continue": bool}, total=False)


class Policy(_Continue, total=False):
    """A notification policy, as provisioning files have it; the root carries `orgId`."""

    orgId: int
    receiver: str
    group_by: list[str]
    object_matchers: list[list[str]]
    group_wait: str
    group_interval: str
    repeat_interval: str
    mute_time_intervals: list[str]
    routes: list[Policy]


class Receiver(TypedDict):
    """One way of telling a contact point, as provisioning files have it."""

    uid: str
    type: Literal["webhook", "email", "dingding", "wecom"]
    settings: dict[str, str]
    disableResolveMessage: bool


class ContactPoint(TypedDict):
    """A contact point, as provisioning files have it."""

    orgId: int
    name: str
    receivers: list[Receiver]


class DataSource(TypedDict):
    """A data source, as provisioning files have it."""

    name: str
    uid: str
    type: str
    access: Literal["proxy"]
    url: str
    database: str
    jsonData: dict[str, str]
    editable: bool


class Boards(TypedDict):
    """Where boards are, as provisioning files have it."""

    name: str
    folder: str
    type: Literal["file"]
    allowUiUpdates: bool
    options: dict[str, str]


FILES: dict[str, tuple[str, type]] = {
    "alerting/keepclean-rules.yaml": ("groups", RuleGroup),
    "alerting/keepclean-contact-points.yaml": ("contactPoints", ContactPoint),
    "alerting/keepclean-mute-timings.yaml": ("muteTimes", MuteTiming),
    "alerting/keepclean-policies.yaml": ("policies", Policy),
    "datasources/keepclean.yaml": ("datasources", DataSource),
    "dashboards/keepclean.yaml": ("providers", Boards),
}
"""Provisioning files: under which key what stands."""

FIGURES: dict[str | None, type] = {"reduce": expr.TypeReduce, "threshold": expr.TypeThreshold, None: InfluxFigure}
"""The queries of an alert rule by their `type`."""
