"""What is found out about data, each with a notice: leaps, clocks, certificates, flat meters, rollovers, exchanges."""

from __future__ import annotations

import random
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, Row, Run, UnitRun, at, device, plant, point, readings

from pipeline.plans import compile_plant
from plant.model import Plant
from plant.reading import MINUTE, Quality, Readings


def gate(protocol: str = "mqtt", **more: Any) -> dict[str, Any]:
    """A device with a clock of its own."""
    plain = {"topic": "t", "payload": "json"} if protocol == "mqtt" else {}
    return device(protocol, **plain, **more)


def told(run: Run, finding: str) -> list[dict[str, Any]]:
    """The notices of a finding."""
    return [row for row in run.table("notices").iter_rows(named=True) if row["finding"] == finding]


def test_a_value_that_leaps_is_used_and_suspect() -> None:
    """Promise 3: a temperature cannot rise by 40 K in a minute; it counts, flagged, with the evidence."""
    run = Run(plant({"t": point("level", "degC", change_per_hour=600, resolution=0.1)}))
    for minute in range(30):
        run.read([("t", minute, 60.0 if minute == 10 else 20.0 + minute / 10)])
    run.settle(30)
    facts = run.facts("t")
    assert [minute for minute in range(29) if facts[minute]["quality"] == "suspect"] == [10, 11]
    assert facts[10]["mean"] == 60
    (notice,) = told(run, "leap")
    assert notice["evidence"] == "from 60 to 21.1 in 1 min, at most 600 in an hour"


@pytest.mark.parametrize("kind", ["level", "rate", "sample"])
def test_what_moves_no_faster_than_it_can_is_no_leap(kind: str) -> None:
    """The allowance grows with the time between, never below an interval's; the last digit may always change."""
    more = {"sample": {"valid": "4 h"}}.get(kind, {})
    unit = {"rate": "m3/h", "level": "degC", "sample": "mg/L"}[kind]
    run = Run(plant({"p": point(kind, unit, change_per_hour=60, resolution=0.5, **more)}))
    rows: list[Row] = [("p", 0, 10.0), ("p", 0.5, 11.5), ("p", 2, 10.0), ("p", 62, 70.0), ("p", 63, 71.5)]
    for row in rows:
        run.read([row])
    run.settle(70)
    assert told(run, "leap") == []


def test_leaps_are_one_notice_a_stretch() -> None:
    """A sensor with a loose contact fills no list: its leaps within the hour are one notice, also over a restart."""
    run = Run(plant({"t": point("level", "degC", change_per_hour=60)}))
    for minute in range(120):
        run.read([("t", minute, 20.0 + 30 * (minute % 2))])
        if minute == 60:
            run.engine.checkpoint()
            run = Run(plant({"t": point("level", "degC", change_per_hour=60)}), run.store)
    run.settle(120)
    assert len(told(run, "leap")) == 1


def leaping() -> Plant:
    """Points of every kind that may leap, one of them watched by a witness."""
    return plant(
        {
            "a": point("counter", "m2", per_hour=[0, 600]),
            "t": point("level", "degC", change_per_hour=120, range=[-40, 200]),
            "f": point("rate", "m3/h", change_per_hour=300, **{"from": "gate"}),
            "w": point("level", "degC", change_per_hour=60, moves_with="a"),
            "s": point("sample", "mg/L", change_per_hour=20, valid="2 h", **{"from": "lab"}),
        },
        devices={"plc": device(), "gate": device(disorder="120 s"), "lab": device(interval="120 min")},
    )


