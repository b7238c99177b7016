"""The shift board and the data-health board: every panel fed by a real InfluxDB, and what their numbers mean."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from influx_server import END, START, Influx, as_grafana_sends_it, fill

from console.texts import CODES
from dashboards.boards import health as board_health
from dashboards.boards import shift as board_shift
from dashboards.findings import FINDINGS
from dashboards.panels import naming
from dashboards.queries import health as queries_health
from dashboards.queries import shift as queries_shift
from historian.tables import TABLES
from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import Plant

KPI = "electricity_per_m2"


def shift_rows(plant: Plant) -> list[dict[str, Any]]:
    """For each KPI five weeks of shifts, 1 on 100 m2 and 3 on 300 m2 day by day in turn; then one of 4 that runs."""
    calendar = Calendar(plant)
    rows: list[dict[str, Any]] = []
    begin = START - timedelta(days=32)
    for number in range(35 * 3):
        start = begin + timedelta(hours=8 * number - 2)
        assert calendar.shift(to_us(start)) is not None
        high = (number // 3) % 2 == 1
        value, made = (3.0, 300.0) if high else (1.0, 100.0)
        rows.append(
            {
                "product": "",
                "window": "shift",
                "start": start,
                "end": start + timedelta(hours=8),
                "value": value,
                "numerator": value * made,
                "denominator": made,
                "unit": "kWh/m2",
                "coverage": 1.0,
                "quality": "good",
                "settled": True,
                "revision": number + 1,
            }
        )
    last = rows[-1]
    running = {"start": last["end"], "end": last["end"] + timedelta(hours=1), "value": 4.0, "settled": False}
    rows.append({**last, **running, "revision": len(rows) + 1})
    kpis = board_shift.of_production(plant)
    return [{**row, "kpi": kpi, "scope": plant.kpis[kpi].scope} for row in rows for kpi in kpis]


def tables(plant: Plant) -> dict[str, pl.DataFrame]:
    """Three alarms (one standing, one acknowledged, one over), their drifts, shifts, facts with holes, notices."""
    transitions = [
        ("a", "zinc", 0, "normal", "unacknowledged"),
        ("b", "nickel", 1, "normal", "unacknowledged"),
        ("c", "boiler", 2, "normal", "unacknowledged"),
        ("b", "nickel", 3, "unacknowledged", "acknowledged"),
        ("c", "boiler", 4, "unacknowledged", "acknowledged"),
        ("c", "boiler", 5, "acknowledged", "normal"),
    ]
    alarms = [
        {
            "alarm": f"alarm:{name}",
            "drift": name,
            "scope": scope,
            "priority": "high",
            "time": START + timedelta(hours=hour),
            "from_state": before,
            "to_state": after,
            "shift": "early",
            "revision": hour + 1,
        }
        for name, scope, hour, before, after in transitions
    ]
    drift = {"onset": START, "unit": "m3", "direction": "rise", "size_per_hour": 0.6, "found": START}
    drifts = [
        {**drift, "drift": name, "kpi": kpi, "scope": scope, "cost_per_day": cost, "state": state, "revision": 1}
        for name, kpi, scope, cost, state in (
            ("a", "zn_rinse1", "zinc", 50.0, "open"),
            ("b", "ni_steam", "nickel", 120.0, "worse"),
            ("c", "boiler_gas", "boiler", 80.0, "cleared"),
        )
    ]
    facts = [
        {
            "point": point,
            "minute": START + timedelta(minutes=minute),
            "amount": 1.0 if covered else None,
            "unit": "kWh",
            "coverage": covered,
            "estimated": 0.0,
            "quality": "good" if covered else "bad",
            "revision": 1,
        }
        for point, minutes, every in (("mains_kwh", 600, 1), ("city_water", 600, 2), ("gas", 60, 1))
        for minute in range(minutes)
        for covered in (1.0 if minute % every == 0 else 0.0,)
    ]
    notices = [
        {
            "point": point,
            "start": START + timedelta(hours=hour),
            "end": None if hour == 2 else START + timedelta(hours=hour + 1),
            "finding": finding,
            "evidence": "60 min without a usable reading",
            "revision": 1,
        }
        for point, hour, finding in (("gas", 1, "gap"), ("gas", 2, "silent"), ("city_water", 3, "gap"))
    ]
    found: dict[str, list[dict[str, Any]]] = {
        "alarms": alarms,
        "drift": drifts,
        "facts": facts,
        "notices": notices,
        "kpi": shift_rows(plant),
    }
    return {name: pl.DataFrame(one, schema=TABLES[name].schema) for name, one in found.items()}


@pytest.fixture(scope="module")
def filled(influx: Influx, plant: Plant) -> Influx:
    """The server with the outbox's lines of these results."""
    fill(influx, plant, tables(plant))
    return influx


