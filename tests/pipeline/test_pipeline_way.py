"""Promise 2: the answer does not depend on the way that readings took to the step."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, MemoryStore, Row, at, baseline, device, kpi, plant, point
from pipeline_histories import (
    FIRST,
    MINUTES,
    TOLD,
    ZONES,
    Item,
    accepted,
    history,
    messages,
    odd_delivery,
    plain_delivery,
    works,
)

from historian.reader import Reader
from historian.store import Historian
from journal.message import Message
from pipeline.engine import Engine
from pipeline.plans import PlantPlan, compile_plant

WAY = settings(PROPERTY, max_examples=125)
HISTORIES = range(4)
"""500 examples in all, a part for each history, so that they share the machine's cores."""


def go(plan: PlantPlan, store: Any, told: list[Message], chance: random.Random | None) -> None:
    """Steps all messages: at once, or in random runs with checkpoints and crashes in between."""
    engine = Engine(plan, store)
    if chance is None:
        engine.process(told)
        engine.checkpoint()
        return
    at_once = chance.choice([None, 1])
    while engine.position < told[-1].position:
        size = chance.choice([1, 6, 30, 300])
        part = told[engine.position : engine.position + size]
        # in the end nobody waits for a turn any more
        engine.process(part, at_once if part[-1] is not told[-1] else None)
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
def reference(seed: int, zone: str = ZONES[0]) -> MemoryStore:
    """The results of a history delivered in time and stepped in one go."""
    store = MemoryStore()
    go(compile_plant(works(zone), "config"), store, messages(plain_delivery(history(seed))), None)
    return store


@pytest.mark.parametrize("seed", HISTORIES)
@WAY
@given(zone=st.sampled_from(ZONES), way=st.integers(0, 2**32))
def test_any_way_gives_the_same_answer(seed: int, zone: str, way: int) -> None:
    """Promise 2: late, shuffled, doubled, in any batches, with crashes and restarts in between."""
    store, chance = MemoryStore(), random.Random(way)
    go(compile_plant(works(zone), "config"), store, messages(odd_delivery(history(seed), chance)), chance)
    assert_same(reference(seed, zone), store)


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
