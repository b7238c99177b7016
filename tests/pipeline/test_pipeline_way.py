"""Promise 2: the answer does not depend on the way that readings took to the step."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, MemoryStore, Row, at, baseline, device, kpi, plant, point, readings

from historian.reader import Reader
from historian.store import Historian
from journal.message import Message
from pipeline.engine import Engine
from pipeline.plans import PlantPlan, compile_plant
from plant.model import Plant

FIRST = 26 * 1440 + 17 * 60
"""2026-03-28 17:00 UTC: the night in which Berlin's day has 23 hours follows."""
MINUTES = 16 * 60
ACCEPTED = FIRST + 6 * 60
TOLD = FIRST + MINUTES + 400
LAB_DELAY = 12 * 60

Item = tuple[str, dict[str, Any], list[Row], float]
"""A message to come: kind, body, readings and when they were received."""


def works() -> Plant:
    """Every kind of point, two process units, five sources, a witness, a load, factors, a tariff and a chart."""
    per_hour = {"per_hour": [0, 600]}
    gate = {"in": "yard", "from": "gate"}
    return plant(
        {
            "kwh": point("counter", "kWh", carrier="power", resolution=0.1, modulus=6553.6, **per_hour),
            "area": point("counter", "m2", **per_hour),
            "flow": point("rate", "m3/h", range=[0, 90]),
            "temp": point("level", "degC", range=[-40, 90]),
            "steam": point("counter", "kg", moves_with="kwh", **per_hour),
            "water": point("counter", "m3", gap="interpolate", gap_limit="60 min", **per_hour, **gate),
            "racks": point("count", "1", heartbeat="30 min", **gate),
            "grid": point("interval", "kWh", span="15 min", **{**gate, "from": "grid"}),
            "cod": point("sample", "mg/L", valid="4 h", range=[0, 900], **{**gate, "from": "lab"}),
            "net": point("net", "kWh", **gate),
        },
        zone="Europe/Berlin",
        devices={
            "plc": device(),
            "gate": device(disorder="120 s"),
            "grid": device(interval="15 min"),
            "lab": device(interval="240 min"),
        },
        factors=[
            {
                "carrier": "power",
                "quantity": "energy",
                "value": 0.1229,
                "unit": "kgce/kWh",
                "edition": "a",
                "source": "s",
            },
            {
                **{"carrier": "power", "quantity": "energy", "value": 0.13, "unit": "kgce/kWh", "edition": "b"},
                **{"source": "s", "from": "2026-03-29"},
            },
        ],
        tariffs=[
            {
                **{"carrier": "power", "unit": "kWh", "source": "s"},
                "bands": [
                    {"name": "day", "price": 1.0, "hours": ["07:00-22:00"]},
                    {"name": "night", "price": 0.4, "hours": ["22:00-07:00"]},
                ],
            }
        ],
        kpis={
            "power": kpi([{"point": "kwh"}], [{"point": "area"}]),
            "hall": kpi([{"point": "kwh"}], [{"point": "area"}], scope="hall"),
            "kgce": kpi([{"point": "kwh", "as": "energy"}], [{"point": "area"}], scope="hall"),
            "cost": kpi([{"point": "kwh", "as": "cost"}]),
            "load": kpi([{"point": "cod", "as": "load", "flow": "water"}], [{"point": "racks"}]),
            "steam": kpi([{"point": "steam"}, {"point": "flow", "times": 2.0}], scope="hall", coverage_limit=0.5),
            "grid": kpi([{"point": "grid"}, {"point": "net"}], scope="yard"),
        },
        baselines={"kwh": baseline("kwh", drivers=[{"point": "area"}])},
    )


@dataclass(frozen=True)
class History:
    """What the plant's meters say, each in order of time."""

    rows: tuple[Row, ...]
    lab: frozenset[int]


