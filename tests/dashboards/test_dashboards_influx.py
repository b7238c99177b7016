"""Every query of the board against a real InfluxDB 1.6, filled with the outbox's own lines."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from influx_server import START, Influx, as_grafana_sends_it, fill

from dashboards.boards import site as board_site
from dashboards.frame import DEFAULT_WINDOW
from dashboards.panels import site as panels_site
from historian.tables import TABLES
from plant.model import Plant


def results(plant: Plant) -> dict[str, pl.DataFrame]:
    """KPI rows of each KPI for three days, a third of them unknown, drifts, one of them cleared, and an alarm."""
    kpi_rows = [
        {
            "kpi": name,
            "scope": kpi.scope,
            "product": "",
            "window": DEFAULT_WINDOW,
            "start": START + timedelta(hours=hour - 168),
            "end": START + timedelta(hours=hour),
            "value": None if hour % 3 == 0 else 1.0 + hour / 100,
            "expected": 1.0,
            "unit": kpi.unit,
            "coverage": 1.0,
            "quality": "good",
            "settled": True,
            "revision": hour + 1,
        }
        for name, kpi in plant.kpis.items()
        for hour in range(1, 72)
    ]
    drift = {"onset": START, "unit": "m3", "direction": "rise", "evidence": "CUSUM 7.1 > 6.9 σ", "size_per_hour": 0.6}
    drift_rows = [
        {
            **drift,
            "drift": f"{name}@now",
            "kpi": name,
            "scope": baseline.scope,
            "found": START + timedelta(hours=30),
            "cost_per_day": 100.0,
            "state": "cleared" if name == "zn_rinse2" else "open",
            "revision": 40,
        }
        for name, baseline in plant.baselines.items()
    ]
    alarm_row = {
        "alarm": "zn_rinse1@now",
        "scope": "zinc",
        "priority": "high",
        "time": START + timedelta(hours=30),
        "to_state": "unacknowledged",
        "note": "rinse 1 uses more than production needs",
        "revision": 40,
    }
    block_rows = [
        {
            "baseline": name,
            "scope": baseline.scope,
            "start": START + timedelta(hours=hour),
            "end": START + timedelta(hours=hour + 1),
            "residual": 2.0,
            "cost": 1.5,
            "co2": 0.5,
            "state": "drift" if hour >= 30 else "in control",
            "revision": hour + 1,
        }
        for name, baseline in plant.baselines.items()
        for hour in range(71)
    ]
    fact_rows = [
        {"point": name, "minute": START + timedelta(hours=hour), "amount": 2.0, "coverage": 1.0, "revision": hour + 1}
        for points in panels_site.flows(plant).values()
        for name in points
        for hour in range(71)
    ]
    return {
        "blocks": pl.DataFrame(block_rows, schema=TABLES["blocks"].schema),
        "facts": pl.DataFrame(fact_rows, schema=TABLES["facts"].schema),
        "alarms": pl.DataFrame([alarm_row], schema=TABLES["alarms"].schema),
        "kpi": pl.DataFrame(kpi_rows, schema=TABLES["kpi"].schema).sort("revision"),
        "drift": pl.DataFrame(drift_rows, schema=TABLES["drift"].schema),
    }


@pytest.fixture(scope="module")
def filled(influx: Influx, plant: Plant) -> Influx:
    """The server with results, in the outbox's lines."""
    fill(influx, plant, results(plant))
    return influx


@pytest.mark.server
def test_every_query_of_the_board_gives_rows(filled: Influx, plant: Plant) -> None:
    """No panel stays empty for a wrong name, quote or column."""
    board = board_site.build(plant, "en")
    found = [one for panel in board["panels"] for one in (panel, *panel.get("panels", []))]
    queries = [(panel["title"], target["query"]) for panel in found for target in panel.get("targets", [])]
    queries += [(annotation["name"], annotation["target"]["query"]) for annotation in board["annotations"]["list"]]
    for title, query in queries:
        series = filled.query(as_grafana_sends_it(query))
        values = [value for one in series for row in one["values"] for value in row[1:]]
        assert any(value is not None for value in values), (title, query)


@pytest.mark.server
def test_an_unknown_result_is_a_gap(filled: Influx, plant: Plant) -> None:
    """Promise 3: hours whose value is unknown come back as null from the course, never as the value before or 0."""
    panel = next(
        one
        for panel in board_site.build(plant, "en")["panels"]
        for one in panel.get("panels", [])
        if one["type"] == "timeseries"
    )
    (series,) = filled.query(as_grafana_sends_it(panel["targets"][0]["query"]))
    first = int(START.timestamp() * 1000)
    by_hour = {(stamp - first) // 3_600_000: value for stamp, value in series["values"]}
    assert all(by_hour[hour] is None for hour in range(3, 72, 3))
    assert all(by_hour[hour] == pytest.approx(1 + hour / 100) for hour in range(1, 72) if hour % 3)


@pytest.mark.server
def test_only_open_drifts_count_and_a_withdrawn_one_goes(filled: Influx, plant: Plant) -> None:
    """The cost tile holds the open drifts; one taken back by a correction leaves board and cost, its row stays."""
    titles = {panel["title"]: panel for panel in board_site.build(plant, "en")["panels"]}

    def figure(title: str) -> float:
        (series,) = filled.query(as_grafana_sends_it(titles[title]["targets"][0]["query"]))
        return float(series["values"][-1][1])

    # the blocks of the 7 hours since the plant's midnight, of every baseline; not the one that ended with it
    assert figure("Drifts today: cost") == pytest.approx(1.5 * 7 * len(plant.baselines))
    assert figure("Drifts today: CO2") == pytest.approx(0.5 * 7 * len(plant.baselines))
    still_open = len(plant.baselines) - 1
    assert figure("Open drifts") == still_open
    assert figure("Cost of open drifts a day") == 100.0 * still_open
    drifts = results(plant)["drift"].filter(pl.col("kpi") == "compressor")
    withdrawn = drifts.with_columns(pl.lit("withdrawn").alias("state"), pl.lit(50, pl.Int64).alias("revision"))
    fill(filled, plant, {"drift": withdrawn})
    assert figure("Open drifts") == still_open - 1
    assert figure("Cost of open drifts a day") == 100.0 * (still_open - 1)
    (series,) = filled.query('SELECT "state" FROM "drift" WHERE "kpi"=\'compressor\'')
    assert [row[1] for row in series["values"]] == ["withdrawn"]
