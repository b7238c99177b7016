"""Boards and rules against the types that Grafana publishes, read strictly: the foundation SDK's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from conforming import faults, fields
from grafana_files import FIGURES, FILES
from grafana_foundation_sdk.models import alerting, common, dashboard
from grafana_types import MATCHERS, PANELS, TRANSFORMATIONS, DataLink, InfluxMarks, InfluxQuery

from dashboards.alerting.frame import EXPRESSION, EXPRESSION_UID
from dashboards.boards.every import every
from dashboards.provisioning.files import generate
from plant.model import Plant, Route

COMMITTED = Path(__file__).parents[2] / "deploy/grafana"
Board = dict[str, Any]


@pytest.fixture(scope="module")
def boards(plant: Plant) -> list[Board]:
    """Every board of the example."""
    return [board for _, board in every(plant)]


def of_board(board: Board) -> Iterator[str]:
    """What is wrong with a board: its keys, and the parts of which the SDK leaves open what they are."""
    name = board["uid"]
    annotations = board["annotations"]["list"]
    without = [{key: value for key, value in one.items() if key != "target"} for one in annotations]
    yield from faults({**board, "panels": None, "annotations": {"list": without}}, dashboard.Dashboard, name)
    for number, one in enumerate(annotations):
        yield from faults(one["target"], InfluxMarks, f"{name}.annotations[{number}].target")
    for panel in board["panels"]:
        at = f"{name} panel {panel['id']}"
        if panel["type"] == "row":
            yield from faults({**panel, "panels": []}, dashboard.RowPanel, at)
            for inner in panel["panels"]:
                yield from of_panel(inner, f"{name} panel {inner['id']}")
        else:
            yield from of_panel(panel, at)
    ids = [one["id"] for one in panels(board)]
    if len(set(ids)) < len(ids):
        yield f"{name}: two panels of one id"


def of_panel(panel: Board, at: str) -> Iterator[str]:
    """What is wrong with a panel."""
    yield from faults({**panel, "targets": None}, dashboard.Panel, at)
    if panel["type"] not in PANELS:
        yield f"{at}: a panel of type {panel['type']!r}"
        return
    options, custom = PANELS[panel["type"]]
    if panel["options"] != {}:
        yield from faults(panel["options"], options, f"{at}.options")
    own = panel["fieldConfig"]["defaults"].get("custom", {})
    if custom:
        yield from _some_of(own, custom, f"{at}.custom")
    elif own:
        yield f"{at}: {panel['type']} has nothing of its own for a field"
    for number, target in enumerate(panel.get("targets", [])):
        yield from faults(target, InfluxQuery, f"{at}.targets[{number}]")
    for number, one in enumerate(panel["transformations"]):
        if one["id"] not in TRANSFORMATIONS:
            yield f"{at}: no transformation {one['id']!r}"
        else:
            yield from faults(one["options"], TRANSFORMATIONS[one["id"]], f"{at}.transformations[{number}]")
    for number, one in enumerate(panel["fieldConfig"]["overrides"]):
        yield from _of_override(panel, one, custom, f"{at}.overrides[{number}]")


def _of_override(panel: Board, override: Board, custom: type | None, at: str) -> Iterator[str]:
    matcher = override["matcher"]
    if matcher["id"] not in MATCHERS:
        yield f"{at}: no matcher {matcher['id']!r}"
    else:
        yield from faults(matcher["options"], MATCHERS[matcher["id"]], f"{at}.matcher")
    if matcher["id"] == "byFrameRefID" and matcher["options"] not in [one["refId"] for one in panel["targets"]]:
        yield f"{at}: the panel has no query {matcher['options']!r}"
    values = {one["id"]: one["value"] for one in override["properties"]}
    own = {name.removeprefix("custom."): value for name, value in values.items() if name.startswith("custom.")}
    for name, value in values.items():
        if name == "links":
            yield from faults(value, list[DataLink], f"{at}.links")
        elif not name.startswith("custom."):
            yield from _some_of({name: value}, dashboard.FieldConfig, at)
    if own and custom is None:
        yield f"{at}: {panel['type']} has nothing of its own for a field"
    elif own:
        yield from _some_of(own, custom, at)
    cell = own.get("cellOptions", {}).get("type")
    if cell != own.get("displayMode"):
        yield f"{at}: cellOptions for later Grafanas and displayMode for 9.4 are not the same"


def _some_of(values: Board, kind: Any, at: str) -> Iterator[str]:
    """What is wrong with some of the keys of a type; none of them must be there."""
    return (fault for fault in faults(values, kind, at) if ": no key " not in fault)


def panels(board: Board) -> list[Board]:
    """Every panel, those within rows included."""
    return [one for panel in board["panels"] for one in (panel, *panel.get("panels", []))]


def of_file(name: str, text: str) -> Iterator[str]:
    """What is wrong with a provisioning file."""
    content = yaml.load(text, yaml.CSafeLoader)
    key, kind = FILES[name]
    if set(content) != {"apiVersion", key} or content["apiVersion"] != 1:
        yield f"{name}: {sorted(content)}"
    open_models = [_without_models(one) for one in content[key]]
    yield from faults(open_models, list[kind], name)
    for group in content[key]:
        for rule in group.get("rules", []):
            yield from of_rule(rule)


def of_rule(rule: Board) -> Iterator[str]:
    """What is wrong with a rule's queries and expressions, which name each other."""
    before = set[str]()
    for step in rule["data"]:
        model, at = step["model"], f"{rule['uid']} {step['refId']}"
        yield from faults(model, FIGURES[model.get("type")], at)
        if not {model["refId"], model.get("expression", step["refId"])} <= {step["refId"], *before}:
            yield f"{at}: names what is not there"
        source = model["datasource"]["uid"]
        if step["datasourceUid"] != (EXPRESSION_UID if source == EXPRESSION else source):
            yield f"{at}: two data sources"
        before.add(step["refId"])
    if rule["condition"] not in before:
        yield f"{rule['uid']}: no condition {rule['condition']!r}"