def leaping_rows(seed: int) -> list[Row]:
    """Five hours in which values leap, vanish, clash, are refused and stand still."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for i in range(300):
        rows.append(("a", i + 0.2, float(i)))
        rows.append(
            ("t", i + 0.2, float(rng.choice([20, 21, 22, 25, 500, np.nan], p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05])))
        )
        if rng.random() < 0.9 and not 100 <= i < 160:
            rows.append(("f", i + float(rng.random()), float(rng.choice([5, 8, 14]))))
        rows.append(("w", i + 0.2, 20.0 if 180 <= i < 220 else float(rng.choice([20, 21, 23]))))
        if i % 97 == 5:
            rows.append(("t", i + 0.2, 23.5))
        if i % 110 == 30:
            rows.append(("s", i, float(rng.choice([100, 130, 180]))))
    return rows


@cache
def leaping_whole(seed: int) -> UnitRun:
    """What comes out when all is stepped in one go."""
    whole = UnitRun(leaping())
    whole.step(readings(leaping_rows(seed)), 1500)
    return whole


@settings(PROPERTY, max_examples=15)
@given(st.integers(0, 2), st.integers(0, 2**32))
def test_leaps_do_not_depend_on_the_way(seed: int, way: int) -> None:
    """Promise 2: late, shuffled, doubled, with restarts: the same minutes are suspect."""
    rows, chance, whole = leaping_rows(seed), random.Random(way), leaping_whole(seed)
    slow = chance.choice([0, 3, 50, 400])
    arrivals = sorted(
        (row[1] + (chance.random() * slow if chance.random() < 0.1 else 0), chance.random(), row)
        for row in rows
        for _ in range(1 + (chance.random() < 0.05))
    )
    other = UnitRun(leaping())
    beat = chance.choice([7, 30, 90])
    while arrivals:
        now = arrivals[0][0] + beat
        here = [row for time, _, row in arrivals if time < now]
        arrivals = [one for one in arrivals if one[0] >= now]
        chance.shuffle(here)
        other.step(readings(here), now)
        if chance.random() < 0.2:
            other.restart()
    other.step(Readings.join([]), 1500)
    for name in ("t", "f", "w", "s"):
        one, two = whole.found[name].cut(at(0) // MINUTE, at(300) // MINUTE), other.found[name]
        two = two.cut(one.start, one.end)
        assert (one.quality == two.quality).all(), (name, np.flatnonzero(one.quality != two.quality))
        assert np.array_equal(one.mean, two.mean, equal_nan=True)
    assert (whole.found["t"].quality == Quality.SUSPECT).sum() > 25


def clocked(zone: str = "UTC", **more: Any) -> Run:
    """A counter on an MQTT gateway, with a person's laboratory beside it."""
    described = plant(
        {"p": point("counter", "kWh", per_hour=[0, 6000], **{"from": "gate"}), "q": point("counter", "m2")},
        zone=zone,
        devices={"plc": device(), "gate": gate(**more)},
    )
    return Run(described)


def stamped(run: Run, minute: float, stamp: float, value: float | None = None) -> None:
    """A reading received at a minute with its device's own stamp."""
    shown = float(minute if value is None else value)
    batch = readings([("p", stamp, shown)], minute)
    run.engine.process([run.message("tick", {"time": at(minute)}), run.message("readings", {}, batch)])


CLOCKS = ["clock at 1970", "local time", "clock went back", "clock jumped", "future", "late"]


def clocks(run: Run) -> list[str]:
    """What was told of clocks."""
    return [finding for finding in run.notices() if finding in CLOCKS]


def test_a_clock_at_1970_is_named() -> None:
    """Promise 3: refused, stored as late, told of once with its cause, at the time when it happened."""
    run = clocked()
    stamped(run, 0, 0)
    for minute in range(1, 40):
        stamped(run, minute, -at(0) / MINUTE + minute)
    assert clocks(run) == ["clock at 1970"]
    (notice,) = told(run, "clock at 1970")
    assert notice["evidence"] == "39 readings, the last 39"
    assert notice["start"].year == 2026
    assert set(run.table("readings")["finding"]) == {"", "late"}


def test_local_time_east_of_greenwich_is_named() -> None:
    """Promise 3: what seems eight hours ahead is a device without a zone; the readings stay refused as future."""
    run = clocked("Asia/Shanghai")
    for minute in range(20):
        stamped(run, minute, minute + 480.5)
    assert clocks(run) == ["local time"]
    assert set(run.table("readings")["finding"]) == {"future"}


def test_a_clock_ahead_is_just_in_the_future() -> None:
    """An hour ahead is nobody's zone here; nor is eight hours at a plant on UTC."""
    for zone, ahead in (("Asia/Shanghai", 60), ("UTC", 480)):
        run = clocked(zone)
        for minute in range(20):
            stamped(run, minute, minute + ahead)
        assert clocks(run) == ["future"]


def test_local_time_west_of_greenwich_is_named() -> None:
    """Readings that land hours ago are taken as they come, and told of: one notice, which grows."""
    run = clocked("America/Chicago")
    for minute in range(150):
        stamped(run, minute, minute - 360.2)
        if minute == 5:
            assert clocks(run) == []
        if minute == 70:
            run.engine.checkpoint()
            run = Run(run.plan.plant, run.store)
    assert clocks(run) == ["local time"]
    (notice,) = told(run, "local time")
    assert notice["evidence"] == "gate: 360 min behind receipt, as local time without its zone"
    assert set(run.table("readings")["finding"]) == {""}


