"""The board: generated from the description, bounded and valid in every query, complete, committed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from dashboards.boards import site as board_site
from dashboards.boards.every import every
from dashboards.frame import FOLDERS, LANGUAGES, WINDOWS
from dashboards.panels.common import GREEN, LIGHT, ORANGE, RED, describe, steps, watching
from dashboards.provisioning.files import data_source, generate, write
from pipeline.windows import NAMES
from plant.load import load
from plant.model import SITE, Influx, Plant, Target, Text

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/electroplating/plant.yaml"


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The electroplating example."""
    return load(EXAMPLE)


@pytest.fixture(scope="module")
def board(plant: Plant) -> dict[str, Any]:
    """Its board."""
    return board_site.build(plant, "en")


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Every panel, those within rows included."""
    return [one for panel in board["panels"] for one in (panel, *panel.get("panels", []))]


def test_the_committed_files_are_what_the_code_generates(plant: Plant, tmp_path: Path) -> None:
    """deploy/grafana holds what the example's description gives today; `make boards` renews it."""
    committed = {
        str(path.relative_to(ROOT / "deploy/grafana")): path.read_text(encoding="utf-8")
        for path in (ROOT / "deploy/grafana").rglob("*")
        if path.is_file()
    }
    assert committed == generate(plant)
    assert {str(path.relative_to(tmp_path)) for path in write(plant, tmp_path)} == set(committed)


def test_every_query_bounds_time_site_and_validity(plant: Plant) -> None:
    """Promise 3: no query of any board can show a withdrawn or unknown result, none reads the whole history or another
    plant."""
    for _, board in every(plant):
        queries = [target["query"] for panel in panels(board) for target in panel.get("targets", [])]
        queries += [annotation["target"]["query"] for annotation in board["annotations"]["list"]]
        assert queries
        for query in queries:
            assert re.search(r"\$timeFilter|time >= (\$\{__from\}ms|now\(\)) ", f"{query} "), query
            assert '"valid"=1' in query, query
            assert '"site" =~ /^$site$/' in query, query


def test_every_board_is_there_in_both_languages(plant: Plant) -> None:
    """Each English board has its Chinese twin with the same panels, and each names the other; addresses are unique."""
    found = {language: [board for one, board in every(plant) if one == language] for language in LANGUAGES}
    assert len({board["uid"] for boards in found.values() for board in boards}) == sum(map(len, found.values()))
    for english, chinese in zip(found["en"], found["zh"], strict=True):
        assert [panel["type"] for panel in panels(english)] == [panel["type"] for panel in panels(chinese)]
        assert english["links"][1]["url"] == f"/d/{chinese['uid']}"
        assert chinese["links"][1]["url"] == f"/d/{english['uid']}"
        words = json.dumps([panel["title"] for panel in panels(chinese)], ensure_ascii=False)
        assert re.search("[\u4e00-\u9fff]", words)


