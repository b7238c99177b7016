"""The balances board: for each balance what came in, went out and stayed, and whether it closes."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard, stat, text, timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig, ReduceDataOptions, StackingConfig
from grafana_foundation_sdk.models.common import (
    BarAlignment,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphTresholdsStyleMode,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DynamicConfigValue,
    RangeMap,
    Threshold,
    ValueMapping,
    ValueMappingResult,
)

from dashboards import frame
from dashboards.frame import Language, say
from dashboards.panels import common as panels
from dashboards.panels import naming
from dashboards.queries import balances as queries_balances
from dashboards.queries.common import SOURCE, Query, Target
from plant.accuracy import uncertainty
from plant.model import Balance, Plant, Text
from plant.model_computed import BALANCE_PARTS

NAME = "balances"
TITLE = Text(en="balances", zh="平衡")
FRESH = "6h"
"""A balance of which no value is younger is unknown: results come every hour."""
ENDLESS = 1e9
"""A range without an end: Grafana takes one left out for 0."""

TEXTS = {
    "closed": Text(en="closed", zh="闭合"),
    "within": Text(en="within the meters' error", zh="仪表误差内"),
    "not closed": Text(en="not closed", zh="未闭合"),
    "unknown": Text(en="unknown", zh="未知"),
    "state": Text(en="Does it close?", zh="是否闭合"),
    "closure": Text(en="Not accounted for", zh="未闭合率"),
    "now": Text(en="Missing now", zh="当前未闭合率"),
    "days": Text(en="Day by day [{}]", zh="逐日 [{}]"),
    "what": Text(
        en="(in − out − estimated − gained in stock) / in over {}. Closed within ±{:g} %; not closed only beyond"
        " ±{:.1f} %, the limit and the meters' own uncertainty together. Positive: less is found than came in.",
        zh="（进 − 出 − 估计 − 库存增加）/ 进，统计窗口 {}。±{:g} % 以内为闭合；"
        "超过 ±{:.1f} %（限值加仪表误差）才判为未闭合。正值表示去向不明。",
    ),
    "estimated": Text(
        en="Of what goes out, this is an estimate and not measured: {}.", zh="“出”中下列为估计值，并非计量：{}。"
    ),
    "none": Text(
        en="The plant description declares no balances yet: see 'balances' in docs/kpis.md.",
        zh="工厂描述中尚未定义平衡（balances），见 docs/kpis.md。",
    ),
}
COLOURS = {"in": "blue", "out": "dark-green", "estimated": "light-green", "stock": "yellow"}


def build(plant: Plant, language: Language) -> dict[str, Any]:
    """The board as Grafana's JSON; without balances it says how to declare one."""
    board = frame.with_marks(frame.begin(plant, language, NAME, TITLE, since="now-30d"), language)
    if not plant.balances:
        board.with_panel(
            text.Panel().title(say(TITLE, language)).content(say(TEXTS["none"], language)).height(4).span(24)
        )
    for name, balance in plant.balances.items():
        scope = frame.scope_titles(plant, language)[balance.scope]
        board.with_row(dashboard.Row(f"{say(balance.title, language)} · {scope}"))
        for figure in (_state, _now):
            board.with_panel(figure(plant, language, name, balance))
        for course in (_days, _closure):
            board.with_panel(course(plant, language, name, balance))
    return frame.finish(board)


def _state(plant: Plant, language: Language, name: str, balance: Balance) -> stat.Panel:
    """In words: closed, not closed, something between, or unknown."""
    return _newest(plant, language, name, balance, "state").mappings(_states(plant, language, balance))


def _now(plant: Plant, language: Language, name: str, balance: Balance) -> stat.Panel:
    return _newest(plant, language, name, balance, "now")


def _newest(plant: Plant, language: Language, name: str, balance: Balance, title: str) -> stat.Panel:
    return (
        stat.Panel()
        .title(say(TEXTS[title], language))
        .description(_description(plant, language, balance))
        .datasource(SOURCE)
        .time_from(FRESH)
        .unit("percent")
        .decimals(1)
        .no_value(say(TEXTS["unknown"], language))
        .thresholds(panels.absolute(_steps(plant, balance)))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .height(8)
        .span(3)
        .with_target(Target(Query(queries_balances.newest(f"{name}_closure", balance.over), alias="closure")))
    )


