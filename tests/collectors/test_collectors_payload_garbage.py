"""Whatever a broker hands over, no exception escapes, and a mutated message gives its own bytes' value or none."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from collectors_plant import mqtt, plant
from hypothesis import given, settings
from hypothesis import strategies as st
from sparkplug_edge import INT32, bd_seq, double, metric, payload, value

from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import topics
from plant.clock import to_us
from plant.reading import Quality

NOW = to_us(datetime(2026, 3, 2, 4, tzinfo=UTC))
DEVICES = {
    "bare": mqtt("bare/{read}", "number"),
    "state": mqtt("state", "json", time="ts"),
    "list": mqtt("list", "json_array", time="ts", time_format="epoch_ms"),
    "deep": mqtt("deep", "json_array", tag="a.tag", value="a.value"),
    "plug": mqtt("tele/plug/SENSOR", "tasmota"),
    "meter": mqtt("meter", "shelly"),
    "node": mqtt("G/E", "sparkplug_b", rebirth=True),
    "press": mqtt("G/E/press", "sparkplug_b"),
}
POINTS = {
    "p1": ("bare", "x", "level", "1"),
    "p2": ("state", "a.0.b", "level", "1"),
    "p3": ("list", "x", "level", "1"),
    "p4": ("deep", "x", "level", "1"),
    "p5": ("plug", "ENERGY.Total", "counter", "kWh"),
    "p6": ("plug", "S.Temperature", "level", "degC"),
    "p7": ("meter", "em:0.total_act_power", "rate", "kW"),
    "p8": ("node", "x", "level", "1"),
    "p9": ("press", "x", "level", "1"),
}
TOPICS = topics(plant(DEVICES, POINTS, time_zone="Europe/Berlin"))
VALID = {
    "bare/x": b"12.5",
    "state": b'{"ts":"2026-03-02T12:01:00+08:00","a":[{"b":2.5}]}',
    "list": b'[{"tag":"x","ts":1772424000000,"value":1.5},{"tag":"y","ts":1,"value":null}]',
    "deep": b'[{"a":{"tag":"x","value":1.5}}]',
    "tele/plug/SENSOR": b'{"Time":"2026-10-25T02:31:06","ENERGY":{"Total":1.3},"S":{"Temperature":2},"TempUnit":"C"}',
    "tele/plug/LWT": b"Offline",
    "meter/events/rpc": b'{"method":"NotifyStatus","params":{"ts":1772424000.5,"em:0":{"total_act_power":1.5}}}',
    "meter/status/em:0": b'{"id":0,"total_act_power":2413.825}',
    "meter/online": b"false",
    "spBv1.0/G/NBIRTH/E": payload(0, bd_seq(7), double("x", 1, 1.5), at=NOW // 1000),
    "spBv1.0/G/NDATA/E": payload(1, metric("x", 1, INT32, value(10, 7), at=NOW // 1000, quality=192)),
    "spBv1.0/G/NDEATH/E": payload(None, bd_seq(7)),
    "spBv1.0/G/DBIRTH/E/press": payload(2, double("x", 2, 1.5)),
    "spBv1.0/G/DDATA/E/press": payload(3, metric(alias=2, sent=value(13, 2.5))),
    "spBv1.0/G/DDEATH/E/press": payload(4),
}
SOUND = st.sampled_from(sorted(VALID)).map(lambda topic: (topic, VALID[topic]))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A valid message with some bytes changed, cut out, doubled or put in."""
    topic, body = draw(SOUND)
    changed = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        length = draw(st.integers(0, 4))
        changed[at : at + length] = draw(st.binary(max_size=4) | st.just(bytes(changed[at : at + 2 * length])))
    return topic, bytes(changed)


ANY = st.tuples(
    st.sampled_from(
        (*VALID, "none", "spBv1.0/G/DDATA/E/oven", "spBv1.0/G/NCMD/E", "spBv1.0//", "spBv1.0/G/NDATA/E/a/b")
    ),
    st.binary(max_size=80),
)


