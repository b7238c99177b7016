"""The panels: a tile and a course for each KPI, the drifts; titles, units and thresholds from the description."""

from __future__ import annotations

import re

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    LineStyle,
    ReduceDataOptions,
    VizTextDisplayOptions,
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
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)

from dashboards.frame import Language, say, scope_titles, uid
from dashboards.panels import naming, tables
from dashboards.queries import common as queries
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import SITE, Kpi, Plant, Text

GREEN, LIGHT, ORANGE, RED = "dark-green", "light-green", "orange", "dark-red"
FINEST = "15m"
KEPT = "${__url_time_range}&${site:queryparam}&${window:queryparam}"
"""What a link takes along."""

STATES = {
    "open": Text(en="open", zh="未消除"),
    "worse": Text(en="worse", zh="加重"),
    "cleared": Text(en="cleared", zh="已消除"),
}
TEXTS = {
    "unknown": Text(en="unknown", zh="未知"),
    "scope": Text(en="scope {}", zh="范围 {}"),
    "product": Text(en="product {}", zh="产品 {}"),
    "allocated": Text(en="allocated by {} among {}", zh="按 {} 在 {} 间分摊"),
    "peak": Text(en="highest quarter hour, as an amount per hour", zh="最高 15 分钟，按小时量计"),
    "bound": Text(en="denominator no more than what {} allows", zh="分母不超过 {} 的允许值"),
    "demand": Text(en="demand charge in windows of whole months only", zh="需量电费仅计入整月窗口"),
    "baseline": Text(en="baseline year {:g} {}", zh="基准年 {:g} {}"),
    "near": Text(en="near-term target {:g} {}", zh="近期目标 {:g} {}"),
    "long": Text(en="long-term target {:g} {}", zh="远期目标 {:g} {}"),
    "lower": Text(en="lower is better", zh="越低越好"),
    "higher": Text(en="higher is better", zh="越高越好"),
    "open": Text(en="open drifts", zh="未消除漂移"),
    "expected": Text(en="expected", zh="预期"),
    "drifts": Text(en="Drifts", zh="漂移"),
    "open title": Text(en="Open drifts", zh="未消除的漂移"),
    "cost": Text(en="Cost of open drifts a day", zh="未消除漂移的日损失"),
    "cost of": Text(en="Cost of open drifts a day, by process unit", zh="各工序单元未消除漂移的日损失"),
    "found": Text(en="found", zh="发现时间"),
    "state": Text(en="state", zh="状态"),
    "watched": Text(en="baseline", zh="基准模型"),
    "unit": Text(en="process unit", zh="工序单元"),
    "since": Text(en="since", zh="起点"),
    "size": Text(en="size per hour", zh="每小时大小"),
    "measure": Text(en="unit", zh="计量单位"),
    "a day": Text(en="{} a day", zh="{}/天"),
    "evidence": Text(en="evidence", zh="依据"),
    "open unit": Text(en="Open the process unit", zh="打开工序单元看板"),
}


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


def describe(plant: Plant, name: str, language: Language) -> str:
    """Scope, product, targets and what is peculiar to a KPI's formula, shown at the panel's corner."""
    kpi = plant.kpis[name]

    def text(key: str, *values: object) -> str:
        return say(TEXTS[key], language).format(*values)

    parts = [say(kpi.title, "en" if language == "zh" else "zh"), text("scope", kpi.scope)]
    if kpi.product:
        parts.append(text("product", kpi.product))
    if kpi.allocate:
        parts.append(text("allocated", ", ".join(kpi.allocate.by), ", ".join(kpi.allocate.among)))
    if kpi.peak:
        parts.append(text("peak"))
    if kpi.no_more_than:
        parts.append(text("bound", ", ".join(term.point for term in kpi.no_more_than)))
    if kpi.by_months():
        parts.append(text("demand"))
    if kpi.target:
        target, unit = kpi.target, pretty(kpi.unit)
        limits = (("baseline", target.baseline), ("near", target.near_term), ("long", target.long_term))
        parts += [*(text(key, value, unit) for key, value in limits), text(kpi.better)]
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


def tile(plant: Plant, name: str, language: Language) -> stat.Panel:
    """A KPI now: its newest value against the targets, its trend, and whether a drift stands behind it."""
    kpi = plant.kpis[name]
    panel = (
        stat.Panel()
        .title(say(kpi.title, language))
        .description(describe(plant, name, language))
        .datasource(SOURCE)
        .unit(grafana_unit(kpi.unit))
        .decimals(kpi.decimals)
        .thresholds(absolute(steps(kpi)))
        .no_value(say(TEXTS["unknown"], language))
        .interval(FINEST)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .text(VizTextDisplayOptions().title_size(12).value_size(24))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(5)
        .span(4)
        .with_target(Target(Query(queries.latest(name), alias="$window")))
    )
    if kpi.scope != SITE:
        panel.links([unit_link(plant, kpi.scope, language)])
    watches = watching(plant, name)
    if watches:
        open_drifts = say(TEXTS["open"], language)
        panel.with_target(Target(Query(queries.open_drifts(watches), alias=open_drifts, ref="B")))
        panel.override_by_name(open_drifts, count())
    return panel


def unit_link(plant: Plant, scope: str, language: Language) -> dashboard.DashboardLink:
    """One click from a panel to the board of a process unit, over the same time."""
    return (
        dashboard.DashboardLink(say(TEXTS["open unit"], language))
        .type(DashboardLinkType.LINK)
        .url(f"/d/{uid(plant, 'unit', language, scope)}?{KEPT}")
    )


