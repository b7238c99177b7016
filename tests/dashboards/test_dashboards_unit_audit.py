"""The boards of process units and of the audit: complete, linked, and right on a real InfluxDB 1.6."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from influx_server import END, START, Influx, as_grafana_sends_it, fill

from dashboards.boards import audit as board_audit
from dashboards.boards import site as board_site
from dashboards.boards import unit as board_unit
from dashboards.boards.every import every
from dashboards.frame import LANGUAGES
from dashboards.panels.options import border_ms, how_whole
from dashboards.panels.unit import DAYS, MATRIX
from dashboards.queries import unit as queries_unit
from historian.tables import TABLES
from plant.model import SITE, Plant

HOURS = range(1, 73)
UNKNOWN_HOUR = 30
SHIFT_ENDS = {"early": 6, "late": 14, "night": 22}
"""UTC hours at which the shifts of Asia/Shanghai end."""
AUDIT_START = END - timedelta(days=730)
DAY_ROWS = [datetime(2024, 9, 1, 16, tzinfo=UTC) + timedelta(days=day) for day in range(480)]


def row(kpi: str, plant: Plant, window: str, start: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    """A KPI's row over one window."""
    found = plant.kpis[kpi]
    fixed = {"kpi": kpi, "scope": found.scope, "product": "", "window": window, "unit": found.unit}
    return {**fixed, "start": start, "end": end, "settled": True, "revision": 1, **more}


def results(plant: Plant) -> dict[str, pl.DataFrame]:
    """Blocks and shifts of three days, a month's figures, days of two years, drifts, alarms, facts of each kind."""
    kpis = []
    for name, kpi in plant.kpis.items():
        month = {"value": 2.0, "target": 1.6, "distance": 25.0, "grade": "II", "numerator": 20.0, "denominator": 10.0}
        kpis += [row(name, plant, window, START, END - timedelta(hours=1), **month) for window in ("30d", "7d")]
        kpis += [
            row(name, plant, "shift", end - timedelta(hours=8), end, value=1.5, numerator=hour, denominator=1.0)
            for day in range(3)
            for hour in SHIFT_ENDS.values()
            for end in (START + timedelta(days=day, hours=hour),)
        ]
        if name in {option.kpi for option in plant.options.values()}:
            kpis += [
                row(
                    name,
                    plant,
                    "day",
                    end - timedelta(days=1),
                    end,
                    value=None if number % 7 == 0 else 1.0,
                    numerator=30.0 if end.year == 2024 else 20.0,
                    denominator=(1.0 + number % 3) * kpi.times,
                )
                for number, end in enumerate(DAY_ROWS)
            ]
    blocks = [
        {
            "baseline": name,
            "scope": baseline.scope,
            "start": START + timedelta(hours=hour - 1),
            "end": START + timedelta(hours=hour),
            "actual": 10.0 + hour % 5,
            "expected": 9.0,
            "residual": None if hour == UNKNOWN_HOUR else 1.0 + hour % 5,
            "cost": 2.0,
            "revision": 1,
        }
        for name, baseline in plant.baselines.items()
        for hour in HOURS
    ]
    drifts = [
        {
            "drift": f"{name}@{state}",
            "kpi": name,
            "scope": baseline.scope,
            "onset": START,
            "found": START + timedelta(hours=30),
            "size_per_hour": 0.6,
            "unit": "m3",
            "state": state,
            "evidence": "CUSUM 7.1 > 6.9 σ",
            "revision": 1,
        }
        for name, baseline in plant.baselines.items()
        for state in ("open", "cleared")
    ]
    alarms = [
        {"alarm": f"{unit}@now", "scope": unit, "priority": "high", "time": START, "to_state": "unacknowledged"}
        for unit in plant.scopes()
    ]
    read = {"mean": 5.0, "min": 4.0, "max": 6.0}
    facts = [
        {
            "point": name,
            "minute": START + timedelta(minutes=minute),
            "amount": None if point.kind in ("level", "sample") else 2.0,
            "last": 7.0,
            "coverage": 1.0,
            "estimated": 0.0,
            "unit": "m3",
            "quality": "good",
            "revision": 1,
            **(read if point.kind in ("level", "sample", "rate") else {}),
        }
        for name, point in plant.points.items()
        for minute in range(30)
    ]
    rows = {"kpi": kpis, "blocks": blocks, "drift": drifts, "alarms": alarms, "facts": facts}
    return {name: pl.DataFrame(found, schema=TABLES[name].schema) for name, found in rows.items()}


