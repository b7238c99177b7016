"""Promise 3: unknown is not zero, and a KPI says what the unknown may have been."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, Run, device, kpi, plant, point

from plant.model import Plant
from plant.reading import Quality

HOURS = 10
MINUTES = HOURS * 60


def shop(gap: str = "unknown") -> Plant:
    """A counter, a product counter, a rate, a concentration and flows, all with declared ranges."""
    gaps = {"gap": gap, "gap_limit": "20 min"} if gap != "unknown" else {}
    return plant(
        {
            "kwh": point("counter", "kWh", per_hour=[0, 1200], resolution=0.1, **gaps),
            "area": point("counter", "m2", per_hour=[0, 600]),
            "steam": point("rate", "kg/h", range=[0, 600]),
            "cod": point("level", "mg/L", range=[0, 1000]),
            "gas": point("interval", "m3", span="5 min", per_hour=[0, 600]),
        },
        kpis={
            "ratio": kpi([{"point": "kwh"}], [{"point": "area"}]),
            "steam": kpi([{"point": "steam"}], [{"point": "area"}]),
            "load": kpi([{"point": "cod", "as": "load", "flow": "gas"}]),
            "less": kpi([{"point": "kwh"}, {"point": "gas", "times": -0.5}]),
        },
    )


def everything(seed: int, second: float) -> list[tuple[str, float, float]]:
    """Ten hours of readings by the minute (gas every five)."""
    rng = np.random.default_rng(seed)
    kwh, area = np.cumsum(rng.integers(0, 200, MINUTES + 1)) / 10, np.cumsum(rng.integers(0, 9, MINUTES + 1))
    rows: list[tuple[str, float, float]] = []
    for i in range(MINUTES + 1):
        now = i + second
        rows += [("kwh", now, float(kwh[i])), ("area", now, float(area[i]))]
        rows += [("steam", now, float(rng.integers(0, 600))), ("cod", now, float(rng.integers(0, 1000)))]
        if i % 5 == 0:
            rows += [("gas", i, float(rng.integers(0, 50)))]
    return rows


def stored(described: Plant, rows: list[tuple[str, float, float]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """KPIs and facts of a run over rows."""
    run = Run(described)
    run.tick(0)
    run.read(rows, tick=MINUTES + 1)
    run.settle(MINUTES + 1)
    key = ["kpi", "window", "start", "end"]
    kpis = run.table("kpi").filter(pl.col("start") >= run.table("facts")["minute"].min()).sort(key)
    return kpis.select(*key, "value", "low", "high", "coverage"), run.table("facts")


@cache
def whole(seed: int, second: float, gap: str) -> pl.DataFrame:
    """KPIs of full data."""
    return stored(shop(gap), everything(seed, second))[0]


@PROPERTY
@given(
    st.integers(0, 3),
    st.sampled_from([0.0, 0.35]),
    st.sampled_from(["kwh", "area", "steam", "cod", "gas"]),
    st.sampled_from(["unknown", "interpolate"]),
    st.one_of(
        st.lists(st.integers(0, MINUTES), min_size=1, max_size=MINUTES // 20),
        st.integers(0, MINUTES - MINUTES // 20).map(lambda first: list(range(first, first + MINUTES // 20))),
    ),
)
def test_what_is_missing_leaves_the_full_value_between_low_and_high(  # type: ignore[no-untyped-def]
    seed, second, name, gap, missing
) -> None:
    """Promise 3: without any 5 % of a meter's minutes the value of full data lies within low..high."""
    rows = everything(seed, second)
    away = set(missing)
    left = [row for row in rows if row[0] != name or round(row[1] - (second if name != "gas" else 0)) not in away]
    full = whole(seed, second, gap)
    part, facts = stored(shop(gap), left)
    both = full.join(part, on=["kpi", "window", "start", "end"], suffix="_part").filter(
        pl.col("value").is_not_null() & pl.col("low_part").is_not_null()
    )
    assert len(both) > 300
    slack = 1e-9 * both["value"].abs() + 2e-6
    assert (both["low_part"] - slack <= both["value"]).all()
    assert (both["value"] <= both["high_part"] + slack).all()
    own = facts.filter(pl.col("point") == name)
    unknown = own.filter((pl.col("coverage") == 0) & (pl.col("estimated") == 0))
    assert unknown["amount"].null_count() == len(unknown)


