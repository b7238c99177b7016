"""Sending results to a time-series server: the outbox from the store on, beside a bare loop with ready-made lines.

A VictoriaMetrics of its own (an InfluxDB v2 write address) takes both, in turn, in the same run.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

from historian.influx.client import TIMEOUT_MS, influx_writer
from historian.influx.line_protocol import lines
from historian.influx.outbox import PACE, Outbox
from historian.influx.sending import BATCH_ROWS
from historian.reader import Reader
from historian.store import Historian
from historian.tables import FACTS
from plant.model import Influx, Plant

START = datetime(2026, 3, 2, tzinfo=UTC)
PLANT = Plant.model_validate(
    {
        "format": "keepclean/1",
        "site": {"id": "works", "name": "Works", "time_zone": "Asia/Shanghai"},
        "audit": {"name": "Audit", "period": ["2025-07-01", "2026-06-30"], "baseline_year": 2024},
        "devices": {},
        "points": {},
    }
)


@contextmanager
def victoria(folder: Path) -> Iterator[str]:
    """A VictoriaMetrics on loopback, its data in `folder`; its address."""
    binary = shutil.which("victoria-metrics")
    if binary is None:
        raise SystemExit("victoria-metrics is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [binary, f"-httpListenAddr={address}", f"-storageDataPath={folder}", "-retentionPeriod=100y"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def fill(folder: Path, points: int, minutes: int) -> pl.DataFrame:
    """A store with a minute's facts a revision, as a plant writes them; the facts."""
    grid = pl.DataFrame({"point": [f"meter_{number:04d}_energy" for number in range(points)]})
    steps = pl.DataFrame({"revision": range(1, minutes + 1)}, schema={"revision": pl.Int64})
    amount = (pl.col("revision") * 7919 % 1000 + pl.int_range(pl.len()) % 97) / 997
    columns = {
        "minute": pl.lit(START) + pl.duration(minutes=pl.col("revision")),
        "amount": amount,
        "mean": amount * 60,
        "min": amount * 59,
        "max": amount * 61,
        "last": amount + 1e6,
        "unit": pl.lit("kWh"),
        "coverage": pl.lit(1.0),
        "estimated": pl.lit(0.0),
        "quality": pl.lit("good"),
    }
    facts = steps.join(grid, how="cross").with_columns(**columns).select(FACTS.schema.keys())
    facts = facts.cast(FACTS.schema)  # type: ignore[arg-type]
    historian = Historian(folder)
    settled = int(START.timestamp() * 1e6)
    for first in range(0, minutes, 10):
        part = facts.slice(first * points, 10 * points)
        historian.commit({"facts": part}, [], min(first + 10, minutes), settled)
    historian.close()
    return facts


def measure(points: int, minutes: int, rounds: int) -> dict[str, Any]:
    """Lines a second of both, medians of rounds of both, and how long a backlog takes at the default pace.

    Each is first in every other round: the server is still busy with what came before.
    """
    per_s: dict[str, list[float]] = {"ours": [], "bare": []}
    with tempfile.TemporaryDirectory() as name, victoria(Path(name) / "server") as url:
        facts = fill(Path(name) / "data", points, minutes)
        ready = lines("facts", facts, PLANT)
        requests = ["\n".join(ready[at : at + BATCH_ROWS]) for at in range(0, len(ready), BATCH_ROWS)]
        for number in range(rounds):
            for which in ("bare", "ours") if number % 2 else ("ours", "bare"):
                if which == "bare":
                    seconds = _bare(url, requests)
                else:
                    seconds = _ours(url, Path(name) / "data", Path(name) / f"outbox {number}", len(facts))
                per_s[which].append(len(facts) / seconds)
    ours, bare = per_s["ours"], per_s["bare"]
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return {
        "lines": len(facts),
        "ours_per_s": round(median(ours)),
        "bare_per_s": round(median(bare)),
        "ratio": round(median(ratios), 2),
        "ratios": [round(one, 2) for one in ratios],
        "two_days": 2 * 1440 * points,
        "two_days_s": round(2 * 1440 * points / min(PACE, median(ours))),
    }


def _bare(url: str, requests: list[str]) -> float:
    """The client alone with lines made before [s]."""
    with InfluxDBClient(url, "", org="-", timeout=TIMEOUT_MS, retries=False) as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        begun = time.perf_counter()
        for request in requests:
            writer.write(bucket="plant", org="-", record=request)
        return time.perf_counter() - begun


def _ours(url: str, data: Path, folder: Path, rows: int) -> float:
    """The outbox, from the store on [s]."""
    box = Outbox(PLANT, folder, Reader(data), influx_writer(Influx(url=url, bucket="plant")), pace=1e9)
    begun = time.perf_counter()
    done = box.drain(rows)
    taken = time.perf_counter() - begun
    box.close()
    assert (done.sent, done.error) == (rows, "")
    return taken


if __name__ == "__main__":
    sys.stdout.write(f"{measure(1_000, 400, 7)}\n")
