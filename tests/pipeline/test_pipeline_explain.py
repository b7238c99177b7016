"""Promise 5: every number can be explained; what was tampered with is named."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pipeline_builders import START, Run, at, device, kpi, plant, point

from historian.chunks import decode, encode
from historian.reader import Reader
from historian.store import Historian
from historian.tables import FACTS
from pipeline.explain import Story, explain, find_row
from plant.model import Plant
from plant.reading import MINUTE, Quality

HOURS = 96
CLOSED = 30 * 60
"""A minute of a closed day."""
OPEN = 94 * 60
"""A minute of an open day."""


def works() -> Plant:
    """Every kind of point in one ratio or another."""
    per_hour = {"per_hour": [0, 1200]}
    return plant(
        {
            "kwh": point("counter", "kWh", carrier="power", moves_with="area", **per_hour),
            "area": point("counter", "m2", **per_hour),
            "flow": point("rate", "m3/h", range=[0, 100]),
            "cod": point("sample", "mg/L", valid="8 h", range=[0, 900], **{"from": "lab"}),
            "grid": point("interval", "kWh", span="15 min", **{"from": "grid"}),
            "racks": point("count", "1", heartbeat="60 min"),
        },
        devices={"plc": device(), "lab": device(interval="480 min"), "grid": device(interval="15 min")},
        factors=[
            {
                "carrier": "power",
                "quantity": "energy",
                "value": 0.1229,
                "unit": "kgce/kWh",
                "edition": "a",
                "source": "s",
            }
        ],
        kpis={
            "energy": kpi([{"point": "kwh", "as": "energy"}], [{"point": "area"}]),
            "load": kpi([{"point": "cod", "as": "load", "flow": "flow"}], [{"point": "area"}], coverage_limit=0.5),
            "grid": kpi([{"point": "grid"}], [{"point": "racks"}]),
        },
    )


def readings_of(hours: range) -> list[Any]:
    """Ordinary readings with a reset, a dip, gaps short and long, a frozen hour, bad, late-found and doubled values."""
    rng = np.random.default_rng(hours.start)
    rows: list[Any] = []
    for i in range(hours.start * 60, hours.stop * 60):
        kwh = 5.0 * i if i < 2000 else 5.0 * (i - 1999)
        kwh = 3.0 if i == 1500 else 5.0 * 1000 if 1000 <= i < 1060 else kwh
        if not (i % 977 == 5 or 2400 <= i < 2430 or 2650 <= i < 2650 + 27 * 60):
            rows.append(("kwh", i + 0.25, kwh))
        rows += [("area", i + 0.25, 2.0 * i), ("flow", i + 0.25, 500.0 if i % 311 == 7 else float(rng.integers(0, 60)))]
        if i % 15 == 0:
            rows += [("grid", i, float(rng.integers(0, 90)))]
        if i % 480 == 60:
            rows += [("cod", i, float(rng.integers(50, 500)))]
        if i % 7 == 0:
            rows += [("racks", i + 0.6, 1.0)]
    return rows


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days on disk: all but the last closed."""
    folder = tmp_path_factory.mktemp("data")
    historian = Historian(folder)
    run = Run(works(), historian)
    for start in range(0, HOURS, 5):
        run.read(readings_of(range(start, min(start + 5, HOURS))))
        run.engine.checkpoint()
    run.read([("flow", 90 * 60 + 0.25, 1.0, Quality.BAD), ("area", 91 * 60 + 0.25, 5.0)], tick=HOURS * 60 + 1)
    run.settle(HOURS * 60)
    run.engine.checkpoint()
    historian.close()
    return folder


@pytest.fixture
def data(untouched: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(untouched, tmp_path / "copy"))


def story(folder: Path, name: str, window: str, end: float) -> Story:
    """The story of the window that ends last before a minute."""
    run = Run(works())
    reader = Reader(folder)
    row = find_row(reader, name, window, at(end))
    assert row is not None
    return explain(run.plan, reader, row)


@pytest.mark.parametrize("name", ["energy", "load", "grid"])
def test_an_untouched_number_agrees(untouched: Path, name: str) -> None:
    """Promise 5: facts from readings, and the KPI from facts, are what is stored, window for window."""
    for window, ends in {
        "1h": [*range(120, HOURS * 60, 180), 1005, 1065, 1515, 2010, 2430],
        "shift": [840, 1320, 1800, OPEN],
        "day": [1440, 2880],
    }.items():
        for end in ends:
            found = story(untouched, name, window, end)
            assert (found.agrees, found.disagreements) == (True, []), (window, end)
    assert found.row["config"] == "config"
    assert found.raw.first is not None
    assert sum(found.raw.counted.values()) > 100


