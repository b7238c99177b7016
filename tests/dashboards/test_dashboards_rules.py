"""The alert rules: they fire when they should, say all that a person needs, and one notifier alone tells of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from alert_evaluation import figures, instances, state, told
from influx_server import END, START, Influx, fill

from alerts.notify import Notifier
from alerts.words import WORDS
from dashboards.alerting.contacts import check, contact_points
from dashboards.alerting.policies import DEFAULT_RECEIVER, branch, mute_timings
from dashboards.alerting.rules import every, grouped
from dashboards.alerting.silent import silences
from dashboards.boards.every import every as every_board
from dashboards.provisioning.files import generate
from historian.tables import ALARMS, DRIFT, TABLES
from plant.clock import to_us
from plant.model import Plant, Route, Shift

WEBHOOK = "https://hook.example/alarms"


def rules(plant: Plant) -> dict[str, dict[str, Any]]:
    """The rules by what their title ends in: site/name."""
    return {rule["title"].rpartition("(")[2].rstrip(")").partition("/")[2]: rule for _, rule in every(plant)}


def with_grafana(plant: Plant, *to: str) -> Plant:
    """The plant with Grafana as its notifier."""
    assert plant.alarms is not None
    routes = {name: Route(to=["log", *(to or (f"{WEBHOOK}/{name}",))], language="zh") for name in plant.alarms.routes}
    return plant.model_copy(update={"alarms": plant.alarms.model_copy(update={"notify": "grafana", "routes": routes})})


def asked(plant: Plant, labels: dict[str, str], *times: datetime) -> list[list[str]]:
    """Whom Grafana tells of an alert at each of the times."""
    tree = {"receiver": DEFAULT_RECEIVER, "routes": [branch(plant)]}
    timings = mute_timings(plant)
    return [told(tree, timings, labels, at) for at in times]


def results(plant: Plant) -> dict[str, pl.DataFrame]:
    """Three days of facts of every point but two, drifts with and without a cost, KPIs on both sides of a target."""
    minutes = [END - timedelta(minutes=10 * number) for number in range(3 * 144)]
    facts = [
        {"point": name, "minute": minute, "amount": 1.0, "unit": "kWh", "coverage": 1.0, "quality": "good"}
        for name in plant.points
        for minute in minutes
        if name != "ro_kwh" or minute < END - timedelta(days=1)
    ]
    drift = {
        "found": END - timedelta(days=80),
        "onset": datetime(2025, 12, 12, 6, 5, tzinfo=UTC),
        "size_per_hour": 0.6,
        "size_low": 0.4,
        "size_high": 0.8,
        "unit": "m3",
        "direction": "rise",
        "state": "open",
    }
    drifts = [
        {**drift, "drift": "zn_rinse1@1", "kpi": "zn_rinse1", "scope": "zinc", "cost_per_day": 812.0},
        {**drift, "drift": "zn_rinse2@1", "kpi": "zn_rinse2", "scope": "zinc", "state": "cleared"},
        {**drift, "drift": "compressor@1", "kpi": "compressor", "scope": "compressed_air"},
        {**drift, "drift": "chiller@1", "kpi": "chiller", "scope": "chiller", "direction": "fall"},
    ]
    kpi = {"start": START, "end": END - timedelta(hours=2), "coverage": 1.0, "settled": True, "product": ""}
    values = [
        ("electricity_per_m2", "30d", 2.95, 1440.0),
        ("electricity_per_m2", "12mo", 2.40, 17532.0),
        ("water_reuse_rate", "30d", 19.0, 100.0),
        ("water_reuse_rate", "12mo", 30.0, 100.0),
        ("gas_per_m2", "30d", None, None),
        ("plant_water_closure", "7d", 9.0, 100.0),
        ("boiler_energy_closure", "7d", -1.0, 100.0),
    ]
    kpis = [
        {**kpi, "kpi": name, "scope": plant.kpis[name].scope, "window": window, "value": value, "denominator": bottom}
        for name, window, value, bottom in values
    ]
    named = {"facts": facts, "drift": drifts, "kpi": kpis}
    return {name: pl.DataFrame(rows, schema=TABLES[name].schema) for name, rows in named.items()}


@pytest.fixture(scope="module")
def filled(influx: Influx, plant: Plant) -> Influx:
    """The server with results."""
    fill(influx, plant, results(plant))
    return influx


@pytest.mark.server
def test_a_rule_fires_for_what_asks_for_a_person_and_for_nothing_else(filled: Influx, plant: Plant) -> None:
    """An open drift found long ago, a target missed, an open balance and a silent device fire; a drift that has gone or
    falls, a target that holds, an unknown KPI and a device that speaks do not."""
    firing = {name for name, rule in rules(plant).items() if state(filled, rule, END) == "Alerting"}
    silent = {plant.points["ro_kwh"].device}
    assert firing == {
        "zn_rinse1",
        "compressor",
        "electricity_per_m2 30d",
        "water_reuse_rate 30d",
        "plant_water",
        *silent,
    }


@pytest.mark.server
def test_the_figures_of_a_message_are_those_of_the_drift(filled: Influx, plant: Plant) -> None:
    """Size, interval, cost and onset, this in the plant's own time; what is not known leaves the rule its data."""
    found = figures(filled, rules(plant)["zn_rinse1"], END)
    onset = found.pop("onset")
    assert found == {"found": 1, "size": 0.6, "low": 0.4, "high": 0.8, "cost": 812.0}
    assert onset is not None and datetime.fromtimestamp(onset, UTC).isoformat() == "2025-12-12T14:05:00+00:00"
    assert figures(filled, rules(plant)["compressor"], END)["cost"] is None
    beyond = figures(filled, rules(plant)["electricity_per_m2 30d"], END)["excess"]
    assert beyond == pytest.approx((2.95 - 2.45) * 1440 / 720)


