"""What payloads say: the three styles, times, and garbage that is counted but never raised."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from collectors_plant import mqtt, plant
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.mqtt.payload import decode
from collectors.mqtt.topics import topics
from collectors.source import Rejected
from plant.clock import to_us
from plant.reading import Quality, Readings

NOON = to_us(datetime(2026, 3, 2, 4, tzinfo=UTC))  # 12:00 in Shanghai
DEVICES = {
    "station": mqtt("plant/ww/{read}", "number"),
    "gateway": mqtt("plant/state", "json", time="ts"),
    "events": mqtt("plant/events", "json_array", time="ts", time_format="epoch_ms"),
    "local": mqtt("plant/local", "json", time="at.written", time_format="local"),
}
POINTS = {
    "ww_flow": ("station", "flow", "rate", "m3/h"),
    "ww_ph": ("station", "ph", "level", "pH"),
    "temperature": ("gateway", "weather.temperature", "level", "degC"),
    "reuse": {"from": "gateway", "read": "reuse.0.total", "kind": "counter", "unit": "m3", "scale": 0.001},
    "racks": ("events", "zn_racks", "count", "rack"),
    "mains": ("events", "mains", "net", "kWh"),
    "tank": ("local", "level", "level", "m"),
}
TOPICS = topics(plant(DEVICES, POINTS))


def take(*messages: tuple[str, bytes | object], received: int = NOON) -> tuple[Readings, dict[str, Rejected]]:
    """What messages give; a payload that is not bytes is written as JSON."""
    return decode(
        TOPICS,
        [(received, topic, body if isinstance(body, bytes) else json.dumps(body).encode()) for topic, body in messages],
    )


def rows(readings: Readings) -> list[tuple[str, int, float | None, str]]:
    """Readings as (point, time after noon [s], value or None, finding)."""
    return [
        (readings.points[point], (time - NOON) // 1_000_000, None if math.isnan(value) else value, finding)
        for point, time, value, finding in zip(
            readings.point.tolist(),
            readings.time.tolist(),
            readings.value.tolist(),
            [readings.findings[one] for one in readings.finding],
            strict=True,
        )
    ]


def test_a_bare_number_is_stamped_on_receipt() -> None:
    """A number on a topic of its own is a reading of the moment it came."""
    readings, rejected = take(("plant/ww/flow", b"12.5"), ("plant/ww/ph", b" 7.1\n"))
    assert rows(readings) == [("ww_flow", 0, 12.5, ""), ("ww_ph", 0, 7.1, "")]
    assert not rejected


def test_an_object_gives_every_path_with_its_own_time() -> None:
    """Dotted paths, list positions, the point's scale and the payload's own time; an absent path gives nothing."""
    state = {"ts": "2026-03-02T12:01:00+08:00", "weather": {"temperature": 21}, "reuse": [{"total": 4500}]}
    readings, rejected = take(("plant/state", state), ("plant/state", {**state, "reuse": []}))
    assert rows(readings) == [("temperature", 60, 21.0, ""), ("reuse", 60, 4.5, ""), ("temperature", 60, 21.0, "")]
    assert not rejected


def test_a_list_gives_a_reading_a_known_tag() -> None:
    """Tags that no point reads are passed over without complaint."""
    ms = NOON // 1000
    batch = [
        {"tag": "zn_racks", "ts": ms, "value": 1},
        {"tag": "elsewhere", "ts": ms, "value": 1},
        {"tag": "mains", "ts": ms + 1500, "value": -2.5},
    ]
    readings, rejected = take(("plant/events", batch))
    assert rows(readings) == [("racks", 0, 1.0, ""), ("mains", 1, -2.5, "")]
    assert not rejected


def test_local_time_without_zone_is_the_plants() -> None:
    """12:00 without a zone is noon in the plant's time zone."""
    readings, _ = take(("plant/local", {"at": {"written": "2026-03-02 12:00"}, "level": 2}))
    assert rows(readings) == [("tank", 0, 2.0, "")]


@pytest.mark.parametrize(
    ("written", "finding"),
    [
        (None, "not available"),
        ("", "not available"),
        ("n/a", "not a number"),
        (True, "not a number"),
        ([], "not a number"),
        ("NaN", "not a number"),
        ("1_000", "not a number"),
        (10**400, "not a number"),
    ],
)
def test_no_value_is_bad_and_never_zero(written: object, finding: str) -> None:
    """Promise 3: null, text, truth values and not-a-numbers are bad readings without a value."""
    state = {"ts": "2026-03-02T04:00:00Z", "weather": {"temperature": written}}
    readings, rejected = take(("plant/state", state))
    assert rows(readings) == [("temperature", 0, None, finding)]
    assert readings.quality.tolist() == [Quality.BAD]
    assert bool(rejected) == (finding == "not a number")


@pytest.mark.parametrize(
    ("topic", "payload", "device", "reason"),
    [
        ("plant/state", b"{", "gateway", "not JSON"),
        ("plant/state", b"\xff\xfe", "gateway", "not JSON"),
        ("plant/state", {"weather": {"temperature": 1}}, "gateway", "no time"),
        ("plant/state", {"ts": "2026-03-02T04:00:00", "weather": {"temperature": 1}}, "gateway", "no time"),
        ("plant/state", {"ts": "2026-03-02T04:00:00Z", "wetter": 1}, "gateway", "none of the paths"),
        ("plant/events", {"tag": "mains"}, "events", "not a list"),
        ("plant/events", [{"ts": 0, "value": 1}], "events", "no tag"),
        ("plant/events", [{"tag": "mains", "ts": 1e300, "value": 1}], "events", "no time"),
        ("plant/events", [{"tag": "mains", "ts": -1, "value": 1}], "events", "no time"),
    ],
)
def test_what_cannot_be_understood_is_counted_with_a_sample(topic: str, payload: Any, device: str, reason: str) -> None:
    """A message or element without a usable form or time gives no reading, is counted, and one is kept to look at."""
    readings, rejected = take((topic, payload), (topic, payload))
    assert len(readings) == 0
    assert rejected[device].count == 2
    assert reason in rejected[device].reason
    assert rejected[device].sample


def test_a_wrong_element_does_not_take_the_others_with_it() -> None:
    """One bad element of a batch is rejected, its neighbours are readings."""
    ms = NOON // 1000
    readings, rejected = take(
        ("plant/events", [{"tag": "mains", "value": 1}, 5, {"tag": "mains", "ts": ms, "value": 2}])
    )
    assert rows(readings) == [("mains", 0, 2.0, "")]
    assert rejected["events"].count == 1


KEYS = st.sampled_from(("ts", "tag", "value", "weather", "temperature", "reuse", "total", "at", "written", "level"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from((*TOPICS.routes, "plant/none")),
    st.binary(max_size=60) | JSON.map(lambda body: json.dumps(body).encode()),
)
@settings(max_examples=500, deadline=None)
def test_no_payload_raises_and_none_becomes_a_false_number(topic: str, payload: bytes) -> None:
    """Any bytes on any topic: no exception; every good reading has a finite value, every bad one has none."""
    readings, _ = decode(TOPICS, [(NOON, topic, payload)])
    good = readings.quality == Quality.GOOD
    values = readings.value.tolist()
    assert all(math.isfinite(value) for value, ok in zip(values, good.tolist(), strict=True) if ok)
    assert all(math.isnan(value) for value, ok in zip(values, good.tolist(), strict=True) if not ok)
    assert (readings.time >= 0).all()