def test_a_clock_that_went_back_is_told() -> None:
    """A device that lives ten minutes of its time twice: a notice from where to where."""
    run = clocked()
    for minute in range(60):
        stamped(run, minute, minute if minute < 30 else minute - 10)
    run.tick(70)
    assert clocks(run) == ["clock went back"]
    (notice,) = told(run, "clock went back")
    assert notice["evidence"] == "gate: from 0 s to -600 s against receipt"
    assert (notice["end"] - notice["start"]).total_seconds() == 9 * 60


def test_a_clock_that_was_set_right_is_told() -> None:
    """A device that was ten minutes slow and is not any more: its time jumped."""
    run = clocked()
    for minute in range(60):
        stamped(run, minute, minute - 10 if minute < 30 else minute)
    assert clocks(run) == ["clock jumped"]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Chicago"])
def test_what_is_late_for_other_reasons_is_no_clock(zone: str) -> None:
    """No false alarm: a backlog after an outage, a redelivery, a busy line, bursts, a restart; and no clock at all."""
    backlog, redelivery, busy, bursts, restart = (clocked(zone) for _ in range(5))
    rng = np.random.default_rng(1)
    for minute in range(30):
        for run in (backlog, redelivery, busy, bursts, restart):
            stamped(run, minute, minute)
    for number, minute in enumerate(range(30, 450)):
        # six and a half hours of silence are caught up at twenty-one times the speed
        stamped(backlog, 430 + number / 20, minute)
    for minute in range(451, 480):
        stamped(backlog, minute, minute)
    for minute in range(30, 120):
        stamped(redelivery, minute, minute)
        if minute % 20 < 5:
            stamped(redelivery, minute + 0.5, minute - 18, minute - 18)
        stamped(busy, minute, minute - float(rng.random() * 8))
        if minute % 15 == 0:
            for back in range(15, -1, -1):
                stamped(bursts, minute + (15 - back) / 60, minute - back)
    for minute in range(60, 90):
        stamped(restart, minute, minute - 7)
    for run in (backlog, redelivery, busy, bursts, restart):
        assert clocks(run) == []


@pytest.mark.parametrize(
    ("kind", "unit", "more", "source"),
    [
        ("sample", "mg/L", {"valid": "8 h"}, gate()),
        ("interval", "kWh", {"span": "15 min"}, gate()),
        ("counter", "kWh", {}, device()),
    ],
)
def test_what_comes_late_by_nature_is_no_clock(kind: str, unit: str, more: Any, source: Any) -> None:
    """No false alarm: laboratory values, intervals and what people bring may be as old as they like."""
    described = plant(
        {"p": point(kind, unit, **more, **{"from": "gate"}), "q": point("counter", "m2")},
        zone="America/Chicago",
        devices={"plc": device(), "gate": source},
    )
    run = Run(described)
    for minute in range(100):
        stamped(run, minute, minute - (360 if minute < 50 else 90))
    assert clocks(run) == []


def test_a_slow_clock_and_an_hourly_device_raise_nothing() -> None:
    """No false alarm: a clock that loses ten seconds a minute for hours, a meter that speaks by the hour."""
    run, hourly = clocked(), clocked(interval="60 min")
    for minute in range(200):
        stamped(run, minute, minute - minute / 6)
        stamped(hourly, 60 * minute, 60 * minute - 0.1 * (minute % 7))
    assert clocks(run) == clocks(hourly) == []


def test_a_day_in_one_batch_hears_the_same_clock() -> None:
    """Promise 2: a clock that went back is told of the same, minute by minute or in one batch."""
    one, other = clocked(), clocked()
    stamps = [(minute, minute if minute < 500 else minute - 30) for minute in range(1000)]
    for minute, stamp in stamps:
        stamped(one, minute, stamp)
    batch = Readings.join([readings([("p", stamp, float(minute))], minute) for minute, stamp in stamps])
    other.engine.process([other.message("tick", {"time": at(1000)}), other.message("readings", {}, batch)])
    first, second = ([{**row, "revision": 0} for row in told(run, "clock went back")] for run in (one, other))
    assert first == second
    assert len(first) == 1


