"""A small plant whose past is put right: its history, and the comparison of what two plants have stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pipeline_builders import Row, Run, at, baseline, device, kpi, plant, point

from historian.reader import Reader
from historian.store import Historian
from historian.tables import TABLES
from pipeline.corrections import Corrections
from pipeline.recompute import Recomputed, recompute
from plant.model import Plant

STEP_MIN = 5
PER_DAY = 1440 // STEP_MIN
HOURLY = 240.0
SIGMA = 6.0

Values = Callable[[float], float]


def works(**more: Any) -> Plant:
    """A line with a meter and what it makes, in one KPI and one baseline, and a bath with a level and a laboratory."""
    return plant(
        {
            "kwh": point("counter", "kWh", per_hour=[0, 4000], **{"from": "meter"}),
            "area": point("counter", "m2", per_hour=[0, 4000]),
            "ph": point("level", "degC", range=[0, 100]),
            "cod": point("sample", "mg/L", valid="12 h", range=[0, 9000], **{"from": "lab"}),
            "water": point("counter", "m3", per_hour=[0, 400], **{"in": "yard", "from": "meter"}),
        },
        devices={
            "plc": device(interval="5 min"),
            "meter": device(interval="5 min"),
            "lab": device(interval="720 min"),
        },
        kpis={
            "sec": kpi([{"point": "kwh"}], [{"point": "area"}]),
            "water": kpi([{"point": "water"}], [{"point": "area"}]),
        },
        baselines={"line": baseline("kwh")},
        **more,
    )


def accepted(day: float) -> dict[str, Any]:
    """A baseline by hand: 240 kWh an hour whatever is made."""
    fit = {
        **{"names": [], "coefficients": [], "intercept": HOURLY, "sigma": SIGMA, "rho": 0.0, "n": 600, "p": 1},
        **{"mean": HOURLY, "cv_rmse": 0.06, "nmbe": 0.0, "held_out_sigma": SIGMA, "held_out_cv_rmse": 0.06},
        **{"held_out_nmbe": 0.0, "ranges": [], "dropped": []},
    }
    told = {"baseline": "line", "fit": fit, "charts": [0.5, 1.5], "limits": [5.0, 3.0]}
    return {**told, "span": [at(0), at((day - 1) * 1440)], "time": at(day * 1440), "by": "a", "why": "w"}


def history(days: int, extra: dict[int, float] | None = None, seed: int = 3) -> dict[str, np.ndarray[Any, Any]]:
    """Readings of every point, five minutes apart; `extra` kWh an hour on some days."""
    rng = np.random.default_rng(seed)
    n = days * PER_DAY
    day = np.arange(n) // PER_DAY
    more = np.array([(extra or {}).get(int(d), 0.0) for d in day])
    each = (HOURLY + more + rng.normal(0, 12, n)) / 12
    return {
        "kwh": np.cumsum(np.rint(each * 100) / 100),
        "area": np.cumsum(rng.integers(1, 20, n)).astype(np.float64),
        "ph": 20 + np.rint(rng.normal(0, 2, n) * 10) / 10,
        "cod": rng.integers(100, 900, n).astype(np.float64),
        "water": np.cumsum(rng.integers(0, 3, n)).astype(np.float64),
    }


def rows_of(values: dict[str, np.ndarray[Any, Any]], first: int, end: int) -> list[Row]:
    """The readings number `first` to `end`."""
    every = {"cod": 144}
    return [
        (name, i * STEP_MIN + 0.25, float(column[i]))
        for i in range(first, end)
        for name, column in values.items()
        if i % every.get(name, 1) == 0 and np.isfinite(column[i])
    ]


class Works:
    """A plant on disk, fed with a history; what persons put right is told to the engine as serve would."""

    def __init__(self, folder: Path, described: Plant | None = None) -> None:
        self.described = described or works()
        self.folder = folder
        self.historian = Historian(folder)
        self.run = Run(self.described, self.historian)
        self.entries: list[dict[str, Any]] = []

    def feed(self, values: dict[str, np.ndarray[Any, Any]], baseline_day: int | None = None, first: int = 0) -> None:
        """A day at a time, each checkpointed."""
        n = len(values["kwh"])
        for low in range(first * PER_DAY, n, PER_DAY):
            if baseline_day is not None and low == baseline_day * PER_DAY:
                self.run.accept(accepted(baseline_day))
            self.run.read(rows_of(values, low, min(low + PER_DAY, n)))
            self.run.engine.checkpoint()

    def correct(self, kind: str, points: list[str], first: float, end: float, **more: Any) -> Recomputed:
        """One correction of [first, end) [min], recomputed."""
        body = {"act": "correct", "correction": 0, "kind": kind, "points": points, "from": at(first), "to": at(end)}
        return self.act({**body, **more})

    def withdraw(self, number: int) -> Recomputed:
        """Takes a correction back."""
        made = next(entry for entry in self.entries if entry["position"] == number)
        return self.act({**made, "act": "withdraw", "correction": number})

    def act(self, body: dict[str, Any], **options: Any) -> Recomputed:
        """Ledger, recompute, and an engine that goes on from there."""
        self.run.engine.checkpoint()
        self.run.position += 1
        entry = {**body, "by": "li", "why": "ct", "time": at(0), "position": self.run.position}
        self.entries.append(entry)
        points = entry.get("points")
        corrections = Corrections.of_ledger(self.entries)
        done = recompute(
            self.run.plan, self.historian, corrections, entry["from"], self.run.position, points=points, **options
        )
        told = ("correction", entry["act"], at(0), "li", "ct", json.dumps(body), self.run.position)
        heads = (self.run.position, self.historian.head("settled"))
        self.historian.commit({}, [], *heads, [told])
        position, run = self.run.position, Run(self.described, self.historian)
        run.position = position
        self.run = run
        return done

    def table(self, name: str) -> pl.DataFrame:
        """A table's rows without their revision."""
        self.run.engine.checkpoint()
        frame = Reader(self.folder).table(name)
        return frame.drop([column for column in ("revision", "received") if column in frame.columns])


def same(a: Works, b: Works, name: str) -> None:
    """Two plants have stored the same: keys and texts equal, amounts bit by bit, other numbers to 1e-9."""
    left, right = a.table(name), b.table(name)
    key = list(TABLES[name].key)
    if name == "drift":
        left, right = (frame.filter(pl.col("state") != "withdrawn") for frame in (left, right))
    only = left.join(right, on=key, how="anti"), right.join(left, on=key, how="anti")
    assert not len(only[0]), only[0]
    assert not len(only[1]), only[1]
    left, right = left.sort(key), right.sort(key)
    for column in left.columns:
        if column == "amount" or not left[column].dtype.is_float():
            differs = left[column].ne_missing(right[column])
            assert not differs.any(), (column, left.filter(differs), right.filter(differs))
        else:
            x, y = (frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy() for frame in (left, right))
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12, err_msg=f"{name}.{column}")
