"""The site overview: every KPI against its targets with trend and drift flag, what today's drifts cost, the courses."""

from __future__ import annotations

from typing import Any

from dashboards import frame
from dashboards.frame import Language
from dashboards.panels import common as panels
from dashboards.panels import site as panels_site
from plant.model import SITE, Plant, Text

NAME = "site"
TITLE = Text(en="overview", zh="总览")
ROWS = {
    "drifts": Text(en="Drifts", zh="漂移"),
    "site": Text(en="The site against its targets", zh="全厂与目标"),
    "units": Text(en="Process units against their targets", zh="工序单元与目标"),
    "flows": Text(en="Energy and water through the site's meters", zh="全厂能源与水流量"),
    "list": Text(en="All drifts", zh="全部漂移"),
    "site course": Text(en="Course of the site's KPIs", zh="全厂指标走势"),
    "units course": Text(en="Course of the process units' KPIs", zh="工序单元指标走势"),
}


def build(plant: Plant, language: Language) -> dict[str, Any]:
    """The board as Grafana's JSON."""
    # what a balance is counted as has a board of its own
    names = [name for name in plant.kpis if name not in plant.of_balances()]
    site = [name for name in names if plant.kpis[name].scope == SITE]
    units = [name for name in names if plant.kpis[name].scope != SITE]
    board = frame.with_marks(frame.begin(plant, language, NAME, TITLE), language)
    board.with_variable(frame.window(plant, language)).with_variable(frame.units(plant, language))
    board.with_row(frame.row(ROWS["drifts"], language))
    for panel in (panels.drift_count, panels.drift_cost):
        board.with_panel(panel(plant, language))
    for column in ("cost", "co2"):
        board.with_panel(panels_site.today(plant, column, language))
    board.with_panel(panels.drift_cost_by_scope(plant, language))
    for row, shown in (("site", site), ("units", units)):
        board.with_row(frame.row(ROWS[row], language))
        for name in shown:
            board.with_panel(panels.tile(plant, name, language))
    board.with_row(frame.row(ROWS["flows"], language))
    for unit, points in panels_site.flows(plant).items():
        board.with_panel(panels_site.flow(plant, unit, points, language))
    board.with_row(frame.row(ROWS["list"], language)).with_panel(panels.drift_table(plant, language))
    for row, shown in (("site course", site), ("units course", units)):
        folded = frame.row(ROWS[row], language)
        for name in shown:
            folded.with_panel(panels.course(plant, name, language))
        board.with_row(folded)
    return frame.finish(board)
