"""Counters: vectors of other houses, and what dips, spikes, rollovers, resets and exchanges become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_builders import Run, at, judged, plant, point, point_plan

from pipeline.judge import STEP
from pipeline.series import Status, counts
from plant.clock import to_datetime

# tests/pipeline/counters.json: numbers of home-assistant/core and prometheus/prometheus (both Apache-2.0), each with
# the file it comes from
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "counters.json").read_text(encoding="utf-8"))
RESET = {"on_fall": "reset", "dip_limit": 0.1}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "on_fall: reset, dip_limit: 10 %": [RESET],
    "on_fall: judge (default) and on_fall: reset, dip_limit: 10 % agree": [{}, RESET],
    "on_fall: reset, dip_limit: 10 %; negative readings are bad for a counter": [RESET],
    "on_fall: reset, dip_limit: 0": [{"on_fall": "reset", "dip_limit": 0.0}],
    "kind: net": [{"kind": "net"}],
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_numbers_of_other_houses(vector: dict[str, Any]) -> None:
    """Promise 4: the sums that Home Assistant and Prometheus state for these readings come out, minute by minute."""
    for setting in SETTINGS[vector["setting"]]:
        run = Run(plant({"p": point(**{"kind": "counter", "unit": "kWh", **setting})}))
        run.read([("p", minute, value) for minute, value in enumerate(vector["values"])])
        run.settle(len(vector["values"]))
        amounts = [amount or 0 for amount in run.amounts("p", 0, len(vector["values"]) - 1)]
        if "cumulative_sum_after_group" in vector:
            ends = (2, 5, 8)
            assert [sum(amounts[:end]) for end in ends] == vector["cumulative_sum_after_group"]
        for key in ("cumulative_sum_final", "increase", "raw_sum_of_increases"):
            if key in vector:
                assert sum(amounts) == vector[key]
        if "resets" in vector:
            assert run.notices("p").count("reset") == vector["resets"]


def told(values: list[float], **more: Any) -> tuple[float, list[str]]:
    """The counter's own difference from first to last used reading, one reading a minute, and the findings."""
    series, found = judged(point_plan(**more), list(enumerate(values)))
    used = series.total[counts(series.status)]
    return round(float(used[-1] - used[0]) * STEP, 6), found


FAST = {"per_hour": (0.0, 600.0)}
"""At most 10 a minute."""

