"""The site overview: every KPI against its targets with trend and drift flag, their courses, the drifts."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableOption

from dashboards import panels, queries
from dashboards.queries import SOURCE
from plant.model import SITE, Plant

WINDOWS = ("1h", "shift", "day", "7d", "30d", "month", "12mo", "year", "audit")
DEFAULT_WINDOW = "7d"


def uid(plant: Plant) -> str:
    """The board's address within Grafana; at most 40 characters."""
    return f"keepclean-{plant.site.id}"[:40]


def overview(plant: Plant) -> dict[str, Any]:
    """The board as Grafana's JSON; the same description gives the same text."""
    site = [name for name, kpi in plant.kpis.items() if kpi.scope == SITE]
    units = [name for name, kpi in plant.kpis.items() if kpi.scope != SITE]
    board = (
        dashboard.Dashboard(f"{plant.site.name.en} · overview")
        .uid(uid(plant))
        .description(f"{plant.site.name.zh} · {plant.audit.name.en} · generated from the plant description")
        .tags(["keepclean", plant.site.id])
        .timezone(plant.site.time_zone)
        .time("now-7d", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_choice("window", "Window", _windows(plant), DEFAULT_WINDOW))
        .with_variable(_scopes(plant))
        .annotation(dashboard.AnnotationQuery().name("Drift found").datasource(SOURCE).enable(True).icon_color("red"))
        .with_row(dashboard.Row("Drifts"))
        .with_panel(panels.drift_count(plant))
        .with_panel(panels.drift_cost(plant))
        .with_panel(panels.drift_cost_by_scope(plant))
        .with_row(dashboard.Row("The site against its targets"))
    )
    for name in site:
        board.with_panel(panels.tile(plant, name))
    board.with_row(dashboard.Row("Process units against their targets"))
    for name in units:
        board.with_panel(panels.tile(plant, name))
    board.with_row(dashboard.Row("All drifts")).with_panel(panels.drift_table(plant))
    for title, names in (("Course of the site's KPIs", site), ("Course of the process units' KPIs", units)):
        row = dashboard.Row(title)
        for name in names:
            row.with_panel(panels.course(plant, name))
        board.with_row(row)
    return _finish(json.loads(json.dumps(board.build(), cls=JSONEncoder)), plant)


def _choice(name: str, label: str, values: dict[str, str], default: str) -> dashboard.CustomVariable:
    options = [VariableOption(value == default, text, value) for value, text in values.items()]
    current = VariableOption(True, values[default], default)
    query = ",".join(f"{text} : {value}" for value, text in values.items())
    return dashboard.CustomVariable(name).label(label).values(query).current(current).options(options)


def _windows(plant: Plant) -> dict[str, str]:
    """The fixed windows, then the plant's own periods by both of their titles."""
    own = {name: _clean(f"{period.title.en} {period.title.zh}") for name, period in plant.periods.items()}
    return {name: name for name in WINDOWS} | own


def _clean(title: str) -> str:
    """A title that can stand in a variable's list, of which commas and colons part the entries."""
    return title.replace(",", " ").replace(":", " ")


def _scopes(plant: Plant) -> dashboard.CustomVariable:
    titles = {SITE: plant.site.name.en, **{name: unit.title.en for name, unit in plant.process_units.items()}}
    clean = {name: _clean(title) for name, title in titles.items()}
    everything = VariableOption(True, "All", "$__all")
    variable = _choice("scope", "Process unit", clean, SITE).multi(True).include_all(True).all_value(".*")
    options = [everything, *(VariableOption(False, title, name) for name, title in clean.items())]
    return variable.current(everything).options(options)


def _finish(board: dict[str, Any], plant: Plant) -> dict[str, Any]:
    """What the SDK leaves to do: a variable's id of zeros keeps Grafana 9 from filling it in, panels need ids."""
    for variable in board["templating"]["list"]:
        variable.pop("id", None)
    number = 0
    for panel in board["panels"]:
        for one in (panel, *panel.get("panels", [])):
            number += 1
            one["id"] = number
    board["annotations"]["list"][0].update(
        {
            "query": queries.drift_marks(plant.site.id),
            "rawQuery": True,
            "textColumn": "evidence",
            "tagsColumn": "kpi",
            "fromAnnotations": True,
        }
    )
    return board