def rows(influx: Influx, query: str, start: datetime = START, end: datetime = END) -> list[dict[str, Any]]:
    """A query's rows by column, tags included: what Grafana makes a table of."""
    text = as_grafana_sends_it(query, start, end)
    return [
        {**one.get("tags", {}), **dict(zip(one["columns"], values, strict=True))}
        for one in influx.query(text)
        for values in one["values"]
    ]


@pytest.mark.server
@pytest.mark.parametrize("board", [board_shift, board_health])
def test_every_query_gives_rows(filled: Influx, plant: Plant, board: Any) -> None:
    """No panel of the two boards stays empty for a wrong name, quote or column."""
    built = board.build(plant, "en")
    found = [one for panel in built["panels"] for one in (panel, *panel.get("panels", []))]
    queries = [(panel["title"], target["query"]) for panel in found for target in panel.get("targets", [])]
    assert len(queries) > 8
    for title, query in queries:
        if '"kpi" =~ /^(' in query and KPI not in query:
            continue
        values = [value for row in rows(filled, query) for column, value in row.items() if column != "time"]
        assert any(value is not None for value in values), (title, query)


@pytest.mark.server
def test_a_shift_is_compared_with_what_its_like_made_of_what_they_used(filled: Influx) -> None:
    """The mean of four weeks is the sum of amounts over the sum of production, 2.5, not the mean of ratios, 2; the
    newest is the running shift of 4, which the mean knows nothing of; each shift is compared with itself."""
    before = rows(filled, queries_shift.weeks_before([KPI]))
    assert {row["shift"] for row in before} == {"early", "late", "night"}
    for row in before:
        assert (row["kpi"], row["mean"], row["lowest"], row["highest"]) == (KPI, 2.5, 1.0, 3.0)
    newest = {row["shift"]: row for row in rows(filled, queries_shift.newest([KPI]), end=END + timedelta(days=1))}
    assert set(newest) == {"early", "late", "night"}
    assert sorted(row["newest"] for row in newest.values()) in ([1.0, 1.0, 4.0], [3.0, 3.0, 4.0])
    assert {row["unit"] for row in newest.values()} == {"kWh/m2"}


@pytest.mark.server
def test_the_alarms_that_stand_are_those_whose_last_transition_says_so(filled: Influx, plant: Plant) -> None:
    """What the panel's transformations do: the newest transition of each alarm, joined with its drift's money."""
    last: dict[str, str] = {}
    for row in rows(filled, queries_shift.transitions()):
        last.setdefault(row["drift"], row["to_state"])
    assert last == {"a": "unacknowledged", "b": "acknowledged", "c": "normal"}
    assert set(last.values()) < set(naming.ALARM_STATES)
    money = {row["drift"]: row["cost_per_day"] for row in rows(filled, queries_shift.drifts_behind())}
    assert money == {"a": 50.0, "b": 120.0, "c": 80.0}
    (panel,) = (one for one in board_shift.build(plant, "en")["panels"] if one["title"] == "Alarms that stand")
    steps = [one["id"] for one in panel["transformations"]]
    assert steps == ["groupBy", "joinByField", "filterByValue", "sortBy", "organize"]


