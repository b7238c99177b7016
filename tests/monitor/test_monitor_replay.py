"""`replay` gives what the live step gives, and goes on where it was killed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from historian.reader import Reader
from historian.store import Historian
from historian.tables import TABLES
from journal.message import Message
from monitor import replay as replaying
from monitor.describe import Described, describe
from monitor.replay import replay
from pipeline.engine import Engine
from pipeline.fitting import propose
from pipeline.recompute_scratch import Scratch
from plant.reading import DAY, HOUR, MINUTE, Readings

PLANT = """
format: keepclean/1
site: {id: works, name: Works, time_zone: Europe/Berlin}
audit: {name: a, period: [2026-01-01, 2026-12-31], baseline_year: 2025}
alarms: {routes: {r: {to: [log], language: en}}}
shifts:
  early: {title: early, from: "06:00", to: "14:00", supervisor: s, route: r}
  late: {title: late, from: "14:00", to: "06:00", supervisor: s, route: r}
process_units: {hall: {title: Hall}, yard: {title: Yard}}
devices:
  plc: {protocol: manual, title: PLC, interval: 5 min}
  gate: {protocol: manual, title: Gate, interval: 15 min}
points:
  kwh: {title: t, in: hall, kind: counter, unit: kWh, from: plc, read: kwh, per_hour: [0, 900]}
  area: {title: t, in: hall, kind: counter, unit: m2, from: plc, read: area, per_hour: [0, 900]}
  temp: {title: t, in: hall, kind: level, unit: degC, from: plc, read: temp, range: [-20, 60]}
  grid: {title: t, in: yard, kind: interval, span: 15 min, unit: kWh, from: gate, read: grid, per_hour: [0, 900]}
kpis:
  sec: {title: k, numerator: [{point: kwh}], denominator: [{point: area}], unit: kWh/m2}
  grid: {title: k, numerator: [{point: grid}], denominator: [{point: area}], unit: kWh/m2}
baselines:
  line: {title: b, scope: hall, response: kwh, drivers: [{point: area}], likely_cause: c, first_check: f}
"""
START = datetime(2026, 3, 20, tzinfo=UTC)
DAYS = 24
SPAN = (date(2026, 3, 21), date(2026, 4, 4))
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Described:
    """The plant."""
    path = tmp_path_factory.mktemp("plant") / "plant.yaml"
    path.write_text(PLANT)
    return describe(path)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks over a change of the clock, with a gap, a reset, values out of range, and a drift at the end."""
    rng = np.random.default_rng(5)
    n = DAYS * 288
    time = [START + timedelta(minutes=5 * i, seconds=15) for i in range(n)]
    area = rng.integers(0, 30, n)
    more = np.where(np.arange(n) > 18 * 288, 4.0, 0.0)
    kwh = np.cumsum(np.rint((10 + 0.5 * area + more + rng.normal(0, 1, n)) * 100) / 100)
    kwh[2000:] -= kwh[2000]
    columns = {"kwh": kwh, "area": np.cumsum(area).astype(float), "temp": 20 + rng.normal(0, 3, n)}
    columns["temp"][777] = 999.0
    grid = np.where(np.arange(n) % 3 == 0, rng.integers(0, 99, n).astype(float), np.nan)
    columns["grid"] = grid
    parts = [pl.DataFrame({"time": time, "point": [name] * n, "value": column}) for name, column in columns.items()]
    gap = (pl.col("time") > START + timedelta(days=3)) & (pl.col("time") < START + timedelta(days=3, hours=7))
    frame = pl.concat(parts).filter(pl.col("value").is_not_nan() & ~(gap & (pl.col("point") == "kwh"))).sort("time")
    path = tmp_path_factory.mktemp("files") / "history.parquet"
    frame.write_parquet(path)
    return path


