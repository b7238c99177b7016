"""Charts in the step: one lasting change is one drift, with onset and size; what is taken back is withdrawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from pipeline_builders import START, Run, at, baseline, device, plant, point

from plant.clock import to_us
from plant.reading import MINUTE

HOURLY = 240.0
SIGMA = 15.0


def body(**more: Any) -> dict[str, Any]:
    """A baseline by hand: 240 kWh an hour whatever is made, 15 kWh of scatter."""
    fit = {
        **{"names": [], "coefficients": [], "intercept": HOURLY, "sigma": SIGMA, "rho": 0.0, "n": 600, "p": 1},
        **{"mean": HOURLY, "cv_rmse": 0.06, "nmbe": 0.0, "held_out_sigma": SIGMA, "held_out_cv_rmse": 0.06},
        **{"held_out_nmbe": 0.0, "ranges": [], "dropped": []},
        **more,
    }
    span = [at(-28 * 1440), at(0)]
    told = {"baseline": "kw", "fit": fit, "charts": [0.5, 1.5], "limits": [5.0, 3.0], "span": span}
    return {**told, "time": at(0), "by": "a", "why": "w"}


def watched(hours: int, change: dict[int, float], *, seed: int = 1, **more: Any) -> tuple[Run, list[list[Any]]]:
    """A rate around 240 kW, with a change [kW] in some hours; the run, and the drift table after each hour."""
    described = plant({"kw": point("rate", "kW")}, baselines={"kw": baseline("kw", **more)})
    run = Run(described)
    run.tick(0)
    run.accept(body())
    noise = np.random.default_rng(seed).normal(0, 30, hours * 60)
    after = []
    for hour in range(hours):
        extra = change.get(hour, 0.0)
        run.read([("kw", hour * 60 + i, HOURLY + extra + noise[hour * 60 + i]) for i in range(60)], tick=hour * 60 + 61)
        after.append(run.table("drift").select("drift", "state").rows())
    run.settle(hours * 60)
    return run, [*after, run.table("drift").select("drift", "state").rows()]


def minute(moment: Any) -> int:
    """Minutes since START of a datetime."""
    return (to_us(moment) - START) // MINUTE


def test_a_step_is_one_drift_with_onset_and_size_and_clears_on_return() -> None:
    """One drift is one alarm: found within hours, never twice while it lasts, cleared once it has returned."""
    # hour     0 … 29      30 … 59             60 … 90
    # kW       240         300 (+4 σ)          240
    run, after = watched(90, dict.fromkeys(range(30, 60), 60.0))
    rows = run.table("drift")
    assert len(rows) == 1
    drift = rows.row(0, named=True)
    assert abs(minute(drift["onset"]) - 30 * 60) <= 10
    assert minute(drift["onset_low"]) <= 30 * 60 <= minute(drift["onset_high"])
    assert drift["size_per_hour"] == pytest.approx(60, abs=6)
    assert drift["size_low"] <= 60 <= drift["size_high"]
    assert 30 * 60 < minute(drift["found"]) <= 33 * 60
    assert 60 * 60 < minute(drift["cleared"]) <= 64 * 60
    assert (drift["state"], drift["direction"], drift["unit"]) == ("cleared", "rise", "kWh")
    assert all(len(one) <= 1 for one in after)
    assert [state for one in after[34:60] for _, state in one] == ["open"] * 26
    blocks = run.table("blocks")
    assert len(blocks) == 90
    assert blocks["state"].to_list()[:30] == ["in control"] * 30


def test_a_deviation_is_priced_at_the_hours_it_had() -> None:
    """A block's cost and CO2 are its residual's, by the tariff's bands of those hours and the factor in force."""
    day, night = {"name": "day", "hours": ["08:00-20:00"], "price": 1.0}, 0.25
    factor = {"carrier": "power", "quantity": "co2_location", "value": 0.5, "unit": "kg/kWh", "edition": "2023"}
    described = plant(
        {"kw": point("rate", "kW", carrier="power"), "free": point("rate", "kW")},
        baselines={"kw": baseline("kw"), "free": baseline("free")},
        tariffs=[{"carrier": "power", "unit": "kWh", "source": "s", "price": night, "bands": [day]}],
        factors=[factor | {"source": "s"}],
    )
    run = Run(described)
    run.tick(0)
    for name in ("kw", "free"):
        run.accept({**body(), "baseline": name})
    for hour in range(24):
        rows = [(name, hour * 60 + i, HOURLY + 8.0) for i in range(60) for name in ("kw", "free")]
        run.read(rows, tick=hour * 60 + 61)
    run.settle(24 * 60)
    blocks = run.table("blocks").sort("start")
    costs = blocks.filter(pl.col("baseline") == "kw")["cost"].to_list()
    assert costs == pytest.approx([8 * (1.0 if 8 <= hour < 20 else night) for hour in range(24)], abs=1e-4)
    assert blocks.filter(pl.col("baseline") == "kw")["co2"].to_list() == pytest.approx([4.0] * 24, abs=1e-4)
    assert blocks.filter(pl.col("baseline") == "free").select("cost", "co2").unique().rows() == [(None, None)]