@pytest.fixture(scope="module")
def filled(influx: Influx, plant: Plant) -> Influx:
    """The server with results and, once each, the options."""
    fill(influx, plant, results(plant))
    influx.write(
        "\n".join(
            f'options,site={plant.site.id},option={name},scope={option.scope} title="{option.title.en}",'
            f'title_zh="{option.title.zh}",promised={option.promised},unit="{option.promised_unit}",valid=1i '
            f"{border_ms(plant, option) * 1_000_000}"
            for name, option in plant.options.items()
        )
    )
    return influx


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Every panel, those within rows included."""
    return [one for panel in board["panels"] for one in (panel, *panel.get("panels", []))]


def titled(board: dict[str, Any], title: str) -> list[dict[str, Any]]:
    """The panels whose title begins so."""
    return [panel for panel in panels(board) if panel["title"].startswith(title)]


def asked(server: Influx, query: str, *, audit: bool = False, **chosen: str) -> list[dict[str, Any]]:
    """The series of a query over the range of its board."""
    if audit:
        chosen |= {"window": "30d", "__interval": "1d"}
    return server.query(as_grafana_sends_it(query, AUDIT_START if audit else START, END, **chosen))


def figure(server: Influx, panel: dict[str, Any], number: int, *, audit: bool = True) -> float:
    """The one number of a panel's query."""
    (series,) = asked(server, panel["targets"][number]["query"], audit=audit)
    assert len(series["values"]) == 1
    return float(series["values"][0][1])


def known(series: list[dict[str, Any]]) -> int:
    """How many values are there."""
    return sum(value is not None for one in series for values in one["values"] for value in values[1:])


def test_one_click_leads_from_the_site_to_the_unit_and_on_to_the_meter(plant: Plant) -> None:
    """A tile of the site's board names the unit's board; there each baseline opens its meter, which can be chosen."""
    boards = {board["uid"]: board for language, board in every(plant) if language == "en"}
    site = board_site.build(plant, "en")
    for name, kpi in plant.kpis.items():
        if kpi.scope == SITE or name in plant.of_balances():
            continue
        (tile,) = [panel for panel in panels(site) if (panel["type"], panel["title"]) == ("stat", kpi.title.en)]
        board = boards[re.findall("/d/([^?]+)", tile["links"][0]["url"])[0]]
        assert plant.process_units[kpi.scope].title.en in board["title"]
    for name, baseline in plant.baselines.items():
        board = board_unit.build(plant, "en", baseline.scope)
        (meter,) = [one for one in board["templating"]["list"] if one["name"] == f"meter_{baseline.scope}"]
        (opened,) = titled(board, f"${{meter_{baseline.scope}:text}}")
        (panel,) = titled(board, f"{baseline.title.en} [")
        assert panel["links"][0]["url"].endswith(
            f"&var-meter_{baseline.scope}={baseline.response}&viewPanel={opened['id']}"
        )
        assert baseline.response in {option["value"] for option in meter["options"]}, name


def test_a_unit_that_has_parts_shows_what_belongs_to_them(plant: Plant) -> None:
    """The plating hall has no meter of its own but for chemicals; its lines' KPIs, baselines, meters are there."""
    board = board_unit.build(plant, "en", "plating")
    words, titles = json.dumps(board), [panel["title"] for panel in panels(board)]
    for line in ("zinc", "nickel", "chrome"):
        assert {kpi.title.en for kpi in plant.kpis.values() if kpi.scope == line} < set(titles)
        assert all(f'"value": "{point}"' in words for point in plant.points_of(line))
    assert plant.kpis["gas_per_steam"].title.en not in titles


def test_a_deviation_has_a_cost_only_where_there_is_a_price(plant: Plant) -> None:
    """Permeate has no tariff: it stands among the cubic metres, not among the money."""
    board = board_unit.build(plant, "en", "ro")
    money, volume = (titled(board, f"CUSUM: actual less expected, added up [{unit}]")[0] for unit in ("CNY", "m³"))
    assert "(ro_power)" in money["targets"][0]["query"] and "cost" in money["targets"][0]["query"]
    assert "(ro_output)" in volume["targets"][0]["query"] and "residual" in volume["targets"][0]["query"]


def test_a_load_profile_has_the_plant_s_shifts_and_days_from_monday(plant: Plant) -> None:
    """Shifts by their titles; weekdays in the order of a week, not of the alphabet."""
    for language, monday in zip(LANGUAGES, ("Mon", "周一"), strict=True):
        board = board_unit.build(plant, language, "zinc")
        profile = next(panel for panel in panels(board) if panel["type"] == "barchart")
        organized = profile["transformations"][1]["options"]
        assert list(organized["indexByName"]) == [MATRIX, *DAYS]
        assert organized["renameByName"]["mon"] == monday
        shown = json.dumps(profile["fieldConfig"]["overrides"], ensure_ascii=False)
        for shift in plant.shifts.values():
            assert (shift.title.en if language == "en" else shift.title.zh) in shown


