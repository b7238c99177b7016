"""Pushing to Grafana: what differs is changed, a second push changes nothing, a dry run only asks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_server import ALERTS, Server, running

from dashboards.alerting.policies import name_prefix
from dashboards.boards import site as board_site
from dashboards.frame import LANGUAGES, Language
from dashboards.provisioning.grafana import Change, Grafana
from dashboards.provisioning.push import push
from plant.errors import DeviceError
from plant.model import Plant, Route


@pytest.fixture
def server() -> Iterator[Server]:
    """The stand-in on loopback."""
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def site_boards(plant: Plant) -> list[tuple[Language, dict[str, Any]]]:
    """The boards of the site."""
    return [(language, board_site.build(plant, language)) for language in LANGUAGES]


@pytest.fixture(autouse=True)
def fewer_boards(monkeypatch: pytest.MonkeyPatch, site_boards: list[tuple[Language, dict[str, Any]]]) -> None:
    """Two boards stand for all: each is pushed alike."""
    monkeypatch.setattr("dashboards.provisioning.push.every", lambda _: site_boards)


def telling(plant: Plant, folder: Path, **routes: str) -> Plant:
    """The plant with Grafana as notifier, a route's address in a file of its own."""
    assert plant.alarms is not None
    made = {}
    for name in plant.alarms.routes:
        (folder / name).write_text(routes.get(name, f"https://hook.example/{name}"), encoding="utf-8")
        made[name] = Route(to=["log", f"file:{name}"], language="zh")
    alarms = plant.alarms.model_copy(update={"notify": "grafana", "routes": made})
    return plant.model_copy(update={"alarms": alarms})


def changed(changes: list[Change]) -> list[tuple[str, str]]:
    """What was not left as it was."""
    return [(change.done, change.what) for change in changes if change.done != "unchanged"]


@pytest.mark.server
def test_a_second_push_changes_nothing(server: Server, plant: Plant, tmp_path: Path) -> None:
    """Pushing is idempotent, whatever Grafana adds to what it stores or hides of it."""
    watched = telling(plant, tmp_path, day="wecombot://0123456789abcdef0123456789abcdef0123")
    client = Grafana(server.url, "glsa_token")
    assert {change.done for change in push(watched, client, folder=tmp_path, influx_token="secret")} == {"created"}
    before = list(server.written)
    assert {change.done for change in push(watched, client, folder=tmp_path, influx_token="secret")} == {"unchanged"}
    assert server.written == before
    assert server.headers == {"Bearer glsa_token"}
    kinds = {path.rpartition("/provisioning/")[2].partition("/")[0] for _, path in before if ALERTS in path}
    assert kinds == {"alert-rules", "contact-points", "mute-timings", "policies"}


@pytest.mark.server
def test_only_what_differs_is_changed(server: Server, plant: Plant) -> None:
    """A board, a data source or a rule changed by hand, or by a new description, is put right; the rest left alone."""
    client = Grafana(server.url, "admin:admin")
    push(plant, client)
    uid = "keepclean-site-en-haining-plating"
    server.boards[uid]["dashboard"]["title"] = "changed by hand"
    assert changed(push(plant, client)) == [("changed", "board Haining electroplating shop · overview")]
    (source,) = server.sources.values()
    source["url"] = "http://elsewhere"
    assert changed(push(plant, client)) == [("changed", "data source keepclean")]
    assert changed(push(plant, client, influx_token="new")) == [("changed", "data source keepclean")]
    rule = next(iter(server.rules.values()))
    rule["labels"] = {**rule["labels"], "severity": "page"}
    assert changed(push(plant, client)) == [("changed", f"alert rule {rule['title']}")]
    assert changed(push(plant, client)) == []


@pytest.mark.server
def test_what_a_person_made_stays(server: Server, plant: Plant, tmp_path: Path) -> None:
    """Own rules, contact points, mute timings and policies are as they were; our branch stands before them."""
    own_rule = {"uid": "own", "title": "own rule", "folderUID": "own", "ruleGroup": "own", "labels": {"team": "a"}}
    own_point = {"uid": "own", "name": "team", "type": "email", "settings": {"addresses": "a@b.example"}}
    own_timing = {"name": "weekend", "time_intervals": [{"weekdays": ["saturday", "sunday"]}]}
    own_policy = {"receiver": "team", "object_matchers": [["team", "=", "a"]], "mute_time_intervals": ["weekend"]}
    server.rules["own"] = own_rule
    server.points["own"] = own_point
    server.timings["weekend"] = own_timing
    server.policies = {"receiver": "team", "group_by": ["alertname"], "routes": [own_policy], "provenance": ""}
    client = Grafana(server.url, "token")
    for watched in (plant, telling(plant, tmp_path), plant):
        push(watched, client, folder=tmp_path)
        assert server.rules["own"] == own_rule
        assert server.points["own"] == own_point
        assert server.timings["weekend"] == own_timing
        assert (server.policies["receiver"], server.policies["group_by"]) == ("team", ["alertname"])
        ours, other = server.policies["routes"]
        assert other == own_policy and ["site", "=", plant.site.id] in ours["object_matchers"]
        assert changed(push(watched, client, folder=tmp_path)) == []


