"""Minute facts, one way of measuring at a time; each timeline is drawn above what it must become."""

from __future__ import annotations

import pytest
from pipeline_builders import START, Run, device, plant, point

from plant.model import Plant
from plant.reading import MINUTE, Quality


def one(kind: str, unit: str, **more: object) -> Plant:
    """A plant with the point `p` alone."""
    return plant({"p": point(kind, unit, **more)})


def means(run: Run, first: int, end: int) -> list[float | None]:
    """The mean of each minute."""
    facts = run.facts("p")
    return [facts[minute]["mean"] for minute in range(first, end)]


def test_a_level_is_weighted_by_time() -> None:
    """Each value holds until the next."""
    # minute    0         1         2         3
    #           |----20---:--30-----|----40---|----50
    # reading   0:00  20  0:45 30   2:00 40   3:00 50
    run = Run(one("level", "degC"))
    run.read([("p", 0, 20.0), ("p", 0.75, 30.0), ("p", 2, 40.0), ("p", 3, 50.0)])
    run.settle(3)
    facts = run.facts("p")
    assert means(run, 0, 3) == [22.5, 30.0, 40.0]
    assert [facts[0][name] for name in ("min", "max", "last")] == [20.0, 30.0, 30.0]
    assert [facts[0][name] for name in ("amount", "coverage", "unit")] == [None, 1.0, "degC"]


def test_a_level_ends_at_its_reach() -> None:
    """A value speaks for three intervals at most; beyond one and a half a reading was missed, and it is estimated."""
    # minute    0    1    2    3    4    5
    # reading   10                            interval 60 s
    # speaks    ======---------|              known to 1:30, estimated to 3:00, then unknown
    run = Run(one("level", "degC"))
    run.read([("p", 0, 10.0)])
    run.settle(6)
    facts = run.facts("p")
    assert means(run, 0, 5) == [10.0, 10.0, 10.0, None, None]
    assert [facts[minute]["coverage"] for minute in range(5)] == [1, 1, 1, 0, 0]
    assert [facts[minute]["estimated"] for minute in range(5)] == [0, 0.5, 1, 0, 0]
    assert [facts[minute]["quality"] for minute in range(5)] == ["good", "estimated", "estimated", "bad", "bad"]


def test_a_held_gap_is_estimated() -> None:
    """`gap: hold` carries a value on for as long as a person said, and marks it."""
    run = Run(one("level", "degC", gap="hold", gap_limit="5 min"))
    run.read([("p", 0, 10.0)])
    run.settle(8)
    assert means(run, 0, 7) == [10.0, 10.0, 10.0, 10.0, 10.0, None, None]
    assert run.facts("p")[4]["quality"] == "estimated"


def test_a_rate_becomes_an_amount() -> None:
    """60 m3/h is 1 m3 a minute; 90 % of a minute is scaled to the whole of it, less than that is not."""
    # minute    0           1           2
    # reading   0:00 60     1:00 120
    #                       bad from 1:54 on (0.9 of the minute known); minute 2 from 2:30 on
    run = Run(one("rate", "m3/h"))
    run.read([("p", 0, 60.0), ("p", 1, 120.0), ("p", 1.9, float("nan")), ("p", 2.5, 60.0), ("p", 3, 60.0)])
    run.settle(3)
    facts = run.facts("p")
    assert run.amounts("p", 0, 3) == [1, 2, 0.5]
    assert [round(facts[minute]["coverage"], 6) for minute in range(3)] == [1, 0.9, 0.5]
    assert facts[1]["estimated"] == pytest.approx(0.1)
    assert (facts[0]["unit"], facts[0]["mean"], facts[1]["mean"]) == ("m3", 60, 120)


def test_a_counter_is_interpolated_at_the_minutes_edges() -> None:
    """The minutes of any period sum to what the counter counted between."""
    # minute    0         1         2
    # reading   0:30 100  1:30 103  2:30 104
    run = Run(one("counter", "kWh"))
    run.read([("p", 0.5, 100.0), ("p", 1.5, 103.0), ("p", 2.5, 104.0)])
    run.settle(3)
    facts = run.facts("p")
    assert run.amounts("p", 0, 3) == [1.5, 2.0, 0.5]
    assert [facts[minute]["coverage"] for minute in range(3)] == [0.5, 1, 0.5]
    assert [facts[minute]["last"] for minute in range(3)] == [100, 103, 104]


def test_amounts_that_do_not_divide_still_sum() -> None:
    """A third of a kWh a minute: whole steps, and the sum is exact."""
    run = Run(one("counter", "kWh"))
    run.read([("p", 0, 0.0), ("p", 3, 1.0), ("p", 6, 2.0)])
    run.settle(6)
    assert run.amounts("p", 0, 3) == pytest.approx([0.333333, 0.333334, 0.333333], rel=1e-12)
    assert run.total("p") == 2


