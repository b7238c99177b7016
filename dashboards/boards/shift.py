"""The shift board: which alarms stand, what causes cost most, and this shift against the same one of four weeks."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import bargauge, table, timeseries
from grafana_foundation_sdk.models.common import GraphDrawStyle, VisibilityMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold

from dashboards import frame
from dashboards.frame import Language, say
from dashboards.panels import common as panels
from dashboards.panels import naming, tables
from dashboards.queries import shift as queries_shift
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import Plant, Text

NAME = "shift"
TITLE = Text(en="shift", zh="班次")
STANDING = "^(unacknowledged|acknowledged|returned_unacknowledged)$"
STATE_COLOURS = {
    "unacknowledged": panels.RED,
    "acknowledged": panels.ORANGE,
    "returned_unacknowledged": panels.ORANGE,
    "normal": panels.GREEN,
    "revised": panels.LIGHT,
}
PRIORITY_COLOURS = {"high": panels.RED, "medium": panels.ORANGE, "low": panels.LIGHT}

TEXTS = {
    "alarms": Text(en="Alarms", zh="报警"),
    "states": Text(en="Alarms by their present state", zh="报警现状"),
    "states what": Text(
        en="Every alarm since 90 days before the range shown, by the state of its last transition.",
        zh="所选时段前 90 天以来的全部报警，按其最后一次状态变化统计。",
    ),
    "raised": Text(en="Alarms that sounded, by shift", zh="各班次发出的报警数"),
    "raised what": Text(en="Within the range shown.", zh="所选时段内。"),
    "standing": Text(en="Alarms that stand", zh="未结束的报警"),
    "standing what": Text(
        en="Not yet over, or over and not acknowledged; dearest first.", zh="尚未结束，或已恢复但未确认；损失大者在前。"
    ),
    "causes": Text(en="Top causes", zh="主要原因"),
    "cost of": Text(en="Cost of open drifts a day, by what drifted", zh="未消除漂移的日损失（按监测对象）"),
    "cost where": Text(en="Cost of open drifts a day, by process unit", zh="未消除漂移的日损失（按工序单元）"),
    "what to do": Text(en="What it probably is, and what to check first", zh="可能原因与首要检查"),
    "weeks": Text(en="Against the weeks before", zh="与前几周对比"),
    "compared": Text(en="This shift against the same shift of the four weeks before", zh="本班与前四周同班次对比"),
    "compared what": Text(
        en="The newest value of each shift in the range shown (so far, or its total), beside the totals of the same"
        " shift in the four weeks that end where the range begins; their mean is that of the sums.",
        zh="所选时段内各班次的最新值（进行中或整班），对比时段开始前四周同班次的整班值；平均值为各量之和相除。",
    ),
    "course": Text(en="Whole shifts of the last 28 days", zh="近 28 天整班值"),
    "state": Text(en="state", zh="状态"),
    "where": Text(en="where", zh="位置"),
    "what": Text(en="what", zh="对象"),
    "priority": Text(en="priority", zh="优先级"),
    "since": Text(en="since", zh="起点"),
    "size": Text(en="per hour", zh="每小时"),
    "unit": Text(en="unit", zh="单位"),
    "a day": Text(en="{} a day", zh="{}/天"),
    "cause": Text(en="likely cause", zh="可能原因"),
    "check": Text(en="check first", zh="首要检查"),
    "kpi": Text(en="KPI", zh="指标"),
    "shift": Text(en="shift", zh="班次"),
    "newest": Text(en="this shift", zh="本班"),
    "mean": Text(en="mean", zh="平均"),
    "lowest": Text(en="lowest", zh="最低"),
    "highest": Text(en="highest", zh="最高"),
    "against": Text(en="against the mean", zh="较平均值"),
}


def build(plant: Plant, language: Language) -> dict[str, Any]:
    """The board as Grafana's JSON."""
    board = frame.with_marks(frame.begin(plant, language, NAME, TITLE, since="now-24h"), language)
    board.with_variable(frame.units(plant, language)).with_variable(frame.shifts(plant, language))
    board.with_row(frame.row(TEXTS["alarms"], language))
    for panel in (_states, _raised, _standing):
        board.with_panel(panel(plant, language))
    board.with_row(frame.row(TEXTS["causes"], language))
    for tag, title in (("kpi", "cost of"), ("scope", "cost where")):
        board.with_panel(_cost(plant, language, tag, title))
    board.with_panel(_causes(plant, language))
    kpis = of_production(plant)
    if kpis and plant.shifts:
        board.with_row(frame.row(TEXTS["weeks"], language)).with_panel(_compared(plant, language, kpis))
        folded = frame.row(TEXTS["course"], language)
        for name in kpis:
            folded.with_panel(_totals(plant, language, name))
        board.with_row(folded)
    return frame.finish(board)


