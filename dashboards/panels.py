"""The panels: a tile and a course for each KPI, the drifts; titles, units and thresholds from the description."""

from __future__ import annotations

import re

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    LineStyle,
    ReduceDataOptions,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphTresholdsStyleMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)

from dashboards import queries
from dashboards.queries import SOURCE, Query, Target
from plant.model import Kpi, Plant

GREEN, LIGHT, ORANGE, RED = "dark-green", "light-green", "orange", "dark-red"
FINEST = "15m"


def pretty(unit: str) -> str:
    """A unit as it is printed.

    >>> pretty("kWh/m2"), pretty("m3/t")
    ('kWh/m²', 'm³/t')
    """
    return re.sub(r"\bm([23])\b", lambda found: "m" + {"2": "²", "3": "³"}[found[1]], unit)


def grafana_unit(unit: str) -> str:
    """Grafana's name for a unit: its own for percent, else the unit itself after the number."""
    return "percent" if unit == "%" else f"suffix:{pretty(unit)}"


def steps(kpi: Kpi) -> list[Threshold]:
    """Colours by target: reached in the long term, in the near term, better than the baseline year, worse."""
    target = kpi.target
    if target is None:
        return [Threshold(None, LIGHT)]
    limits = (target.long_term, target.near_term, target.baseline)
    if kpi.better == "lower":
        return [Threshold(None, GREEN), *map(Threshold, limits, (LIGHT, ORANGE, RED))]
    return [Threshold(None, RED), *map(Threshold, reversed(limits), (ORANGE, LIGHT, GREEN))]


def describe(kpi: Kpi) -> str:
    """Chinese title, scope, product, targets and what is peculiar to its formula, shown at the panel's corner."""
    parts = [kpi.title.zh, f"scope {kpi.scope}"]
    if kpi.product:
        parts.append(f"product {kpi.product}")
    if kpi.allocate:
        parts.append(f"allocated by {', '.join(kpi.allocate.by)} among {', '.join(kpi.allocate.among)}")
    if kpi.peak:
        parts.append("highest quarter hour, as an amount per hour")
    if kpi.no_more_than:
        bounds = ", ".join(term.point for term in kpi.no_more_than)
        parts.append(f"denominator no more than what {bounds} allows")
    if any(term.as_ == "demand" for term in kpi.terms()):
        parts.append("demand charge in windows of whole months only")
    if kpi.target:
        target, unit = kpi.target, pretty(kpi.unit)
        parts += [
            f"baseline year {target.baseline:g} {unit}",
            f"near-term target {target.near_term:g} {unit}",
            f"long-term target {target.long_term:g} {unit}",
            f"{kpi.better} is better",
        ]
    return " · ".join(parts)


def watching(plant: Plant, name: str) -> list[str]:
    """The baselines whose drift moves a KPI: of its points, of its options, of its carriers within its scope."""
    kpi = plant.kpis[name]
    points = set(kpi.names())
    carriers = {plant.points[term.point].carrier for term in kpi.numerator} - {None}
    by_option = {watch for option in plant.options.values() if option.kpi == name for watch in option.baselines}
    return [
        watch
        for watch, baseline in plant.baselines.items()
        if baseline.response in points
        or watch in by_option
        or (plant.points[baseline.response].carrier in carriers and plant.within(baseline.scope, kpi.scope))
    ]


def tile(plant: Plant, name: str) -> stat.Panel:
    """A KPI now: its newest value against the targets, its trend, and whether a drift stands behind it."""
    kpi, site = plant.kpis[name], plant.site.id
    panel = (
        stat.Panel()
        .title(kpi.title.en)
        .description(describe(kpi))
        .datasource(SOURCE)
        .unit(grafana_unit(kpi.unit))
        .decimals(kpi.decimals)
        .thresholds(_absolute(steps(kpi)))
        .no_value("unknown")
        .interval(FINEST)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(5)
        .span(4)
        .with_target(Target(Query(queries.latest(site, name), alias="$window")))
    )
    watches = watching(plant, name)
    if watches:
        panel.with_target(Target(Query(queries.open_drifts(site, watches), alias="open drifts", ref="B")))
        panel.override_by_name("open drifts", _count())
    return panel


