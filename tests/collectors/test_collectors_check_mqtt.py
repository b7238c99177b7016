"""What is refused of MQTT devices: topics, settings without a use, reads, units; each with its place and a hint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from collectors_plant import mqtt, plant

from collectors.check import check

BROKER = {"broker": {"url": "mqtt://b", "client_id": "x"}}


def faults(device: dict[str, Any], point: Any = None) -> list[str]:
    """The faults of one device and at most one point, as 'where: message | hint'."""
    asked: dict[int, tuple[str, ...]] = {}

    def line_of(where: tuple[str, ...]) -> int:
        asked[len(asked) + 1] = where
        return len(asked)

    made = plant({"d": device}, {"p": point} if point else {}, **BROKER)
    return [f"{'.'.join(asked[one.line])}: {one.message} | {one.hint}" for one in check(made, Path("x.yaml"), line_of)]


@pytest.mark.parametrize(
    ("device", "point", "expected"),
    [
        (mqtt("a/#", "json"), None, "devices.d.topic: device 'd': topic 'a/#' is not one topic"),
        (mqtt("G/+", "sparkplug_b"), None, "devices.d.topic: device 'd': topic 'G/+' is not one topic"),
        (mqtt("G", "sparkplug_b"), None, "devices.d.topic: device 'd': topic 'G' is not an edge node"),
        (mqtt("G/E/D/x", "sparkplug_b"), None, "devices.d.topic: device 'd': topic 'G/E/D/x' is not an edge node"),
        (mqtt("G//D", "sparkplug_b"), None, "devices.d.topic: device 'd': topic 'G//D' is not an edge node"),
        (mqtt("spBv1.0/G/E", "sparkplug_b"), None, "devices.d.topic: device 'd': topic 'spBv1.0/G/E' is not an edge"),
        (mqtt("tele/plug", "tasmota"), None, "devices.d.topic: device 'd': topic 'tele/plug' is not one of Tasmota's"),
        (
            mqtt("shop/em/status/em:0", "shelly"),
            None,
            "devices.d.topic: device 'd': topic 'shop/em/status/em:0' is one topic of a Shelly, not the device"
            " | write 'shop/em' alone",
        ),
        (
            mqtt("tele/x/SENSOR", "tasmota", time="Time"),
            None,
            "devices.d.time: device 'd': 'time' has no use with payload: tasmota | leave it out: a Tasmota device's",
        ),
        (
            mqtt("x", "shelly", time_format="epoch_s"),
            None,
            "devices.d.time_format: device 'd': 'time_format' has no use with payload: shelly | leave it out",
        ),
        (
            mqtt("x/{read}", "number", time_format="epoch_s"),
            None,
            "devices.d.time_format: device 'd': 'time_format' has no use with payload: number | leave it out: a bare",
        ),
        (
            mqtt("x", "json", time_format="epoch_s"),
            None,
            "devices.d.time_format: device 'd': 'time_format' without 'time' | write 'time' as the path",
        ),
        (mqtt("x", "json", time="a..b"), None, "devices.d.time: device 'd': time 'a..b' is not a dotted path"),
        (mqtt("x", "json_array", tag="a."), None, "devices.d.tag: device 'd': tag 'a.' is not a dotted path"),
        (mqtt("x", "json_array", value="tag"), None, "devices.d.value: device 'd': tag and value are both 'tag'"),
        (mqtt("x", "json", tag="name"), None, "devices.d.tag: device 'd': 'tag' has no use with payload: json"),
        (mqtt("x", "json", rebirth=True), None, "devices.d.rebirth: device 'd': 'rebirth' has no use with payload"),
        (mqtt("x", "json"), ("d", "", "level", "1"), "points.p.read: point 'p': 'read' is empty"),
        (mqtt("x", "json"), ("d", "a..b", "level", "1"), "points.p.read: point 'p': 'a..b' is not a dotted path"),
        (mqtt("x/{read}", "number"), ("d", "a/+", "level", "1"), "points.p.read: point 'p': 'a/+' is not one level"),
        (
            mqtt("tele/x/SENSOR", "tasmota"),
            ("d", "ENERGY.Totl", "counter", "kWh"),
            "points.p.read: point 'p': the unit of 'ENERGY.Totl' is not known | did you mean 'ENERGY.Total'",
        ),
        (
            mqtt("tele/x/SENSOR", "tasmota"),
            ("d", "ENERGY.Power", "counter", "kWh"),
            "points.p.unit: point 'p' is in kWh, but 'ENERGY.Power' is in W",
        ),
        (
            mqtt("m", "shelly"),
            ("d", "total_act", "counter", "kWh"),
            "points.p.read: point 'p': 'total_act' is not a value of a Shelly's component | write COMPONENT:NUMBER",
        ),
        (
            mqtt("m", "shelly"),
            ("d", "em.total_act_power", "rate", "kW"),
            "points.p.read: point 'p': 'em.total_act_power' is not a value of a Shelly's component",
        ),
        (
            mqtt("m", "shelly"),
            ("d", "emdata:0.total_akt", "counter", "kWh"),
            "points.p.read: point 'p': the unit of 'emdata:0.total_akt' is not known | did you mean 'emdata:0",
        ),
        (
            mqtt("m", "shelly"),
            ("d", "emdata:0.total_act", "counter", "m3"),
            "points.p.unit: point 'p' is in m3, but 'emdata:0.total_act' is in Wh",
        ),
    ],
)
def test_each_fault_has_its_place_and_a_hint(device: dict[str, Any], point: Any, expected: str) -> None:
    """Promise 8: one fault, where it stands, and what to write instead; nothing else is reported."""
    [found] = faults(device, point)
    assert found.startswith(expected)
    assert not found.endswith("| ")


@pytest.mark.parametrize(
    ("device", "point"),
    [
        (mqtt("a/b", "json", time="ts", time_format="epoch_ns"), ("d", "x.0.y", "level", "1")),
        (mqtt("a/b", "json_array", tag="t", value="v", time="ts"), ("d", "any.thing", "level", "1")),
        (mqtt("a/{read}", "number"), ("d", "x", "level", "1")),
        (mqtt("home/tele/plug/SENSOR", "tasmota"), ("d", "ENERGY.TotalTariff.1", "counter", "MWh")),
        (mqtt("tele/plug/SENSOR", "tasmota"), ("d", "DS18B20.Temperature", "level", "degC")),
        (mqtt("tele/plug/STATE", "tasmota"), ("d", "Wifi.RSSI", "level", "%")),
        (mqtt("shop/meter-1", "shelly"), ("d", "switch:0.aenergy.total", "counter", "kWh")),
        (mqtt("shop/meter-1", "shelly"), ("d", "wifi.rssi", "level", "1")),
        (mqtt("Plant 1/Edge/Press", "sparkplug_b"), ("d", "Inputs/Energy total.kWh", "counter", "kWh")),
        (mqtt("G/E", "sparkplug_b", rebirth=True), None),
    ],
)
def test_what_is_sound_is_accepted(device: dict[str, Any], point: Any) -> None:
    """No fault where there is none."""
    assert faults(device, point) == []