JUDGED: dict[str, tuple[list[float], dict[str, Any], float, list[str]]] = {
    "a dip of one reading": ([100, 101, 90, 102, 103], {}, 3, ["dip"]),
    "a dip of two readings": ([100, 101, 90, 90, 102], {}, 2, ["dip"]),
    "one zero read": ([100, 101, 0, 102, 103], {}, 3, ["dip"]),
    "one zero read, under a known greatest rate": ([100, 101, 0, 102, 103], FAST, 3, ["dip"]),
    "a dip back to the very same value": ([100, 101, 50, 101, 102], {}, 2, ["dip"]),
    "a spike": ([100, 101, 9000, 102, 103], FAST, 3, ["spike"]),
    "a spike that hides a fall": ([100, 101, 9000, 90, 102], FAST, 2, ["spike"]),
    "half-read words: low word, then high word": ([65535, 65530 + 6, 131071, 65537], FAST, 2, ["spike"]),
    "rollover of 16 bits": ([65530, 65535, 4, 9, 14], {**FAST, "modulus": 65536}, 20, ["rollover"]),
    "rollover of 32 bits at a scale": (
        [42949670.0, 42949672.95, 1.5, 3.0, 4.5],
        {**FAST, "modulus": 42949672.96, "resolution": 0.01},
        7.46,
        ["rollover"],
    ),
    "rollover at a device's own limit": (
        [838850.0, 838860.7, 9.5, 19.0, 28.0],
        {"per_hour": (0.0, 1200.0), "modulus": 838860.8, "resolution": 0.1},
        38.8,
        ["rollover"],
    ),
    "rollover exactly to zero": ([65530, 65535, 0, 1, 2], {**FAST, "modulus": 65536}, 8, ["rollover"]),
    "too fast for a rollover: a reset": ([30000, 30005, 4, 9, 14], {**FAST, "modulus": 65536}, 19, ["reset"]),
    "reset without a modulus": ([100, 110, 3, 6, 9], {}, 19, ["reset"]),
    "reset to zero exactly": ([100, 110, 0, 5, 9], {}, 19, ["reset"]),
    "exchange for a used meter": ([100, 110, 5000, 5003, 5006, 5009], FAST, 19, ["undeclared exchange"]),
    "exchange for a meter a little lower": ([100, 110, 99.5, 101, 102, 103], {}, 13.5, ["undeclared exchange"]),
    "a fall that stands still is no reset": ([100, 110, 40, 40, 40, 41], {}, 11, ["undeclared exchange"]),
    "a fall to half that no rate explains": ([1000, 1001, 500, 501, 502], FAST, 3, ["undeclared exchange"]),
    "two resets": ([50, 60, 2, 4, 6, 1, 2, 3], {}, 10 + 6 + 3, ["reset", "reset"]),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_falling_or_leaping_counter_is_judged(name: str) -> None:
    """Promise 4: the counter's own difference is the sum of accepted forward steps, whatever it fell or leapt for."""
    values, more, difference, findings = JUDGED[name]
    assert told(values, **more) == (difference, findings)


def test_judging_reading_by_reading_or_at_once_is_the_same() -> None:
    """Promise 2: what was pending when a batch ended is judged with what comes next."""
    for name, (values, more, difference, _) in JUDGED.items():
        described = plant({"p": point("counter", "kWh", **more)})
        run = Run(described)
        for minute, value in enumerate(values):
            run.read([("p", minute, value)])
        run.settle(len(values))
        assert run.total("p") == pytest.approx(difference, abs=1e-9), name


def test_a_pending_counter_is_unknown_until_it_is_judged() -> None:
    """Promise 3: while nobody can say what a fall means, its minutes are unknown, not zero and not a lifetime total."""
    # minute   0    1    2    3    4
    # value  100  110    0                 pending: minutes 1.. unknown
    # value  100  110    0  111            a dip: minutes 1 and 2 share the one kWh
    run = Run(plant({"p": point("counter", "kWh")}))
    for minute, value in ((0, 100), (1, 110), (2, 0)):
        run.read([("p", minute, value)])
    run.tick(2 + 10)
    assert run.amounts("p", 0, 4) == [10, None, None, None]
    assert run.facts("p")[1]["coverage"] == 0
    run.read([("p", 3, 111)], tick=12)
    assert run.amounts("p", 0, 4) == [10, 0.5, 0.5, None]
    assert run.facts("p")[1]["estimated"] == 1


def test_a_reset_leaves_the_stretch_before_it_estimated() -> None:
    """Promise 4: the value since zero is booked, and marked: nobody knows what the old count still saw."""
    run = Run(plant({"p": point("counter", "kWh", on_fall="reset")}))
    run.read([("p", minute, value) for minute, value in enumerate([100, 110, 4, 8])])
    run.settle(4)
    assert run.amounts("p", 0, 3) == [10, 4, 4]
    facts = run.facts("p")
    assert [facts[minute]["coverage"] for minute in range(3)] == [1, 0, 1]
    assert [facts[minute]["quality"] for minute in range(3)] == ["good", "suspect", "good"]


def test_a_fall_waits_fifteen_minutes_at_most() -> None:
    """With slow readings the time decides: one reading that stays low for 15 min is judged."""
    hourly = {"p": point("counter", "kWh")}
    described = plant(hourly, devices={"plc": {"protocol": "manual", "title": "t", "interval": "60 min"}})
    run = Run(described)
    run.read([("p", minute, value) for minute, value in ((0, 100), (60, 110), (120, 3), (180, 9))])
    run.settle(400)
    assert run.total("p") == 10 + 3 + 6
    assert run.notices("p") == ["reset"]


EXCHANGE = [{"at": to_datetime(at(2.5)), "closing": 112.0, "opening": 5000.0}]


@pytest.mark.parametrize("kind", ["counter", "net"])
def test_a_declared_exchange(kind: str) -> None:
    """Promise 4: (closing − last) + (first − opening) is booked between the two readings."""
    # minute   0    1    2  |x|  3     4
    # value  100  105  110     5001  5004    closing 112, opening 5000: 2 + 1 in minute 2
    run = Run(plant({"p": point(kind, "kWh", exchanges=EXCHANGE, **(FAST if kind == "counter" else {}))}))
    run.read([("p", minute, value) for minute, value in enumerate([100, 105, 110, 5001, 5004])])
    run.settle(5)
    assert run.amounts("p", 0, 4) == [5, 5, 3, 3]
    assert run.notices("p") == ["exchange"]


def test_a_declared_exchange_is_booked_once_though_readings_after_it_do_not_fit() -> None:
    """Promise 4: after a wrong opening value comes an undeclared exchange; the closing value counts once."""
    series, found = judged(
        point_plan(exchanges=EXCHANGE, **FAST), list(enumerate([100, 105, 110, 7000, 7003, 7006, 7009]))
    )
    total = series.total[counts(series.status)]
    assert found == ["exchange", "undeclared exchange"]
    assert float(total[-1] - total[0]) * STEP == 10 + 2 + 9


def test_readings_pending_before_a_declared_exchange_belong_to_the_old_meter() -> None:
    """Promise 4: the closing value has the last word; a dying meter's odd readings are not taken for the new one's."""
    series, _ = judged(point_plan(exchanges=EXCHANGE, **FAST), list(enumerate([100, 105, 0, 5001, 5004])))
    assert series.status.tolist() == [Status.USED, Status.USED, Status.DROPPED, Status.USED, Status.USED]
    assert float(series.total[-1] - series.total[0]) * STEP == 12 + 4


def test_the_order_in_which_exchanges_are_declared_does_not_matter() -> None:
    """Two exchanges within one gap are booked one after the other."""
    two = [
        {"at": to_datetime(at(2.7)), "closing": 12.0, "opening": 300.0},
        {"at": to_datetime(at(2.5)), "closing": 112.0, "opening": 10.0},
    ]
    values = list(enumerate([100, 105, 110, 301]))
    for declared in (two, two[::-1]):
        series, _ = judged(point_plan(exchanges=declared), values)
        assert float(series.total[-1] - series.total[0]) * STEP == 10 + 2 + 2 + 1


def test_a_net_totaliser_may_fall() -> None:
    """A signed totaliser has no resets: its difference is last less first."""
    assert told([10, 5, -5, 0], kind="net") == (-10, [])


def test_readings_are_rounded_to_the_resolution() -> None:
    """Exact amounts: float32 noise below the display's digit does not become consumption."""
    assert told([0.1 + 0.2, 0.3, 0.40000001, 0.4], resolution=0.1) == (0.1, [])