@pytest.mark.server
def test_silence_of_the_whole_plant_has_one_rule_of_its_own(filled: Influx, plant: Plant) -> None:
    """A month later nothing speaks: every device, and the plant; and only its rule speaks for a database that fails."""
    later = END + timedelta(days=30)
    firing = {name for name, rule in rules(plant).items() if state(filled, rule, later) == "Alerting"}
    assert firing >= {"site", *silences(plant)}
    errors = [name for name, rule in rules(plant).items() if rule["execErrState"] != "OK"]
    assert errors == ["site"]


@pytest.mark.server
@pytest.mark.parametrize("version", ["9.4", "later"])
def test_what_is_silent_stands_once_on_grafana_s_list(filled: Influx, plant: Plant, version: str) -> None:
    """A device of which nothing is heard, and the plant, are one alert each and one message together, not one for the
    query and another for what is reckoned from it; what has data is the rule's own instance."""
    later = END + timedelta(days=30)
    silent = [rule for family, rule in every(plant) if family == "silent"]
    for rule in silent:
        (one,) = instances(filled, rule, later, version)
        assert one == ("keepclean-influxdb", "Alerting"), rule["title"]
    assert len({tuple(rule["labels"][name] for name in branch(plant)["group_by"]) for rule in silent}) == 1
    speaking = rules(plant)["zn_rinse1_meter"]
    assert instances(filled, speaking, END, version) == [("", "Normal")]
    for family, rule in every(plant):
        assert len(instances(filled, rule, later, version)) == 1, (family, rule["title"])


def test_every_baseline_target_balance_and_device_has_its_rule(plant: Plant) -> None:
    """Nothing that is watched is left out; identifiers and titles are unique, and Grafana's limits are kept."""
    found = {family: len(of_family) for family, of_family in grouped(plant).items()}
    targeted = [kpi for kpi in plant.kpis.values() if kpi.target is not None]
    by_months = [kpi for kpi in targeted if kpi.by_months()]
    assert len(by_months) == 1
    assert found == {
        "drift": len(plant.baselines),
        # what is known of whole months only has no rule of thirty days
        "target": 2 * len(targeted) - len(by_months),
        "balance": len(plant.balances),
        "silent": len(plant.devices) + 1,
    }
    all_rules = [rule for _, rule in every(plant)]
    assert len({rule["uid"] for rule in all_rules}) == len({rule["title"] for rule in all_rules}) == len(all_rules)
    assert all(len(rule["uid"]) <= 40 and len(rule["title"]) <= 190 for rule in all_rules)


def test_a_query_names_the_site_asks_for_what_stands_and_bounds_the_time(plant: Plant) -> None:
    """Promise 3, and no rule reads another plant's results or the whole history."""
    for _, rule in every(plant):
        for step in rule["data"][:-1]:
            if "query" in step["model"]:
                query = step["model"]["query"]
                assert f'"site"=\'{plant.site.id}\' AND "valid"=1' in query and "$timeFilter" in query
                assert step["relativeTimeRange"]["from"] > 0
        assert rule["data"][-1]["refId"] == rule["condition"]


