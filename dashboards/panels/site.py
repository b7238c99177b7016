"""The site's own panels: what flows in hour by hour, and what today's drifts have cost."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, StackingConfig
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import Threshold

from dashboards.frame import Language, say
from dashboards.panels import naming
from dashboards.panels.common import GREEN, RED, absolute, figure, grafana_unit, pretty
from dashboards.queries import common as queries
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import SITE, Kind, Plant, Text
from plant.units import amount_unit

SUMMED = (Kind.COUNTER, Kind.NET, Kind.INTERVAL, Kind.RATE)
TEXTS = {
    "flow": Text(en="Flows by the hour [{}]", zh="逐时流量 [{}]"),
    "flow about": Text(
        en="What the site's own meters counted in each hour, from known minutes only; a gap is unknown, not zero.",
        zh="全厂各表每小时计量，仅含已知分钟；空缺为未知，不是零。",
    ),
    "today": Text(en="Drifts today: {}", zh="今日漂移：{}"),
    "cost": Text(en="cost", zh="损失"),
    "today about": Text(
        en="Actual less expected since the plant's midnight, whatever range is shown, of the hours in which a drift "
        "stands, where its carrier has a price, or a factor (burnt fuel direct, electricity by location). A dash: no "
        "drift stands, or none that has one.",
        zh="自工厂当地零时起（与所选时段无关）处于漂移状态各小时的实际减应耗，仅计有价格或排放因子的介质"
        "（燃料为直接排放，电力按所在电网）。短横线：无漂移，或漂移介质均无此值。",
    ),
}


def flows(plant: Plant) -> Mapping[str, list[str]]:
    """The site's own points that have amounts, by the unit of these."""
    found: dict[str, list[str]] = {}
    for name in plant.points_of(SITE):
        point = plant.points[name]
        if point.kind in SUMMED and point.carrier:
            found.setdefault(amount_unit(point.kind, point.unit), []).append(name)
    return found


def flow(plant: Plant, unit: str, names: list[str], language: Language) -> timeseries.Panel:
    """What flows through the site's meters of one unit, hour by hour."""
    panel = (
        timeseries.Panel()
        .title(say(TEXTS["flow"], language).format(pretty(unit)))
        .description(say(TEXTS["flow about"], language))
        .datasource(SOURCE)
        .unit(grafana_unit(unit))
        .interval("1h")
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(70)
        .line_width(0)
        .min(0)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(False)
        .height(8)
        .span(12)
        .with_target(Target(Query(queries.hourly_amounts(names), alias="$tag_point")))
    )
    if len(names) > 1:
        panel.stacking(StackingConfig().mode(StackingMode.NORMAL))
    titles = naming.point_titles(plant, language)
    return naming.series(panel, {name: titles[name] for name in names})


def today(plant: Plant, column: str, language: Language) -> stat.Panel:
    """What the standing drifts have cost since midnight: `column` is cost or co2 of the blocks."""
    unit, what = (plant.site.currency, say(TEXTS["cost"], language)) if column == "cost" else ("kg", "CO2")
    return (
        figure(say(TEXTS["today"], language).format(what))
        .description(say(TEXTS["today about"], language))
        .unit(f"suffix:{unit}")
        .decimals(0)
        .no_value("–")
        .reduce_options(ReduceDataOptions().calcs(["last"]))
        .thresholds(absolute([Threshold(None, GREEN), Threshold(1.0, RED)]))
        .with_target(Target(Query(queries.drifting(column, plant.site.time_zone), alias=what)))
    )