@cache
def history(seed: int) -> History:
    """A night and a morning with a rollover, a reset, a frozen meter, gaps, dips and a step of use."""
    rng = np.random.default_rng(seed)
    area = np.cumsum(rng.integers(0, 4, MINUTES) * (rng.random(MINUTES) < 0.9))
    used = np.cumsum(rng.integers(0, 6, MINUTES) + np.diff(area, prepend=0) + np.where(np.arange(MINUTES) > 600, 3, 0))
    kwh = ((6200 + used) * 10 % 65536) / 10
    steam = np.cumsum(rng.integers(0, 5, MINUTES)) + 500.0
    frozen = int(rng.integers(150, 500))
    steam[frozen : frozen + 45] = steam[frozen]
    reset = int(rng.integers(600, 850))
    steam[reset:] -= steam[reset - 1] - 3
    water = 40 + np.cumsum(rng.random(MINUTES)).round(3)
    net = np.cumsum(rng.normal(0, 2, MINUTES)).round(2)
    rows: list[Row] = []
    second = float(rng.integers(0, 60)) / 60
    dead = int(rng.integers(100, 850))
    for i in range(MINUTES):
        now = FIRST + i + second
        if not dead <= i < dead + 40:
            rows += [("kwh", now, float(kwh[i]) if i % 401 != 400 else 0.0), ("area", now, float(area[i]))]
            rows += [("flow", now, float(rng.random() * 40)), ("temp", now, float(rng.normal(20, 5)))]
            rows += [("steam", now, float(steam[i]))]
        if rng.random() < 0.98:
            rows += [("water", FIRST + i + 0.3, float(water[i])), ("net", FIRST + i + 0.3, float(net[i]))]
        if rng.random() < 0.15:
            rows += [("racks", FIRST + i + float(rng.random()), 1.0)]
        if (FIRST + i) % 15 == 0 and rng.random() < 0.95:
            rows += [("grid", FIRST + i, float(rng.integers(0, 300)))]
        if i % 240 == 30:
            rows += [("cod", FIRST + i, float(rng.integers(50, 500)))]
    rows += [("flow", FIRST + 500 + second, 44.4), ("temp", FIRST + 600.5, 300.0)]
    return History(tuple(rows), frozenset(i for i, row in enumerate(rows) if row[0] == "cod"))


def accepted() -> dict[str, Any]:
    """A baseline by hand: 3.5 kWh a minute and 1 a square metre, 8 kWh of scatter an hour."""
    fit = {
        **{"names": ["area"], "coefficients": [1.0], "intercept": 150.0, "sigma": 8.0, "rho": 0.0, "n": 600, "p": 2},
        **{"mean": 250.0, "cv_rmse": 0.03, "nmbe": 0.0, "held_out_sigma": 15.0, "held_out_cv_rmse": 0.03},
        **{"held_out_nmbe": 0.0, "ranges": [[0.0, 200.0]], "dropped": []},
    }
    span = [at(FIRST - 28 * 1440), at(FIRST)]
    body = {"baseline": "kwh", "fit": fit, "charts": [0.5, 1.5], "limits": [5.0, 3.0], "span": span}
    return {**body, "time": at(ACCEPTED), "by": "a", "why": "w"}


def plain_delivery(told: History) -> list[Item]:
    """Everything in time, a message an hour."""
    items: list[Item] = []
    for now in range(FIRST + 60, FIRST + MINUTES + 61, 60):
        items.append(("tick", {"time": at(now)}, [], now))
        items.append(("readings", {}, [row for row in told.rows if now - 60 <= row[1] < now], now))
        if now == ACCEPTED:
            items.append(("baseline", accepted(), [], now))
    return [*items, ("tick", {"time": at(TOLD)}, [], TOLD)]


def odd_delivery(told: History, chance: random.Random) -> list[Item]:
    """Late, shuffled, doubled, in messages of any size; nothing later than the horizon."""
    beat = chance.choice([20, 45, 120, 240])
    slow = chance.choice([0, 0, 3, 50, 600])
    arrivals: list[tuple[float, float, Row]] = []
    for number, row in enumerate(told.rows):
        most = LAB_DELAY if number in told.lab else slow
        for _ in range(1 + (chance.random() < 0.05)):
            late = chance.random() * most if chance.random() < 0.1 or number in told.lab else 0.0
            arrivals.append((row[1] + late, chance.random(), row))
    arrivals.sort()
    items: list[Item] = []
    start = 0
    for now in [*range(FIRST + beat, FIRST + MINUTES + LAB_DELAY + 2 * beat, beat)]:
        end = start
        while end < len(arrivals) and arrivals[end][0] < now:
            end += 1
        here = [row for _, _, row in arrivals[start:end]]
        chance.shuffle(here)
        start = end
        items.append(("tick", {"time": at(min(now, TOLD))}, [], now))
        cut = chance.randint(0, len(here))
        items += [("readings", {}, part, now) for part in (here[:cut], here[cut:]) if part]
        if now - beat < ACCEPTED <= now:
            items.append(("baseline", accepted(), [], now))
    return [*items, ("tick", {"time": at(FIRST + MINUTES + LAB_DELAY + 400)}, [], TOLD)]


def messages(items: list[Item]) -> list[Message]:
    """Items as the journal's rows."""
    return [
        Message(number, kind, body, readings(rows, now) if kind == "readings" else None)  # type: ignore[arg-type]
        for number, (kind, body, rows, now) in enumerate(items, start=1)
    ]


