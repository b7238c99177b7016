"""Real input: a made-up look-alike of the steel plant's file, with the same trap, through `replay`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from historian.reader import Reader
from monitor.describe import describe
from monitor.replay import replay

STEEL = Path(__file__).resolve().parents[2] / "examples" / "steel" / "plant.yaml"
HEADER = (
    "date,Usage_kWh,Lagging_Current_Reactive_Power_kVarh,Leading_Current_Reactive_Power_kVarh,CO2(tCO2),"
    "Lagging_Current_Power_Factor,Leading_Current_Power_Factor,NSM,WeekStatus,Day_of_week,Load_Type"
)
DAYS = 40


def look_alike(path: Path) -> float:
    """Forty days of quarter hours; the row stamped 00:00 of a day is its last. Returns the kWh written."""
    rng = np.random.default_rng(5)
    lines, total = [HEADER], 0.0
    for day in range(DAYS):
        midnight = datetime(2018, 1, 1) + timedelta(days=day)
        weekend = midnight.weekday() >= 5
        for quarter in range(1, 97):
            stamp = midnight + timedelta(minutes=15 * quarter)
            written = stamp if quarter < 96 else midnight
            load = "Light_Load" if quarter < 32 or weekend else ("Maximum_Load" if quarter < 72 else "Medium_Load")
            usual = {"Light_Load": 4, "Medium_Load": 20, "Maximum_Load": 45}[load]
            kwh = round(float(usual * rng.uniform(0.8, 1.2)), 2)
            total += kwh
            status = "Weekend" if weekend else "Weekday"
            rest = f"{900 * (quarter % 96)},{status},{midnight:%A},{load}"
            lines.append(f"{written:%d/%m/%Y %H:%M},{kwh},2.95,0,0,73.21,100,{rest}")
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode() + b"\n")
    return total


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, Path]:
    """The look-alike replayed, with a baseline on January."""
    folder = tmp_path_factory.mktemp("steel")
    total = look_alike(folder / "steel.csv")
    done = replay(
        describe(STEEL),
        [folder / "steel.csv"],
        folder / "data",
        (date(2018, 1, 1), date(2018, 1, 31)),
        Console(quiet=True),
    )
    assert done.rejected == 0
    assert not done.refused
    return total, folder / "data"


def test_what_goes_in_comes_out(replayed: tuple[float, Path]) -> None:
    """Promise 4: the minutes of all intervals sum to what the file holds; every day has its own 96 quarter hours."""
    total, data = replayed
    facts = Reader(data).table("facts", where={"point": "electricity_kwh"}, columns=["amount", "coverage"])
    assert facts["amount"].sum() == pytest.approx(total, abs=1e-6)
    by_day = facts.group_by(pl.col("minute").dt.convert_time_zone("Asia/Seoul").dt.date().alias("day")).agg(
        pl.col("coverage").sum()
    )
    assert by_day.filter(pl.col("coverage") > 0)["coverage"].to_list() == [1440.0] * DAYS


def test_the_days_stand_against_what_weekday_and_load_explain(replayed: tuple[float, Path]) -> None:
    """A derived driver is reported as such; days after the baseline's span are judged against it."""
    _, data = replayed
    reader = Reader(data)
    (baseline,) = reader.baselines()
    assert describe(STEEL).plant.baselines[baseline["name"]].derived_driver
    blocks = reader.table("blocks")
    assert len(blocks) >= DAYS - 31 - 1
    assert blocks["state"].is_in(["in control", "extrapolated"]).all()
    daily = reader.table("kpi", where={"window": "day"}).filter(pl.col("settled"))
    assert set(daily["kpi"]) >= set(describe(STEEL).plant.kpis)
