"""`keepclean influx setup`: on a real InfluxDB 1.6, and on a stand-in for InfluxDB 2 that records what it is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from historian.influx.setup import set_up
from monitor.cli import app
from plant.errors import DeviceError
from plant.load import load
from plant.model import Influx as Address
from plant.model import Plant
from tests.dashboards.influx_server import Influx
from tests.historian.influx_two import Two, serving

EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"
KEEP_S = 760 * 86400


def described(url: str, **more: Any) -> Plant:
    """The example with a server."""
    return load(EXAMPLE).model_copy(update={"influx": Address(url=url, bucket="plant", org="works", **more)})


def done(plant: Plant, folder: Path = Path(), **how: Any) -> list[str]:
    """What was done, in the order of the steps."""
    return [step.done for step in set_up(plant, folder, **how)[1]]


@pytest.mark.server
def test_influxdb_1_keeps_minutes_as_described_and_hours_for_ever(influx1: Influx) -> None:
    """Database, policies and queries are made once; a second run changes nothing, a dry run never does."""
    plant = described(influx1.url)
    assert set_up(plant, Path(), dry_run=True)[0].startswith("InfluxDB 1 (1.6")
    assert done(plant, dry_run=True) == ["created"] * 5
    assert ["plant"] not in influx1.query("SHOW DATABASES")[0]["values"]
    assert done(plant) == ["created"] * 5
    assert done(plant) == ["unchanged"] * 5
    policies = {row[0]: (row[1], row[4]) for row in influx1.query('SHOW RETENTION POLICIES ON "plant"')[0]["values"]}
    assert policies == {"keepclean": (f"{KEEP_S // 3600}h0m0s", True), "hourly": ("0s", False)}


@pytest.mark.server
def test_the_hours_of_influxdb_1_are_those_of_the_known_minutes(influx1: Influx) -> None:
    """The continuous query's own SELECT, run by hand: sums of what is known, and hours without anything are marked."""
    plant = described(influx1.url).model_copy(update={"influx": Address(url=influx1.url, bucket="keepclean")})
    set_up(plant, Path())
    hour = 1_772_409_600_000_000_000
    rows = [
        f"facts,site=s,point=p,scope=u amount={amount},coverage=1.0,valid={valid}i {hour + n * 60 * 10**9}"
        for n, (amount, valid) in enumerate([(1.5, 1), (2.5, 1), (100.0, 0)])
    ]
    rows.append(f"facts,site=s,point=p,scope=u amount=7.0,valid=0i {hour + 3600 * 10**9}")
    influx1.write("\n".join(rows))
    queries = [row[1] for series in influx1.query("SHOW CONTINUOUS QUERIES") for row in series.get("values", [])]
    assert len(queries) == 2
    for query in queries:
        select = query.partition(" BEGIN ")[2].removesuffix(" END")
        select = select.replace(" GROUP BY ", f" {'AND' if ' WHERE ' in select else 'WHERE'} time >= {hour} GROUP BY ")
        influx1.query(select, "POST")
    (series,) = influx1.query('SELECT "amount", "valid", "point" FROM "hourly"."facts"')
    assert [row[1:] for row in series["values"]] == [[4.0, 1, "p"], [None, 0, "p"]]


@pytest.mark.server
def test_nothing_is_made_shorter(influx1: Influx) -> None:
    """A policy that keeps longer is left alone and told; one that keeps less is extended, which deletes nothing."""
    plant = described(influx1.url)
    influx1.query('CREATE DATABASE "plant"', "POST")
    found = set_up(plant, Path())[1]
    assert [step.done for step in found] == ["unchanged", "left alone", "created", "created", "created"]
    assert "for ever" in found[1].why
    influx1.query('ALTER RETENTION POLICY "autogen" ON "plant" DURATION 30d', "POST")
    influx1.query('ALTER RETENTION POLICY "autogen" ON "plant" SHARD DURATION 1h', "POST")
    assert done(plant) == ["unchanged", "changed", "unchanged", "unchanged", "unchanged"]
    shards = {row[0]: row[2] for row in influx1.query('SHOW RETENTION POLICIES ON "plant"')[0]["values"]}
    assert shards == {"autogen": "168h0m0s", "hourly": "168h0m0s"}, "hourly shards for two years are 18,000"
    assert done(plant) == ["unchanged"] * 5


@pytest.fixture
def two() -> Iterator[tuple[str, Two]]:
    """The stand-in for InfluxDB 2 on loopback."""
    with serving() as (url, state):
        yield url, state


@pytest.mark.server
def test_influxdb_2_gets_buckets_a_task_and_mappings(
    tmp_path: Path, two: tuple[str, Two], caplog: pytest.LogCaptureFixture
) -> None:
    """What is missing is made, with the description's retention; a second run makes no call; the token is not told."""
    url, state = two
    (tmp_path / "token").write_text("top-secret\n", encoding="utf-8")
    caplog.set_level("DEBUG")
    plant = described(url, token_file="token")
    assert done(plant, tmp_path, dry_run=True) == ["created"] * 5
    assert state.calls == []
    server, steps = set_up(plant, tmp_path)
    assert server == "InfluxDB 2 (2.7.12)"
    assert [step.done for step in steps] == ["created"] * 5
    assert [(verb, kind) for verb, kind, _ in state.calls] == [
        ("POST", "buckets"),
        ("POST", "buckets"),
        ("POST", "tasks"),
        ("POST", "dbrps"),
        ("POST", "dbrps"),
    ]
    assert {row["name"]: row["retentionRules"] for row in state.buckets} == {
        "plant": [{"type": "expire", "everySeconds": KEEP_S, "shardGroupDurationSeconds": 7 * 86400}],
        "plant_hourly": [{"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": 7 * 86400}],
    }
    ids = {row["name"]: row["id"] for row in state.buckets}
    assert [(row["database"], row["retention_policy"], row["default"], row["bucketID"]) for row in state.dbrps] == [
        ("plant", "autogen", True, ids["plant"]),
        ("plant", "hourly", False, ids["plant_hourly"]),
    ]
    assert state.default("plant") == ids["plant"]
    calls = len(state.calls)
    assert done(plant, tmp_path) == ["unchanged"] * 5
    assert len(state.calls) == calls
    assert state.tokens == {"Token top-secret"}
    assert "top-secret" not in caplog.text


