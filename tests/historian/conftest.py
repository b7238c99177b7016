"""What the tests of the outbox share: real time-series servers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboards.influx_server import Influx, running


@pytest.fixture
def influx1(tmp_path: Path) -> Iterator[Influx]:
    """A real InfluxDB 1.6 on loopback, with an empty database."""
    binary = shutil.which("influxd")
    if binary is None:
        pytest.skip("influxd (InfluxDB 1.6) is not installed")
    folder = tmp_path / "influxd"
    folder.mkdir()
    with running(binary, folder) as server:
        yield server


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[str]:
    """A real VictoriaMetrics on loopback."""
    binary = shutil.which("victoria-metrics")
    if binary is None:
        pytest.skip("victoria-metrics is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [binary, f"-httpListenAddr={url}", f"-storageDataPath={tmp_path / 'vm'}", "-retentionPeriod=100y"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://{url}/health", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "victoria-metrics did not start"
                time.sleep(0.05)
        yield f"http://{url}"
    finally:
        process.terminate()
        process.wait(10)