def examine(decoder: Decoder, messages: list[tuple[str, bytes]]) -> None:
    """Decodes messages and holds what comes out against what readings promise."""
    decoded = decoder.decode([(NOW + index, *one) for index, one in enumerate(messages)])
    readings = decoded.readings
    bad = readings.quality == Quality.BAD
    for number, is_bad in zip(readings.value.tolist(), bad.tolist(), strict=True):
        assert math.isnan(number) if is_bad else math.isfinite(number)
    assert (readings.time >= to_us(datetime(2000, 1, 1, tzinfo=UTC))).all()
    assert ((readings.received >= NOW) & (readings.received < NOW + len(messages))).all()
    assert (readings.point >= 0).all()
    assert (readings.point < len(TOPICS.points)).all()
    assert set(decoded.rejected) <= set(DEVICES)
    assert all(name.startswith("mqtt/sparkplug/") for name in decoded.marks)
    decoder.wanted()
    Decoder(TOPICS, decoded.marks)


@given(st.lists(ANY | SOUND | mutated(), max_size=6))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_and_none_become_a_false_number(messages: list[tuple[str, bytes]]) -> None:
    """Promise 3: random bytes, valid messages and mutated ones on every topic: readings are sound or bad, never odd."""
    examine(Decoder(TOPICS), messages)


def test_the_valid_messages_are_valid() -> None:
    """What is mutated above gives readings on every topic but the last wills of nothing, and rejects nothing."""
    decoded = Decoder(TOPICS).decode([(NOW, *one) for one in VALID.items()])
    assert not decoded.rejected
    assert set(decoded.readings.point.tolist()) == set(range(len(TOPICS.points)))


@given(st.binary(max_size=12), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_a_number_cut_short_is_its_own_text_or_bad(body: bytes, _length: int) -> None:
    """The value of a bare number is what its bytes say, or there is none."""
    readings = Decoder(TOPICS).decode([(NOW, "bare/x", body)]).readings
    try:
        expected = float(body)
    except ValueError:
        expected = math.nan
    if b"_" in body or not math.isfinite(expected):
        assert readings.quality.tolist() == [Quality.BAD]
    else:
        assert readings.value.tolist() == [expected]


ELEMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "tag": st.sampled_from(("x", "y")) | st.none(),
            "ts": st.integers(0, 2 * NOW // 1000) | st.floats() | st.text(max_size=3) | st.none(),
            "value": st.floats() | st.integers() | st.none() | st.booleans() | st.text(max_size=3),
        },
    ),
    max_size=4,
)


@given(ELEMENTS)
@settings(max_examples=150, deadline=None)
def test_a_list_is_read_alike_by_the_quick_and_the_careful_way(elements: list[dict[str, object]]) -> None:
    """Each element gives what it gives in a list of its own, whatever stands beside it."""
    decoder = Decoder(TOPICS)

    def read(listed: list[dict[str, object]]) -> list[tuple[int, str, int]]:
        readings = decoder.decode([(NOW, "list", json.dumps(listed).encode())]).readings
        return list(
            zip(readings.time.tolist(), map(str, readings.value.tolist()), readings.finding.tolist(), strict=True)
        )

    plain = [one for one in elements if not any(isinstance(x, float) and not math.isfinite(x) for x in one.values())]
    careful: list[dict[str, object]] = [{"tag": 1}]  # an element of another form
    assert read(plain) == read(plain + careful) == [row for one in plain for row in read([one])]


def test_a_list_that_is_no_text_gives_nothing() -> None:
    """Bytes that are no UTF-8 in a part that nobody reads: the whole message is refused, as by the careful way."""
    sound = b'[{"tag":"x","ts":1772424000000,"value":1.5,"note":"%s"}]'
    for note, count in ((b"\xc3\xa9", 1), (b"\xff", 0)):
        decoded = Decoder(TOPICS).decode([(NOW, "list", sound % note)])
        assert len(decoded.readings) == count
        assert len(decoded.rejected) == 1 - count