def test_it_sounds_again_only_when_it_worsens() -> None:
    """A drift that grows by more than half is told as worse; it stays the same drift."""
    run, after = watched(60, {hour: 60.0 if hour < 45 else 160.0 for hour in range(20, 60)})
    assert len(run.table("drift")) == 1
    assert "open" in [state for one in after[:45] for _, state in one]
    drift = run.table("drift").row(0, named=True)
    assert drift["state"] == "worse"
    assert drift["size_per_hour"] == pytest.approx(160, abs=30)


def test_the_other_direction_is_a_notice_only() -> None:
    """Less than expected is a saving or a dying meter: no drift, no alarm."""
    run, _ = watched(60, dict.fromkeys(range(20, 60), -60.0))
    assert len(run.table("drift")) == 0
    assert "below expected" in run.notices("kw")


def test_a_chart_may_watch_for_a_fall() -> None:
    """Where a fall is the loss (permeate), a fall is the drift, with a negative size."""
    run, _ = watched(60, dict.fromkeys(range(20, 60), -60.0), drift="fall")
    drift = run.table("drift").row(0, named=True)
    assert drift["direction"] == "fall"
    assert drift["size_per_hour"] == pytest.approx(-60, abs=6)
    assert drift["size_low"] <= drift["size_per_hour"] <= drift["size_high"]


def test_a_dead_meter_raises_nothing() -> None:
    """Promise 3: unknown blocks hold the chart; a gap is neither drift nor saving."""
    described = plant({"kw": point("rate", "kW")}, baselines={"kw": baseline("kw")})
    run = Run(described)
    run.tick(0)
    run.accept(body())
    for hour in range(60):
        alive = hour < 20 or hour >= 40
        run.read(
            [("kw", hour * 60 + i, HOURLY) for i in range(60) if alive] or [("kw", 0, HOURLY)], tick=hour * 60 + 61
        )
    run.settle(3600)
    assert len(run.table("drift")) == 0
    assert run.table("blocks").sort("start")["state"].to_list()[21:39] == ["unknown"] * 18
    assert "below expected" not in run.notices()


def test_what_a_late_correction_takes_back_is_withdrawn() -> None:
    """A drift that somebody was told about never vanishes: when its cause turns out to be none, it is withdrawn."""
    run, after = watched(26, dict.fromkeys(range(20, 24), 120.0))
    assert [state for _, state in after[-1]] in (["open"], ["cleared"])
    again = [("kw", hour * 60 + i, 0.0) for hour in range(20, 24) for i in range(60)]
    run.read(again, tick=26 * 60 + 61)
    assert run.table("drift")["state"].to_list() == ["withdrawn"]
    assert run.notices("kw").count("conflict") == 240
    states = run.table("blocks")["state"].to_list()
    assert states[20:24] == ["unknown"] * 4
    assert "drift" not in states