def test_an_expired_certificate_is_one_notice() -> None:
    """Readings after the last day are suspect; one notice from its end on, whatever comes when, over restarts too."""
    described = plant(
        {"p": point("counter", "kWh", **{"from": "gate"}), "q": point("counter", "kWh")},
        zone="Asia/Shanghai",
        devices={"plc": device(), "gate": gate(calibrated_until=date(2026, 3, 2))},
    )
    run = Run(described)
    # the plant's 3 March begins at 16:00 UTC
    for minute in range(900, 4 * 1440, 97):
        run.read([("p", minute, minute), ("q", minute, minute)], minute)
        if minute % 5 == 0:
            run.engine.checkpoint()
            run = Run(described, run.store)
    (notice,) = told(run, "calibration expired")
    assert notice["point"] == "p"
    assert int(notice["start"].timestamp()) * 1_000_000 == at(960)
    assert (notice["end"] - notice["start"]).days == 2
    assert notice["evidence"] == "readings after 2026-03-02, when its certificate ended"
    rows = run.table("readings").filter(run.table("readings")["point"] == "p")
    assert set(zip(rows["quality"], rows["finding"], strict=True)) == {("good", ""), ("suspect", "calibration expired")}


def test_refused_readings_of_a_slow_meter_are_one_stretch() -> None:
    """A meter that speaks every four hours and is out of range for days is told of once."""
    described = plant({"p": point("level", "degC", range=[0, 50])}, devices={"plc": device(interval="4 h")})
    run = Run(described)
    for number in range(12):
        run.read([("p", 240 * number, 300.0)])
    (notice,) = told(run, "out of range")
    assert notice["evidence"] == "12 readings, the last 300"


@pytest.mark.parametrize(
    ("more", "minutes"),
    [
        ({}, 15),
        ({"per_hour": [0, 600], "resolution": 0.1}, 15),
        # five steps of 1 m3 at a twentieth of 50 m3/h
        ({"per_hour": [0, 50], "resolution": 1}, 120),
        ({"per_hour": [10, 50], "resolution": 1}, 30),
        ({"per_hour": [0, 2], "resolution": 1}, 720),
        ({"per_hour": [0, 2], "resolution": 1, "flat_limit": "20 min"}, 20),
    ],
)
def test_how_long_a_meter_may_stand_still_follows_its_display(more: dict[str, Any], minutes: int) -> None:
    """A coarse display says nothing for long; what is declared goes first."""
    described = plant({"a": point("counter", "m2"), "p": point("counter", "m3", moves_with="a", **more)})
    assert compile_plant(described, "config").points["p"].flat_limit_us == minutes * MINUTE


def test_a_coarse_meter_is_not_frozen_by_its_display() -> None:
    """No false alarm: 1 m3 an hour on a display of whole m3 is used; standing still for half a day is frozen."""
    more = {"per_hour": [0, 20], "resolution": 1, "moves_with": "a"}
    run = Run(plant({"a": point("counter", "m2"), "p": point("counter", "m3", **more)}))
    for minute in range(0, 1440, 5):
        shown = float(min(minute, 700) // 60)
        run.read([("a", m, float(m)) for m in range(minute, minute + 5)])
        run.read([("p", m, shown) for m in range(minute, minute + 5)])
    run.settle(1440)
    (notice,) = told(run, "frozen")
    assert notice["start"].hour == 11


def test_a_rollover_at_the_devices_own_modulus_is_told() -> None:
    """A meter that ends at 999.9 goes on from 0: nothing is lost, and a notice says so."""
    run = Run(plant({"p": point("counter", "kWh", modulus=1000, resolution=0.1, per_hour=[0, 600])}))
    for minute in range(60):
        run.read([("p", minute, (990 + minute) % 1000)])
    run.settle(60)
    assert run.notices("p") == ["rollover"]
    assert run.total("p") == 59


@pytest.mark.parametrize("beat", [1, 100])
def test_a_declared_exchange_of_a_net_totaliser_is_told(beat: int) -> None:
    """Promise 4: nothing is taken from a display silently."""
    exchanges = [{"at": "2026-03-02T00:30:30+00:00", "closing": 130.5, "opening": 7}]
    run = Run(plant({"p": point("net", "kWh", exchanges=exchanges)}))
    rows: list[Row] = [("p", m, float(100 + m if m <= 30 else m - 24)) for m in range(60)]
    for low in range(0, 60, beat):
        run.read(rows[low : low + beat])
    run.settle(60)
    (notice,) = told(run, "exchange")
    assert notice["evidence"] == "closing 130.5, opening 7, as declared"
    assert run.total("p") == 30.5 + 28
    assert run.notices("p") == ["exchange"]
