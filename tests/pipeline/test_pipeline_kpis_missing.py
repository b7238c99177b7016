"""Promise 3 for every kind of KPI: without 5 % of a meter's minutes the full value lies within low..high."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, Run, at, kpi, plant, point

from plant.model import Plant

MINUTES = 3 * 60
APRIL = 30 * 1440
NAMES = ("kwh", "tank", "red", "blue", "condensate", "warm", "paint", "voc", "nox", "oxygen")


@cache
def works() -> Plant:
    """One KPI of each kind, every point with its declared range."""
    return plant(
        {
            "kwh": point("counter", "kWh", per_hour=[0, 6000], carrier="power"),
            "tank": point("level", "m3", range=[0, 50]),
            "red": point("counter", "m2", per_hour=[0, 600]),
            "blue": point("counter", "m2", per_hour=[0, 600]),
            "condensate": point("counter", "m3", per_hour=[0, 60]),
            "warm": point("level", "degC", range=[0, 110]),
            "paint": point("counter", "kg", per_hour=[0, 600]),
            "voc": point("level", "g/kg", range=[0, 1000]),
            "nox": point("level", "mg/m3", range=[0, 400]),
            "oxygen": point("level", "%", range=[2, 18]),
        },
        kpis={
            "peak": kpi([{"point": "kwh"}], peak="15 min"),
            "cost": kpi([{"point": "kwh", "as": "cost"}, {"point": "kwh", "as": "demand"}], coverage_limit=0.0),
            "drawn": kpi([{"point": "kwh"}, {"point": "tank", "as": "stock", "times": 3}], [{"point": "red"}]),
            "share": kpi([{"point": "kwh"}], allocate={"by": ["red"], "among": ["red", "blue"]}, product="red"),
            "shared": kpi(
                [{"point": "kwh"}],
                [{"point": "red"}],
                allocate={"by": ["red"], "among": ["red", "blue"]},
                product="red",
            ),
            "mass": kpi([{"point": "condensate", "as": "water_mass", "temperature": "warm"}], [{"point": "red"}]),
            "solvent": kpi([{"point": "paint", "as": "content", "content": "voc"}], [{"point": "red"}]),
            "stack": kpi(
                [{"point": "nox", "as": "reference_oxygen", "oxygen": "oxygen", "reference": 3.5}],
                [{"point": "nox", "as": "hours"}],
            ),
        },
        tariffs=[{"carrier": "power", "unit": "kWh", "source": "s", "price": 0.7, "demand": 40}],
        products={"red": {"title": "red", "unit": "m2", "points": ["red"]}},
    )


def readings(seed: int) -> list[tuple[str, float, float]]:
    """Three hours of every point, by the minute, from the beginning of a month on."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, float, float]] = []
    for name, most in (("kwh", 1000), ("red", 90), ("blue", 90), ("condensate", 9), ("paint", 90)):
        total = np.cumsum(rng.integers(0, most, MINUTES + 1)) / 10
        rows += [(name, float(APRIL + i), float(value)) for i, value in enumerate(total)]
    for name, low, high in (("tank", 0, 50), ("warm", 60, 110), ("voc", 0, 999), ("nox", 0, 400), ("oxygen", 2, 18)):
        taken = rng.integers(low, high, MINUTES + 1)
        rows += [(name, float(APRIL + i), float(value)) for i, value in enumerate(taken)]
    return rows


def told(rows: list[tuple[str, float, float]]) -> pl.DataFrame:
    """KPIs of a run over rows, of windows that lie within them."""
    run = Run(works())
    run.tick(APRIL)
    run.read(rows, tick=APRIL + MINUTES + 1)
    run.settle(APRIL + MINUTES + 1)
    key = ["kpi", "window", "start", "end"]
    frame = run.table("kpi")
    inside = pl.col("start").cast(pl.Int64) >= at(APRIL)
    return frame.filter(inside).select(*key, "value", "low", "high", "coverage").sort(key)


@cache
def full(seed: int) -> pl.DataFrame:
    """KPIs of full data."""
    return told(readings(seed))


@settings(PROPERTY, max_examples=100)
@given(
    st.integers(0, 2),
    st.sampled_from(NAMES),
    st.one_of(
        st.lists(st.integers(0, MINUTES), min_size=1, max_size=MINUTES // 20),
        st.integers(0, MINUTES - MINUTES // 20).map(lambda first: list(range(first, first + MINUTES // 20))),
    ),
)
def test_what_is_missing_leaves_the_full_value_between_low_and_high(seed: int, name: str, missing: list[int]) -> None:
    """Promise 3: for peaks, charges, stocks, shares, masses, contents and reference states alike."""
    away = set(missing)
    part = told([one for one in readings(seed) if one[0] != name or int(one[1]) - APRIL not in away])
    both = full(seed).join(part, on=["kpi", "window", "start", "end"], suffix="_part")
    known = both.filter(pl.col("value").is_not_null(), pl.col("low_part").is_not_null())
    assert len(known) > 100
    assert set(known["kpi"]) == set(works().kpis)
    slack = 1e-9 * known["value"].abs() + 2e-5
    assert (known["low_part"] - slack <= known["value"]).all()
    assert (known["value"] <= known["high_part"] + slack).all()


def test_full_data_has_no_width() -> None:
    """What is known leaves nothing open: low = value = high."""
    inside = full(0).filter(pl.col("coverage") == 1, pl.col("value").is_not_null())
    assert set(inside["kpi"]) == set(works().kpis)
    assert ((inside["high"] - inside["low"]).abs() <= 1e-9 * inside["value"].abs()).all()
