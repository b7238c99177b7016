"""How names of the description show as its titles: of series, by an override; of a table's cells, by a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from grafana_foundation_sdk.builders import bargauge
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizTextDisplayOptions
from grafana_foundation_sdk.models.common import BarGaugeDisplayMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, ValueMap, ValueMappingResult

from dashboards.frame import Language, say
from dashboards.queries.common import SOURCE
from plant.model import Plant, Text


class Overridable(Protocol):
    """A panel's builder."""

    def override_by_name(self, name: str, properties: list[DynamicConfigValue]) -> Overridable:
        """Sets properties of the field of a name."""


Panel = TypeVar("Panel", bound=Overridable)

ALARM_STATES = {
    "unacknowledged": Text(en="unacknowledged", zh="未确认"),
    "acknowledged": Text(en="acknowledged", zh="已确认"),
    "returned_unacknowledged": Text(en="returned, unacknowledged", zh="已恢复，未确认"),
    "normal": Text(en="over", zh="已结束"),
    "revised": Text(en="withdrawn by a correction", zh="经更正撤销"),
}
PRIORITIES = {"low": Text(en="low", zh="低"), "medium": Text(en="medium", zh="中"), "high": Text(en="high", zh="高")}


def series(panel: Panel, titles: Mapping[str, str]) -> Panel:
    """The panel whose series, named by their tag, carry titles instead."""
    for name, title in titles.items():
        panel.override_by_name(name, [titled(title)])
    return panel


def titled(title: str) -> DynamicConfigValue:
    """The property by which a series carries a title."""
    return DynamicConfigValue("displayName", title)


def fixed(colour: str) -> DynamicConfigValue:
    """The property by which a series has a colour of its own."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def mapped(titles: Mapping[str, str], colours: Mapping[str, str] | None = None) -> DynamicConfigValue:
    """The property by which a column shows a title (in a colour) for each name."""
    found = {name: ValueMappingResult(text=title, color=(colours or {}).get(name)) for name, title in titles.items()}
    for number, result in enumerate(found.values()):
        result.index = number
    return DynamicConfigValue("mappings", [ValueMap(found)])


def bars(title: str, *, height: int, span: int) -> bargauge.Panel:
    """Bars of whole numbers, one below the other, each with its name, also where there is only one; 0 for none."""
    return (
        bargauge.Panel()
        .title(title)
        .datasource(SOURCE)
        .display_name("${__series.name}")
        .decimals(0)
        .min(0)
        .no_value("0")
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .text(VizTextDisplayOptions().title_size(13).value_size(18))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(height)
        .span(span)
    )


def said(texts: Mapping[str, Text], language: Language) -> dict[str, str]:
    """Texts by name, in a language."""
    return {name: say(text, language) for name, text in texts.items()}


def point_titles(plant: Plant, language: Language) -> dict[str, str]:
    """The titles of the points."""
    return {name: say(point.title, language) for name, point in plant.points.items()}


def watch_titles(plant: Plant, language: Language) -> dict[str, str]:
    """The titles of what is watched for drift: baselines, and KPIs beside them."""
    kpis = {name: say(kpi.title, language) for name, kpi in plant.kpis.items()}
    return kpis | {name: say(baseline.title, language) for name, baseline in plant.baselines.items()}