@pytest.mark.parametrize("stamp", ["begin", "end"])
def test_an_interval_is_stamped_at_its_begin_or_end(stamp: str) -> None:
    """00:00 of an interval-ending stamp belongs to the day before."""
    # minute    -15            0              15
    #           |---- 0:00 ----|---- 0:15 ----|     stamped at the end
    #                          |---- 0:00 ----|     stamped at the begin
    run = Run(
        plant(
            {"p": point("interval", "kWh", span="15 min", stamp=stamp)},
            devices={"plc": device(interval="15 min")},
            kpis={"sum": {"title": "s", "numerator": [{"point": "p"}], "unit": "kWh"}},
        )
    )
    run.tick(-60)
    midnight = 24 * 60
    run.read([("p", midnight, 30.0)], tick=midnight + 1)
    run.settle(midnight + 60)
    before, after = run.amounts("p", midnight - 15, midnight), run.amounts("p", midnight, midnight + 15)
    assert (before, after) == (([2.0] * 15, [None] * 15) if stamp == "end" else ([None] * 15, [2.0] * 15))
    owner = midnight - 1 if stamp == "end" else midnight + 1
    fact = run.facts("p")[owner]
    assert (fact["coverage"], fact["estimated"], fact["quality"]) == (1, 1, "estimated")


def test_an_interval_is_spread_exactly() -> None:
    """The minutes of an interval sum to it, whatever it is divided by."""
    run = Run(plant({"p": point("interval", "kWh", span="7 min")}, devices={"plc": device(interval="7 min")}))
    run.read([("p", 7.5, 1.0), ("p", 14.5, 0.000001)])
    run.settle(15)
    assert run.total("p") == 1.000001
    assert run.facts("p")[0]["coverage"] == 0.5


def test_a_sample_speaks_from_its_time_for_as_long_as_it_is_valid() -> None:
    """A laboratory value of eight hours, delivered an hour late; a new one takes over at once."""
    # hour      0    1    ...    8    9    10
    # sample    200 (delivered at 1:00), valid 8 h; 400 taken at 9:00
    #           |------ 200 ------|    |---- 400
    run = Run(plant({"p": point("sample", "mg/L", valid="8 h")}, devices={"plc": device(interval="480 min")}))
    run.tick(0)
    run.read([("p", 0, 200.0)], tick=60)
    run.read([("p", 540, 400.0)], tick=600)
    run.settle(640)
    found = means(run, 0, 600)
    assert found == [200.0] * 480 + [None] * 60 + [400.0] * 60
    assert run.facts("p")[479]["quality"] == "good"


def test_events_are_counted_and_silence_is_unknown() -> None:
    """Promise 3: no event while the source is alive is none; once its heartbeat fails, it is unknown since it spoke."""
    # minute    0    1    2    3    4   ...  8    9   ...  40
    # events    2         1                  1              1      heartbeat 10 min
    run = Run(one("count", "1", heartbeat="10 min"))
    run.tick(0)
    run.read([("p", 0.2, 1.0), ("p", 0.4, 1.0), ("p", 2.5, 1.0)], tick=4)
    run.read([("p", 8.5, 1.0)], tick=9)
    run.tick(18)
    assert run.amounts("p", 0, 10) == [2, 0, 1, 0, 0, 0, 0, 0, 1, 0]
    run.tick(39)
    run.read([("p", 40.5, 1.0)], tick=41)
    run.settle(42)
    assert run.amounts("p", 0, 10) == [2, 0, 1, 0, 0, 0, 0, 0, 1, None]
    assert run.amounts("p", 38, 42) == [None, None, 1, None]
    assert run.facts("p")[20]["quality"] == "bad"


def test_a_suspect_value_makes_every_minute_suspect_that_it_stands_for() -> None:
    """A level read every two minutes, an amount of a quarter hour: a sum has the worst of its parts."""
    doubt = Quality.SUSPECT
    run = Run(
        plant(
            {"p": point("level", "degC"), "q": point("interval", "kWh", span="3 min", **{"from": "slow"})},
            devices={"plc": device(interval="2 min"), "slow": device(interval="3 min")},
        )
    )
    run.read(
        [("p", 0, 10.0), ("p", 2, 10.0, doubt), ("p", 4, 10.0), ("q", 3, 6.0), ("q", 6, 6.0, doubt), ("p", 6, 1.0)]
    )
    run.settle(6)
    assert [run.facts("p")[minute]["quality"] for minute in range(5)] == ["good", "good", "suspect", "suspect", "good"]
    assert [run.facts("q")[minute]["quality"] for minute in range(6)] == ["estimated"] * 3 + ["suspect"] * 3


