"""A real InfluxDB 1.6 on loopback, filled by the outbox, and queries as Grafana would send them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from dashboards.frame import DEFAULT_WINDOW
from historian.influx.client import ServerError
from historian.influx.described import described_lines
from historian.influx.line_protocol import is_line, lines
from plant.model import Plant

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=3)
START_WITHIN_S = 20.0
BATCH_ROWS = 5_000


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


@contextmanager
def running(binary: str, folder: Path) -> Iterator[Influx]:
    """A server of its own on a free port, its files in `folder`, with an empty database; ended afterwards."""
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
        deadline = time.monotonic() + START_WITHIN_S
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


def fill(influx: Influx, plant: Plant, tables: dict[str, pl.DataFrame]) -> None:
    """Sends what is described and rows of tables as the outbox would: the same lines, byte for byte, each taken."""
    influx.write("\n".join(described_lines(plant)))
    for name, frame in tables.items():
        written = lines(name, frame, plant)
        assert is_line(written).all()
        for start in range(0, len(written), BATCH_ROWS):
            influx.write("\n".join(written[start : start + BATCH_ROWS]))


def as_grafana_sends_it(query: str, start: datetime = START, end: datetime = END, **chosen: str) -> str:
    """The query with Grafana's variables filled in over `start` to `end`; `chosen` adds or replaces values."""
    first, last = (int(moment.timestamp() * 1000) for moment in (start, end))
    variables = {"window": DEFAULT_WINDOW, "unit": ".*", "site": "haining-plating", "product": ".*", "shift": ".*"}
    values = {
        "$timeFilter": f"time >= {first}ms and time <= {last}ms",
        "$__interval": "1h",
        "$__interval_ms": "3600000",
        "${__from}": str(first),
        "${__to}": str(last),
        "now()": f"{last}ms",
    } | {f"${name}": value for name, value in (variables | chosen).items()}
    for name in sorted(values, key=len, reverse=True):
        query = query.replace(name, values[name])
    assert "$" not in query.replace("$/", ""), query
    return query