def _days(plant: Plant, language: Language, name: str, balance: Balance) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(say(TEXTS["days"], language).format(panels.pretty(balance.unit)))
        .description(_description(plant, language, balance))
        .datasource(SOURCE)
        .unit(panels.grafana_unit(balance.unit))
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(70)
        .line_width(0)
        .axis_soft_min(0)
        .bar_alignment(BarAlignment.BEFORE)
        .stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
        .show_points(VisibilityMode.NEVER)
        .height(8)
        .span(9)
    )
    for part, ref in zip(balance.parts(), "ABCD", strict=False):
        panel.with_target(Target(Query(queries_balances.days(f"{name}_{part}"), alias=part, ref=ref)))
        panel.override_by_name(part, [naming.titled(say(BALANCE_PARTS[part], language)), naming.fixed(COLOURS[part])])
    # A day's total stands at the day's end. What came in is a line over the bars of where it went: the gap is missing.
    panel.override_by_name(
        "in",
        [
            DynamicConfigValue("custom.drawStyle", "line"),
            DynamicConfigValue("custom.lineWidth", 2),
            DynamicConfigValue("custom.fillOpacity", 0),
            DynamicConfigValue("custom.lineInterpolation", "stepBefore"),
            DynamicConfigValue("custom.stacking", {"mode": "none", "group": "B"}),
        ],
    )
    return panel


def _closure(plant: Plant, language: Language, name: str, balance: Balance) -> timeseries.Panel:
    edge = 1.5 * (balance.limit + uncertainty(plant, balance))
    style = GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.AREA)
    return (
        timeseries.Panel()
        .title(f"{say(TEXTS['closure'], language)} [%]")
        .description(_description(plant, language, balance))
        .datasource(SOURCE)
        .unit("percent")
        .decimals(1)
        .axis_soft_min(-edge)
        .axis_soft_max(edge)
        .interval("1h")
        .thresholds(panels.absolute(_steps(plant, balance)))
        .thresholds_style(style)
        .line_width(2)
        .show_points(VisibilityMode.NEVER)
        .span_nulls(False)
        .height(8)
        .span(9)
        .with_target(Target(Query(queries_balances.closure(f"{name}_closure", balance.over), alias="closure")))
        .override_by_name("closure", [naming.titled(say(TEXTS["closure"], language)), naming.fixed("text")])
    )


def _bounds(plant: Plant, balance: Balance) -> tuple[float, float]:
    """Up to the first it closes, beyond the second it does not [%]."""
    return balance.limit, balance.limit + uncertainty(plant, balance)


def _steps(plant: Plant, balance: Balance) -> list[Threshold]:
    limit, beyond = _bounds(plant, balance)
    colours = (panels.RED, panels.ORANGE, panels.GREEN, panels.ORANGE, panels.RED)
    return [Threshold(*one) for one in zip((None, -beyond, -limit, limit, beyond), colours, strict=True)]


def _states(plant: Plant, language: Language, balance: Balance) -> list[ValueMapping]:
    limit, beyond = _bounds(plant, balance)
    bands = (
        (-limit, limit, "closed", panels.GREEN),
        (-beyond, beyond, "within", panels.ORANGE),
        (-ENDLESS, -beyond, "not closed", panels.RED),
        (beyond, ENDLESS, "not closed", panels.RED),
    )
    return [
        RangeMap(
            DashboardRangeMapOptions(
                from_val=low,
                to=high,
                result=ValueMappingResult(text=say(TEXTS[key], language), color=colour, index=number),
            )
        )
        for number, (low, high, key, colour) in enumerate(bands)
    ]


def _description(plant: Plant, language: Language, balance: Balance) -> str:
    over = say(frame.WINDOW_TITLES[balance.over], language)
    said = say(TEXTS["what"], language).format(over, *_bounds(plant, balance))
    if balance.estimated:
        titles = naming.point_titles(plant, language)
        shares = ", ".join(f"{term.times:g} × {titles[term.point]}" for term in balance.estimated)
        said += " " + say(TEXTS["estimated"], language).format(shares)
    return said