def _without_models(one: Board) -> Board:
    rules = one.get("rules")
    if rules is None:
        return one
    bare = [{**rule, "data": [{**step, "model": None} for step in rule["data"]]} for rule in rules]
    return {**one, "rules": bare}


def test_every_board_is_what_grafana_s_types_say(boards: list[Board], plant: Plant) -> None:
    """No key that Grafana does not know, no value of another type, nothing that 9.4 does not have; ids and names of
    queries resolve."""
    assert len(boards) > 2 * len(plant.process_units)
    assert [fault for board in boards for fault in of_board(board)] == []


def test_every_file_is_what_grafana_s_types_say(plant: Plant) -> None:
    """The same of each file in deploy/grafana, and of those of a plant where Grafana is the notifier."""
    assert plant.alarms is not None
    routes = {name: Route(to=["https://hook.example/x"]) for name in plant.alarms.routes}
    alarms = plant.alarms.model_copy(update={"notify": "grafana", "routes": routes})
    committed = {str(path.relative_to(COMMITTED)): path.read_text("utf-8") for path in COMMITTED.rglob("*.*")}
    bare = {name: {} for name in ("kpis", "baselines", "options", "balances")}
    files = generate(plant.model_copy(update={"alarms": alarms, **bare}))
    assert {name.partition("/")[2] for name in files if name.startswith("provisioning")} == set(FILES)
    telling = {name: text for name, text in files.items() if re.search("policies|points|timings", name)}
    for found in (committed, telling):
        for name, text in found.items():
            folder, _, rest = name.partition("/")
            seen = of_board(json.loads(text)) if folder == "boards" else of_file(rest, text)
            assert list(seen) == [], name


def test_no_panel_is_without_data_but_words(boards: list[Board]) -> None:
    """Every panel that is not a row or a text asks for something, of a query that differs from its others in name."""
    for board in boards:
        for panel in panels(board):
            names = [one["refId"] for one in panel.get("targets", [])]
            assert bool(names) != (panel["type"] in ("row", "text")), panel["title"]
            assert len(set(names)) == len(names), panel["title"]


def test_every_variable_that_is_used_is_there(boards: list[Board]) -> None:
    """A dollar names a variable of the board or one of Grafana's own."""
    for board in boards:
        known = {variable["name"] for variable in board["templating"]["list"]}
        text = json.dumps([board["panels"], board["annotations"]])
        used = set(re.findall(r"\$(?:\{(\w+)|(\w+))", text))
        names = {one or other for one, other in used}
        assert {name for name in names if not re.match("__|tag_|timeFilter$|col$|m$", name)} <= known, board["uid"]


def first(board: Board, kind: str) -> Board:
    """The first panel of a type."""
    return next(one for one in panels(board) if one["type"] == kind)


def overridden(board: Board, name: str) -> Board:
    """The first property of a name among all overrides."""
    overrides = (one for panel in panels(board) for one in panel.get("fieldConfig", {}).get("overrides", []))
    return next(one for override in overrides for one in override["properties"] if one["id"] == name)