def test_full_data_has_no_width() -> None:
    """What is known leaves nothing open: low = value = high."""
    full, _ = stored(shop(), everything(0, 0.0))
    inside = full.filter(pl.col("coverage") == 1)
    assert len(inside) > 100
    assert ((inside["high"] - inside["low"]).abs() <= 1e-9 * inside["value"].abs()).all()


def test_a_dead_meter_is_unknown_with_a_reason() -> None:
    """Promise 3: a meter that fell silent has no amount, and its KPI no value, but a reason and a range."""
    run = Run(shop())
    rows = everything(0, 0.0)
    run.read([row for row in rows if row[0] != "kwh" or row[1] < 120])
    run.settle(MINUTES)
    assert run.amounts("kwh", 300, 310) == [None] * 10
    assert {run.facts("kwh")[minute]["quality"] for minute in range(300, 310)} == {"bad"}
    row = run.kpi("ratio", "1h", 360)
    assert row is not None
    assert (row["value"], row["reason"], row["coverage"], row["quality"]) == (None, "no data", 0, "bad")
    assert row["low"] == 0
    area = sum(
        next(row[2] for row in rows if row[:2] == ("area", end)) * sign for end, sign in ((360.0, 1), (300.0, -1))
    )
    assert row["high"] == pytest.approx(60 * 20 / area)
    half = run.kpi("ratio", "1h", 150)
    assert half is not None
    assert (half["value"], half["reason"]) == (None, "coverage below limit")
    assert 0.45 < half["coverage"] < 0.5


def test_a_unit_that_never_spoke_is_unknown_and_holds_nobody_back() -> None:
    """Promise 3: a missing process unit lowers the site's coverage; the others' KPIs go on."""
    described = plant(
        {"kwh": point("counter", "kWh"), "water": point("counter", "m3", **{"in": "yard", "from": "gate"})},
        devices={"plc": device(), "gate": device()},
        kpis={
            "kwh": kpi([{"point": "kwh"}]),
            "both": kpi([{"point": "kwh"}], [{"point": "water"}]),
            "water": kpi([{"point": "water"}], scope="yard"),
        },
    )
    run = Run(described)
    for minute in range(0, 181, 10):
        run.read([("kwh", minute - back, float(minute - back)) for back in range(9, -1, -1)], tick=minute)
    found = run.kpi("kwh", "1h", 120)
    assert found is not None
    assert found["value"] == 60
    for name in ("both", "water"):
        row = run.kpi(name, "1h", 120)
        assert row is not None
        assert (row["value"], row["reason"]) == (None, "no data")
    assert run.facts("water")[100]["quality"] == "bad"


def test_a_frozen_meter_is_unknown_and_no_saving() -> None:
    """Promise 3: what stands still while its witness moves is unknown back to its last change, with a notice."""
    # minute      0 … 60          60 … 119        120 …
    # area        moves           moves           moves
    # kwh         10 a minute     stands still    goes on from 60 · 10 + 600
    described = plant(
        {"kwh": point("counter", "kWh", moves_with="area"), "area": point("counter", "m2")},
        kpis={"ratio": kpi([{"point": "kwh"}], [{"point": "area"}])},
    )
    run = Run(described)
    for minute in range(180):
        kwh = 10.0 * (min(minute, 60) if minute < 120 else minute)
        run.read([("kwh", minute, kwh), ("area", minute, 2.0 * minute)])
        if minute == 100:
            run.tick(102)
            assert run.amounts("kwh", 61, 95) == [None] * 34
    run.settle(180)
    assert run.notices("kwh").count("frozen") == 1
    row = run.kpi("ratio", "1h", 120)
    assert row is not None
    assert (row["value"], row["reason"]) == (None, "no data")
    facts = run.facts("kwh")
    assert {facts[minute]["coverage"] for minute in range(60, 119)} == {0}
    assert run.total("kwh") == 10.0 * 179
    after = run.kpi("ratio", "15min", 150)
    assert after is not None
    assert after["value"] == 5


