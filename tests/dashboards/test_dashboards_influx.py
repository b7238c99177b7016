"""Every query of the board against a real InfluxDB 1.6, filled with the outbox's own lines."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboards.board import DEFAULT_WINDOW, overview
from historian.influx import ServerError
from historian.outbox import Outbox
from historian.tables import TABLES
from plant.load import load
from plant.model import Plant

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=3)
EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"


class Influx:
    """An InfluxDB 1.6 on loopback."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, text: str, verb: str = "GET") -> list[dict[str, Any]]:
        """The series of one InfluxQL statement; an error is raised."""
        parameters = urllib.parse.urlencode({"q": text, "db": "keepclean", "epoch": "ms"})
        request = urllib.request.Request(f"{self.url}/query?{parameters}", method=verb)
        with urllib.request.urlopen(request, timeout=10) as answer:
            (result,) = json.load(answer)["results"]
        assert "error" not in result, (text, result["error"])
        return result.get("series", [])  # type: ignore[no-any-return]

    def write(self, lines: str) -> None:
        """Writes line protocol with nanosecond times."""
        request = urllib.request.Request(f"{self.url}/write?db=keepclean", lines.encode(), method="POST")
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            raise ServerError(error.read().decode(), error.code) from error


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """A real InfluxDB, with an empty database."""
    binary = shutil.which("influxd")
    if binary is None:
        pytest.skip("influxd (InfluxDB 1.6) is not installed")
    folder = tmp_path_factory.mktemp("influx")
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    settings = {
        "META_DIR": str(folder / "meta"),
        "DATA_DIR": str(folder / "data"),
        "DATA_WAL_DIR": str(folder / "wal"),
        "HTTP_BIND_ADDRESS": f"127.0.0.1:{ports[0]}",
        "BIND_ADDRESS": f"127.0.0.1:{ports[1]}",
        "REPORTING_DISABLED": "true",
        "MONITOR_STORE_ENABLED": "false",
    }
    (folder / "influxdb.conf").write_text("", encoding="utf-8")
    process = subprocess.Popen(
        [binary, "-config", str(folder / "influxdb.conf")],
        env={**os.environ, **{f"INFLUXDB_{name}": value for name, value in settings.items()}},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Influx(f"http://127.0.0.1:{ports[0]}")
        deadline = time.monotonic() + 20
        while True:
            try:
                server.query('CREATE DATABASE "keepclean"', "POST")
                break
            except OSError:
                assert time.monotonic() < deadline, "influxd did not start"
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def results(plant: Plant) -> dict[str, pl.DataFrame]:
    """KPI rows of each KPI for three days, a third of them unknown, and two drifts, one cleared."""
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
    return {
        "kpi": pl.DataFrame(kpi_rows, schema=TABLES["kpi"].schema).sort("revision"),
        "drift": pl.DataFrame(drift_rows, schema=TABLES["drift"].schema),
    }


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The electroplating example."""
    return load(EXAMPLE)


@pytest.fixture(scope="module")
def filled(influx: Influx, plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Influx:
    """The server with results, sent by the outbox."""
    tables = results(plant)

    def source(table: str, after: int, limit: int) -> pl.DataFrame:
        return tables.get(table, TABLES[table].empty()).filter(pl.col("revision") > after).head(limit)

    done = Outbox(plant, tmp_path_factory.mktemp("outbox"), source, influx.write).drain()
    assert (done.sent, done.aside, done.error) == (sum(map(len, tables.values())), 0, "")
    return influx


def as_grafana_sends_it(query: str) -> str:
    """The query with Grafana's variables filled in."""
    first, last = (int(moment.timestamp() * 1000) for moment in (START, END))
    values = {
        "$timeFilter": f"time >= {first}ms and time <= {last}ms",
        "$__interval": "1h",
        "$window": DEFAULT_WINDOW,
        "$scope": ".*",
        "${__from}": str(first),
        "${__to}": str(last),
    }
    for name, value in values.items():
        query = query.replace(name, value)
    assert "$" not in query.replace("$/", ""), query
    return query


@pytest.mark.server
def test_every_query_of_the_board_gives_rows(filled: Influx, plant: Plant) -> None:
    """No panel stays empty for a wrong name, quote or column."""
    board = overview(plant)
    found = [one for panel in board["panels"] for one in (panel, *panel.get("panels", []))]
    queries = [(panel["title"], target["query"]) for panel in found for target in panel.get("targets", [])]
    queries += [(annotation["name"], annotation["query"]) for annotation in board["annotations"]["list"]]
    for title, query in queries:
        series = filled.query(as_grafana_sends_it(query))
        values = [value for one in series for row in one["values"] for value in row[1:]]
        assert any(value is not None for value in values), (title, query)


@pytest.mark.server
def test_an_unknown_result_is_a_gap(filled: Influx, plant: Plant) -> None:
    """Promise 3: hours whose value is unknown come back as null from the course, never as the value before or 0."""
    panel = next(
        one for panel in overview(plant)["panels"] for one in panel.get("panels", []) if one["type"] == "timeseries"
    )
    (series,) = filled.query(as_grafana_sends_it(panel["targets"][0]["query"]))
    first = int(START.timestamp() * 1000)
    by_hour = {(stamp - first) // 3_600_000: value for stamp, value in series["values"]}
    assert all(by_hour[hour] is None for hour in range(3, 72, 3))
    assert all(by_hour[hour] == pytest.approx(1 + hour / 100) for hour in range(1, 72) if hour % 3)


@pytest.mark.server
def test_only_open_drifts_count_and_a_withdrawn_one_goes(filled: Influx, plant: Plant, tmp_path: Path) -> None:
    """The cost tile holds the open drifts; one taken back by a correction leaves board and cost, its row stays."""
    titles = {panel["title"]: panel for panel in overview(plant)["panels"]}

    def figure(title: str) -> float:
        (series,) = filled.query(as_grafana_sends_it(titles[title]["targets"][0]["query"]))
        return float(series["values"][0][1])

    still_open = len(plant.baselines) - 1
    assert figure("Open drifts") == still_open
    assert figure("Cost of open drifts a day") == 100.0 * still_open
    drifts = results(plant)["drift"].filter(pl.col("kpi") == "compressor")
    withdrawn = drifts.with_columns(pl.lit("withdrawn").alias("state"), pl.lit(50, pl.Int64).alias("revision"))
    frames = {"drift": withdrawn}
    box = Outbox(plant, tmp_path, lambda t, a, n: frames.pop(t, TABLES[t].empty()), filled.write)
    assert box.drain().sent == 1
    assert figure("Open drifts") == still_open - 1
    assert figure("Cost of open drifts a day") == 100.0 * (still_open - 1)
    (series,) = filled.query('SELECT "state" FROM "drift" WHERE "kpi"=\'compressor\'')
    assert [row[1] for row in series["values"]] == ["withdrawn"]