@pytest.mark.server
def test_queries_that_name_no_policy_find_the_minutes(two: tuple[str, Two]) -> None:
    """Boards ask for the database alone: the hours must not become its default, as they do when mapped by themselves.

    So a bucket that was there before, which the server maps by itself, is mapped all the same; and where an earlier
    set-up left the hours as the default, the next one mends it.
    """
    url, state = two
    rule = {"type": "expire", "everySeconds": KEEP_S}
    state.buckets = [{"id": "b1", "orgID": "0f", "name": "plant", "retentionRules": [rule]}]
    assert done(described(url)) == ["unchanged"] + ["created"] * 4
    assert state.default("plant") == "b1"
    minutes, hours = state.dbrps
    minutes["default"], hours["default"] = False, True
    assert state.default("plant") == hours["bucketID"]
    assert done(described(url), dry_run=True) == ["unchanged"] * 3 + ["changed", "unchanged"]
    assert state.default("plant") == hours["bucketID"]
    hours["default"] = False
    state.dbrps = [hours, minutes]
    assert done(described(url)) == ["unchanged"] * 3 + ["changed", "unchanged"]
    assert state.default("plant") == "b1"
    assert done(described(url)) == ["unchanged"] * 5


@pytest.mark.server
def test_what_is_there_is_respected(two: tuple[str, Two]) -> None:
    """A longer bucket and a mapping elsewhere are left alone, a shorter one is extended, an old task is replaced."""
    url, state = two
    rule = {"type": "expire", "everySeconds": 86400, "shardGroupDurationSeconds": 3600}
    state.buckets = [{"id": "b1", "orgID": "0f", "name": "plant", "retentionRules": [rule]}]
    state.tasks = [
        {"id": "d1", "orgID": "0f", "name": "keepclean plant_hourly", "flux": "old", "status": "active", "every": "1d"}
    ]
    state.dbrps = [
        {
            "id": "c1",
            "orgID": "0f",
            "bucketID": "ee",
            "database": "plant",
            "retention_policy": "autogen",
            "default": True,
        }
    ]
    assert done(described(url)) == ["changed", "created", "changed", "left alone", "created"]
    longer = {"type": "expire", "everySeconds": KEEP_S, "shardGroupDurationSeconds": 7 * 86400}
    assert state.buckets[0]["retentionRules"] == [longer]
    assert '\noption task = {name: "keepclean plant_hourly", every: 1h,' in state.tasks[0]["flux"]
    state.buckets[0]["retentionRules"] = []
    assert done(described(url)) == ["left alone", "unchanged", "unchanged", "left alone", "unchanged"]


@pytest.mark.server
def test_others_are_told_what_they_need(victoria: str, two: tuple[str, Two]) -> None:
    """VictoriaMetrics and InfluxDB 3 are recognised and left as they are; what refuses is an error without a secret."""
    server, (step,) = set_up(described(victoria), Path())
    assert (server, step.done) == ("VictoriaMetrics", "left alone")
    assert "-retentionPeriod=760d" in step.what
    url, state = two
    state.version = "3.1.0"
    server, (step,) = set_up(described(url), Path())
    assert (server, step.done) == ("InfluxDB 3 (3.1.0)", "left alone")
    state.version, state.status = "v2.7.12", 401
    with pytest.raises(DeviceError, match="401: unauthorized access"):
        set_up(described(url), Path())
    state.status, state.orgs = 200, []
    with pytest.raises(DeviceError, match="cannot find organization"):
        set_up(described(url), Path())
    state.version = ""
    with pytest.raises(DeviceError, match="does not say what it is"):
        set_up(described(url), Path())
    assert state.calls == []


@pytest.mark.server
def test_the_command_says_what_it_did(tmp_path: Path, two: tuple[str, Two]) -> None:
    """`keepclean influx setup PLANT --dry-run`, and without a server in the description."""
    url, state = two
    text = EXAMPLE.read_text(encoding="utf-8")
    shutil.copytree(EXAMPLE.parent, tmp_path, dirs_exist_ok=True)
    plant = tmp_path / "plant.yaml"
    answer = CliRunner().invoke(app, ["influx", "setup", str(plant)])
    assert answer.exit_code == 1
    (tmp_path / "token").write_text("top-secret\n", encoding="utf-8")
    plant.write_text(
        f"{text}\ninflux: {{url: '{url}', bucket: plant, org: works, token_file: token}}\n", encoding="utf-8"
    )
    answer = CliRunner().invoke(app, ["influx", "setup", str(plant), "--dry-run"])
    assert answer.exit_code == 0, answer.output
    assert "InfluxDB 2 (2.7.12), nothing is changed" in answer.output
    assert "created: bucket plant: 760 d" in answer.output
    assert "top-secret" not in answer.output
    assert state.calls == []
