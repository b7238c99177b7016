"""The outbox's own lines on real servers, and what a server may answer, over real sockets."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from historian.influx import outbox, sending
from historian.influx.client import influx_writer
from historian.influx.outbox import Outbox
from historian.tables import TABLES
from plant.load import load
from plant.model import Influx as Address
from plant.model import Plant
from tests.dashboards.influx_server import Influx

EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"
START = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 30


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The electroplating example."""
    return load(EXAMPLE)


class Rows:
    """Tables as the outbox asks for them."""

    def __init__(self, tables: dict[str, pl.DataFrame]) -> None:
        self.tables = tables

    def head(self, key: str) -> int:
        """Everything is whole."""
        return 2**62

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """Rows after a revision."""
        frame = self.tables.get(name, TABLES[name].empty())
        return frame.filter(pl.col("revision") > revision).sort("revision").head(limit)

    def part(self, name: str, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
        """A large revision at once."""
        return self.tables[name].filter(pl.col("revision") == revision), None


def frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows in a table's schema."""
    return pl.DataFrame(rows, schema=TABLES[table].schema)


def everything() -> dict[str, pl.DataFrame]:
    """A day and more of every table; the facts of three hours, known at first, have become unknown."""
    hours = [START + timedelta(hours=hour) for hour in range(HOURS)]
    water = {"point": "city_water", "unit": "m3", "coverage": 1.0, "quality": "good", "estimated": 0.0}
    known = [
        {**water, "minute": hour, "amount": 0.1 * number, "mean": 6.0, "revision": number + 1}
        for number, hour in enumerate(hours)
    ]
    unknown = [
        {**water, "minute": hour, "coverage": 0.0, "quality": "bad", "revision": 1000 + number}
        for number, hour in enumerate(hours[5:8])
    ]
    scope = {"scope": "site", "unit": "m3"}
    kpi = {**scope, "kpi": "city_water", "product": "", "window": "1h", "quality": "good", "settled": True}
    drift = {**scope, "kpi": "city_water", "drift": 'd, "1" = a\\b', "found": START, "state": "open"}
    alarm = {"alarm": "a", "scope": "site", "priority": "high", "to_state": "open", "shift": "早 班"}
    return {
        "facts": frame("facts", known + unknown),
        "kpi": frame(
            "kpi", [{**kpi, "start": one, "end": one, "value": 1 / 3, "revision": n} for n, one in enumerate(hours, 1)]
        ),
        "blocks": frame(
            "blocks",
            [
                {**scope, "baseline": "b", "start": one, "end": one, "residual": -1e-9, "revision": n}
                for n, one in enumerate(hours, 1)
            ],
        ),
        "drift": frame("drift", [{**drift, "onset": START, "size_per_hour": 0.6, "revision": 1}]),
        "alarms": frame("alarms", [{**alarm, "time": one, "revision": n} for n, one in enumerate(hours, 1)]),
        "notices": frame(
            "notices",
            [
                {
                    "point": "city_water",
                    "start": START,
                    "end": START,
                    "finding": "flat",
                    "evidence": "1 h",
                    "revision": 1,
                }
            ],
        ),
    }


POINTS = 4 * HOURS + 2


@pytest.mark.server
def test_influxdb_1_takes_the_lines_byte_for_byte(tmp_path: Path, plant: Plant, influx1: Influx) -> None:
    """Promise 3: each point is there once; a value that became unknown is gone for every query that asks valid=1."""
    assert Outbox(plant, tmp_path, Rows(everything()), influx1.write).drain().sent == POINTS + 3
    for table in everything():
        (series,) = influx1.query(f'SELECT count("valid") FROM "{table}"')
        assert series["values"][0][1] == (1 if table in ("drift", "notices") else HOURS)
    (series,) = influx1.query('SELECT "amount" FROM "facts" WHERE "site"=\'haining-plating\' AND "valid"=1')
    first = int(START.timestamp() * 1000)
    found = {(stamp - first) // 3_600_000: value for stamp, value in series["values"]}
    assert found == {hour: pytest.approx(0.1 * hour, rel=1e-15) for hour in range(HOURS) if hour not in (5, 6, 7)}
    (series,) = influx1.query('SELECT "drift" FROM "drift"')
    assert series["values"][0][1] == 'd, "1" = a\\b'
    assert influx1.query('SHOW TAG VALUES FROM "alarms" WITH KEY = "shift"')[0]["values"] == [["shift", "早 班"]]
    again = Outbox(plant, tmp_path / "again", Rows(everything()), influx1.write)
    assert again.drain().sent == POINTS + 3
    (series,) = influx1.query('SELECT count("valid") FROM "facts"')
    assert series["values"][0][1] == HOURS


@pytest.mark.server
def test_victoria_metrics_gives_back_what_was_written(tmp_path: Path, plant: Plant, victoria: str) -> None:
    """The same set through /api/v2/write: counted and compared by /api/v1/export; an overwrite is the later value."""
    writer = influx_writer(Address(url=victoria, bucket="plant"))
    assert Outbox(plant, tmp_path, Rows(everything()), writer).drain().sent == POINTS + 3
    urllib.request.urlopen(f"{victoria}/internal/force_flush").close()

    def export(name: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{victoria}/api/v1/export?match[]={name}&start=1700000000") as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    counted = {
        table: {*(stamp for one in export(f"{table}_valid") for stamp in one["timestamps"])} for table in everything()
    }
    assert {table: len(times) for table, times in counted.items()} == {
        table: 1 if table in ("drift", "notices") else HOURS for table in everything()
    }
    (series,) = export("facts_amount")
    assert series["metric"] == {
        "__name__": "facts_amount",
        "site": "haining-plating",
        "point": "city_water",
        "scope": "site",
    }
    assert series["timestamps"] == [int((START + timedelta(hours=hour)).timestamp() * 1000) for hour in range(HOURS)]
    assert series["values"] == pytest.approx([0.1 * hour for hour in range(HOURS)], rel=1e-15)
    (series,) = export("kpi_value")
    assert series["values"] == pytest.approx([1 / 3] * HOURS, rel=1e-15)


@dataclass
class Answers:
    """What the stand-in says to the requests that come, in turn, and then 204; what it has stored and was asked."""

    script: list[Any] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def take(self, lines: list[str]) -> None:
        """Stores lines by series and time."""
        for line in lines:
            self.stored[f"{line.partition(' ')[0]} {line.rpartition(' ')[2]}"] = line


@pytest.fixture
def stand_in() -> Iterator[tuple[str, Answers]]:
    """A server that takes points, or answers by script: a status, headers and how many lines it takes; or hangs up."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            lines = self.rfile.read(int(self.headers["Content-Length"])).decode().split("\n")
            answers.asked += 1
            status, headers, taken = answers.script.pop(0) if answers.script else (204, {}, len(lines))
            answers.take(lines[:taken])
            if not status:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()


FAILURES = [
    ([(503, {}, 0)], 1.0, 0),
    ([(429, {"Retry-After": "17"}, 0)], 17.0, 0),
    ([(0, {}, 0)], 1.0, 0),
    ([(0, {}, 7)], 1.0, 0),
    ([(204, {}, 10), (500, {}, 3)], 1.0, 10),
]


@pytest.mark.server
@pytest.mark.parametrize(("script", "pause", "before"), FAILURES)
def test_a_failure_on_the_wire_loses_nothing(
    tmp_path: Path,
    stand_in: tuple[str, Answers],
    plant: Plant,
    monkeypatch: pytest.MonkeyPatch,
    script: list[Any],
    pause: float,
    before: int,
) -> None:
    """503, 429 with Retry-After, a cut connection before and after lines were taken: each row arrives, once."""
    monkeypatch.setattr(sending, "BATCH_ROWS", 10)
    url, answers = stand_in
    answers.script = list(script)
    now = [0.0]
    rows = Rows({"facts": everything()["facts"].head(HOURS)})
    monkeypatch.setattr(outbox, "described_lines", lambda plant: [])
    box = Outbox(plant, tmp_path, rows, influx_writer(Address(url=url, bucket="plant")), lambda: now[0])
    done = box.drain()
    assert done.error
    assert done.sent == 0 or before
    asked = answers.asked
    now[0] = pause - 0.1
    assert box.drain().sent == 0
    assert answers.asked == asked
    now[0] = pause + 0.1
    box.drain()
    assert len(answers.stored) == HOURS
    assert box.cursor("facts") == HOURS
    assert box.set_aside() == []


@pytest.mark.server
@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_line_is_found_over_the_wire(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand_in: tuple[str, Answers], plant: Plant, status: int
) -> None:
    """400 stores nothing of a batch, 422 its good lines: the bad one is found and set aside, the others are there."""
    url, answers = stand_in

    frame = everything()["facts"].head(16)
    bad = 11
    # halves of 16, 8, 4, 2, 1 rows: those with row 11 in them are refused
    halves = [(0, 16), (0, 8), (8, 16), (8, 12), (8, 10), (10, 12), (10, 11), (11, 12), (12, 16)]
    answers.script = [
        (status, {}, (last - first) if status == 422 and first != bad else 0) if first <= bad < last else (204, {}, 16)
        for first, last in halves
    ]
    monkeypatch.setattr(outbox, "described_lines", lambda plant: [])
    box = Outbox(plant, tmp_path, Rows({"facts": frame}), influx_writer(Address(url=url, bucket="plant")))
    done = box.drain()
    assert (done.sent, done.aside, done.error) == (15, 1, "")
    (refused,) = [line for _, line, _ in box.set_aside()]
    stamp = refused.rpartition(" ")[2]
    assert stamp == str(int((START + timedelta(hours=bad)).timestamp()) * 10**9)
    assert len({*answers.stored} - {key for key in answers.stored if key.endswith(stamp)}) == 15