WRONG: dict[str, Callable[[Board], object]] = {
    "key of the board": lambda board: board.update(grafTooltip=1),
    "key of a panel": lambda board: first(board, "stat").update(descripton=""),
    "key of a row": lambda board: first(board, "row").update(colapsed=True),
    "key of options": lambda board: first(board, "stat")["options"].update(graphMod="area"),
    "key within options": lambda board: first(board, "stat")["options"]["reduceOptions"].update(calc=["last"]),
    "member": lambda board: first(board, "stat")["options"].update(graphMode="areas"),
    "member of 10": lambda board: first(board, "stat")["options"].update(colorMode="background_solid"),
    "type": lambda board: first(board, "stat")["gridPos"].update(h="5"),
    "truth for a number": lambda board: first(board, "stat")["gridPos"].update(h=True),
    "missing": lambda board: first(board, "stat")["options"].pop("graphMode"),
    "no options": lambda board: first(board, "table").update(options=None),
    "panel type": lambda board: first(board, "stat").update(type="stats"),
    "own key of a field": lambda board: first(board, "timeseries")["fieldConfig"]["defaults"]["custom"].update(lineW=1),
    "own key of a later": lambda board: first(board, "timeseries")["fieldConfig"]["defaults"]["custom"].update(
        insertNulls=True
    ),
    "own key of none": lambda board: first(board, "stat")["fieldConfig"]["defaults"].update(custom={"lineWidth": 1}),
    "key of a field": lambda board: first(board, "stat")["fieldConfig"]["defaults"].update(decimal=1),
    "threshold": lambda board: overridden(board, "thresholds")["value"]["steps"][0].update(colour="red"),
    "mapping": lambda board: overridden(board, "mappings")["value"][0]["options"].update(open={"txt": "open"}),
    "kind of mapping": lambda board: overridden(board, "mappings")["value"][0].update(type="range"),
    "property": lambda board: overridden(board, "decimals").update(id="decimal"),
    "own property": lambda board: overridden(board, "custom.lineStyle").update(id="custom.lineSyle"),
    "value of own property": lambda board: overridden(board, "custom.lineStyle")["value"].update(fill="dashed"),
    "matcher": lambda board: first(board, "table")["fieldConfig"]["overrides"][0]["matcher"].update(id="byname"),
    "transformation": lambda board: first(board, "table")["transformations"][0].update(id="organise"),
    "its options": lambda board: first(board, "table")["transformations"][0]["options"].update(renameByNames={}),
    "query": lambda board: first(board, "stat")["targets"][0].update(resultFormat="timeseries"),
    "key of a query": lambda board: first(board, "stat")["targets"][0].update(rawQry=True),
    "variable": lambda board: board["templating"]["list"][0].update(multy=False),
    "annotation": lambda board: board["annotations"]["list"][0].update(query="SELECT"),
    "its query": lambda board: board["annotations"]["list"][0]["target"].pop("fromAnnotations"),
    "link": lambda board: board["links"][0].update(asDropDown=True),
    "one id twice": lambda board: first(board, "stat").update(id=first(board, "table")["id"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_slip_is_found(what: str) -> None:
    """Each check finds what it is there for: one key misspelt or one value wrong in a board that is right."""
    board = json.loads((COMMITTED / "boards/en/keepclean-site-en-haining-plating.json").read_text("utf-8"))
    assert list(of_board(board)) == []
    WRONG[what](board)
    assert list(of_board(board))


def test_a_slip_in_a_rule_is_found() -> None:
    """A state, a reducer, an evaluator and a reference that Grafana does not know."""
    text = (COMMITTED / "provisioning/alerting/keepclean-rules.yaml").read_text("utf-8")
    name = "alerting/keepclean-rules.yaml"
    short = text[: text.index("  - uid:", text.index("  - uid:") + 1)]
    assert list(of_file(name, short)) == []
    for right, wrong in (
        ("noDataState: OK", "noDataState: Ok"),
        ("reducer: last", "reducer: lastNotNull"),
        ("type: gt", "type: above"),
        ("expression: found\n", "expression: fond\n"),
        ("condition: judged", "condition: jugded"),
        ("annotations:", "annotation:"),
    ):
        assert right in short
        assert list(of_file(name, short.replace(right, wrong, 1))), wrong


def test_the_sdk_s_types_are_read_as_it_writes_them() -> None:
    """Keys that are not the attribute's own name, constants, and what may be left out."""
    assert fields(dashboard.FieldConfig)["min"] == fields(dashboard.FieldConfig)["max"]
    assert fields(dashboard.ValueMap)["type"] == (Literal["value"], True)
    assert fields(alerting.Rule)["for"] == (str, True)
    assert fields(common.TableFieldOptions)["minWidth"][1] is False
