"""KPIs beyond plain ratios: highest quarter hours, demand charges, stocks, shares of products, bounded denominators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from pipeline_builders import START, Run, at, kpi, plant, point

from pipeline.engine import Engine
from plant.clock import to_us
from plant.model import Plant
from plant.reading import MINUTE

DAY = 1440
POWER = {"carrier": "power", "unit": "kWh", "source": "s"}


def minute(text: str, zone: str = "UTC") -> int:
    """Minutes since START of a local time."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return (to_us(local.astimezone(UTC)) - START) // MINUTE


def row(run: Run, name: str, window: str, end: float) -> dict[str, Any]:
    """A KPI's row, which must be there."""
    found = run.kpi(name, window, end)
    assert found is not None, (name, window, end)
    return found


def load(quarters: list[float], first: int = 0) -> list[tuple[str, float, float]]:
    """A counter's readings by the minute that make these mean powers [kW] of quarter hours."""
    amounts = np.repeat(np.array(quarters) / 60, 15)
    total = np.concatenate([[0.0], np.cumsum(amounts)])
    return [("kwh", first + i, round(float(value), 6)) for i, value in enumerate(total)]


def peaks(**more: Any) -> Plant:
    """A meter whose highest quarter hour counts."""
    return plant(
        {"kwh": point("counter", "kWh", per_hour=[0, 600], carrier="power")},
        kpis={"peak": kpi([{"point": "kwh"}], peak="15 min", unit="kW")},
        **more,
    )


def test_the_highest_quarter_hour_of_each_window() -> None:
    """A peak is the greatest mean power of a quarter hour of the clock, not of any fifteen minutes."""
    # quarters from 00:00: 60 kW, with 240 kW at 03:15 and 120 kW at 09:00; 300 kW over 04:07-04:22 is split in two
    run = Run(peaks())
    quarters = [60.0] * 96
    quarters[13], quarters[36] = 240.0, 120.0
    rows = load([*quarters, 60.0, 60.0])
    run.read(rows, tick=DAY + 31)
    run.settle(DAY + 31)
    assert row(run, "peak", "day", DAY)["value"] == 240
    assert row(run, "peak", "day", 180)["value"] == 60
    assert row(run, "peak", "shift", 14 * 60)["value"] == 120
    assert row(run, "peak", "1h", 240)["value"] == 240
    assert row(run, "peak", "15min", 210)["value"] == 240
    assert row(run, "peak", "month", DAY)["unit"] == "kW"
    full = row(run, "peak", "day", DAY)
    assert (full["low"], full["high"]) == (240, 240)


def test_a_late_reading_corrects_a_peak_and_a_missing_quarter_leaves_it_open() -> None:
    """Promise 2 and 3: what was unknown could have been the peak; what comes late becomes it."""
    run = Run(peaks())
    quarters = [60.0] * 40
    quarters[28] = 480.0
    rows = load(quarters)
    # beyond both ends of the quarter hour: else the counter's own difference would tell its mean power
    late = [one for one in rows if 418 < one[1] < 437]
    for start in range(0, 600, 60):
        run.read([one for one in rows if start <= one[1] < start + 60 and one not in late], tick=start + 60)
    run.settle(600)
    before = row(run, "peak", "shift", 585)
    assert before["value"] == 60
    assert before["high"] == pytest.approx(600)
    run.read(late, tick=700)
    after = row(run, "peak", "shift", 585)
    assert (after["value"], after["low"], after["high"]) == (480, 480, 480)
    assert row(run, "peak", "day", 540)["value"] == 480
    assert row(run, "peak", "month", 600)["high"] is None


def test_a_restart_keeps_the_peaks() -> None:
    """Promise 2: peaks of a run that was restarted every few hours equal those of one that was not."""
    quarters = [60.0 + 7 * (i % 31) for i in range(3 * 96)]
    whole, parted = Run(peaks()), Run(peaks())
    rows = load(quarters)
    for start in range(0, 3 * DAY, 300):
        chunk = [one for one in rows if start <= one[1] < start + 300]
        whole.read(chunk, tick=start + 300)
        parted.read(chunk, tick=start + 300)
        parted.engine.checkpoint()
        parted.engine = Engine(parted.plan, parted.store)
    columns = ["window", "start", "end", "value", "low", "high", "coverage", "quality", "reason"]
    one, other = (run.table("kpi").select(columns).sort("window", "start", "end") for run in (whole, parted))
    fine = pl.col("window").is_in(["day", "month", "7d", "year"])
    assert one.filter(fine).equals(other.filter(fine))