@pytest.mark.server
def test_what_the_description_no_longer_has_is_removed(server: Server, plant: Plant, tmp_path: Path) -> None:
    """A baseline given up takes its rule along; back to keepclean as notifier, contact points and timings go."""
    client = Grafana(server.url, "token")
    push(telling(plant, tmp_path), client, folder=tmp_path)
    assert len(server.points) == 2
    baselines = {name: one for name, one in plant.baselines.items() if name != "compressor"}
    fewer = plant.model_copy(update={"baselines": baselines, "options": {}})
    done = changed(push(fewer, client, folder=tmp_path))
    removed = [what for kind, what in done if kind == "removed"]
    assert sum("/compressor)" in what for what in removed) == 1
    assert sum(what.startswith("contact point") for what in removed) == 2
    assert server.points == {}
    assert list(server.timings) == [f"{name_prefix(plant)}always"]
    assert "routes" not in server.policies["routes"][0]
    assert changed(push(fewer, client, folder=tmp_path)) == []


@pytest.mark.server
def test_a_dry_run_only_asks(server: Server, plant: Plant, tmp_path: Path) -> None:
    """A dry run says what would be done and writes nothing."""
    changes = push(telling(plant, tmp_path), Grafana(server.url, "token", dry_run=True), folder=tmp_path)
    assert {change.done for change in changes} == {"created"}
    assert server.written == []


@pytest.mark.server
def test_rules_stay_open_to_people_in_grafana(server: Server, plant: Plant) -> None:
    """What is pushed can be edited in Grafana's pages; what is owned otherwise is written as it was."""
    client = Grafana(server.url, "token")
    push(plant, client)
    assert server.open_to_people == {True}
    server.policies["provenance"] = "api"
    server.policies["routes"] = []
    server.open_to_people.clear()
    push(plant, client)
    assert server.open_to_people == {False}


SECRETS = {
    "token": "glsa_PlantedGrafanaToken",
    "influx": "PlantedInfluxToken==",
    "hook": "planted0hook0token0123456789abcdef",
    "password": "PlantedHookPassword",
}


@pytest.mark.server
@pytest.mark.parametrize("status", [400, 401, 403, 500, 503, 0])
def test_a_refusal_is_a_device_error_without_secrets(
    server: Server, plant: Plant, tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong credentials are final, a server's trouble or silence is not; what Grafana sends back of what it got is
    shown with its secrets covered."""
    watched = telling(
        plant,
        tmp_path,
        day=f"dingtalk://{SECRETS['hook']}/",
        night=f"jsons://someone:{SECRETS['password']}@hook.example/x",
    )
    url = server.url
    if status == 0:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/grafana"
    server.refuse = status
    with pytest.raises(DeviceError) as error:
        push(watched, Grafana(url, SECRETS["token"]), folder=tmp_path, influx_token=SECRETS["influx"])
    assert error.value.retryable is (status not in (400, 401, 403))
    shown = f"{error.value!r} {error.value.__cause__} {caplog.text}"
    assert not [name for name, secret in SECRETS.items() if secret in shown], shown


def texts(content: Any) -> str:
    """What was written, as one text."""
    return repr(content)


@pytest.mark.server
def test_secrets_go_to_grafana_alone(server: Server, plant: Plant, tmp_path: Path) -> None:
    """The stand-in got what it needs to deliver; no change that is reported names any of it."""
    watched = telling(
        plant, tmp_path, day=f"dingtalk://{SECRETS['hook']}/", night=f"jsons://a:{SECRETS['password']}@h.example/x"
    )
    changes = push(watched, Grafana(server.url, SECRETS["token"]), folder=tmp_path, influx_token=SECRETS["influx"])
    got = texts(server.bodies)
    assert all(SECRETS[name] in got for name in ("influx", "hook", "password"))
    assert not [name for name, secret in SECRETS.items() if secret in repr(changes)]
