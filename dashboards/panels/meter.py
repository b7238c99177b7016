"""The panels of one meter's minute facts: what it counted or read, how much of it is known, the newest minutes.

The meter is chosen by a variable of the board; `name` is the variable's.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, table, timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig
from grafana_foundation_sdk.models.common import AxisPlacement, GraphTresholdsStyleMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DynamicConfigValue, Threshold

from dashboards import frame
from dashboards.frame import Language, say, uid
from dashboards.panels import tables
from dashboards.panels.common import GREEN, KEPT, ORANGE, RED, absolute, pretty
from dashboards.queries import unit as queries_unit
from dashboards.queries.common import SOURCE, Query, Target
from plant.model import Plant, Text
from plant.units import amount_unit

OPENED = "viewPanel=meter"
"""Stands in a link for the number that the meter's panel gets when its board is finished."""
EMPTY = [
    *tables.coloured(),
    DynamicConfigValue("color", {"mode": "fixed", "fixedColor": "text"}),
    DynamicConfigValue("mappings", [{"type": "special", "options": {"match": "null", "result": {"text": "–"}}}]),
]
"""How a column that may be without any value is shown: it has no type then, and Grafana would print "null"."""
TEXTS = {
    "meter": Text(en="Meter", zh="仪表"),
    "down": Text(en="Down to the meter", zh="查看该仪表"),
    "amount": Text(en="amount per hour", zh="每小时量"),
    "mean": Text(en="mean", zh="均值"),
    "min": Text(en="lowest", zh="最低"),
    "max": Text(en="highest", zh="最高"),
    "course": Text(
        en="A meter that counts shows its amount as an amount per hour (left); one that reads a state its mean, lowest "
        "and highest value (right); a rate shows both. Unknown minutes are gaps.",
        zh="计量表显示每小时量（左轴）；状态量显示均值、最低和最高（右轴）；流量、功率两者都显示。未知分钟为空缺。",
    ),
    "coverage": Text(en="Coverage: how much of the time is known", zh="覆盖率：已知时间的比例"),
    "known": Text(en="known", zh="已知"),
    "estimated": Text(en="of it estimated", zh="其中估算"),
    "cut": Text(
        en="The first and the last step are cut by the range shown and can be lower.",
        zh="首尾两步被所示时段截断，数值可能偏低。",
    ),
    "minutes": Text(en="Newest minutes", zh="最新分钟"),
    "time": Text(en="minute", zh="分钟"),
    "last": Text(en="last value", zh="末值"),
    "amount of": Text(en="amount", zh="量"),
    "unit": Text(en="unit of the amount", zh="量的单位"),
    "share known": Text(en="coverage", zh="覆盖率"),
    "share estimated": Text(en="estimated", zh="估算"),
    "quality": Text(en="quality", zh="质量"),
}


def variable(scope: str) -> str:
    """The name of the variable, one for each process unit: links between boards carry variables along.

    >>> variable("zinc")
    'meter_zinc'
    """
    return f"meter_{scope}"


def heading(name: str) -> str:
    """The title of the panel that shows what the chosen meter counted or read."""
    return f"${{{name}:text}}"


def meter(plant: Plant, name: str, points: list[str], language: Language) -> dashboard.CustomVariable:
    """The variable: one of the points, by title and unit."""
    titles = {one: f"{say(plant.points[one].title, language)} [{pretty(_unit(plant, one))}]" for one in points}
    return frame.choice(name, say(TEXTS["meter"], language), titles, points[0])


def link(plant: Plant, scope: str, point: str, language: Language) -> dashboard.DashboardLink:
    """One click to a meter's panel on the board of its process unit, over the same time."""
    board = uid(plant, "unit", language, scope)
    return (
        dashboard.DashboardLink(say(TEXTS["down"], language))
        .type(DashboardLinkType.LINK)
        .url(f"/d/{board}?{KEPT}&var-{variable(scope)}={point}&{OPENED}")
    )


def course(name: str, language: Language) -> timeseries.Panel:
    """What the chosen meter counted or read."""
    panel = (
        timeseries.Panel()
        .title(heading(name))
        .description(say(TEXTS["course"], language))
        .datasource(SOURCE)
        .interval("1m")
        .line_width(1)
        .show_points(VisibilityMode.AUTO)
        .span_nulls(False)
        .height(9)
        .span(24)
        .with_target(Target(Query(queries_unit.meter_amount(name), alias=say(TEXTS["amount"], language))))
        .override_by_query("A", [DynamicConfigValue("custom.fillOpacity", 20)])
    )
    right = DynamicConfigValue("custom.axisPlacement", AxisPlacement.RIGHT)
    for ref, column in (("B", "mean"), ("C", "min"), ("D", "max")):
        query = queries_unit.meter_state(name, column)
        panel.with_target(Target(Query(query, alias=say(TEXTS[column], language), ref=ref)))
        style = [] if column == "mean" else [DynamicConfigValue("custom.lineStyle", {"fill": "dot", "dash": [1, 5]})]
        panel.override_by_query(ref, [right, *style])
    return panel


def coverage(name: str, language: Language) -> timeseries.Panel:
    """How much of the time the chosen meter is known, and how much of that was estimated."""
    panel = (
        timeseries.Panel()
        .title(say(TEXTS["coverage"], language))
        .description(say(TEXTS["cut"], language))
        .datasource(SOURCE)
        .unit("percentunit")
        .min(0)
        .max(1)
        .interval("1m")
        .fill_opacity(20)
        .show_points(VisibilityMode.NEVER)
        .thresholds(absolute([Threshold(None, RED), Threshold(0.5, ORANGE), Threshold(0.9, GREEN)]))
        .thresholds_style(GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
        .height(7)
        .span(24)
    )
    for ref, column, text in (("A", "coverage", "known"), ("B", "estimated", "estimated")):
        panel.with_target(
            Target(Query(queries_unit.meter_coverage(name, column), alias=say(TEXTS[text], language), ref=ref))
        )
    return panel


def minutes(name: str, language: Language) -> table.Panel:
    """The newest minutes of the chosen meter as they are stored."""
    keys = {
        "Time": "time",
        "amount": "amount of",
        "unit": "unit",
        "mean": "mean",
        "min": "min",
        "max": "max",
        "last": "last",
        "coverage": "share known",
        "estimated": "share estimated",
        "quality": "quality",
    }
    names = {column: say(TEXTS[key], language) for column, key in keys.items()}
    panel = (
        table.Panel()
        .title(f"{say(TEXTS['minutes'], language)}: {heading(name)}")
        .datasource(SOURCE)
        .with_transformation(tables.organize(names))
        .height(9)
        .span(24)
        .with_target(Target(Query(queries_unit.meter_minutes(name), form="table")))
    )
    for column, title in names.items():
        panel.override_by_name(title, [tables.wide(160 if column == "Time" else 90)])
    for column in ("amount", "mean", "min", "max"):
        panel.override_by_name(names[column], EMPTY)
    for column in ("coverage", "estimated"):
        panel.override_by_name(names[column], [DynamicConfigValue("unit", "percentunit")])
    return panel


def _unit(plant: Plant, name: str) -> str:
    point = plant.points[name]
    amount = amount_unit(point.kind, point.unit)
    return point.unit if amount == point.unit else f"{amount}/h | {point.unit}"
