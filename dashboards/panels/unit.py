"""The panels of a process unit's board: actual against expected, CUSUM, shares in the deviation, shifts, drifts."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, bargauge, table, timeseries
from grafana_foundation_sdk.builders.common import LineStyle, ReduceDataOptions, VizLegendOptions, VizTextDisplayOptions
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
)

from dashboards.frame import Language, say, scope_titles
from dashboards.panels import common as panels
from dashboards.panels import meter as panels_meter
from dashboards.panels import tables
from dashboards.panels.common import GREEN, ORANGE, absolute, grafana_unit, pretty
from dashboards.queries import unit as queries_unit
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import WEEKDAYS, Kpi, Plant, Text
from plant.units import amount_unit

TEXTS = {
    "actual": Text(en="actual", zh="实际"),
    "expected": Text(en="expected of this production", zh="按产量应耗"),
    "likely": Text(en="Likely cause", zh="可能原因"),
    "check": Text(en="Check first", zh="先查"),
    "cusum": Text(en="CUSUM: actual less expected, added up [{}]", zh="累计偏差（实际－应耗）[{}]"),
    "share": Text(en="Share of each sub-meter in the deviation [{}]", zh="各分表偏差量 [{}]"),
    "hours": Text(
        en="From the beginning of the range shown; hours that are unknown add nothing. A line that goes on rising is a "
        "drift; one that goes level again is a lasting change that has ended.",
        zh="自所示时段起点累计；未知小时不计入。持续上升即漂移，转平表示偏差已停止。",
    ),
    "over range": Text(
        en="Actual less expected, summed over the known hours of the range shown. A click leads to the meter.",
        zh="所示时段内已知小时的实际减应耗之和。点击可查看仪表。",
    ),
    "load": Text(en="{}: mean of a shift, by shift and weekday [{}]", zh="{}：各班次、星期的每班均值 [{}]"),
    "whole shifts": Text(
        en="What the KPI's numerator amounts to in a whole shift, on average over the range shown; the weekday is that "
        "on which the shift begins. Shifts in which the KPI is unknown, as without production, are left out.",
        zh="所示时段内整班 KPI 分子的平均值；星期按班次开始日计。KPI 未知（如无产量）的班次不计。",
    ),
    "whole shifts value": Text(
        en="The KPI's value in a whole shift, on average over the range shown; the weekday is that on which the shift "
        "begins. Shifts in which the KPI is unknown are left out.",
        zh="所示时段内整班 KPI 值的平均；星期按班次开始日计。KPI 未知的班次不计。",
    ),
    "open": Text(en="Open drifts of this process unit", zh="本单元未消除的漂移"),
}
DAYS = dict(
    zip(
        WEEKDAYS,
        (
            Text(en="Mon", zh="周一"),
            Text(en="Tue", zh="周二"),
            Text(en="Wed", zh="周三"),
            Text(en="Thu", zh="周四"),
            Text(en="Fri", zh="周五"),
            Text(en="Sat", zh="周六"),
            Text(en="Sun", zh="周日"),
        ),
        strict=True,
    )
)
MATRIX = "shift\\weekday"
"""What Grafana calls the first column of a matrix of shifts by weekdays."""


def measured(plant: Plant, baseline: str) -> str:
    """The unit of a baseline's amounts."""
    point = plant.points[plant.baselines[baseline].response]
    return amount_unit(point.kind, point.unit)


def priced(plant: Plant, baseline: str) -> bool:
    """Whether a deviation from a baseline has a cost: a tariff is there for its carrier."""
    carrier = plant.points[plant.baselines[baseline].response].carrier
    return any(tariff.carrier == carrier for tariff in plant.tariffs)


def actual(plant: Plant, name: str, language: Language, scope: str) -> timeseries.Panel:
    """A baseline hour by hour: what was used and what this production should have needed; `scope` is the board's."""
    baseline = plant.baselines[name]
    unit = f"{pretty(measured(plant, name))}/h"
    hours = baseline.block / 3600.0
    about = (
        f"{say(TEXTS['likely'], language)}: {say(baseline.likely_cause, language)}\n\n"
        f"{say(TEXTS['check'], language)}: {say(baseline.first_check, language)}"
    )
    return (
        timeseries.Panel()
        .title(f"{say(baseline.title, language)} [{unit}]")
        .description(about)
        .datasource(SOURCE)
        .unit(f"suffix:{unit}")
        .interval(f"{baseline.block / 60:g}m")
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(40)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(False)
        .links([panels_meter.link(plant, scope, baseline.response, language)])
        .height(8)
        .span(12)
        .with_target(
            Target(Query(queries_unit.hourly(name, "actual", hours), alias=say(TEXTS["actual"], language), ref="A"))
        )
        .with_target(
            Target(Query(queries_unit.hourly(name, "expected", hours), alias=say(TEXTS["expected"], language), ref="B"))
        )
        .override_by_query(
            "B",
            [
                DynamicConfigValue("custom.drawStyle", "line"),
                DynamicConfigValue("custom.fillOpacity", 0),
                DynamicConfigValue("custom.lineWidth", 2),
                DynamicConfigValue("custom.lineStyle", LineStyle().fill("dash").dash([6, 6]).build()),
            ],
        )
    )