def test_a_demand_charge_is_part_of_a_months_cost() -> None:
    """A month costs its energy at the price of each minute and its highest quarter hour once; a day knows no charge."""
    tariffs = [
        POWER | {"price": 1.0, "demand": 40.0},
        POWER | {"price": 2.0, "demand": 50.0, "from": "2026-04-01"},
    ]
    described = plant(
        {"kwh": point("counter", "kWh", per_hour=[0, 600], carrier="power")},
        kpis={
            "cost": kpi([{"point": "kwh", "as": "cost"}, {"point": "kwh", "as": "demand"}], coverage_limit=0.0),
            "energy": kpi([{"point": "kwh", "as": "cost"}], coverage_limit=0.0),
        },
        tariffs=tariffs,
        audit={"name": "a", "period": ["2026-03-01", "2026-12-31"], "baseline_year": 2025},
    )
    run = Run(described)
    first = minute("2026-03-31T00:00")
    quarters = [60.0] * 192
    quarters[10], quarters[100] = 100.0, 200.0
    run.read(load(quarters, first), tick=first + 2 * DAY)
    run.settle(first + 2 * DAY)
    april = first + DAY
    march = row(run, "cost", "month", april)
    assert march["numerator"] == pytest.approx(24 * 60 + 40 / 4 + 40 * 100)
    assert row(run, "cost", "month", april + 120)["numerator"] == pytest.approx(2 * (60 + 60) + 50 * 200 + 2 * 140 / 4)
    audit = row(run, "cost", "audit", april + 120)
    assert audit["numerator"] == pytest.approx(24 * 60 + 10 + 2 * 120 + 2 * 140 / 4 + 40 * 100 + 50 * 200)
    day = row(run, "cost", "day", april)
    assert (day["value"], day["reason"]) == (None, "counted by whole months")
    assert row(run, "energy", "day", april)["value"] == pytest.approx(24 * 60 + 10)


@pytest.mark.parametrize(("day", "night"), [("2026-03-29", 6), ("2026-10-25", 8)])
def test_time_of_use_cost_over_a_change_of_clocks(day: str, night: int) -> None:
    """A day of 23 or 25 hours has an hour less or more of the band that the clocks change in."""
    zone = "Europe/Berlin"
    bands = [
        {"name": "day", "price": 3.0, "hours": ["07:00-24:00"]},
        {"name": "night", "price": 1.0, "hours": ["00:00-07:00"]},
    ]
    described = plant(
        {"kwh": point("counter", "kWh", carrier="power", per_hour=[0, 600])},
        zone=zone,
        kpis={"cost": kpi([{"point": "kwh", "as": "cost"}])},
        tariffs=[POWER | {"bands": bands}],
    )
    run = Run(described)
    first = minute(f"{day}T00:00", zone)
    length = (17 + night) * 60
    run.read([("kwh", first + i, float(i)) for i in range(length + 1)], tick=first + length)
    run.settle(first + length)
    found = row(run, "cost", "day", first + length)
    assert found["value"] == 60 * (17 * 3 + night)
    assert found["settled"]


def test_a_stock_change_is_part_of_what_was_used() -> None:
    """Used = bought + opening − closing stock; windows of minutes telescope, whatever the level did between."""
    described = plant(
        {
            "oil": point("counter", "m3", per_hour=[0, 60], carrier="oil"),
            "tank": point("level", "m3", range=[0, 50], carrier="oil"),
        },
        kpis={
            "used": kpi([{"point": "oil"}, {"point": "tank", "as": "stock"}]),
            "drawn": kpi([{"point": "tank", "as": "stock"}]),
            "energy": kpi([{"point": "oil", "as": "energy"}, {"point": "tank", "as": "energy"}]),
        },
        factors=[
            {"carrier": "oil", "quantity": "energy", "value": 1200, "unit": "kgce/m3", "edition": "e", "source": "s"}
        ],
    )
    rng = np.random.default_rng(3)
    level = np.round(30 + np.cumsum(rng.normal(0, 0.2, DAY + 1)), 3)
    run = Run(described)
    rows = [("tank", float(i), float(value)) for i, value in enumerate(level)]
    rows += [("oil", float(i), round(i / 100, 2)) for i in range(DAY + 1)]
    for start in range(0, DAY + 1, 37):
        run.read([one for one in rows if start <= one[1] < start + 37], tick=min(start + 37, DAY + 1))
    run.settle(DAY + 1)
    for window, first, end in (("1h", 300, 360), ("15min", 600, 615), ("shift", 360, 840)):
        opening, closing = level[first - 1], level[end - 1]
        assert row(run, "drawn", window, end)["value"] == pytest.approx(opening - closing, abs=1e-9)
        used = row(run, "used", window, end)
        assert used["value"] == pytest.approx((end - first) / 100 + opening - closing, abs=1e-9)
        assert row(run, "energy", window, end)["value"] == pytest.approx(1200 * used["value"], abs=1e-3)
    hours = [row(run, "drawn", "1h", end)["numerator"] for end in range(420, 841, 60)]
    assert sum(hours) == pytest.approx(row(run, "drawn", "shift", 840)["numerator"], abs=1e-9)