def test_every_target_and_every_option_stands_on_the_audit_board(plant: Plant) -> None:
    """Near- and long-term distances of each KPI with a target; what each option promised, as the description says."""
    board = board_audit.build(plant, "en")
    targeted = [kpi for kpi in plant.kpis.values() if kpi.target]
    near, long_term = (titled(board, f"Distance from the {which}-term target") for which in ("near", "long"))
    overrides = [one for bars in near for one in bars["fieldConfig"]["overrides"]]
    shown = [prop["value"] for one in overrides for prop in one["properties"]]
    assert sorted(shown) == sorted(kpi.title.en for kpi in targeted)
    # side by side, in the same order
    assert [target["alias"] for bars in long_term for target in bars["targets"]] == shown
    assert all(len({target["refId"] for target in bars["targets"]}) == len(bars["targets"]) for bars in long_term)
    promises = [panel["options"]["content"] for panel in titled(board, "Promised")]
    for option, content in zip(plant.options.values(), promises, strict=True):
        assert f"{option.promised:,.0f}" in content and option.commissioned.isoformat() in content
        assert f"{option.investment:,.0f} CNY" in content
    addresses = {board["uid"] for language, board in every(plant) if language == "en"}
    assert set(re.findall(r"\(/d/([^)]+)\)", " ".join(promises))) <= addresses


def test_a_plant_without_targets_options_or_baselines_has_its_boards_too(plant: Plant) -> None:
    """What a description does not say leaves its rows out, and nothing else."""
    nothing = {"kpis": {}, "baselines": {}, "options": {}, "points": {}}
    bare = plant.model_copy(update=nothing)
    for board in (
        board_audit.build(bare, "en"),
        board_unit.build(bare, "en", "zinc"),
        board_unit.build(bare, "en", SITE),
    ):
        assert [panel["type"] for panel in panels(board)] == ["row"]


def test_the_border_is_the_local_midnight_of_commissioning(plant: Plant) -> None:
    """The day that ends at that midnight is before, the one that begins is after."""
    option = plant.options["rinse_restrictors"].model_copy(update={"commissioned": date(2025, 3, 10)})
    border = datetime.fromtimestamp(border_ms(plant, option) / 1000, UTC)
    assert timedelta(0) < border - datetime(2025, 3, 9, 16, tzinfo=UTC) <= timedelta(minutes=1)


def test_a_kpi_of_many_days_is_a_ratio_of_sums(plant: Plant) -> None:
    """Never a mean of ratios; a peak has no sums, a demand charge no days."""
    assert how_whole(plant, "rinse_water_per_stage").value == 'sum("numerator") / sum("denominator") * 1000'
    assert how_whole(plant, "peak_load").value == 'mean("value")'
    assert how_whole(plant, "electricity_bill_per_m2").window == "month"


@pytest.mark.server
def test_every_query_of_every_unit_s_board_gives_rows(filled: Influx, plant: Plant) -> None:
    """No panel stays empty for a wrong name, quote or column, whichever unit is looked at."""
    for unit in plant.scopes():
        board = board_unit.build(plant, "en", unit)
        found = {(panel["title"], one["query"]) for panel in panels(board) for one in panel.get("targets", [])}
        found |= {(mark["name"], mark["target"]["query"]) for mark in board["annotations"]["list"]}
        if not any(baseline.scope == unit for baseline in plant.baselines.values()):
            found = {(title, query) for title, query in found if title != "Drifts found"}
        found = {(title, query) for title, query in found if title != "Maintenance"}
        for title, query in found:
            if "$meter_" not in query and '"expected"' not in query:
                assert known(asked(filled, query)), (unit, title, query)


@pytest.mark.server
def test_every_meter_shows_something_in_each_panel(filled: Influx, plant: Plant) -> None:
    """A counter its amount per hour, a level its mean, a rate both."""
    for unit in ("zinc", "wastewater"):
        board = board_unit.build(plant, "en", unit)
        below = [panel for panel in panels(board) if any("$meter_" in one["query"] for one in panel.get("targets", []))]
        assert len(below) == 3
        for point in plant.points_of(unit):
            for panel in below:
                series = [asked(filled, one["query"], **{f"meter_{unit}": point}) for one in panel["targets"]]
                assert any(map(known, series)), (point, panel["title"])
    (amount,) = asked(filled, queries_unit.meter_amount("meter"), meter="zn_rinse1_water")
    assert amount["values"][0][1] == 120.0
    (coverage,) = asked(filled, queries_unit.meter_coverage("meter", "coverage"), meter="zn_rinse1_water")
    assert [value for _, value in coverage["values"][:2]] == [0.5, 0.0]