def cusum(plant: Plant, names: list[str], column: str, unit: str, language: Language) -> timeseries.Panel:
    """The running sums of deviations that have one unit; `column` is residual or cost."""
    panel = (
        timeseries.Panel()
        .title(say(TEXTS["cusum"], language).format(pretty(unit)))
        .description(say(TEXTS["hours"], language))
        .datasource(SOURCE)
        .unit(grafana_unit(unit))
        .interval(f"{max(plant.baselines[name].block for name in names) / 60:g}m")
        .line_width(2)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(True)
        .height(9)
        .span(12)
        .with_target(Target(Query(queries_unit.running(names, column), alias="$tag_baseline")))
    )
    for name in names:
        panel.override_by_name(name, [_titled(plant, name, language)])
    return panel


def share(plant: Plant, names: list[str], column: str, unit: str, language: Language, scope: str) -> bargauge.Panel:
    """How much each baseline has of the deviation over the range shown; `column` is residual or cost."""
    # a lone bar does not show whose it is
    whose = f": {say(plant.baselines[names[0]].title, language)}" if len(names) == 1 else ""
    panel = (
        bargauge.Panel()
        .title(say(TEXTS["share"], language).format(pretty(unit)) + whose)
        .description(say(TEXTS["over range"], language))
        .datasource(SOURCE)
        .unit(grafana_unit(unit))
        .decimals(0)
        .min(0)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .text(VizTextDisplayOptions().title_size(14).value_size(18))
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(absolute([Threshold(None, GREEN), Threshold(0.0, ORANGE)]))
        .height(9)
        .span(12)
        .with_target(Target(Query(queries_unit.deviation(names, column), alias="$tag_baseline")))
    )
    for name in names:
        baseline = plant.baselines[name]
        link = panels_meter.link(plant, scope, baseline.response, language).build()
        values = [_titled(plant, name, language), DynamicConfigValue("links", [{"title": link.title, "url": link.url}])]
        if baseline.drift == "fall":
            worse_below = absolute([Threshold(None, ORANGE), Threshold(0.0, GREEN)]).build()
            values.append(DynamicConfigValue("thresholds", worse_below))
        panel.override_by_name(name, values)
    return panel


def profile(plant: Plant, name: str, language: Language) -> barchart.Panel:
    """What a KPI's numerator amounts to in a shift, by shift and weekday; where it has no plain sum, the KPI itself."""
    kpi = plant.kpis[name]
    unit = numerator_unit(plant, kpi)
    column, shown, about = (
        ("value", kpi.unit, "whole shifts value") if unit is None else ("numerator", unit, "whole shifts")
    )
    titles = {MATRIX: MATRIX} | {day: say(text, language) for day, text in DAYS.items()}
    shifts = {shift: say(one.title, language) for shift, one in plant.shifts.items()}
    matrix = tables.transformation(
        "groupingToMatrix", columnField="weekday", rowField="shift", valueField="mean", emptyValue="null"
    )
    return (
        barchart.Panel()
        .title(say(TEXTS["load"], language).format(say(kpi.title, language), pretty(shown)))
        .description(say(TEXTS[about], language))
        .datasource(SOURCE)
        .unit(grafana_unit(shown))
        .with_transformation(matrix)
        .with_transformation(tables.organize(titles))
        .override_by_name(MATRIX, [tables.mapped(shifts)])
        .show_value(VisibilityMode.NEVER)
        .legend(
            VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        )
        .group_width(0.8)
        .bar_width(0.9)
        .fill_opacity(80)
        .height(8)
        .span(12)
        .with_target(Target(Query(queries_unit.by_shift(name, column), form="table")))
    )


def numerator_unit(plant: Plant, kpi: Kpi) -> str | None:
    """The unit of a KPI's numerator; None where that is not a plain amount or cost per unit made."""
    term = kpi.numerator[0]
    if kpi.peak or not kpi.denominator or abs(term.times) != 1:
        return None
    if term.as_ in ("cost", "demand"):
        return plant.site.currency
    point = plant.points[term.point]
    return amount_unit(point.kind, point.unit) if term.as_ in ("amount", "content") else None


def course(plant: Plant, name: str, language: Language) -> timeseries.Panel:
    """A KPI over time, what this production should have needed, and the lines of its targets."""
    actual = Query(queries_unit.course(name), alias=say(TEXTS["actual"], language))
    return panels.beside_expected(plant, name, language, actual, queries_unit.course(name, "expected"))


def open_drifts(plant: Plant, scopes: list[str], language: Language) -> table.Panel:
    """The drifts of the process unit that stand open, with size, cost, onset and evidence."""
    titles = {name: say(baseline.title, language) for name, baseline in plant.baselines.items()}

    def column(key: str) -> str:
        return say(panels.TEXTS[key], language).format(plant.site.currency)

    return (
        panels.drift_table(plant, language)
        .title(say(TEXTS["open"], language))
        .override_by_name(column("watched"), [tables.wide(200), tables.mapped(titles)])
        .override_by_name(column("unit"), [tables.mapped(scope_titles(plant, language))])
        .override_by_name(column("found"), [tables.wide(160)])
        .override_by_name(column("a day"), panels_meter.EMPTY)
        .targets([Target(Query(queries_unit.open_drifts(scopes), form="table"))])
    )


def _titled(plant: Plant, baseline: str, language: Language) -> DynamicConfigValue:
    return DynamicConfigValue("displayName", say(plant.baselines[baseline].title, language))