def course(plant: Plant, name: str) -> timeseries.Panel:
    """A KPI over time by scope, what this production should have needed, and the lines of its targets."""
    kpi, site = plant.kpis[name], plant.site.id
    return (
        timeseries.Panel()
        .title(f"{kpi.title.en} [{pretty(kpi.unit)}]")
        .description(describe(kpi))
        .datasource(SOURCE)
        .unit(grafana_unit(kpi.unit))
        .decimals(kpi.decimals)
        .thresholds(_absolute(steps(kpi)))
        .thresholds_style(GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
        .interval(FINEST)
        .line_width(1.5)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(False)
        .height(8)
        .span(12)
        .with_target(Target(Query(queries.course(site, name), alias="$tag_scope")))
        .with_target(Target(Query(queries.course(site, name, "expected"), alias="$tag_scope expected", ref="B")))
        .override_by_query("B", [DynamicConfigValue("custom.lineStyle", LineStyle().fill("dash").dash([6, 6]).build())])
    )


def drift_count(plant: Plant) -> stat.Panel:
    """How many drifts are open."""
    panel = _figure("Open drifts").with_target(Target(Query(queries.open_drifts(plant.site.id), alias="open drifts")))
    return panel.override_by_name("open drifts", _count())


def drift_cost(plant: Plant) -> stat.Panel:
    """What the open drifts cost a day."""
    return (
        _figure("Cost of open drifts a day")
        .unit(f"suffix:{plant.site.currency}")
        .decimals(0)
        .thresholds(_absolute([Threshold(None, GREEN), Threshold(1.0, RED)]))
        .with_target(Target(Query(queries.open_cost(plant.site.id), alias="cost")))
    )


def drift_cost_by_scope(plant: Plant) -> bargauge.Panel:
    """Where the money of the open drifts is lost."""
    return (
        bargauge.Panel()
        .title("Cost of open drifts a day, by process unit")
        .datasource(SOURCE)
        .unit(f"suffix:{plant.site.currency}")
        .decimals(0)
        .no_value("0")
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_absolute([Threshold(None, GREEN), Threshold(1.0, RED)]))
        .height(5)
        .span(16)
        .with_target(Target(Query(queries.open_cost(plant.site.id, by_scope=True), alias="$tag_scope")))
    )


def drift_table(plant: Plant) -> table.Panel:
    """The drifts with size, cost, onset and evidence."""
    names = {
        "Time": "found",
        "state": "state",
        "kpi": "baseline",
        "scope": "process unit",
        "onset": "since",
        "size_per_hour": "size per hour",
        "unit": "unit",
        "cost_per_day": f"{plant.site.currency} a day",
        "evidence": "evidence",
    }
    order = {name: number for number, name in enumerate(names)}
    return (
        table.Panel()
        .title("Drifts")
        .datasource(SOURCE)
        .with_transformation(
            DataTransformerConfig(
                "organize", options={"indexByName": order, "renameByName": names, "excludeByName": {}}
            )
        )
        .override_by_name("since", [DynamicConfigValue("unit", "dateTimeAsIso")])
        .override_by_name("size per hour", [DynamicConfigValue("decimals", 2)])
        .override_by_name(names["cost_per_day"], [DynamicConfigValue("decimals", 0)])
        .height(8)
        .span(24)
        .with_target(Target(Query(queries.drift_list(plant.site.id), form="table")))
    )


def _figure(title: str) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .no_value("0")
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(5)
        .span(4)
    )


def _absolute(found: list[Threshold]) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def _count() -> list[DynamicConfigValue]:
    colours = _absolute([Threshold(None, GREEN), Threshold(1.0, RED)]).build()
    return [
        DynamicConfigValue("unit", "none"),
        DynamicConfigValue("decimals", 0),
        DynamicConfigValue("thresholds", colours),
    ]