def live(described: Described, history: Path, folder: Path) -> None:
    """The same readings a day at a time through the engine, and the baseline accepted a day after its span."""
    historian = Historian(folder)
    engine = Engine(described.plan, historian)
    position = 0

    def take(kind: Any, body: dict[str, Any], batch: Readings | None = None) -> Message:
        nonlocal position
        position += 1
        return Message(position, kind, body, batch)

    calendar = described.plan.calendar
    first, end = calendar.midnight(SPAN[0]), calendar.midnight(SPAN[1] + timedelta(days=1))
    frame = pl.read_parquet(history).with_columns(pl.col("time").dt.epoch("us").alias("us"))
    names = tuple(described.plan.points)
    accepted = False
    newest = 0
    for low in range(calendar.midnight(date(2026, 3, 20)), int(frame["us"].max()) + 1, HOUR * 6):  # type: ignore[arg-type]
        part = frame.filter((pl.col("us") >= low) & (pl.col("us") < low + HOUR * 6))
        if part.is_empty():
            continue
        if low >= end + DAY and not accepted:
            engine.checkpoint()
            bodies, _ = propose(described.plan, Reader(folder), ["line"], first, end, end + DAY, "replay", "w")
            engine.process([take("baseline", body) for body in bodies])
            accepted = True
        newest = int(part["us"].max())  # type: ignore[arg-type]
        index = np.array([names.index(name) for name in part["point"]], np.int32)
        time = part["us"].to_numpy()
        batch = Readings.build(names, index, time, time, part["value"].to_numpy())
        engine.process([take("tick", {"time": newest // MINUTE * MINUTE + MINUTE}), take("readings", {}, batch)])
        engine.checkpoint()
    engine.process([take("tick", {"time": newest + HOUR})])
    engine.checkpoint()
    historian.close()


def alike(a: Path, b: Path) -> None:
    """Both folders hold the same results."""
    for name in ("facts", "kpi", "blocks", "drift"):
        left, right = (Reader(folder).table(name).drop("revision") for folder in (a, b))
        key = list(TABLES[name].key)
        assert left.select(key).equals(right.select(key)), name
        for column in left.columns:
            if column != "amount" and left[column].dtype.is_float():
                x, y = (frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy() for frame in (left, right))
                np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12, err_msg=f"{name}.{column}")
            else:
                assert left[column].equals(right[column], null_equal=True), (name, column)
    found = [Reader(folder).table("readings").drop("received") for folder in (a, b)]
    assert found[0].equals(found[1])


@pytest.fixture(scope="module")
def stepped(described: Described, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The live results."""
    folder = tmp_path_factory.mktemp("live")
    live(described, history, folder)
    return folder


@pytest.mark.plant
def test_a_replay_gives_what_the_live_step_gives(
    described: Described, history: Path, stepped: Path, tmp_path: Path
) -> None:
    """Promise 2: at once, by days, or live: the same facts, KPIs, blocks and drifts."""
    done = replay(described, [history], tmp_path, SPAN, QUIET)
    assert (done.readings, done.refused) == (len(pl.read_parquet(history)), {})
    alike(tmp_path, stepped)
    assert len(Reader(tmp_path).table("drift")) > 0
    assert len(Reader(tmp_path).table("alarms")) > 0


class Killed(Exception):
    """The process died here."""


@pytest.mark.plant
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_replay_goes_on(
    described: Described, history: Path, stepped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Killed at random saves and commits and called again: the result is the same."""
    kills = set(np.cumsum(np.random.default_rng(seed).integers(1, 25, 6)).tolist())
    calls = iter(range(10_000))

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = method(*args, **kwargs)
            if next(calls) in kills:
                raise Killed
            return found

        return call

    monkeypatch.setattr(Scratch, "due", lambda _: True)
    monkeypatch.setattr(Scratch, "save", dying(Scratch.save))
    monkeypatch.setattr(Historian, "commit", dying(Historian.commit))
    monkeypatch.setattr(replaying, "ROWS_AT_ONCE", 5_000)
    died = 0
    while True:
        try:
            replay(described, [history], tmp_path, SPAN, QUIET)
            break
        except Killed:
            died += 1
    assert died
    alike(tmp_path, stepped)