def edit_open(folder: Path, point: str, minute: int, change: pl.Expr) -> None:
    """Someone edits a fact where those of open days lie."""
    here = (pl.col("point") == point) & (pl.col("minute").dt.timestamp("us") == at(minute))
    met = 0
    with sqlite3.connect(folder / "historian.sqlite") as db:
        for number, body in db.execute("SELECT id, body FROM chunk WHERE name = 'facts'").fetchall():
            frame = decode(body, list(FACTS.schema))
            met += len(frame.filter(here))
            edited = frame.with_columns(pl.when(here).then(change).otherwise(pl.col(change.meta.output_name())))
            db.execute("UPDATE chunk SET body = ? WHERE id = ?", (encode(edited.cast(pl.Schema(FACTS.schema))), number))
    db.close()
    assert met


def tamper_open(folder: Path, minute: int) -> None:
    """Someone edits a fact of the open day."""
    edit_open(folder, "area", minute, pl.col("amount") + 4)


def tamper_closed(folder: Path, minute: int) -> None:
    """Someone edits a fact of a closed day."""
    here = (pl.col("point") == "area") & (pl.col("minute").dt.timestamp("us") == at(minute))
    path = next(path for path in (folder / "facts").glob("*.parquet") if len(pl.read_parquet(path).filter(here)) == 1)
    frame = pl.read_parquet(path)
    changed = pl.when(here).then(pl.col("amount") + 4).otherwise(pl.col("amount"))
    frame.with_columns(changed.alias("amount")).write_parquet(path)


@pytest.mark.parametrize(("tamper", "minute"), [(tamper_open, OPEN - 7), (tamper_closed, CLOSED - 7)])
@pytest.mark.parametrize("window", ["15min", "1h", "shift", "day"])
def test_a_tampered_fact_is_named(data: Path, tamper: Any, minute: int, window: str) -> None:
    """Promise 5: after tampering with one fact it names that fact and says that it disagrees with the stored KPI."""
    tamper(data, minute)
    end = minute + 7 if window != "day" else minute + 60
    found = story(data, "energy", window, end)
    assert not found.agrees
    assert [(odd.point, odd.minute, odd.column) for odd in found.disagreements] == [
        ("area", START // MINUTE + minute, "amount")
    ]
    odd = found.disagreements[0]
    assert odd.stored is not None
    assert odd.recomputed is not None
    assert odd.stored - odd.recomputed == pytest.approx(4)
    assert found.recomputed is not None
    assert found.recomputed < found.row["value"]


def test_a_tampered_kpi_disagrees_though_its_facts_are_sound(data: Path) -> None:
    """Promise 5: the number itself is checked too."""
    with sqlite3.connect(data / "historian.sqlite") as db:
        db.execute("UPDATE kpi SET value = value * 1.001 WHERE kpi = 'energy' AND \"window\" = '1h'")
    db.close()
    found = story(data, "energy", "1h", OPEN)
    assert (found.agrees, found.disagreements) == (False, [])


def test_a_tampered_coverage_is_named(data: Path) -> None:
    """A known minute that somebody calls unknown is found: it would make a KPI from the rest."""
    edit_open(data, "kwh", OPEN - 7, pl.lit(0.5).alias("coverage"))
    found = story(data, "energy", "1h", OPEN)
    assert [(odd.point, odd.minute, odd.column) for odd in found.disagreements] == [
        ("kwh", START // MINUTE + OPEN - 7, "coverage")
    ]


def test_without_raw_readings_it_says_so(data: Path) -> None:
    """Where readings are no longer kept, facts cannot be checked, and nothing is said to disagree."""
    for path in (data / "readings").glob("*.parquet"):
        path.unlink()
    with sqlite3.connect(data / "historian.sqlite") as db:
        db.execute("DELETE FROM chunk WHERE name = 'readings'")
    db.close()
    found = story(data, "energy", "1h", CLOSED)
    assert (found.agrees, found.disagreements, found.raw.first) == (True, [], None)