@pytest.mark.server
def test_only_open_drifts_are_causes(filled: Influx, plant: Plant) -> None:
    """A cleared drift costs nothing more; each cause shows its likely cause and first check in the board's language."""
    assert {row["kpi"]: row["cost_per_day"] for row in rows(filled, queries_shift.causes())} == {
        "zn_rinse1": 50.0,
        "ni_steam": 120.0,
    }
    assert {row["scope"]: row["cost"] for row in rows(filled, queries_shift.open_cost("scope"))} == {
        "zinc": 50.0,
        "nickel": 120.0,
    }
    for row in rows(filled, queries_shift.causes()):
        assert row["cause"] == row["check"] == row["kpi"]
    panels = {one["title"]: one for one in board_shift.build(plant, "zh")["panels"]}
    shown = str(panels["可能原因与首要检查"]["fieldConfig"]["overrides"])
    assert plant.baselines["ni_steam"].likely_cause.zh in shown and plant.baselines["ni_steam"].first_check.zh in shown


@pytest.mark.server
def test_a_minute_without_a_fact_is_not_covered(filled: Influx) -> None:
    """Promise 3: ten hours of every minute, of every other minute and of one hour only are 1, 1/2 and 1/10."""
    end = START + timedelta(hours=10)
    shares = {row["point"]: row["coverage"] for row in rows(filled, queries_health.coverage_by_point(), end=end)}
    # The range's last minute belongs to Grafana's range too, and is not filled here.
    assert shares == pytest.approx({"mains_kwh": 1.0, "city_water": 0.5, "gas": 0.1})
    by_hour: dict[str, list[float]] = {}
    for row in rows(filled, queries_health.coverage_over_time(), end=end - timedelta(minutes=1)):
        by_hour.setdefault(row["point"], []).append(row["coverage"])
    assert by_hour == {"mains_kwh": [1.0] * 10, "city_water": [0.5] * 10, "gas": [1.0] + [0.0] * 9}


@pytest.mark.server
def test_a_silent_point_is_told_by_its_last_fact(filled: Influx) -> None:
    """The time shown is that of the fact itself, also when it lies before the range."""
    first = int(START.timestamp() * 1000)
    for start in (START, START + timedelta(hours=5)):
        last = {
            row["point"]: (row["time"] - first) / 60_000 for row in rows(filled, queries_health.last_facts(), start)
        }
        assert last == {"mains_kwh": 599, "city_water": 598, "gas": 59}
    (speaking,) = rows(filled, queries_health.speaking(), START + timedelta(hours=5))
    assert speaking["points"] == 2
    (newest,) = rows(filled, queries_health.newest_fact())
    assert (newest["time"] - first) / 60_000 == 599


@pytest.mark.server
def test_notices_are_counted_by_finding_and_point(filled: Influx) -> None:
    """One that lasts counts like one that is over."""
    assert {row["finding"]: row["notices"] for row in rows(filled, queries_health.notices("finding"))} == {
        "gap": 2,
        "silent": 1,
    }
    by_point = {
        (row["point"], row["finding"]): row["notices"] for row in rows(filled, queries_health.notices_by_point())
    }
    assert by_point == {("gas", "gap"): 1, ("gas", "silent"): 1, ("city_water", "gap"): 1}
    ends = {row["finding"]: row["end"] for row in rows(filled, queries_health.notice_list()) if row["point"] == "gas"}
    assert ends["silent"] is None and ends["gap"] == int((START + timedelta(hours=2)).timestamp() * 1000)


def test_names_are_those_of_the_console() -> None:
    """A finding, state or priority is called alike on the page and on the boards, in both languages."""
    for name, text in (FINDINGS | naming.PRIORITIES | naming.ALARM_STATES).items():
        if name != "normal":
            assert (text.en, text.zh) == CODES[name]
    codes = list(CODES)
    assert list(FINDINGS) == codes[codes.index("gap") : codes.index("ok")]


def test_only_kpis_of_a_product_are_compared(plant: Plant) -> None:
    """A ratio without a product, as reuse or boiler efficiency, says nothing of a shift; a plant without products has
    no comparison, and its board no empty row."""
    kpis = board_shift.of_production(plant)
    assert KPI in kpis and not {"water_reuse_rate", "gas_per_steam", "peak_load"} & set(kpis)
    bare = plant.model_copy(update={"products": {}})
    titles = [panel["title"] for panel in board_shift.build(bare, "en")["panels"]]
    assert titles[-1] == board_shift.TEXTS["what to do"].en
