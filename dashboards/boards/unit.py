"""A process unit: its KPIs, drifts, actual against expected, CUSUM, who deviates, load by shift, down to the meter."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame
from dashboards.frame import Language
from dashboards.panels import common as panels
from dashboards.panels import meter as panels_meter
from dashboards.panels import unit as panels_unit
from plant.model import SITE, Plant, Text

NAME = "unit"
MAIN = Text(en="main meters", zh="总表")
ROWS = {
    "kpis": Text(en="KPIs against their targets", zh="指标与目标"),
    "drifts": Text(en="Open drifts", zh="未消除的漂移"),
    "deviation": Text(en="Deviation from what this production should have needed", zh="与应耗的偏差"),
    "actual": Text(en="Actual and expected, hour by hour", zh="逐小时实际与应耗"),
    "profile": Text(en="Load profile by shift and weekday", zh="按班次与星期的负荷"),
    "meter": Text(en="Down to the meter", zh="下钻到仪表"),
    "course": Text(en="Course of the KPIs", zh="指标走势"),
}


def build(plant: Plant, language: Language, scope: str) -> dict[str, Any]:
    """The board of one process unit as Grafana's JSON; a unit that has parts shows what belongs to them too.

    Of the site it is what belongs to no process unit: the main meters, with their KPIs and baselines.
    """
    scopes = [name for name in plant.process_units if plant.within(name, scope)] if scope != SITE else [SITE]
    balances = plant.of_balances()
    kpis = [name for name, kpi in plant.kpis.items() if kpi.scope in scopes and name not in balances]
    baselines = [name for name, baseline in plant.baselines.items() if baseline.scope in scopes]
    points = list(
        dict.fromkeys(
            [point for name in scopes for point in plant.points_of(name)]
            + [plant.baselines[name].response for name in baselines]
        )
    )
    meter = panels_meter.variable(scope)
    board = frame.begin(plant, language, NAME, MAIN if scope == SITE else plant.process_units[scope].title, of=scope)
    frame.with_marks(board, language, "|".join(scopes)).with_variable(frame.window(plant, language))
    if points:
        board.with_variable(panels_meter.meter(plant, meter, points, language))
    board.with_row(frame.row(ROWS["kpis"], language))
    for name in kpis:
        board.with_panel(panels.tile(plant, name, language))
    if baselines:
        board.with_row(frame.row(ROWS["drifts"], language)).with_panel(panels_unit.open_drifts(plant, scopes, language))
        _deviation(board, plant, baselines, language, scope)
    if kpis and plant.shifts:
        board.with_row(frame.row(ROWS["profile"], language))
        for name in kpis:
            if not plant.kpis[name].by_months():
                board.with_panel(panels_unit.profile(plant, name, language))
    if points:
        board.with_row(frame.row(ROWS["meter"], language))
        for panel in (panels_meter.course, panels_meter.coverage, panels_meter.minutes):
            board.with_panel(panel(meter, language))
    if kpis:
        folded = frame.row(ROWS["course"], language)
        for name in kpis:
            folded.with_panel(panels_unit.course(plant, name, language))
        board.with_row(folded)
    return _linked(frame.finish(board), meter)


def _linked(board: dict[str, Any], meter: str) -> dict[str, Any]:
    """The board with its links to a meter opening the meter's panel, whose number is known only now."""
    shown = [panel["id"] for panel in board["panels"] if panel["title"] == panels_meter.heading(meter)]
    if not shown:
        return board
    found: dict[str, Any] = json.loads(json.dumps(board).replace(panels_meter.OPENED, f"viewPanel={shown[0]}"))
    return found


def _deviation(board: dashboard.Dashboard, plant: Plant, baselines: list[str], language: Language, scope: str) -> None:
    """Money first, then each unit of measurement: who has what share beside the running sums; then hour by hour."""
    money = [name for name in baselines if panels_unit.priced(plant, name)]
    by_unit = dict[str, list[str]]()
    for name in baselines:
        by_unit.setdefault(panels_unit.measured(plant, name), []).append(name)
    groups = [("cost", plant.site.currency, money), *(("residual", unit, names) for unit, names in by_unit.items())]
    board.with_row(frame.row(ROWS["deviation"], language))
    for column, unit, names in groups:
        if names:
            board.with_panel(panels_unit.share(plant, names, column, unit, language, scope))
            board.with_panel(panels_unit.cusum(plant, names, column, unit, language))
    board.with_row(frame.row(ROWS["actual"], language))
    for name in baselines:
        board.with_panel(panels_unit.actual(plant, name, language, scope))