def go(plan: PlantPlan, store: Any, told: list[Message], chance: random.Random | None) -> None:
    """Steps all messages: at once, or in random runs with checkpoints and crashes in between."""
    engine = Engine(plan, store)
    if chance is None:
        engine.process(told)
        engine.checkpoint()
        return
    while engine.position < told[-1].position:
        size = chance.choice([1, 6, 30, 300])
        engine.process(told[engine.position : engine.position + size])
        luck = chance.random()
        if luck < 0.3:
            engine.checkpoint()
        if luck < 0.1 or luck > 0.9:
            engine = Engine(plan, store)
    engine.checkpoint()


EXACT = {
    "facts": ["amount", "mean", "min", "max", "last", "unit", "coverage", "estimated", "quality"],
    "kpi": ["unit", "coverage", "quality", "reason", "settled", "grade", "factors", "numerator", "denominator"],
}
CLOSE = {"facts": [], "kpi": ["value", "low", "high", "expected"]}
KEYS = {"facts": ["point", "minute"], "kpi": ["kpi", "scope", "window", "start", "end"]}


def results(store: Any, end: float) -> dict[str, pl.DataFrame]:
    """What must be the same: facts, KPIs on the quarter hours, and drifts, up to the end of the data."""
    facts = store.table("facts").filter(pl.col("minute").cast(pl.Int64) < at(end))
    quarter = pl.col("end").cast(pl.Int64) % (15 * 60 * 1_000_000) == 0
    kpis = store.table("kpi").filter(quarter & (pl.col("end").cast(pl.Int64) <= at(end)))
    return {"facts": facts, "kpi": kpis}


def drifts(store: Any) -> list[tuple[Any, ...]]:
    """Drifts that stand, with rounded sizes."""
    rows = store.table("drift").filter(pl.col("state") != "withdrawn").sort("drift")
    return [
        (row["drift"], row["onset"], row["found"], row["cleared"], row["state"], round(row["size_per_hour"], 6))
        for row in rows.iter_rows(named=True)
    ]


def assert_same(one: Any, other: Any) -> None:
    """Bit-equal amounts, counts and coverage, 1e-9 relative elsewhere, equal drifts."""
    end = FIRST + MINUTES
    left, right = results(one, end), results(other, end)
    for name, keys in KEYS.items():
        assert left[name].select(keys).equals(right[name].select(keys)), name
        for column in EXACT[name]:
            a, b = left[name][column], right[name][column]
            differs = ~a.eq_missing(b)
            assert not differs.any(), (
                name,
                column,
                left[name].filter(differs).row(0),
                right[name].filter(differs).row(0),
            )
        for column in CLOSE[name]:
            a, b = left[name][column], right[name][column]
            assert a.is_null().equals(b.is_null()), (name, column)
            assert ((a - b).abs() <= 1e-9 * a.abs() + 1e-12).all(), (name, column)
    assert drifts(one) == drifts(other)


@cache
def reference(seed: int) -> MemoryStore:
    """The results of a history delivered in time and stepped in one go."""
    store = MemoryStore()
    go(compile_plant(works(), "config"), store, messages(plain_delivery(history(seed))), None)
    return store


@PROPERTY
@given(st.integers(0, 3), st.integers(0, 2**32))
def test_any_way_gives_the_same_answer(seed: int, way: int) -> None:
    """Promise 2: late, shuffled, doubled, in any batches, with crashes and restarts in between."""
    store, chance = MemoryStore(), random.Random(way)
    go(compile_plant(works(), "config"), store, messages(odd_delivery(history(seed), chance)), chance)
    assert_same(reference(seed), store)


@pytest.mark.parametrize("seed", [0, 3])
def test_on_disk_as_in_memory(seed: int, tmp_path: Path) -> None:
    """Promise 2: SQLite, closed days and restarts from them change nothing."""
    plan, chance = compile_plant(works(), "config"), random.Random(seed)
    days_later = ("tick", {"time": at(TOLD + 2 * 1440)}, [], 0)
    told = messages([*odd_delivery(history(seed), chance), days_later])
    historian = Historian(tmp_path)
    engine = Engine(plan, historian)
    while engine.position < told[-1].position:
        engine.process(told[engine.position : engine.position + 25])
        engine.checkpoint()
        if chance.random() < 0.2:
            historian.close()
            historian = Historian(tmp_path)
            engine = Engine(plan, historian)
    historian.close()
    assert list((tmp_path / "facts").glob("*.parquet"))
    assert_same(reference(seed), Reader(tmp_path))


def test_the_reference_holds_what_the_property_is_about() -> None:
    """The histories bring a drift, a frozen meter, gaps, a rollover, a reset, a dip, a conflict and a bad value."""
    found = set(reference(0).table("notices")["finding"])
    assert {"frozen", "gap", "rollover", "reset", "dip", "conflict", "out of range"} <= found
    assert [row[4] for row in drifts(reference(0))] == ["open"]
    assert reference(0).table("kpi")["expected"].count() > 50
    assert reference(0).table("kpi")["factors"].str.contains("a; b").any()


