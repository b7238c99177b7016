"""Results reach InfluxDB when the description names one: the serve process's own thread, against a stand-in server."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console
from test_monitor_steel import STEEL, look_alike

from historian.reader import Reader
from monitor.clock_file import ClockFile, write_clock
from monitor.describe import describe
from monitor.replay import replay
from monitor.serve import Forwarder, Pipeline
from plant.clock import PlantClock

pytestmark = pytest.mark.server


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A stand-in for /api/v2/write that keeps the lines."""
    lines: list[str] = []

    class Write(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            lines.extend(body.decode().splitlines())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Write)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}", lines
    httpd.shutdown()


def test_every_stored_result_reaches_the_server_once(server: tuple[str, list[str]], tmp_path: Path) -> None:
    """What the historian holds of facts, KPIs and readings is what the server was sent, no more and no less.

    Readings, asked for by the description, wait through the start of serve after a replay.
    """
    url, lines = server
    plant = tmp_path / "plant.yaml"
    plant.write_text(
        STEEL.read_text() + f"\ninflux: {{url: '{url}', bucket: keepclean, readings: true, catch_up: 500000}}\n"
    )
    look_alike(tmp_path / "steel.csv")
    span = (date(2018, 1, 1), date(2018, 1, 31))
    found = describe(plant)
    replay(found, [tmp_path / "steel.csv"], tmp_path / "data", span, Console(quiet=True))
    reader = Reader(tmp_path / "data")
    wanted = len(reader.table("facts", columns=["coverage"])) + len(reader.table("kpi", columns=["coverage"]))
    wanted += (readings := len(reader.table("readings", columns=["value"])))
    assert readings > 20_000
    write_clock(tmp_path / "clock.json", PlantClock.real())
    pipeline = Pipeline(found, tmp_path / "data", ClockFile(tmp_path / "clock.json"), None, threading.Event())
    pipeline.start()
    pipeline.stopping.set()
    pipeline.join(timeout=10)
    assert not pipeline.failed
    forwarder = Forwarder(found, tmp_path / "data")
    forwarder.start()
    try:
        end = time.monotonic() + 60
        while (
            sum(line.startswith(("facts,", "kpi,", "readings,")) for line in lines) < wanted and time.monotonic() < end
        ):
            time.sleep(0.1)
    finally:
        forwarder.stopping.set()
        forwarder.join(timeout=10)
    sent = [line for line in lines if line.startswith(("facts,", "kpi,", "readings,"))]
    assert len(sent) == wanted
    assert sum(line.startswith("readings,") for line in sent) == readings
    assert len({line.rsplit(" ", 2)[0] + line.rsplit(" ", 1)[1] for line in sent}) == wanted