def shared(denominator: bool = False) -> Plant:
    """Two products that share an oven, by area."""
    among = ["red", "blue"]
    return plant(
        {
            "kwh": point("counter", "kWh", per_hour=[0, 6000]),
            **{name: point("counter", "m2", per_hour=[0, 600]) for name in among},
        },
        products={name: {"title": name, "unit": "m2", "points": [name]} for name in among},
        kpis={
            "oven": kpi([{"point": "kwh"}]),
            **{
                f"oven_{name}": kpi(
                    [{"point": "kwh"}],
                    [{"point": name}] if denominator else [],
                    product=name,
                    allocate={"by": [name], "among": among},
                )
                for name in among
            },
        },
    )


def made(n: int = 180) -> list[tuple[str, float, float]]:
    """An oven's electricity and what two products made of it."""
    rng = np.random.default_rng(5)
    columns = {"kwh": rng.integers(0, 99, n), "red": rng.integers(0, 9, n), "blue": rng.integers(0, 5, n)}
    return [
        (name, float(i), float(total)) for name, column in columns.items() for i, total in enumerate(np.cumsum(column))
    ]


@pytest.mark.parametrize("gone", [range(0), range(70, 75)])
def test_shares_of_all_products_are_the_whole(gone: range) -> None:
    """What products share is shared by the key over the same known minutes; nothing is lost, nothing counted twice."""
    run = Run(shared())
    run.read([one for one in made() if one[0] != "red" or one[1] not in gone], tick=181)
    run.settle(180)
    table = run.table("kpi").filter(pl.col("window").is_in(["1h", "15min", "shift"]), pl.col("value").is_not_null())
    assert set(table.filter(pl.col("kpi") == "oven_red")["product"]) == {"red"}
    parts = table.filter(pl.col("kpi") != "oven").group_by("window", "end").agg(pl.len(), pl.sum("numerator"))
    full = table.filter(pl.col("kpi") == "oven", pl.col("coverage") == 1)
    both = full.join(parts.filter(pl.col("len") == 2), on=["window", "end"], suffix="_parts")
    known = both.filter(pl.lit(not gone) | (pl.col("end").cast(pl.Int64) < at(70)))
    assert len(known) >= 5
    assert (known["numerator"] - known["numerator_parts"]).abs().max() < 1e-9


def test_a_share_per_unit_of_its_own_product() -> None:
    """Numerator times share over the product's own amount: with one key for both it is the same for every product."""
    run = Run(shared(denominator=True))
    run.read(made(), tick=181)
    run.settle(180)
    red, blue = (row(run, f"oven_{name}", "1h", 120) for name in ("red", "blue"))
    assert red["value"] == pytest.approx(blue["value"])
    assert red["numerator"] + blue["numerator"] == pytest.approx(row(run, "oven", "1h", 120)["numerator"])


@pytest.mark.parametrize(("drained", "limit"), [(0.1, 0.2), (0.4, 0.2)])
def test_concentration_at_reference_drainage(drained: float, limit: float) -> None:
    """Who drains more than the reference is judged as if it were the reference; who drains less, as it is."""
    # 1 m2 a minute; `drained` m3 a minute of 50 mg/L
    described = plant(
        {
            "area": point("counter", "m2", per_hour=[0, 600]),
            "water": point("counter", "m3", per_hour=[0, 60]),
            "cod": point("level", "mg/L", range=[0, 900]),
        },
        kpis={
            "cod": kpi(
                [{"point": "cod", "as": "load", "flow": "water"}],
                [{"point": "water"}],
                no_more_than=[{"point": "area", "as": "reference_drainage", "per_unit": 200}],
                times=1000,
            )
        },
    )
    run = Run(described)
    run.read(
        [
            reading
            for i in range(121)
            for reading in (("area", i, float(i)), ("water", i, round(i * drained, 1)), ("cod", i, 50.0))
        ],
        tick=121,
    )
    run.settle(120)
    found = row(run, "cod", "1h", 120)
    assert found["value"] == pytest.approx(50 * max(drained / limit, 1))
    assert found["denominator"] == pytest.approx(60 * min(drained, limit))