def test_no_board_can_be_taken_for_another(plant: Plant) -> None:
    """Grafana 9 knows a board of a folder by its title's Latin letters, and overwrites one that has the same."""
    title = Text(en="Line", zh="一号 RO 线")
    twins = {name: unit.model_copy(update={"title": title}) for name, unit in plant.process_units.items()}
    name = Text(en="Works", zh="ABC 厂")
    odd = plant.model_copy(update={"process_units": twins, "site": plant.site.model_copy(update={"name": name})})
    for described in (plant, odd):
        for language in LANGUAGES:
            titles = [board["title"] for one, board in every(described) if one == language]
            latin = [re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") or title for title in titles]
            assert len(set(latin)) == len(titles)
    assert len({re.sub("[^a-z0-9]+", "-", folder.lower()).strip("-") for folder in FOLDERS.values()}) == len(FOLDERS)


def test_no_link_leads_nowhere(plant: Plant) -> None:
    """Every link to a board, from boards and panels, names one that is generated."""
    boards = [board for _, board in every(plant)]
    known = {board["uid"] for board in boards}
    named = re.findall(r'"/d/([a-z0-9_-]+)', json.dumps(boards))
    assert set(named) <= known and len(named) > len(boards)


def test_every_kpi_has_a_tile_and_a_course_with_its_title_and_unit(board: dict[str, Any], plant: Plant) -> None:
    """Titles, units, decimals and thresholds are the description's own, as on the console."""
    tiles = {panel["title"]: panel for panel in panels(board) if panel["type"] == "stat"}
    courses = {panel["title"] for panel in panels(board) if panel["type"] == "timeseries"}
    for name, kpi in plant.kpis.items():
        if name in plant.of_balances():
            continue  # their own board has them
        tile = tiles[kpi.title.en]
        defaults = tile["fieldConfig"]["defaults"]
        assert defaults["decimals"] == kpi.decimals
        values = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert kpi.target is None or {kpi.target.near_term, kpi.target.long_term} < set(values)
        assert kpi.title.zh in tile["description"]
        assert any(title.startswith(f"{kpi.title.en} [") for title in courses)


def test_thresholds_follow_the_better_direction(plant: Plant) -> None:
    """Beyond the long-term target is green, worse than the baseline year red, whichever direction is better."""
    kpi = plant.kpis["electricity_per_m2"]
    lower = steps(kpi.model_copy(update={"target": Target(baseline=3, near_term=2, long_term=1)}))
    assert [(step.value, step.color) for step in lower] == [(None, GREEN), (1, LIGHT), (2, ORANGE), (3, RED)]
    up = {"better": "higher", "target": Target(baseline=1, near_term=2, long_term=3)}
    higher = steps(kpi.model_copy(update=up))
    assert [(step.value, step.color) for step in higher] == [(None, RED), (1, ORANGE), (2, LIGHT), (3, GREEN)]
    assert all(
        [step.value for step in steps(kpi)][1:] == sorted(step.value for step in steps(kpi) if step.value is not None)
        for kpi in plant.kpis.values()
    )


def test_a_drift_flags_the_kpis_it_moves(plant: Plant) -> None:
    """A leak at the compressor stands on its own KPI's tile and on the site's electricity, not on the water's."""
    assert "compressor" in watching(plant, "compressor_kwh_per_m3")
    assert "compressor" in watching(plant, "electricity_per_m2")
    assert "compressor" not in watching(plant, "fresh_water_per_m2")
    assert "zn_rinse1" in watching(plant, "zn_rinse_water_per_stage")
    assert "zn_rinse1" not in watching(plant, "ni_rinse_water_per_stage")


def test_grafana_can_fill_in_the_variables(board: dict[str, Any], plant: Plant) -> None:
    """A variable with the SDK's id of zeros is never filled in by Grafana 9: it has none; a value is chosen at load."""
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert set(variables) == {"site", "window", "unit"}
    for variable in variables.values():
        assert "id" not in variable
        assert variable["current"]["value"]
    assert [option["value"] for option in variables["unit"]["options"][1:]] == [SITE, *plant.process_units]
    assert set(WINDOWS) < set(NAMES), "a window that is never computed cannot be chosen"


def test_the_plant_s_own_periods_can_be_chosen(board: dict[str, Any], plant: Plant) -> None:
    """Beside the fixed windows, by both titles; a comma or colon in a title does not part the list of choices."""
    (window,) = (variable for variable in board["templating"]["list"] if variable["name"] == "window")
    assert [option["value"] for option in window["options"]] == [*WINDOWS, *plant.periods]
    assert window["query"].endswith(",Heating season : heating_season")
    title = Text(en="Winter, first: part", zh="冬")
    odd = plant.model_copy(
        update={"periods": {"winter": plant.periods["heating_season"].model_copy(update={"title": title})}}
    )
    (window,) = (one for one in board_site.build(odd, "en")["templating"]["list"] if one["name"] == "window")
    assert len(window["query"].split(",")) == len(WINDOWS) + 1 == len(window["options"])


def test_a_panel_tells_what_is_peculiar_to_its_kpi(plant: Plant) -> None:
    """Peak, demand charge, product, allocation and bound stand in the corner of the panel."""
    assert "highest quarter hour, as an amount per hour" in describe(plant, "peak_load", "en")
    assert "whole months only" in describe(plant, "electricity_bill_per_m2", "en")
    kinds = load(ROOT / "tests/cases/plant/sound_kinds/plant.yaml")
    assert "product area · allocated by area among area, pieces" in describe(kinds, "shared_water", "en")
    assert "no more than what area allows" in describe(kinds, "cod_at_reference_drainage", "en")


def test_panels_have_ids_of_their_own_and_the_data_source(board: dict[str, Any], plant: Plant) -> None:
    """Two panels never share an id; every panel reads the data source that is provisioned beside it."""
    found = panels(board)
    assert len({panel["id"] for panel in found}) == len(found)
    uid = data_source(plant)["uid"]
    assert {panel["datasource"]["uid"] for panel in found if panel.get("targets")} == {uid}
    assert {target["datasource"]["uid"] for panel in found for target in panel.get("targets", [])} == {uid}


def test_provisioning_names_database_twice_and_no_secret(plant: Plant) -> None:
    """Grafana 9 reads `database`, later versions `jsonData.dbName`; the token is Grafana's to look up."""
    influx = Influx(url="https://influx.example:8086", bucket="works", token_file="secret/token")
    files = generate(plant.model_copy(update={"influx": influx}))
    (source,) = yaml.safe_load(files["provisioning/datasources/keepclean.yaml"])["datasources"]
    assert (source["database"], source["jsonData"]["dbName"]) == ("works", "works")
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token $__env{KEEPCLEAN_INFLUX_TOKEN}"}
    assert not re.search("secret/token", json.dumps(files))


def test_what_a_panel_asks_fits_into_an_address(plant: Plant) -> None:
    """Grafana 9 sends a panel's queries as one address; a proxy before it often takes no more than 8 kB."""
    for _, board in every(plant):
        for panel in panels(board):
            asked = ";".join(target["query"] for target in panel.get("targets", []))
            assert len(quote(asked)) < 7_000, panel["title"]