def test_a_meter_that_rests_with_its_witness_is_zero() -> None:
    """A flat meter beside a resting line is no fault: an amount of 0, and good."""
    described = plant({"kwh": point("counter", "kWh", moves_with="area"), "area": point("counter", "m2")})
    run = Run(described)
    run.read([(name, minute, 7.0) for minute in range(300) for name in ("kwh", "area")])
    run.settle(300)
    assert run.amounts("kwh", 0, 299) == [0] * 299
    assert run.facts("kwh")[200]["quality"] == "good"
    assert "frozen" not in run.notices()


def test_a_flat_meter_without_witness_is_told_once() -> None:
    """Flat meters: 0 and a notice after `flat_after`; days later it is still the same notice, grown longer."""
    run = Run(plant({"kwh": point("counter", "kWh", flat_after="6 h")}))
    for hour in range(72):
        moving = hour < 2
        run.read([("kwh", hour * 60 + i, float(hour * 60 + i if moving else 119)) for i in range(60)])
    assert run.amounts("kwh", 3000, 3010) == [0] * 10
    assert run.notices("kwh") == ["flat"]
    notice = run.table("notices").row(0, named=True)
    assert (notice["end"] - notice["start"]).total_seconds() / 3600 > 60


def test_a_missing_hour() -> None:
    """Promise 3 and 4: one notice, minutes estimated with coverage 0, sums conserved, nothing booked as known."""
    described = plant({"kwh": point("counter", "kWh", per_hour=[0, 600])}, kpis={"use": kpi([{"point": "kwh"}])})
    run = Run(described)
    for minute in [*range(60), *range(120, 181)]:
        run.read([("kwh", minute, 3.0 * minute)])
    run.settle(181)
    facts = run.facts("kwh")
    assert run.notices("kwh") == ["gap"]
    assert {(facts[m]["coverage"], facts[m]["estimated"], facts[m]["quality"]) for m in range(60, 119)} == {
        (0, 1, "estimated")
    }
    assert run.total("kwh") == 540
    row = run.kpi("use", "1h", 120)
    assert row is not None
    assert (row["value"], row["low"], row["reason"]) == (None, 0, "no data")


def test_bad_values_are_no_values() -> None:
    """Promise 3: what a collector calls bad, what is no number and what lies out of range count for nothing."""
    run = Run(plant({"flow": point("rate", "m3/h", range=[0, 60]), "kwh": point("counter", "kWh", range=[0, 1e6])}))
    rows = [("flow", float(i), 30.0) for i in range(30)] + [("kwh", float(i), float(i)) for i in range(30)]
    odd = {10: ("flow", 10.0, float("nan")), 11: ("flow", 11.0, 99.0), 12: ("flow", 12.0, 5.0, Quality.BAD)}
    rows = [odd.get(int(row[1]), row) if row[0] == "flow" else row for row in rows]  # type: ignore[misc]
    run.read([row if row[1] != 20 or row[0] != "kwh" else ("kwh", 20.0, 2e6) for row in rows])
    run.settle(30)
    assert run.amounts("flow", 9, 14) == [0.5, None, None, None, 0.5]
    assert run.amounts("kwh", 18, 23) == [1, 1, 1, 1, 1]
    assert run.facts("kwh")[19]["quality"] == "estimated"
    assert set(run.notices()) == {"out of range"}


def test_suspect_values_are_used_and_flagged() -> None:
    """A sum has the worst quality of its parts."""
    run = Run(plant({"flow": point("rate", "m3/h")}, kpis={"flow": kpi([{"point": "flow"}])}))
    run.read([("flow", float(i), 60.0, Quality.SUSPECT if i == 20 else Quality.GOOD) for i in range(61)])
    run.settle(61)
    assert run.amounts("flow", 20, 22) == [1, 1]
    assert [run.facts("flow")[minute]["quality"] for minute in (19, 20, 21)] == ["good", "suspect", "good"]
    row = run.kpi("flow", "15min", 30)
    assert row is not None
    assert (row["value"], row["quality"]) == (15, "suspect")