@pytest.mark.server
def test_cusum_and_shares_add_up_and_an_unknown_hour_is_a_gap(filled: Influx) -> None:
    """Promise 3: an hour without a residual adds nothing to CUSUM and is a gap between actual and expected."""
    residual = [1.0 + hour % 5 for hour in HOURS if hour != UNKNOWN_HOUR]
    names = ["zn_rinse1", "zn_rinse2"]
    running = {one["tags"]["baseline"]: one for one in asked(filled, queries_unit.running(names, "residual"))}
    assert set(running) == set(names)
    assert running["zn_rinse1"]["values"][-1][1] == pytest.approx(sum(residual))
    shares = asked(filled, queries_unit.deviation(names, "cost"))
    assert [one["values"][0][1] for one in shares] == [2.0 * len(residual)] * 2
    (actual,) = asked(filled, queries_unit.hourly("zn_rinse1", "actual", 1.0))
    assert actual["values"][UNKNOWN_HOUR][1] is None
    assert actual["values"][UNKNOWN_HOUR + 1][1] == 10.0 + (UNKNOWN_HOUR + 1) % 5


@pytest.mark.server
def test_a_shift_is_counted_under_its_own_weekday(filled: Influx, plant: Plant) -> None:
    """The night shift that ends on Tuesday morning is Monday's."""
    found = asked(filled, queries_unit.by_shift("zn_rinse_water_per_stage", "numerator"))
    means = {(one["tags"]["weekday"], one["tags"]["shift"]): one["values"][0][1] for one in found}
    assert means["mon", "early"] == SHIFT_ENDS["early"]
    assert means["mon", "night"] == SHIFT_ENDS["night"]
    assert len(means) == 9


@pytest.mark.server
def test_only_open_drifts_of_the_unit_are_listed(filled: Influx) -> None:
    """Cleared ones and those of other units are elsewhere."""
    (series,) = asked(filled, queries_unit.open_drifts(["boiler", "chiller"]))
    at = {name: number for number, name in enumerate(series["columns"])}
    assert {(one[at["kpi"]], one[at["state"]]) for one in series["values"]} == {
        ("boiler_gas", "open"),
        ("chiller", "open"),
    }


@pytest.mark.server
def test_every_query_of_the_audit_board_gives_rows(filled: Influx, plant: Plant) -> None:
    """Every option is marked where it was commissioned, in the language of the board."""
    for panel in panels(board_audit.build(plant, "en")):
        for one in panel.get("targets", []):
            assert known(asked(filled, one["query"], audit=True)), (panel["title"], one["query"])
    for language in LANGUAGES:
        (mark,) = board_audit.build(plant, language)["annotations"]["list"]
        (series,) = asked(filled, mark["target"]["query"], audit=True)
        titles = {option.title.zh if language == "zh" else option.title.en for option in plant.options.values()}
        assert {values[series["columns"].index(mark["target"]["textColumn"])] for values in series["values"]} == titles


@pytest.mark.server
def test_distances_follow_the_better_direction(filled: Influx, plant: Plant) -> None:
    """Positive is worse: above a target that should be low, below one that should be high."""
    parts = titled(board_audit.build(plant, "en"), "Distance from the long-term target")
    places = {one["alias"]: (bars, number) for bars in parts for number, one in enumerate(bars["targets"])}
    for name, worse in (("fresh_water_per_m2", 2.0 / 40 - 1), ("condensate_return", 1 - 2.0 / 70)):
        found = figure(filled, *places[plant.kpis[name].title.en])
        assert found == pytest.approx(100 * worse)


@pytest.mark.server
def test_before_and_after_are_ratios_of_known_days_within_a_year(filled: Influx, plant: Plant) -> None:
    """Sums over known days on either side; the change has no row where only one side is known."""
    option = plant.options["compressor_vsd"]
    kpi = plant.kpis[option.kpi]
    border = datetime.fromtimestamp(border_ms(plant, option) / 1000, UTC)
    sides = []
    for low, high in ((border - timedelta(days=365), border), (border, border + timedelta(days=365))):
        days = [(n, end) for n, end in enumerate(DAY_ROWS) if low <= end < high and n % 7]
        total = sum(30.0 if end.year == 2024 else 20.0 for _, end in days)
        sides.append((total / sum((1.0 + n % 3) * kpi.times for n, _ in days) * kpi.times, len(days)))
    number = list(plant.options).index("compressor_vsd")
    panel = titled(board_audit.build(plant, "en"), "Before and after commissioning")[number]
    (before, days_before), (after, days_after) = sides
    expected = [before, after, 100 * (after / before - 1), days_before, days_after]
    assert [figure(filled, panel, part) for part in range(5)] == pytest.approx(expected)
    only_after = as_grafana_sends_it(panel["targets"][2]["query"], border + timedelta(days=1), END)
    assert filled.query(only_after) == []
