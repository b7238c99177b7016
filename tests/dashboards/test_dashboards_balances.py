"""The balances board: every panel fed by a real InfluxDB, the limit with the meters' uncertainty, estimates marked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from influx_server import END, START, Influx, as_grafana_sends_it, fill

from dashboards.boards import balances as board_balances
from dashboards.panels.common import GREEN, ORANGE, RED
from historian.tables import TABLES
from plant.accuracy import uncertainty
from plant.model import Plant


def panels(plant: Plant, language: Any = "en") -> list[dict[str, Any]]:
    """The panels that ask for data."""
    return [panel for panel in board_balances.build(plant, language)["panels"] if panel.get("targets")]


def results(plant: Plant) -> pl.DataFrame:
    """For each KPI of a balance three whole days, a running one, and hours of its window of which every third is not
    known."""
    rows: list[dict[str, Any]] = []
    for name, balance in plant.balances.items():
        for kpi in balance.kpis(name):
            common = {"kpi": kpi, "scope": balance.scope, "unit": balance.unit, "coverage": 1.0, "quality": "good"}
            for hour in range(1, 73):
                whole = hour % 24 == 0
                day = {"window": "day", "value": 100.0 + hour, "settled": whole, "revision": hour}
                value = None if hour % 3 == 0 else hour / 10
                over = {"window": balance.over, "value": value, "settled": False, "revision": hour}
                for one in (day, over):
                    end = START + timedelta(hours=hour)
                    rows.append({**common, **one, "product": "", "start": end - timedelta(days=1), "end": end})
    return pl.DataFrame(rows, schema=TABLES["kpi"].schema)


@pytest.fixture(scope="module")
def filled(influx: Influx, plant: Plant) -> Influx:
    """The server with the outbox's lines of these results."""
    fill(influx, plant, {"kpi": results(plant)})
    return influx


@pytest.mark.server
def test_every_query_gives_rows_and_unknown_hours_are_gaps(filled: Influx, plant: Plant) -> None:
    """Promise 3: no panel stays empty, bars are of whole days only, an unknown closure is a gap and no 0."""
    for panel in panels(plant):
        for target in panel["targets"]:
            (series,) = filled.query(as_grafana_sends_it(target["query"], END - timedelta(days=3), END))
            values = [row[1] for row in series["values"]]
            if panel["title"].startswith("Day by day"):
                assert values == [124.0, 148.0, 172.0]
            elif panel["type"] == "timeseries":
                hours = [round((row[0] / 1000 - START.timestamp()) / 3600) for row in series["values"]]
                found = dict(zip(hours, values, strict=True))
                assert all(found[hour] == (None if hour % 3 == 0 else hour / 10) for hour in range(1, 72))
            else:
                assert values == [7.1]


def test_each_balance_shows_its_parts(plant: Plant) -> None:
    """A series for what comes in, goes out and is estimated, one more for what is gained where a store is named."""
    days = [panel for panel in panels(plant) if panel["title"].startswith("Day by day")]
    assert [[target["alias"] for target in panel["targets"]] for panel in days] == [["in", "out", "estimated"]] * 2
    stored = plant.balances["plant_water"].model_copy(update={"stock": ["ww_ph"]})
    one = panels(plant.model_copy(update={"balances": {"plant_water": stored}}))[2]
    assert [target["alias"] for target in one["targets"]] == ["in", "out", "estimated", "stock"]
    assert "\"kpi\"='plant_water_stock'" in one["targets"][3]["query"]


def test_the_band_is_the_limit_and_beyond_it_the_meters_uncertainty(plant: Plant) -> None:
    """5 % and the classes 1 and 2.5 combined, 2.7 %: green within 5, red beyond 7.7 only; the words say the same."""
    state, _, _, closure = panels(plant)[:4]
    beyond = 5 + uncertainty(plant, plant.balances["plant_water"])
    assert beyond == pytest.approx(7.69, abs=0.01)
    for panel in (state, closure):
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert [step["color"] for step in steps] == [RED, ORANGE, GREEN, ORANGE, RED]
        assert [step["value"] for step in steps[1:]] == [-beyond, -5, 5, beyond]
    ranges = [one["options"] for one in state["fieldConfig"]["defaults"]["mappings"]]

    def said(value: float) -> str:
        return next(str(one["result"]["text"]) for one in ranges if one["from"] <= value <= one["to"])

    assert [said(value) for value in (-90.0, -7.0, 0.0, 5.0, 7.0, 8.0)] == [
        "not closed",
        "within the meters' error",
        "closed",
        "closed",
        "within the meters' error",
        "not closed",
    ]
    assert state["fieldConfig"]["defaults"]["noValue"] == "unknown" and state["timeFrom"] == board_balances.FRESH


def test_an_estimate_is_marked(plant: Plant) -> None:
    """Which part of what goes out no meter measures stands in the panel's corner, in both languages."""
    assert "0.08 × City water" in panels(plant)[0]["description"]
    assert "0.08 × 自来水用量" in panels(plant, "zh")[0]["description"]
    bare = plant.balances["plant_water"].model_copy(update={"estimated": []})
    assert "estimate and not" not in panels(plant.model_copy(update={"balances": {"w": bare}}))[0]["description"]


def test_a_plant_without_balances_is_told_how_to_declare_one(plant: Plant) -> None:
    """Not an empty board."""
    (panel,) = board_balances.build(plant.model_copy(update={"balances": {}}), "en")["panels"]
    assert panel["type"] == "text" and "docs/kpis.md" in panel["options"]["content"]