def test_a_message_says_everything_in_both_languages(plant: Plant) -> None:
    """Where, what, how much, since when, evidence, cause, what to check, by when, which option; and a board's link."""
    boards = {board["uid"] for _, board in every_board(plant)}
    rows = ("where", "what", "size", "since", "evidence", "cause", "check", "respond", "option")
    for _, rule in every(plant):
        notes = rule["annotations"]
        for language, ending in (("en", ""), ("zh", "_zh")):
            words = WORDS["zh" if language == "zh" else "en"]
            said = [line.partition(words["colon"]) for line in notes[f"description{ending}"].splitlines()]
            assert [name for name, _, _ in said] == [words[row] for row in rows]
            assert all(value for _, _, value in said)
            assert notes[f"board{ending}"].removeprefix("{{ externalURL }}d/") in boards
        assert {"site", "scope", "kind", "priority", "group", "route", "managed_by"} == set(rule["labels"])
    drift = rules(plant)["zn_rinse1"]["annotations"]["description"]
    assert plant.baselines["zn_rinse1"].first_check.en in drift
    assert plant.options["rinse_restrictors"].title.en in drift
    assert "within 4 h" in drift


def test_provisioning_files_are_what_grafana_reads(plant: Plant) -> None:
    """Rules, contact points, mute timings and policies as the code has them; a dollar, which Grafana takes for a
    variable in labels and settings, stands in queries only."""
    watched = with_grafana(plant)
    files = generate(watched)
    names = {"contact-points": "contactPoints", "mute-timings": "muteTimes", "policies": "policies"}
    found = {name: yaml.safe_load(files[f"provisioning/alerting/keepclean-{name}.yaml"]) for name in names}
    assert {content["apiVersion"] for content in found.values()} == {1}
    (policy,) = found["policies"]["policies"]
    assert policy["routes"] == [branch(watched)] and policy["receiver"] == DEFAULT_RECEIVER
    timings = found["mute-timings"]["muteTimes"]
    assert [{**timing, "orgId": 1} for timing in mute_timings(watched)] == timings
    receivers = {one["name"]: one["receivers"] for one in found["contact-points"]["contactPoints"]}
    assert set(receivers) == {child["receiver"] for child in branch(watched)["routes"]}
    (receiver,) = receivers[f"keepclean {plant.site.id} night"]
    assert (receiver["type"], receiver["settings"]["url"]) == ("webhook", f"{WEBHOOK}/night")
    assert "description_zh" in receiver["settings"]["message"]
    for group in yaml.load(files["provisioning/alerting/keepclean-rules.yaml"], yaml.CSafeLoader)["groups"]:
        for rule in group["rules"]:
            assert "$" not in json.dumps({key: value for key, value in rule.items() if key != "data"})
    rest = [text for name, text in files.items() if "alerting" in name and "rules" not in name]
    assert not any("$" in text for text in rest)


def week(zone_hours: int = 8) -> list[datetime]:
    """Every quarter hour of a week of the plant, Monday first."""
    first = datetime(2026, 3, 1, 24 - zone_hours, tzinfo=UTC)
    return [first + timedelta(minutes=15 * number) for number in range(7 * 96)]


def test_with_keepclean_as_notifier_grafana_tells_nobody(plant: Plant) -> None:
    """The default: rules show, no contact point is made, and at no time of the week is anybody told."""
    assert contact_points(plant, Path(), with_secrets=True) == []
    assert {rule["labels"]["route"] for _, rule in every(plant)} == {"none"}
    assert asked(plant, rules(plant)["zn_rinse1"]["labels"], *week()) == [[]] * len(week())


def test_with_grafana_as_notifier_the_shift_on_duty_is_told_and_nobody_else(plant: Plant) -> None:
    """At any time exactly one contact point, that of the shift's route; an alert that is not ours goes the old way."""
    watched = with_grafana(plant)
    labels = rules(watched)["zn_rinse1"]["labels"]
    names = ["day" if 6 <= (at.hour + 8) % 24 < 22 else "night" for at in week()]
    assert asked(watched, labels, *week()) == [[f"keepclean {plant.site.id} {name}"] for name in names]
    assert asked(watched, {**labels, "site": "elsewhere"}, week()[0]) == [[DEFAULT_RECEIVER]]


