"""What collect says of its own health."""

from __future__ import annotations

import json
import timeit
from math import nan
from pathlib import Path

import numpy as np
from collectors_plant import Hand, hand_clock, modbus, mqtt, plant

from collectors.source import Rejected
from collectors.status import FILE, RecentRate, Status
from plant.clock import PlantClock
from plant.reading import MINUTE, SECOND, Readings

METER = plant(
    {"meter": modbus("127.0.0.1:1", "x"), "gateway": mqtt("t", "number")},
    {
        "kw": ("meter", "power", "rate", "kW"),
        "kwh": ("meter", "energy", "counter", "kWh"),
        "flow": ("gateway", "f", "rate", "m3/h"),
    },
    broker={"url": "mqtt://127.0.0.1:1", "client_id": "test"},
)


def test_the_status_of_a_device_tells_success_errors_and_one_rejected_payload(tmp_path: Path) -> None:
    """Last success in plant time, latency, the share of recent failures, and a sample to look at."""
    hand = Hand()
    status = Status(hand_clock(hand, anchor_us=1_000_000, speed=60), {"meter": "modbus", "scale": "mqtt"}, "mqtt://b")
    status.success("meter", 0.004, 3)
    hand.now = 1.0
    for _ in range(3):
        status.failure("meter", "no answer within 1 s")
    status.rejected("scale", Rejected(2, "garbage", "not a number"))
    status.retained("scale")
    status.write(tmp_path)
    found = json.loads((tmp_path / FILE).read_text())
    meter, scale = found["devices"]["meter"], found["devices"]["scale"]
    assert (meter["last_success"], meter["latency_ms"], meter["readings"]) == (1_000_000, 4.0, 3)
    assert (meter["errors"], meter["error_rate"], meter["last_error_at"]) == (3, 0.75, 61_000_000)
    assert scale["rejected"] == {"count": 2, "sample": "garbage", "reason": "not a number"}
    assert (scale["last_success"], scale["retained"], scale["error_rate"]) == (None, 1, 1.0)
    assert found["time"] == 61_000_000
    assert found["broker"]["connected"] is False
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_only_recent_attempts_make_the_error_rate() -> None:
    """A device that has recovered is no longer said to fail."""
    status = Status(hand_clock(Hand()), {"meter": "modbus"})
    for _ in range(100):
        status.failure("meter", "no answer")
    for _ in range(60):
        status.success("meter", 0.001, 1)
    assert status.plain()["devices"]["meter"]["error_rate"] == 0.0


def two_minutes(readings: int) -> tuple[Hand, Status]:
    """A meter polled at the full minutes, 12:00 and 12:01, just after the second poll."""
    hand = Hand()
    status = Status(hand_clock(hand, anchor_us=-MINUTE // 2), {"meter": "modbus"}, plant=METER)
    for now in (30.01, 90.01):
        hand.now = now
        status.success("meter", 0.004, readings)
    return hand, status


def test_the_rate_of_a_polled_device_does_not_depend_on_when_one_looks() -> None:
    """Three readings a minute are 0.05 a second, before a poll and after it."""
    hand, status = two_minutes(3)
    rates = set()
    for now in (95.5, 110.0, 140.0, 149.99):
        hand.now = now
        rates.add(status.plain()["devices"]["meter"]["readings_per_s"])
    assert rates == {0.05}


def test_the_rate_of_a_device_that_fell_silent_is_zero() -> None:
    """Within a minute and a twelfth; and it is not known before a twelfth of a minute is over."""
    hand, status = two_minutes(3)
    hand.now = 155.0
    assert status.plain()["devices"]["meter"]["readings_per_s"] == 0.0
    fresh = Status(hand_clock(Hand(), anchor_us=MINUTE), {"meter": "modbus"})
    fresh.success("meter", None, 5)
    assert fresh.plain()["devices"]["meter"]["readings_per_s"] is None


def test_a_slow_device_s_rate_is_taken_over_its_interval() -> None:
    """A reading each 15 min is a reading in 900 s, not one in 60 s for a minute and none for 14."""
    rate = RecentRate(900.0, 0)
    for poll in (900, 1800):
        rate.add(poll * SECOND, 1)
    assert [rate.per_s(now * SECOND) for now in (1900, 2600)] == [1 / 900, 1 / 900]


def test_the_median_latency_is_not_moved_by_one_slow_answer() -> None:
    """The last one is beside it; before any answer neither is known, nor is the share of failures."""
    status = Status(hand_clock(Hand()), {"meter": "modbus", "new": "modbus"})
    for _ in range(59):
        status.success("meter", 0.004, 1)
    status.success("meter", 5.0, 1)
    found = status.plain()["devices"]
    assert (found["meter"]["latency_ms"], found["meter"]["latency_median_ms"]) == (5000.0, 4.0)
    assert (found["new"]["latency_ms"], found["new"]["latency_median_ms"], found["new"]["error_rate"]) == (None,) * 3


def readings(*rows: tuple[str, int, int, float]) -> Readings:
    """Point, time [s], received [s], value."""
    names = tuple(dict.fromkeys(row[0] for row in rows))
    return Readings.build(
        names,
        np.array([names.index(row[0]) for row in rows], np.int32),
        np.array([row[1] * SECOND for row in rows]),
        np.array([row[2] * SECOND for row in rows]),
        np.array([row[3] for row in rows]),
    )


def test_the_lag_is_that_of_the_newest_good_reading() -> None:
    """What a gateway sends later from its memory is no lag, a bad reading says nothing, a point of nobody neither."""
    status = Status(hand_clock(Hand()), {"meter": "modbus", "gateway": "mqtt"}, plant=METER)
    status.accepted(
        readings(("kw", 100, 103, 1.0), ("kwh", 40, 103, 1.0), ("kw", 200, 203, nan), ("else", 9, 999, 1.0))
    )
    found = status.plain()["devices"]
    assert (found["meter"]["lag_s"], found["gateway"]["lag_s"]) == (3.0, None)
    status.accepted(readings(("flow", 300, 290, 1.0)))
    found = status.plain()["devices"]
    assert (found["meter"]["lag_s"], found["gateway"]["lag_s"]) == (3.0, -10.0)
    status.accepted(Readings.join([]))


def test_the_broker_and_the_journal_tell_everything() -> None:
    """Doubts are a list of their own, so that a reader never sees one half written."""
    status = Status(hand_clock(Hand()), {}, "mqtt://b")
    assert status.broker is not None
    found = status.plain()
    status.broker.doubts.append("forgetful")
    assert found["broker"]["doubts"] == [] and status.plain()["broker"]["doubts"] == ["forgetful"]
    assert found["journal"]["budget_bytes"] is None and found["journal"]["damage"] == ""


def test_a_success_is_cheap() -> None:
    """It is called for every poll: far under 20 us even on a busy machine (measured: 1.5 us)."""
    status = Status(PlantClock.real(), {"meter": "modbus"}, plant=METER)
    best = min(timeit.repeat(lambda: status.success("meter", 0.004, 50), number=1000, repeat=5)) / 1000
    assert best < 20e-6