def course(plant: Plant, name: str, language: Language) -> timeseries.Panel:
    """A KPI over time by scope, what this production should have needed, and the lines of its targets."""
    actual = Query(queries.course(name), alias="$tag_scope")
    return beside_expected(plant, name, language, actual, queries.course(name, "expected"), "$tag_scope ")


def beside_expected(
    plant: Plant, name: str, language: Language, actual: Query, expected: str, whose: str = ""
) -> timeseries.Panel:
    """A KPI over time and, dashed, what was expected, where baselines make up its numerator."""
    panel = over_time(plant, name, language).interval(FINEST).show_points(VisibilityMode.NEVER).span_nulls(False)
    panel.with_target(Target(actual))
    if not modelled(plant, name):
        return panel
    dashed = DynamicConfigValue("custom.lineStyle", LineStyle().fill("dash").dash([6, 6]).build())
    alias = whose + say(TEXTS["expected"], language)
    return panel.with_target(Target(Query(expected, alias=alias, ref="B"))).override_by_query("B", [dashed])


def modelled(plant: Plant, name: str) -> bool:
    """Whether each point of a KPI's numerator is the response of a baseline of the same scope."""
    kpi = plant.kpis[name]
    responses = {one.response for one in plant.baselines.values() if one.scope == kpi.scope}
    return all(point in responses for term in kpi.numerator for point in term.names())


def over_time(plant: Plant, name: str, language: Language) -> timeseries.Panel:
    """A KPI's title, unit and the lines of its targets, for what is drawn over time; without queries as yet."""
    kpi = plant.kpis[name]
    return (
        timeseries.Panel()
        .title(f"{say(kpi.title, language)} [{pretty(kpi.unit)}]")
        .description(describe(plant, name, language))
        .datasource(SOURCE)
        .unit(grafana_unit(kpi.unit))
        .decimals(kpi.decimals)
        .thresholds(absolute(steps(kpi)))
        .thresholds_style(GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
        .line_width(1.5)
        .height(8)
        .span(12)
    )


def drift_count(plant: Plant, language: Language) -> stat.Panel:
    """How many drifts are open."""
    name = say(TEXTS["open"], language)
    panel = figure(say(TEXTS["open title"], language)).with_target(Target(Query(queries.open_drifts(), alias=name)))
    return panel.override_by_name(name, count())


def drift_cost(plant: Plant, language: Language) -> stat.Panel:
    """What the open drifts cost a day."""
    return (
        figure(say(TEXTS["cost"], language))
        .unit(f"suffix:{plant.site.currency}")
        .decimals(0)
        .thresholds(absolute([Threshold(None, GREEN), Threshold(1.0, RED)]))
        .with_target(Target(Query(queries.open_cost(), alias="cost")))
    )


def drift_cost_by_scope(plant: Plant, language: Language) -> bargauge.Panel:
    """Where the money of the open drifts is lost."""
    panel = (
        bargauge.Panel()
        .title(say(TEXTS["cost of"], language))
        .datasource(SOURCE)
        .unit(f"suffix:{plant.site.currency}")
        .decimals(0)
        .no_value("0")
        .min(0)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(absolute([Threshold(None, GREEN), Threshold(1.0, RED)]))
        .height(5)
        .span(8)
        .with_target(Target(Query(queries.open_cost(by_scope=True), alias="$tag_scope")))
    )
    return naming.series(panel, scope_titles(plant, language))


def drift_table(plant: Plant, language: Language) -> table.Panel:
    """The drifts with size, cost, onset and evidence."""
    keys = {
        "Time": "found",
        "state": "state",
        "kpi": "watched",
        "scope": "unit",
        "onset": "since",
        "size_per_hour": "size",
        "unit": "measure",
        "cost_per_day": "a day",
        "evidence": "evidence",
    }
    names = {column: say(TEXTS[key], language).format(plant.site.currency) for column, key in keys.items()}
    order = {name: number for number, name in enumerate(names)}
    return (
        table.Panel()
        .title(say(TEXTS["drifts"], language))
        .datasource(SOURCE)
        .with_transformation(
            DataTransformerConfig(
                "organize", options={"indexByName": order, "renameByName": names, "excludeByName": {}}
            )
        )
        .override_by_name(names["Time"], [DynamicConfigValue("unit", "dateTimeAsIso"), tables.wide(180)])
        .override_by_name(names["onset"], [DynamicConfigValue("unit", "dateTimeAsIso"), tables.wide(180)])
        .override_by_name(names["state"], [naming.mapped(naming.said(STATES, language))])
        .override_by_name(names["kpi"], [naming.mapped(naming.watch_titles(plant, language)), tables.wide(180)])
        .override_by_name(names["scope"], [naming.mapped(scope_titles(plant, language)), tables.wide(160)])
        .override_by_name(names["evidence"], [tables.wide(260)])
        .override_by_name(names["size_per_hour"], [DynamicConfigValue("decimals", 2)])
        .override_by_name(names["cost_per_day"], [DynamicConfigValue("decimals", 0)])
        .height(8)
        .span(24)
        .with_target(Target(Query(queries.drift_list(), form="table")))
    )


def figure(title: str) -> stat.Panel:
    """One number; 0 where nothing is found."""
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


def absolute(found: list[Threshold]) -> dashboard.ThresholdsConfig:
    """Thresholds in the unit of the value."""
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def count() -> list[DynamicConfigValue]:
    """How a number of drifts is shown: red as soon as there is one."""
    colours = absolute([Threshold(None, GREEN), Threshold(1.0, RED)]).build()
    return [
        DynamicConfigValue("unit", "none"),
        DynamicConfigValue("decimals", 0),
        DynamicConfigValue("thresholds", colours),
    ]