def test_days_without_a_shift_belong_to_the_next_one_as_with_keepclean(plant: Plant) -> None:
    """Work from Monday to Friday on two routes: from Friday's end the weekend is Monday's first shift's."""
    shift = {"title": "S", "days": ["mon", "tue", "wed", "thu", "fri"], "supervisor": "A"}
    shifts = {
        "one": Shift.model_validate({**shift, "from": "08:00", "to": "16:00", "route": "day"}),
        "two": Shift.model_validate({**shift, "from": "16:00", "to": "20:00", "route": "night"}),
    }
    watched = with_grafana(plant.model_copy(update={"shifts": shifts}))
    labels = rules(watched)["zn_rinse1"]["labels"]
    local = [at + timedelta(hours=8) for at in week()]
    names = ["night" if at.weekday() < 5 and 16 <= at.hour < 20 else "day" for at in local]
    assert asked(watched, labels, *week()) == [[f"keepclean {plant.site.id} {name}"] for name in names]


def test_a_plant_without_shifts_tells_its_first_route_round_the_clock(plant: Plant) -> None:
    """No calendar, no mute timing, one contact point."""
    watched = with_grafana(plant.model_copy(update={"shifts": {}}))
    assert mute_timings(watched) == []
    labels = rules(watched)["zn_rinse1"]["labels"]
    assert {
        tuple(names) for names in (told({"receiver": "", "routes": [branch(watched)]}, [], labels, at) for at in week())
    } == {(f"keepclean {plant.site.id} day",)}
    assert len(branch(watched)["routes"]) == 1


@pytest.mark.parametrize("notifier", ["keepclean", "grafana"])
def test_exactly_one_of_the_two_tells(plant: Plant, tmp_path: Path, notifier: str) -> None:
    """A drift in the day shift: keepclean's own notifier and Grafana's policies together send one message, not two."""
    at = datetime(2026, 3, 2, 2, tzinfo=UTC)
    one_log = with_grafana(plant, WEBHOOK)
    assert one_log.alarms is not None
    routes = {name: Route(to=["log"]) for name in one_log.alarms.routes}
    alarms = one_log.alarms.model_copy(
        update={"notify": notifier, **({"routes": routes} if notifier == "keepclean" else {})}
    )
    watched = plant.model_copy(update={"alarms": alarms})
    transition = {
        "alarm": "alarm:zn_rinse1@1",
        "drift": "zn_rinse1@1",
        "scope": "zinc",
        "priority": "low",
        "time": at,
        "from_state": "normal",
        "to_state": "unacknowledged",
        "note": "raised",
        "revision": 1,
    }
    drifts = results(plant)["drift"].head(1)
    own = Notifier(watched, tmp_path, base=tmp_path, now_us=lambda: to_us(at))
    own.submit(pl.DataFrame([transition], schema=ALARMS.schema), drifts.cast(dict(DRIFT.schema)))  # type: ignore[arg-type]
    sent = own.work()
    own.stop()
    labels = rules(watched)["zn_rinse1"]["labels"]
    (by_grafana,) = asked(watched, labels, at)
    assert (sent, len(by_grafana)) == ((1, 0) if notifier == "keepclean" else (0, 1))


def test_what_grafana_cannot_deliver_is_found_by_the_check(plant: Plant, tmp_path: Path) -> None:
    """Promise 8: a route on which nobody would be told, and an address that Grafana does not serve, before anything
    connects and without showing it."""
    path = tmp_path / "plant.yaml"
    (tmp_path / "robot").write_text("dingtalk://signingkey@0123456789abcdef0123456789abcdef/")
    watched = with_grafana(plant, "file:robot")
    assert watched.alarms is not None
    alarms = watched.alarms.model_copy(update={"routes": {**watched.alarms.routes, "night": Route(to=["console"])}})
    faults = [str(fault) for fault in check(watched.model_copy(update={"alarms": alarms}), path, lambda _: 7)]
    assert len(faults) == 2
    assert "'file:robot'" in faults[0] and "route 'night'" in faults[1]
    assert "signingkey" not in "".join(faults) and "0123456789" not in "".join(faults)
    assert check(with_grafana(plant), path, lambda _: 7) == []
    assert check(plant, path, lambda _: 7) == []