def of_production(plant: Plant) -> list[str]:
    """The KPIs per unit of a product: those that a shift can be compared by."""
    made = {point for product in plant.products.values() for point in product.points}
    per_made = [name for name, kpi in plant.kpis.items() if made & {term.point for term in kpi.denominator}]
    return [name for name in per_made if not plant.kpis[name].by_months()]


def _states(plant: Plant, language: Language) -> table.Panel:
    names = {"to_state (first)": _text("state", plant, language), "alarm (count)": _text("alarms", plant, language)}
    states = naming.mapped(naming.said(naming.ALARM_STATES, language), STATE_COLOURS)
    return (
        tables.listing(_text("states", plant, language), _text("states what", plant, language), height=7, span=12)
        .with_target(Target(Query(queries_shift.transitions(), form="table")))
        .with_transformation(tables.group("alarm", to_state="first"))
        .with_transformation(tables.group("to_state (first)", alarm="count"))
        .with_transformation(tables.organize(names))
        .override_by_name(names["to_state (first)"], [states, *tables.coloured()])
    )


def _raised(plant: Plant, language: Language) -> bargauge.Panel:
    titles = {name: say(shift.title, language) for name, shift in plant.shifts.items()}
    panel = (
        naming.bars(say(TEXTS["raised"], language), height=7, span=12)
        .thresholds(panels.absolute([Threshold(None, panels.ORANGE)]))
        .description(say(TEXTS["raised what"], language))
        .with_target(Target(Query(queries_shift.raised(), alias="$tag_shift")))
    )
    return naming.series(panel, titles)


def _standing(plant: Plant, language: Language) -> table.Panel:
    first = {
        name: f"{name} (first)"
        for name in ("to_state", "scope", "kpi", "priority", "onset", "size_per_hour", "unit", "cost_per_day")
    }
    keys = ("state", "where", "what", "priority", "since", "size", "unit", "a day")
    names = {column: _text(key, plant, language) for column, key in zip(first.values(), keys, strict=True)}
    state, where, what, priority, since, _, _, money = names.values()
    return (
        tables.listing(_text("standing", plant, language), _text("standing what", plant, language), height=8, span=24)
        .with_target(Target(Query(queries_shift.transitions(), form="table")))
        .with_target(Target(Query(queries_shift.drifts_behind(), form="table", ref="B")))
        .with_transformation(tables.group("drift", **dict.fromkeys(first, "first")))
        .with_transformation(tables.transformation("joinByField", byField="drift", mode="outer"))
        .with_transformation(tables.only(first["to_state"], STANDING))
        .with_transformation(tables.sort(first["cost_per_day"], falling=True))
        .with_transformation(tables.organize(names, hidden=("drift",)))
        .override_by_name(
            state, [naming.mapped(naming.said(naming.ALARM_STATES, language), STATE_COLOURS), *tables.coloured()]
        )
        .override_by_name(where, [naming.mapped(frame.scope_titles(plant, language))])
        .override_by_name(what, [naming.mapped(naming.watch_titles(plant, language)), tables.wide(160)])
        .override_by_name(
            priority, [naming.mapped(naming.said(naming.PRIORITIES, language), PRIORITY_COLOURS), *tables.coloured()]
        )
        .override_by_name(since, [DynamicConfigValue("unit", tables.TIME), tables.wide(140)])
        .override_by_name(money, [DynamicConfigValue("decimals", 0)])
    )


def _cost(plant: Plant, language: Language, tag: str, title: str) -> bargauge.Panel:
    titles = naming.watch_titles(plant, language) if tag == "kpi" else frame.scope_titles(plant, language)
    panel = (
        naming.bars(say(TEXTS[title], language), height=9, span=12)
        .unit(f"suffix: {plant.site.currency}")
        .thresholds(panels.absolute([Threshold(None, panels.GREEN), Threshold(1.0, panels.RED)]))
        .with_target(Target(Query(queries_shift.open_cost(tag), alias=f"$tag_{tag}")))
    )
    return naming.series(panel, titles)