def test_a_drift_whose_clearing_is_taken_back_is_open_again() -> None:
    """Promise 2: late data may undo a return as well: the drift's row then says that it is open."""
    run, after = watched(44, dict.fromkeys(range(20, 36), 60.0))
    assert [state for _, state in after[-1]] == ["cleared"]
    back = [("kw", hour * 60 + i, 0.0) for hour in range(36, 44) for i in range(60)]
    run.read(back, tick=44 * 60 + 61)
    assert run.table("drift")["state"].to_list() == ["open"]


def test_extrapolated_drivers_hold_the_chart() -> None:
    """Beyond the drivers that the fit has seen nothing is judged."""
    described = plant(
        {"kw": point("rate", "kW"), "area": point("rate", "m2/h")},
        baselines={"kw": baseline("kw", drivers=[{"point": "area"}])},
        devices={"plc": device()},
    )
    run = Run(described)
    run.tick(0)
    run.accept(body(names=["area"], coefficients=[1.0], intercept=140.0, p=2, ranges=[[50.0, 150.0]]))
    for hour in range(40):
        area, kw = (100.0, 240.0) if hour < 20 else (500.0, 2000.0)
        run.read([row for i in range(60) for row in (("kw", hour * 60 + i, kw), ("area", hour * 60 + i, area))])
    run.settle(2400)
    states = run.table("blocks").sort("start")["state"].to_list()
    assert states[:20] == ["in control"] * 20
    assert states[21:40] == ["extrapolated"] * 19
    assert len(run.table("drift")) == 0


def test_a_new_baseline_starts_its_chart_anew() -> None:
    """Refitting is a person's act: what the new baseline expects, no drift is left of."""
    run, _ = watched(40, dict.fromkeys(range(20, 40), 60.0))
    refit = body(intercept=HOURLY + 60) | {"span": [at(20 * 60), at(30 * 60)]}
    run.accept(refit)
    run.read([("kw", 40 * 60 + i, HOURLY + 60) for i in range(60)])
    run.settle(41 * 60)
    newest = run.table("blocks").filter(pl.col("start").dt.timestamp("us") >= at(30 * 60))
    assert newest["state"].to_list() == ["in control"] * 11


def test_a_checkpoint_writes_a_chart_only_when_a_block_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 7: a tick's cost does not grow with what charts remember."""
    run, _ = watched(30, {})
    before = len(run.table("blocks"))
    written: list[str] = []
    commit = run.store.commit

    def recorded(results: Any, state: Any, *rest: Any) -> None:
        written.extend(kind for _, kind, _, _ in state)
        commit(results, state, *rest)

    monkeypatch.setattr(run.store, "commit", recorded)
    for minute_ in range(30 * 60 + 61, 31 * 60 + 62):
        run.read([("kw", minute_, HOURLY)], tick=minute_ + 1)
        run.engine.checkpoint()
    assert written.count("head") > 60
    assert written.count("chart kw") == len(run.table("blocks")) - before == 2


def test_a_chart_goes_on_after_a_restart() -> None:
    """Promise 2: a process that dies at any hour finds the same drifts and blocks as one that never did."""
    noise = np.random.default_rng(4).normal(0, 30, 70 * 60)
    described = plant({"kw": point("rate", "kW")}, baselines={"kw": baseline("kw")})
    found = []
    for restarts in (False, True):
        run = Run(described)
        run.tick(0)
        run.accept(body())
        for hour in range(70):
            extra = 60.0 if hour >= 30 else 0.0
            rows = [("kw", hour * 60 + i, HOURLY + extra + noise[hour * 60 + i]) for i in range(60)]
            run.read(rows, tick=hour * 60 + 61)
            if restarts:
                run.engine.checkpoint()
                run = Run(described, run.store)
        run.settle(70 * 60)
        found.append([run.table(name).drop("revision").rows() for name in ("drift", "blocks")])
    assert found[0] == found[1]
    assert len(found[0][0]) == 1