def test_the_way_of_delivery_changes_no_kind_of_kpi() -> None:
    """Promise 2: at once, or shuffled in small batches with restarts in between: the same rows."""
    described = shared(denominator=True)
    extra = {"tank": point("level", "kWh", range=[0, 99]), "late": point("interval", "m2", span="15 min")}
    described = plant(
        {name: one.model_dump(by_alias=True, exclude_unset=True) for name, one in described.points.items()} | extra,
        products={"red": {"title": "red", "unit": "m2", "points": ["red"]}},
        kpis={
            "peak": kpi([{"point": "kwh"}], peak="15 min"),
            "stock": kpi([{"point": "kwh"}, {"point": "tank", "as": "stock"}]),
            "share": kpi([{"point": "kwh"}], product="red", allocate={"by": ["red"], "among": ["red", "blue"]}),
            "waits": kpi([{"point": "kwh"}], [{"point": "late"}]),
        },
    )
    rng = np.random.default_rng(8)
    rows = made(600) + [("tank", float(i), float(rng.integers(0, 99))) for i in range(600)]
    rows += [("late", float(i), float(i)) for i in range(15, 500, 15)]
    whole, parted = Run(described), Run(described)
    whole.read(rows, tick=601)
    whole.settle(600)
    parted.tick(601)
    order = rng.permutation(len(rows))
    for number, part in enumerate(np.array_split(order, 30)):
        parted.read([rows[i] for i in part], tick=602 + number)
        if number % 5 == 0:
            parted.engine.checkpoint()
            parted.engine = Engine(parted.plan, parted.store)
    parted.settle(600)
    quarters = (pl.col("end").cast(pl.Int64) % (15 * MINUTE) == 0) & (pl.col("end").cast(pl.Int64) <= at(600))
    one, other = (
        run.table("kpi").filter(quarters).drop("revision").sort("kpi", "window", "start", "end")
        for run in (whole, parted)
    )
    assert len(one) > 300
    assert one.equals(other)


def test_an_edition_that_changes_within_a_window_is_used_on_both_sides() -> None:
    """Each minute takes the factor of its own local day; the row names every edition that its window used."""
    zone = "Asia/Shanghai"
    listed = {"carrier": "power", "quantity": "co2_location", "unit": "kg/kWh", "source": "s"}
    described = plant(
        {"kwh": point("counter", "kWh", per_hour=[0, 600], carrier="power")},
        zone=zone,
        kpis={"co2": kpi([{"point": "kwh", "as": "co2_location"}]), "kwh": kpi([{"point": "kwh"}])},
        factors=[
            listed | {"value": 0.5, "edition": "2025"},
            listed | {"value": 0.6, "edition": "2026", "from": "2026-07-01"},
        ],
    )
    run = Run(described)
    change = minute("2026-07-01T00:00", zone)
    first = change - 90
    run.read([("kwh", first + i, float(i)) for i in range(200)], tick=first + 200)
    run.settle(first + 200)
    both = row(run, "co2", "1h", change + 30)
    assert (both["value"], both["factors"]) == (pytest.approx(30 * 0.5 + 30 * 0.6), "2025; 2026")
    assert row(run, "co2", "1h", change)["factors"] == "2025"
    assert row(run, "co2", "1h", change + 60)["factors"] == "2026"
    assert row(run, "kwh", "1h", change + 30)["factors"] == ""


def test_a_share_of_nothing_is_no_share() -> None:
    """While nobody makes anything nobody can be told apart: unknown for want of production, never a division by 0."""
    run = Run(shared())
    rows = [one for one in made() if one[0] == "kwh"] + [
        (name, float(i), 5.0) for i in range(180) for name in ("red", "blue")
    ]
    run.read(rows, tick=181)
    run.settle(180)
    found = row(run, "oven_red", "1h", 120)
    assert (found["value"], found["reason"]) == (None, "production below minimum")
    assert row(run, "oven", "1h", 120)["value"] is not None