DAYS = 6


def long_history(step_from: int, step: float, silent: tuple[int, int]) -> list[Row]:
    """Six days of one counter by the minute, with a step of use and a silence."""
    rng = np.random.default_rng(5)
    use = 4 + rng.normal(0, 1, DAYS * 1440) + np.where(np.arange(DAYS * 1440) >= step_from, step, 0)
    shown = np.cumsum(np.clip(use, 0, None)).round(2)
    rows: list[Row] = [("kwh", i, float(shown[i])) for i in range(DAYS * 1440) if not silent[0] <= i < silent[1]]
    rows += [("dead", 0, 1.0), *(("odd", i + 0.5, 99.0 if i else 1.0) for i in range(0, DAYS * 1440, 7))]
    rows += [("sample", i + 0.5, float(i)) for i in range(0, DAYS * 1440, 1000)]
    return sorted(rows, key=lambda row: row[1])


def stepped(rows: list[Row], sigma: float, beat: int | None) -> MemoryStore:
    """A long history stepped at once, or by `beat` minutes with a restart after every fifth time; its baseline is
    accepted on the second day."""
    declared = {
        "kwh": point("counter", "kWh", per_hour=[0, 1200], resolution=0.01),
        "dead": point("level", "degC"),
        "odd": point("level", "degC", range=[0, 2]),
        "sample": point("sample", "mg/L", valid="20 h", **{"from": "lab"}),
    }
    described = plant(
        declared,
        zone="Asia/Shanghai",
        devices={"plc": device(), "lab": device(interval="240 min")},
        kpis={"use": kpi([{"point": "kwh"}])},
        baselines={"kwh": baseline("kwh")},
    )
    items: list[Item] = []
    start = 0
    for now in range(60, DAYS * 1440 + 1, 60):
        end = next((i for i in range(start, len(rows)) if rows[i][1] >= now), len(rows))
        items += [("tick", {"time": at(now)}, [], now), ("readings", {}, rows[start:end], now)]
        start = end
        if now == 1500:
            fit = accepted()["fit"] | {"names": [], "coefficients": [], "ranges": [], "intercept": 240.0}
            body = accepted() | {"fit": fit | {"held_out_sigma": sigma}, "span": [at(-1440), at(0)], "time": at(now)}
            items.append(("baseline", body, [], now))
    told = messages([*items, ("tick", {"time": at(DAYS * 1440 + 60)}, [], 0)])
    store = MemoryStore()
    plan = compile_plant(described, "config")
    engine = Engine(plan, store)
    size = len(told) if beat is None else 2 * beat // 60
    for number, low in enumerate(range(0, len(told), size)):
        engine.process(told[low : low + size])
        if number % 5 == 4:
            engine.checkpoint()
            engine = Engine(plan, store)
    engine.checkpoint()
    return store


@pytest.mark.parametrize("silent", [(0, 0), (2000, 2000 + 40 * 60)], ids=["whole", "silent for 40 h"])
@pytest.mark.parametrize("beat", [60, 7 * 60, 26 * 60])
def test_history_of_days_in_one_go_or_hour_by_hour(silent: tuple[int, int], beat: int) -> None:
    """Promise 2: what is held for two days is held long enough; a silence beyond the horizon is closed too."""
    rows = long_history(7000, 8.0, silent)
    one, other = stepped(rows, 15.0, None), stepped(rows, 15.0, beat)
    for name in ("facts", "kpi"):
        columns = [*KEYS[name], *EXACT[name]]
        quarter = pl.col("end").cast(pl.Int64) % (15 * 60 * 1_000_000) == 0 if name == "kpi" else pl.lit(True)
        assert one.table(name).filter(quarter).select(columns).equals(other.table(name).filter(quarter).select(columns))
    shown = [row[2] for row in rows if row[0] == "kwh"]
    assert one.table("facts")["amount"].sum() == pytest.approx(shown[-1] - shown[0], abs=1e-6)
    assert drifts(one) == drifts(other)
    assert len(drifts(one)) == 1
    blocks = [store.table("blocks").select("baseline", "start", "state") for store in (one, other)]
    assert blocks[0].equals(blocks[1])
    assert len(blocks[0]) == DAYS * 24


def test_a_slow_drift_in_one_go_or_hour_by_hour() -> None:
    """Promise 2: a drift that a chart took days to find has the same onset and size, however it was stepped."""
    rows = long_history(1500, 0.35, (0, 0))
    one, other = stepped(rows, 30.0, None), stepped(rows, 30.0, 60)
    assert drifts(one) == drifts(other)
    assert len(drifts(one)) == 1
