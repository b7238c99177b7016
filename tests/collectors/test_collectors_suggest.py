"""What a topic seems to carry: every style from a few payloads, and lines that a description accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from collectors_plant import plant
from sparkplug_edge import STRING, bd_seq, block, double, metric, payload

from collectors.check import check
from collectors.mqtt.payload import Decoder
from collectors.mqtt.suggest import Found, Suggestion, describe_payload
from collectors.mqtt.topics import topics

HERE = Path(__file__).parent
TASMOTA = json.loads((HERE / "tasmota_sensor.json").read_text())["payloads"]
SHELLY = json.loads((HERE / "shelly_pro3em_status.json").read_text())
MS = 1772424000000


def written(body: Any) -> bytes:
    """A payload as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def describe(topic: str, *bodies: Any) -> Suggestion:
    """What some payloads suggest."""
    return describe_payload(topic, [written(body) for body in bodies])


CASES: list[tuple[str, Any]] = [
    ("plant/ww/flow", b"12.5"),
    ("flow", b" 7 "),
    ("plant/state", {"ts": "2026-03-02T12:00:00+08:00", "weather": {"temperature": 21}, "reuse": [{"total": 4500}]}),
    ("plant/local", {"at": {"written": "2026-03-02 12:00:00"}, "level": "2.5", "on": True}),
    ("plant/clock", {"time": MS // 1000, "x": 1}),
    ("plant/us", {"timestamp": MS * 1000, "x": 1}),
    ("plant/ns", {"timestamp": str(MS * 10**6), "x": 1}),
    ("plant/none", {"x": 1, "weird key!": 2}),
    ("plant/events", [{"tag": "zn", "ts": MS, "value": 1}, {"tag": "cr", "ts": MS, "value": None}]),
    ("plant/list", [{"sensor": "a", "reading": "7.5", "when": "2026-03-02T04:00:00Z"}]),
    ("tele/plug/SENSOR", TASMOTA[0]["json"]),
    ("tele/plug/SENSOR", TASMOTA[1]["json"]),
    ("shop/em/status/em:0", SHELLY["em:0"]),
    ("shop/em/status/emdata:0", SHELLY["emdata:0"]),
    ("shop/em/events/rpc", {"method": "NotifyStatus", "params": {"ts": MS / 1000, "switch:0": {"apower": 5.5}}}),
    ("spBv1.0/G/NBIRTH/E", payload(0, bd_seq(1), double("Inputs/Flow 1", 1, 2.5))),
    ("spBv1.0/G/DBIRTH/E/press", payload(1, double("Energy", 2, 100.0))),
]


@pytest.mark.parametrize(("topic", "body"), CASES, ids=[f"{topic}-{n}" for n, (topic, _) in enumerate(CASES)])
def test_a_suggestion_is_accepted_and_reads_the_payload(topic: str, body: Any) -> None:
    """The lines are YAML, pass the check, and a decoder made from them takes every value shown from the payload."""
    found = describe(topic, body)
    text = "\n".join(["devices:", *found.device_lines("mine"), "points:", *found.point_lines("mine")])
    loaded = yaml.safe_load(text)
    made = plant(loaded["devices"], loaded["points"], broker={"url": "mqtt://b", "client_id": "x"})
    assert check(made, HERE / "plant.yaml", lambda _: 1) == []
    decoded = Decoder(topics(made)).decode([(MS * 1000, topic, written(body))])
    assert not decoded.rejected
    taken = {decoded.readings.points[point] for point in decoded.readings.point}
    assert taken == set(loaded["points"])
    assert len(taken) == len(found.values) > 0


def test_each_style_is_recognised() -> None:
    """Style, topic, values with examples and units, and where the time is."""
    assert describe("plant/ww/flow", b"1", b"12.5") == Suggestion("number", "plant/ww/{read}", (Found("flow", 12.5),))
    state = describe("s", {"ts": MS, "a": {"b": 1}, "text": "on"}, {"ts": MS, "a": {"b": 2}, "c": 3})
    assert state.payload == "json"
    assert state.values == (Found("a.b", 2.0), Found("c", 3.0))
    assert state.settings == (("time", "ts"), ("time_format", "epoch_ms"))
    events = describe("s", [{"name": "a", "v": 1, "ts": MS}])
    assert events.payload == "json_array"
    assert events.settings == (("tag", "name"), ("value", "v"), ("time", "ts"), ("time_format", "epoch_ms"))
    plug = describe("tele/plug/SENSOR", TASMOTA[0]["json"])
    assert plug.payload == "tasmota"
    assert Found("ENERGY.Total", 1.368, "kWh") in plug.values
    meter = describe("shop/em/status/emdata:0", SHELLY["emdata:0"])
    assert (meter.payload, meter.topic) == ("shelly", "shop/em")
    assert Found("emdata:0.total_act", 5415414.19, "Wh") in meter.values
    node = describe(
        "spBv1.0/G/NBIRTH/E", payload(0, bd_seq(1), double("x", 1, 2.5), metric("s", 3, STRING, block(15, b"a")))
    )
    assert (node.payload, node.topic, node.values) == ("sparkplug_b", "G/E", (Found("x", 2.5),))


def test_known_units_become_those_of_a_description() -> None:
    """Wh is suggested as a counter in kWh, W as a rate in kW; a name that tells nothing as a level."""
    lines = "\n".join(describe("m/status/em:0", {"id": 0, "total_act_power": 5}).point_lines("m"))
    assert "kind: rate" in lines
    assert "unit: kW  # sent in W; converted" in lines
    assert "kind: level" in "\n".join(describe("plant/x", b"1").point_lines("m"))


@pytest.mark.parametrize(
    ("topic", "body", "remark"),
    [
        ("t", b"", "empty"),
        ("t", b"ON", "neither a number nor JSON: 'ON'"),
        ("t", b"true", "truth value"),
        ("t", b"\xff\xfe\x00", "3 bytes that are neither text nor JSON"),
        ("t", {"state": "on"}, "without a number"),
        ("t", [1, 2, 3], "tag and a value"),
        ("t", b'"text"', "neither an object nor a list"),
        ("tele/plug/LWT", b"Online", "last will"),
        ("m/events/rpc", {"method": "NotifyStatus", "params": {"ts": 1, "mqtt": {}}}, "unit is known"),
        ("spBv1.0/G/NDATA/E", payload(1), "birth certificate"),
        ("spBv1.0/G/NBIRTH/E", b"\xff", "without a number"),
        ("spBv1.0/STATE/host", b"{}", "no values"),
    ],
)
def test_what_cannot_be_read_is_said(topic: str, body: Any, remark: str) -> None:
    """A topic that cannot be read has no lines, and a reason."""
    found = describe(topic, body)
    assert found.payload is None
    assert remark in found.remark
    assert found.device_lines("x") == found.point_lines("x") == []


def test_a_message_without_a_time_says_so() -> None:
    """A JSON object without a time of its own is stamped on receipt; that is told."""
    assert "receipt" in describe("t", {"x": 1}).remark


def test_a_flood_of_values_is_cut() -> None:
    """No more than 200 values are shown, and how many are not is told."""
    found = describe("t", {f"x{n}": n for n in range(250)})
    assert len(found.values) == 200
    assert "50 more" in found.remark