def test_beside_an_undeclared_exchange_nothing_is_estimated() -> None:
    """Promise 3: of the stretch before a new meter's first reading nothing is known: it is not called estimated."""
    run = Run(one("counter", "kWh", per_hour=[0, 600]))
    run.read([("p", minute + 0.5, value) for minute, value in enumerate([100, 101, 7000, 7001, 7002, 7003])])
    run.settle(6)
    facts = run.facts("p")
    assert [(facts[minute]["coverage"], facts[minute]["estimated"]) for minute in (1, 2)] == [(0.5, 0), (0.5, 0)]


def test_a_duplicate_is_dropped_and_a_conflict_is_not_used() -> None:
    """Identity: the same value again is nothing; another value at one instant makes both unusable, with one notice."""
    run = Run(one("level", "degC"))
    run.read([("p", i, 10.0) for i in range(5)] + [("p", 2, 10.0)])
    run.read([("p", 3, 99.0)], tick=5)
    run.read([("p", 3, 10.0)], tick=5)
    run.settle(5)
    assert means(run, 0, 5) == [10.0, 10.0, 10.0, None, 10.0]
    assert run.notices() == ["conflict"]


def test_the_future_moves_nothing() -> None:
    """A clock that runs ahead by more than a minute: not used, a notice, nobody's minutes settle earlier."""
    run = Run(one("level", "degC"))
    run.read([("p", i, 10.0) for i in range(5)])
    before = run.engine.settled_us
    run.read([("p", 500, 10.0)], tick=5)
    assert run.engine.settled_us == before
    run.read([("p", 5.9, 30.0)], tick=5)
    run.settle(10)
    assert means(run, 5, 7) == pytest.approx([10.0 * 0.9 + 3.0, 30.0])
    assert run.notices() == ["future"]
    assert run.table("readings")["finding"].to_list().count("future") == 1


def test_a_clock_at_1970_costs_nothing() -> None:
    """A reading of 1970, even as the very first one, is late: it makes no fifty years of minutes."""
    run = Run(one("level", "degC"))
    run.read([("p", -START / MINUTE, 10.0), ("p", 0, 10.0), ("p", 1, 10.0)])
    run.read([("p", -START / MINUTE + 1, 10.0), ("p", 2, 10.0), ("p", 3, 10.0)])
    run.settle(4)
    assert min(run.facts("p")) == 0
    assert run.notices() == ["late"]


def test_late_within_the_horizon_counts_and_beyond_it_is_told() -> None:
    """A reading up to 24 h late corrects its minutes; a later one is kept, not used, with a notice."""
    run = Run(one("level", "degC"))
    for hour in range(30):
        run.read([("p", hour * 60 + i, 10.0) for i in range(60) if (hour, i) not in ((3, 5), (20, 5))])
    assert means(run, 1205, 1206) == [10.0]
    run.read([("p", 1205, 30.0), ("p", 185, 30.0)], tick=1800)
    assert means(run, 1204, 1207) == [10.0, 30.0, 10.0]
    assert means(run, 184, 187) == [10.0, 10.0, 10.0]
    assert run.notices() == ["late"]


def test_a_late_duplicate_does_not_spoil_what_was_used() -> None:
    """Promise 5: the stored reading stays what it was when a broker delivers it again days later."""
    run = Run(one("level", "degC"))
    for hour in range(40):
        run.read([("p", hour * 60 + i, 10.0) for i in range(60)])
    run.read([("p", 5, 10.0)], tick=2400)
    stored = run.table("readings").filter(run.table("readings")["time"].dt.timestamp("us") == START + 5 * MINUTE)
    assert stored["quality"].to_list() == ["good"]


def test_a_gap_longer_than_the_horizon_is_closed() -> None:
    """Promise 4: a meter silent for two days: its minutes sum to its own difference, all of them marked."""
    run = Run(plant({"p": point("counter", "kWh"), "q": point("counter", "kWh")}))
    for hour in range(60):
        alive = not 5 <= hour < 53
        rows = [("p", hour * 60 + i + 0.5, hour * 60.0 + i) for i in range(60) if alive]
        run.read([*rows, ("q", hour * 60.0, float(hour))], tick=hour * 60 + 60)
    run.settle(3600)
    assert run.total("p") == 60 * 60 - 1
    facts = run.facts("p")
    assert [facts[2000][name] for name in ("amount", "coverage", "estimated")] == [1, 0, 1]
    assert run.notices("p") == ["gap"]
