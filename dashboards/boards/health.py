"""The data-health board: which points are silent or poorly covered, and what was found out about their data."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, StackingConfig
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId, Threshold

from dashboards import frame
from dashboards.findings import FINDINGS
from dashboards.frame import Language, say
from dashboards.panels import common as panels
from dashboards.panels import naming, tables
from dashboards.queries import health as queries_health
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import Plant, Text

NAME = "health"
TITLE = Text(en="data health", zh="数据质量")
AGO = "dateTimeFromNow"
KNOWN, POOR = 0.9, 0.5
"""Below the first a KPI's minute is unknown unless it says otherwise; below the second most of a point is missing."""

TEXTS = {
    "now": Text(en="Now", zh="当前"),
    "speaking": Text(en="Points with data in the range", zh="时段内有数据的测点"),
    "settled": Text(en="Newest settled minute", zh="最新已结算分钟"),
    "settled what": Text(
        en="How far the results lag behind: a minute is settled when every source that speaks has passed it.",
        zh="结果的滞后：所有正常数据源都越过某一分钟后，该分钟才结算。",
    ),
    "notices": Text(en="Notices in the range", zh="时段内通知"),
    "silent": Text(en="Silent points", zh="无数据测点"),
    "silent what": Text(
        en="The longest silent first; a point without a fact for 30 days before the range is not in this list.",
        zh="最久无数据者在前；时段开始前 30 天内都没有数据的测点不在此表中。",
    ),
    "coverage": Text(en="Coverage of each point, worst first", zh="各测点覆盖率（差者在前）"),
    "coverage what": Text(
        en="Share of the range shown whose minutes are known, and share that is estimated. A minute without a fact, and"
        " one not yet settled, counts as not covered.",
        zh="所选时段内已知分钟所占比例，及估计值所占比例；没有数据或尚未结算的分钟按未覆盖计。",
    ),
    "timeline": Text(en="Coverage over time", zh="覆盖率时间线"),
    "each": Text(en="Coverage of each point", zh="各测点覆盖率"),
    "by finding": Text(en="Notices by finding", zh="按类别的通知"),
    "over time": Text(en="Notices over time", zh="通知随时间的变化"),
    "by point": Text(en="Notices by point", zh="按测点的通知"),
    "list": Text(en="Notices, newest first", zh="通知（新者在前）"),
    "found": Text(en="What was found out about the data", zh="数据问题"),
    "point": Text(en="point", zh="测点"),
    "where": Text(en="where", zh="位置"),
    "finding": Text(en="finding", zh="类别"),
    "count": Text(en="notices", zh="通知数"),
    "evidence": Text(en="evidence", zh="依据"),
    "from": Text(en="from", zh="开始"),
    "to": Text(en="to", zh="结束"),
    "last": Text(en="last fact", zh="最后数据"),
    "covered": Text(en="coverage", zh="覆盖率"),
    "estimated": Text(en="estimated", zh="估计"),
}


def build(plant: Plant, language: Language) -> dict[str, Any]:
    """The board as Grafana's JSON."""
    board = frame.with_marks(frame.begin(plant, language, NAME, TITLE, since="now-24h"), language)
    board.with_variable(frame.units(plant, language))
    board.with_row(frame.row(TEXTS["now"], language))
    for figure in (_speaking, _settled, _notices):
        board.with_panel(figure(plant, language).height(4).span(8))
    board.with_panel(_silent(plant, language)).with_panel(_coverage(plant, language))
    board.with_row(frame.row(TEXTS["timeline"], language)).with_panel(_timeline(plant, language))
    board.with_row(frame.row(TEXTS["found"], language))
    board.with_panel(_by_finding(plant, language)).with_panel(_over_time(plant, language))
    board.with_panel(_by_point(plant, language)).with_panel(_list(plant, language))
    return frame.finish(board)


def _speaking(plant: Plant, language: Language) -> stat.Panel:
    number = len(plant.points)
    steps = [Threshold(None, panels.RED), Threshold(0.9 * number, panels.ORANGE), Threshold(number, panels.GREEN)]
    return (
        panels.figure(say(TEXTS["speaking"], language))
        .unit(f"suffix: / {number}")
        .thresholds(panels.absolute(steps))
        .with_target(Target(Query(queries_health.speaking(), alias="points")))
    )


def _settled(plant: Plant, language: Language) -> stat.Panel:
    return (
        panels.figure(say(TEXTS["settled"], language))
        .description(say(TEXTS["settled what"], language))
        .unit(AGO)
        .no_value("–")
        .thresholds(panels.absolute([Threshold(None, panels.GREEN)]))
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/^Time$/"))
        .with_target(Target(Query(queries_health.newest_fact(), form="table")))
    )


def _notices(plant: Plant, language: Language) -> stat.Panel:
    panel = panels.figure(say(TEXTS["notices"], language)).decimals(0)
    panel.thresholds(panels.absolute([Threshold(None, panels.GREEN), Threshold(1.0, panels.ORANGE)]))
    return panel.with_target(Target(Query(queries_health.notices(), alias="notices")))


