"""Source times: every format, zones, changes of clocks, and clocks that were never set."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from collectors_plant import mqtt, plant
from hypothesis import given
from hypothesis import strategies as st
from payload_rows import take

from collectors.mqtt.payload import Decoder
from collectors.mqtt.times import NOT_SET, clockwork
from collectors.mqtt.topics import topics
from plant.clock import to_us
from plant.reading import Quality

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NOON = to_us(datetime(2026, 3, 2, 12, tzinfo=UTC))
FORMATS = ("rfc3339", "local", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns")


@pytest.mark.parametrize(
    ("time_format", "written", "expected"),
    [
        ("rfc3339", "2026-03-02T12:00:00Z", NOON),
        ("rfc3339", "2026-03-02T20:00:00+08:00", NOON),
        ("rfc3339", "2026-03-02 12:00:00.25Z", NOON + 250_000),
        ("rfc3339", "2026-03-02T12:00:00.123456789Z", NOON + 123_456),
        ("rfc3339", "2026-03-02T12:00:00", None),
        ("rfc3339", "2026-03-02", None),
        ("rfc3339", 1772452800, None),
        ("epoch_s", 1772452800, NOON),
        ("epoch_s", "1772452800", NOON),
        ("epoch_s", 1772452800.62, NOON + 620_000),
        ("epoch_ms", 1772452800001, NOON + 1_000),
        ("epoch_ms", "1772452800001.5", NOON + 1_500),
        ("epoch_us", 1772452800000001, NOON + 1),
        ("epoch_ns", 1772452800000001999, NOON + 1),
        ("epoch_ns", "1772452800000001999", NOON + 1),
        ("epoch_ms", True, None),
        ("epoch_ms", -1, None),
        ("epoch_ms", "nan", None),
        ("epoch_ms", 10**400, None),
        ("epoch_s", 1e308, None),  # finite, but not in microseconds
        ("epoch_s", "1e308", None),
        ("epoch_s", "1_772_452_800", None),
        ("epoch_s", "１７７２４５２８００.0", None),
        ("epoch_s", 1772452800000, None),  # milliseconds: the year 58135
        ("local", "2026-03-02T20:00:00", NOON),
        ("local", "2026-03-02T12:00:00Z", NOON),
        ("local", "2026-02-30T12:00:00", None),
        ("rfc3339", "1970-01-01T00:33:28Z", NOT_SET),
        ("local", "1970-01-01T00:33:28", NOT_SET),  # before 1970 in UTC
        ("epoch_ms", 0, NOT_SET),
        ("epoch_s", 1.61, NOT_SET),
        ("epoch_s", 946684799, NOT_SET),
        ("epoch_s", 946684800, 946684800_000_000),
    ],
)
def test_a_time_is_what_its_format_says(time_format: str, written: object, expected: int | None) -> None:
    """Each format gives the instant, nothing for what it cannot be, and NOT_SET for a time before 2000."""
    assert clockwork(time_format, SHANGHAI)(written, NOON) == expected


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2026-10-25T00:20:05+00:00", "2026-10-25T00:20:00+00:00"),
        ("2026-10-25T01:20:05+00:00", "2026-10-25T01:20:00+00:00"),
        ("2026-10-25T09:00:00+00:00", "2026-10-25T01:20:00+00:00"),
    ],
)
def test_in_the_repeated_hour_the_nearer_to_the_receipt_is_meant(received: str, expected: str) -> None:
    """02:20 comes twice on 25 October in Berlin; a message that comes seconds later means the one just passed."""
    clock = clockwork("local", BERLIN)
    assert clock("2026-10-25T02:20:00", to_us(datetime.fromisoformat(received))) == to_us(
        datetime.fromisoformat(expected)
    )


def test_a_local_time_that_the_clock_change_leaves_out_is_refused() -> None:
    """02:20 does not exist on 29 March in Berlin; 01:59 and 03:00 do."""
    clock = clockwork("local", BERLIN)
    assert clock("2026-03-29T02:20:00", NOON) is None
    assert clock("2026-03-29T01:59:59", NOON) == to_us(datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC))
    assert clock("2026-03-29T03:00:00", NOON) == to_us(datetime(2026, 3, 29, 1, tzinfo=UTC))


@given(st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_local_time_written_by_a_device_comes_back(moment: datetime) -> None:
    """Whatever the instant, its local time without zone, received at once, is that instant again."""
    time = to_us(moment)
    local = moment.astimezone(BERLIN).replace(tzinfo=None).isoformat()
    assert clockwork("local", BERLIN)(local, time) == time


@given(
    st.sampled_from(FORMATS),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.lists(st.integers(), max_size=2),
)
def test_nothing_written_as_time_raises(time_format: str, written: object) -> None:
    """Any JSON value as a time is an instant from 2000 on, NOT_SET or nothing."""
    time = clockwork(time_format, BERLIN)(written, NOON)
    assert time is None or time == NOT_SET or time >= to_us(datetime(2000, 1, 1, tzinfo=UTC))


def test_a_clock_that_was_never_set_does_not_reach_history() -> None:
    """Promise 3: the value is kept, stamped on receipt, and suspect; neither 1970 nor good."""
    devices = {
        "one": mqtt("one", "json", time="ts", time_format="epoch_s"),
        "many": mqtt("many", "json_array", time="ts"),
    }
    points = {"a": ("one", "x", "level", "1"), "b": ("many", "x", "level", "1"), "c": ("one", "y", "level", "1")}
    decoder = Decoder(topics(plant(devices, points)))
    found, reasons = take(
        decoder,
        NOON,
        ("one", {"ts": 12, "x": 1.5, "y": None}),
        ("many", [{"tag": "x", "ts": "1970-01-01T08:00:00Z", "value": 2.5}]),
    )
    assert found == [
        ("a", 0.0, 1.5, "clock not set"),
        ("c", 0.0, None, "not available"),
        ("b", 0.0, 2.5, "clock not set"),
    ]
    assert not reasons
    decoded = decoder.decode([(NOON, "one", b'{"ts": 12, "x": 1.5}')])
    assert decoded.readings.quality.tolist() == [Quality.SUSPECT]
