"""The panels of the audit's targets: every KPI with a target in a table, and its distances as bars."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import bargauge, table
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizTextDisplayOptions
from grafana_foundation_sdk.models.common import BarGaugeDisplayMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold

from dashboards.frame import Language, say, scope_titles
from dashboards.panels import naming, tables
from dashboards.panels.common import GREEN, ORANGE, RED, absolute, pretty
from dashboards.queries import audit as queries_audit
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import Plant, Text

ASKED_AT_ONCE = 18
"""Queries of a panel: Grafana 9 sends them as one address, and a proxy before it often takes no more than 8 kB."""
TEXTS = {
    "standing": Text(en="Every KPI with a target", zh="全部有目标的指标"),
    "standing about": Text(
        en="The newest known value of the window chosen, of the last 35 days, with its own time. Distance: how much "
        "worse (+) or better (-) than the near-term target. Grade: index grade reached, judged on a month or longer.",
        zh="所选窗口最近 35 天内最新的已知值及其时间。距离：比近期目标差（+）或好（－）的百分比。"
        "等级：按月及以上窗口评定的指数等级。",
    ),
    "near": Text(en="Distance from the near-term target", zh="与近期目标的距离"),
    "long": Text(en="Distance from the long-term target", zh="与远期目标的距离"),
    "now": Text(
        en="Positive is worse, whichever direction is better. Values of the last two days; a KPI that is unknown has "
        "no bar.",
        zh="正值表示更差（不论指标方向）。仅取最近两天的值；未知的指标无条形。",
    ),
    "time": Text(en="as of", zh="截至"),
    "kpi": Text(en="KPI", zh="指标"),
    "scope": Text(en="process unit", zh="工序单元"),
    "value": Text(en="value now", zh="当前值"),
    "unit": Text(en="unit", zh="单位"),
    "target": Text(en="near-term target", zh="近期目标"),
    "distance": Text(en="distance", zh="距离"),
    "long target": Text(en="long-term target", zh="远期目标"),
    "base": Text(en="baseline year {}", zh="基准年 {}"),
    "grade": Text(en="grade", zh="等级"),
}


def standing(plant: Plant, language: Language) -> table.Panel:
    """Every KPI with a target: value, target, distance, grade; near and long term."""
    kpis = targeted(plant)
    targets = {name: target for name in kpis if (target := plant.kpis[name].target)}
    titles = {name: say(plant.kpis[name].title, language) for name in kpis}
    units = {plant.kpis[name].unit: pretty(plant.kpis[name].unit) for name in kpis}
    keys = ("kpi", "scope", "value", "unit", "target", "distance", "long", "base", "grade", "Time")
    names = {key: say(TEXTS[{"Time": "time", "long": "long target"}.get(key, key)], language) for key in keys}
    names["base"] = names["base"].format(plant.audit.baseline_year)
    mapped = {
        "kpi": titles,
        "scope": scope_titles(plant, language),
        "unit": units,
        "long": {name: f"{target.long_term:g}" for name, target in targets.items()},
        "base": {name: f"{target.baseline:g}" for name, target in targets.items()},
    }
    panel = (
        table.Panel()
        .title(say(TEXTS["standing"], language))
        .description(say(TEXTS["standing about"], language))
        .datasource(SOURCE)
        .with_transformation(tables.sort("distance", falling=True))
        .with_transformation(tables.organize(names))
        .height(14)
        .span(24)
        .with_target(Target(Query(queries_audit.standing(kpis), form="table")))
    )
    widths = {"kpi": 260, "scope": 150, "value": 100, "unit": 90, "target": 130, "distance": 90}
    widths |= {"long": 130, "base": 150, "grade": 70, "Time": 180}
    for key in keys:
        words = [tables.mapped(mapped[key])] if key in mapped else []
        panel.override_by_name(names[key], [tables.wide(widths[key]), *words])
    colours = absolute([Threshold(None, GREEN), Threshold(0.0, ORANGE), Threshold(20.0, RED)]).build()
    return panel.override_by_name(
        names["distance"],
        [
            DynamicConfigValue("unit", "percent"),
            DynamicConfigValue("decimals", 1),
            DynamicConfigValue("thresholds", colours),
            *tables.coloured(),
        ],
    )


def distances(plant: Plant, language: Language) -> Iterator[bargauge.Panel]:
    """How far each KPI is from its near-term target and, beside it, from its long-term one, some KPIs at a time."""
    kpis = sorted(targeted(plant))
    parts = [kpis[at : at + ASKED_AT_ONCE] for at in range(0, len(kpis), ASKED_AT_ONCE)]
    for number, part in enumerate(parts, 1):
        which = f" ({number}/{len(parts)})" if len(parts) > 1 else ""
        for panel, title in ((_near, "near"), (_long_term, "long")):
            found = panel(plant, part, language).title(say(TEXTS[title], language) + which)
            yield found.height(max(8, len(part) * 3 // 4))


def _near(plant: Plant, kpis: list[str], language: Language) -> bargauge.Panel:
    panel = _bars(language).with_target(Target(Query(queries_audit.distances_now(kpis), alias="$tag_kpi")))
    naming.series(panel, {name: say(plant.kpis[name].title, language) for name in kpis})
    return panel


def _long_term(plant: Plant, kpis: list[str], language: Language) -> bargauge.Panel:
    panel = _bars(language)
    for number, name in enumerate(kpis):
        kpi = plant.kpis[name]
        # from one of 0 there is no distance
        if kpi.target and kpi.target.long_term:
            query = queries_audit.distance_from(name, kpi.target.long_term, kpi.better)
            panel.with_target(Target(Query(query, alias=say(kpi.title, language), ref=ref(number))))
    return panel


def targeted(plant: Plant) -> list[str]:
    """The KPIs that have a target."""
    return [name for name, kpi in plant.kpis.items() if kpi.target]


def ref(number: int) -> str:
    """Grafana's letters for the n-th query of a panel.

    >>> ref(0), ref(25), ref(26)
    ('A', 'Z', 'AA')
    """
    return chr(ord("A") + number) if number < 26 else ref(number // 26 - 1) + ref(number % 26)


def _bars(language: Language) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .description(say(TEXTS["now"], language))
        .datasource(SOURCE)
        .unit("percent")
        .decimals(0)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(absolute([Threshold(None, GREEN), Threshold(0.0, ORANGE), Threshold(20.0, RED)]))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .text(VizTextDisplayOptions().title_size(14).value_size(16))
        .min(0)
        .max(100)
        .span(12)
    )
