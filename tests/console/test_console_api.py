"""The console's routes for programs, and the address that it listens on."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest
from fake_frames import NOW
from fake_plant import context
from fastapi import FastAPI
from fastapi.testclient import TestClient

from console.api import router
from console.app import listen
from historian.tables import TABLES
from plant.clock import to_datetime
from plant.errors import KeepcleanError, StorageError
from plant.reading import DAY, HOUR


@pytest.fixture(scope="module")
def client() -> TestClient:
    """The routes alone, on made-up data."""
    application = FastAPI()
    application.include_router(router(context(None, lambda body: None)))
    return TestClient(application)


def times(start: int, end: int) -> dict[str, str]:
    """The query of a span."""
    return {"from": to_datetime(start).isoformat(), "to": to_datetime(end).isoformat()}


def test_health_says_where_the_pipeline_is(client: TestClient) -> None:
    """200 and the positions."""
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok" and answer.json()["backlog"] == 3


def test_health_fails_when_results_cannot_be_read() -> None:
    """503 with the reason, so that a supervisor can act."""

    class Broken:
        def table(self, *_: object) -> pl.DataFrame:
            raise StorageError("historian.sqlite: damaged")

    application = FastAPI()
    application.include_router(router(replace(context(None, lambda body: None), history=Broken())))  # type: ignore[arg-type]
    answer = TestClient(application).get("/healthz")
    assert answer.status_code == 503 and "damaged" in answer.json()["reasons"][0]


@pytest.mark.parametrize("name", list(TABLES))
def test_the_three_formats_hold_the_same_rows(client: TestClient, name: str) -> None:
    """CSV, JSON and Parquet of a span of three days across midnights; columns as the tables have them."""
    query = {"table": name, **times(NOW - 3 * DAY, NOW + HOUR)}
    parquet = pl.read_parquet(io.BytesIO(client.get("/api/export", params={**query, "format": "parquet"}).content))
    rows = json.loads(client.get("/api/export", params={**query, "format": "json"}).content)
    csv = pl.read_csv(client.get("/api/export", params=query).content, infer_schema=False)
    assert dict(parquet.schema) == dict(TABLES[name].schema)
    assert parquet.height == len(rows) == csv.height > 0
    assert csv.columns == parquet.columns
    day = TABLES[name].day
    first = datetime.fromisoformat(csv[day][0])
    assert first == parquet[day][0] == datetime.fromisoformat(rows[0][day])


def test_rows_are_neither_doubled_nor_lost_between_days(client: TestClient) -> None:
    """The span is half open, day by day."""
    answer = client.get("/api/export", params={"table": "blocks", **times(NOW - 2 * DAY, NOW), "format": "json"})
    whole = {(row["baseline"], row["start"]) for row in answer.json()}
    assert len(whole) == len(answer.json()) == 48 * len({name for name, _ in whole})


def test_a_time_without_zone_is_the_plant_s(client: TestClient) -> None:
    """Midnight is midnight in the plant."""
    query = {"table": "blocks", "from": "2026-04-05", "to": "2026-04-05T01:00", "format": "json"}
    ends = {row["end"] for row in client.get("/api/export", params=query).json()}
    assert ends == {"2026-04-04T16:00:00.000000Z"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"table": "nothing", "from": "2026-04-05"}, 404),
        ({"table": "kpi"}, 422),
        ({"table": "kpi", "from": "yesterday"}, 422),
        ({"table": "kpi", "from": "2026-04-05", "to": "2026-04-01"}, 422),
        ({"table": "kpi", "from": "2026-04-05", "format": "xml"}, 422),
    ],
)
def test_a_wrong_question_is_refused(client: TestClient, query: dict[str, str], code: int) -> None:
    """With a status that says whose fault it is."""
    assert client.get("/api/export", params=query).status_code == code


def test_other_machines_cannot_reach_the_console() -> None:
    """It has no accounts yet: only the loopback address."""
    for host in ("0.0.0.0", "192.168.1.5", "::"):
        with pytest.raises(KeepcleanError, match="no accounts"):
            listen(host, 0)


def test_a_busy_port_takes_the_next() -> None:
    """And the socket says which."""
    first = listen("127.0.0.1", 0)
    taken = first.getsockname()[1]
    second = listen("127.0.0.1", taken)
    assert taken < second.getsockname()[1] <= taken + 19
    first.close()
    second.close()
