"""The audit: every target with its distance, every option with what it promised and its KPI before and after."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame
from dashboards.frame import LABELS, WINDOW_TITLES, Language, say
from dashboards.panels import audit as panels_audit
from dashboards.panels import options as panels_options
from dashboards.queries.common import SOURCE
from plant.model import Plant, Text

NAME = "audit"
TITLE = Text(en="audit: targets and options", zh="审核：目标与方案")
WINDOWS = ("30d", "month", "12mo", "year", "audit")
"""What audit targets are judged on: a month or longer."""
ROWS = {
    "targets": Text(en="Targets", zh="目标"),
    "option": Text(en="Option: {} · {}", zh="方案：{} · {}"),
}
COMMISSIONED = Text(en="Options commissioned", zh="方案投运")


def build(plant: Plant, language: Language) -> dict[str, Any]:
    """The board as Grafana's JSON."""
    board = frame.begin(plant, language, NAME, TITLE, since="now-2y").refresh("15m")
    mark = dashboard.AnnotationQuery().name(say(COMMISSIONED, language)).datasource(SOURCE).enable(True)
    board.annotation(mark.icon_color("blue").expr(f"option {'title_zh' if language == 'zh' else 'title'}"))
    titles = {name: say(WINDOW_TITLES[name], language) for name in WINDOWS}
    board.with_variable(frame.choice("window", say(LABELS["window"], language), titles, WINDOWS[0]))
    board.with_row(frame.row(ROWS["targets"], language))
    if panels_audit.targeted(plant):
        board.with_panel(panels_audit.standing(plant, language))
        for bars in panels_audit.distances(plant, language):
            board.with_panel(bars)
    for option in plant.options.values():
        title = say(ROWS["option"], language).format(say(option.title, language), option.commissioned)
        board.with_row(dashboard.Row(title))
        for panel in (panels_options.promise, panels_options.side_by_side, panels_options.course):
            board.with_panel(panel(plant, option, language))
    return frame.finish(board)