def _silent(plant: Plant, language: Language) -> table.Panel:
    names = {"point": say(TEXTS["point"], language), "Time": say(TEXTS["last"], language)}
    return (
        tables.listing(say(TEXTS["silent"], language), say(TEXTS["silent what"], language), height=15, span=10)
        .with_target(Target(Query(queries_health.last_facts(), form="table")))
        .with_transformation(tables.sort("Time", falling=False))
        .with_transformation(tables.organize(names, hidden=("coverage",)))
        .override_by_name(names["point"], [naming.mapped(naming.point_titles(plant, language)), tables.wide(200)])
        .override_by_name(names["Time"], [DynamicConfigValue("unit", AGO)])
    )


def _coverage(plant: Plant, language: Language) -> table.Panel:
    keys = {"point": "point", "coverage": "covered", "estimated": "estimated"}
    names = {column: say(TEXTS[key], language) for column, key in keys.items()}
    share = [DynamicConfigValue("unit", "percentunit"), DynamicConfigValue("decimals", 1)]
    limits = DynamicConfigValue("thresholds", panels.absolute(_steps()).build())
    return (
        tables.listing(say(TEXTS["coverage"], language), say(TEXTS["coverage what"], language), height=15, span=14)
        .with_target(Target(Query(queries_health.coverage_by_point(), form="table")))
        .with_transformation(tables.sort("coverage", falling=False))
        .with_transformation(tables.organize(names, hidden=("Time",)))
        .override_by_name(names["point"], [naming.mapped(naming.point_titles(plant, language)), tables.wide(200)])
        .override_by_name(names["coverage"], [*share, limits, *tables.coloured()])
        .override_by_name(names["estimated"], share)
    )


def _timeline(plant: Plant, language: Language) -> statetimeline.Panel:
    panel = (
        statetimeline.Panel()
        .title(say(TEXTS["each"], language))
        .description(say(TEXTS["coverage what"], language))
        .datasource(SOURCE)
        .unit("percentunit")
        .decimals(0)
        .interval("5m")
        .max_data_points(200)
        .thresholds(panels.absolute(_steps()))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(VisibilityMode.NEVER)
        .row_height(0.85)
        .height(max(8, round(len(plant.points) * 0.5)))
        .span(24)
        .with_target(Target(Query(queries_health.coverage_over_time(), alias="$tag_point")))
    )
    return naming.series(panel, naming.point_titles(plant, language))


def _by_finding(plant: Plant, language: Language) -> bargauge.Panel:
    panel = (
        naming.bars(say(TEXTS["by finding"], language), height=9, span=8)
        .thresholds(panels.absolute([Threshold(None, panels.ORANGE)]))
        .with_target(Target(Query(queries_health.notices("finding"), alias="$tag_finding")))
    )
    return naming.series(panel, naming.said(FINDINGS, language))


def _over_time(plant: Plant, language: Language) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(say(TEXTS["over time"], language))
        .datasource(SOURCE)
        .interval("15m")
        .max_data_points(100)
        .decimals(0)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
        .height(9)
        .span(16)
        .with_target(Target(Query(queries_health.notices_over_time(), alias="$tag_finding")))
    )
    return naming.series(panel, naming.said(FINDINGS, language))


def _by_point(plant: Plant, language: Language) -> table.Panel:
    keys = {"point": "point", "finding": "finding", "notices": "count"}
    names = {column: say(TEXTS[key], language) for column, key in keys.items()}
    return (
        tables.listing(say(TEXTS["by point"], language), "", height=10, span=8)
        .with_target(Target(Query(queries_health.notices_by_point(), form="table")))
        .with_transformation(tables.sort("notices", falling=True))
        .with_transformation(tables.organize(names, hidden=("Time",)))
        .override_by_name(names["point"], [naming.mapped(naming.point_titles(plant, language)), tables.wide(160)])
        .override_by_name(names["finding"], [naming.mapped(naming.said(FINDINGS, language))])
    )


def _list(plant: Plant, language: Language) -> table.Panel:
    keys = {
        "Time": "from",
        "end": "to",
        "point": "point",
        "scope": "where",
        "finding": "finding",
        "evidence": "evidence",
    }
    names = {column: say(TEXTS[key], language) for column, key in keys.items()}
    return (
        tables.listing(say(TEXTS["list"], language), "", height=10, span=16)
        .with_target(Target(Query(queries_health.notice_list(), form="table")))
        .with_transformation(tables.organize(names))
        .override_by_name(names["end"], [DynamicConfigValue("unit", tables.TIME)])
        .override_by_name(names["point"], [naming.mapped(naming.point_titles(plant, language)), tables.wide(160)])
        .override_by_name(names["scope"], [naming.mapped(frame.scope_titles(plant, language))])
        .override_by_name(names["finding"], [naming.mapped(naming.said(FINDINGS, language))])
        .override_by_name(names["evidence"], [tables.wide(260)])
    )


def _steps() -> list[Threshold]:
    return [Threshold(None, panels.RED), Threshold(POOR, panels.ORANGE), Threshold(KNOWN, panels.GREEN)]