def _causes(plant: Plant, language: Language) -> table.Panel:
    columns = {
        "kpi": "what",
        "scope": "where",
        "cost_per_day": "a day",
        "onset": "since",
        "cause": "cause",
        "check": "check",
    }
    names = {column: _text(key, plant, language) for column, key in columns.items()}
    causes = {name: say(baseline.likely_cause, language) for name, baseline in plant.baselines.items()}
    checks = {name: say(baseline.first_check, language) for name, baseline in plant.baselines.items()}
    return (
        tables.listing(_text("what to do", plant, language), "", height=9, span=24)
        .with_target(Target(Query(queries_shift.causes(), form="table")))
        .with_transformation(tables.sort("cost_per_day", falling=True))
        .with_transformation(tables.organize(names, hidden=("Time",)))
        .override_by_name(names["kpi"], [naming.mapped(naming.watch_titles(plant, language)), tables.wide(160)])
        .override_by_name(names["scope"], [naming.mapped(frame.scope_titles(plant, language))])
        .override_by_name(names["cost_per_day"], [DynamicConfigValue("decimals", 0)])
        .override_by_name(names["onset"], [DynamicConfigValue("unit", tables.TIME), tables.wide(140)])
        .override_by_name(names["cause"], [naming.mapped(causes), tables.inspected(), tables.wide(360)])
        .override_by_name(names["check"], [naming.mapped(checks), tables.inspected(), tables.wide(360)])
    )


def _compared(plant: Plant, language: Language, kpis: list[str]) -> table.Panel:
    order = ("kpi", "shift", "newest", "mean", "against", "lowest", "highest", "unit")
    names = {column: _text(column, plant, language) for column in order}
    titles = {name: say(plant.kpis[name].title, language) for name in kpis}
    shifts = {name: say(shift.title, language) for name, shift in plant.shifts.items()}
    units = {plant.kpis[name].unit: panels.pretty(plant.kpis[name].unit) for name in kpis}
    panel = (
        tables.listing(_text("compared", plant, language), _text("compared what", plant, language), height=14, span=24)
        .with_target(Target(Query(queries_shift.newest(kpis), form="table")))
        .with_target(Target(Query(queries_shift.weeks_before(kpis), form="table", ref="B")))
        .with_transformation(tables.transformation("filterFieldsByName", exclude={"names": ["Time"]}))
        .with_transformation(tables.transformation("merge"))
        .with_transformation(tables.calculated("difference", "newest", "-", "mean"))
        .with_transformation(tables.calculated("against", "difference", "/", "mean"))
        .with_transformation(tables.sort("against", falling=True))
        .with_transformation(tables.organize(names, hidden=("difference",)))
        .override_by_name(names["kpi"], [naming.mapped(titles), tables.wide(240)])
        .override_by_name(names["shift"], [naming.mapped(shifts)])
        .override_by_name(names["unit"], [naming.mapped(units)])
        .override_by_name(
            names["against"], [DynamicConfigValue("unit", "percentunit"), DynamicConfigValue("decimals", 1)]
        )
    )
    for column in ("newest", "mean", "lowest", "highest"):
        panel.override_by_name(names[column], [DynamicConfigValue("decimals", 2)])
    return panel


def _totals(plant: Plant, language: Language, name: str) -> timeseries.Panel:
    kpi = plant.kpis[name]
    panel = (
        timeseries.Panel()
        .title(f"{say(kpi.title, language)} [{panels.pretty(kpi.unit)}]")
        .description(panels.describe(plant, name, language))
        .datasource(SOURCE)
        .time_from("28d")
        .unit(panels.grafana_unit(kpi.unit))
        .decimals(kpi.decimals)
        .draw_style(GraphDrawStyle.POINTS)
        .show_points(VisibilityMode.ALWAYS)
        .point_size(6)
        .height(8)
        .span(8)
        .with_target(Target(Query(queries_shift.totals(name), alias="$tag_shift")))
    )
    return naming.series(panel, {one: say(shift.title, language) for one, shift in plant.shifts.items()})


def _text(key: str, plant: Plant, language: Language) -> str:
    return say(TEXTS[key], language).format(plant.site.currency)
