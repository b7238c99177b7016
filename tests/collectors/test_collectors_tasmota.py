"""Tasmota: published payloads, local time, units by name, the last will."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from collectors_plant import mqtt, plant
from payload_rows import Row, take

from collectors.mqtt.names import native_unit
from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import topics
from plant.clock import to_us
from plant.reading import Quality

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "tasmota_sensor.json").read_text())["payloads"]
NOW = to_us(datetime(2026, 3, 2, 4, tzinfo=UTC))
POINTS = {
    "energy": ("plug", "ENERGY.Total", "counter", "kWh"),
    "load": ("plug", "ENERGY.Power", "rate", "kW"),
    "night": ("plug", "ENERGY.TotalTariff.1", "counter", "Wh"),
}


def decoder(topic: str, points: dict[str, Any] = POINTS, zone: str = "Asia/Shanghai") -> Decoder:
    """A decoder of one Tasmota device."""
    return Decoder(topics(plant({"plug": mqtt(topic, "tasmota")}, points, time_zone=zone)))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["topic"] for vector in VECTORS])
def test_published_payloads(vector: dict[str, Any]) -> None:
    """Every payload of the collection: kWh as they are, W as kW, local time, no time, a clock of 1970."""
    body, expected = vector["json"], vector["expected"]
    found, reasons = take(decoder(vector["topic"]), NOW, (vector["topic"], body))
    values = {point: value for point, _, value, _ in found}
    times = {time for _, time, _, _ in found}
    assert not reasons
    assert values["energy"] == expected.get("total_kwh", body["ENERGY"]["Total"])
    assert values["load"] == pytest.approx(expected.get("power_w", body["ENERGY"]["Power"]) / 1000, abs=1e-12)
    assert ("night" in values) == ("TotalTariff" in body["ENERGY"])
    if "night" in values:
        assert values["night"] == pytest.approx(17.0)
    if expected.get("clock_not_set"):
        assert {(time, finding) for _, time, _, finding in found} == {(0.0, "clock not set")}
    elif expected.get("no_time_field"):
        assert times == {0.0}
    else:
        local = datetime.fromisoformat(body["Time"] + "+08:00")
        assert times == {(to_us(local) - NOW) / 1e6}


def test_the_last_will_ends_what_is_known() -> None:
    """Offline makes every point of the device bad from that moment; Online says nothing of values."""
    found, reasons = take(decoder("tele/plug/SENSOR"), NOW, ("tele/plug/LWT", b"Online"), ("tele/plug/LWT", b"Offline"))
    assert found == [(name, 0.0, None, "device offline") for name in POINTS]
    assert not reasons
    decoded = decoder("tele/plug/SENSOR").decode([(NOW, "tele/plug/LWT", b"Offline")])
    assert set(decoded.readings.quality.tolist()) == {Quality.BAD}


def test_both_topics_are_subscribed() -> None:
    """The telemetry and the last will."""
    plug = topics(plant({"plug": mqtt("a/tele/plug/SENSOR", "tasmota")}, POINTS))
    assert plug.subscriptions() == ["a/tele/plug/LWT", "a/tele/plug/SENSOR"]


@pytest.mark.parametrize(
    ("sent", "unit", "expected"),
    [
        ("C", "degC", ("warm", 0.0, 21.5, "")),
        (None, "degC", ("warm", 0.0, 21.5, "")),
        ("F", "degF", ("warm", 0.0, 21.5, "")),
        ("F", "degC", ("warm", 0.0, None, "in another unit")),
        ("C", "degF", ("warm", 0.0, None, "in another unit")),
    ],
)
def test_a_temperature_in_another_unit_is_bad(sent: str | None, unit: str, expected: Row) -> None:
    """Tasmota's setting of °C or °F is told in every message; the other values of the message are kept."""
    points = {"warm": ("plug", "DS18B20.Temperature", "level", unit), "damp": ("plug", "AM2301.Humidity", "level", "%")}
    body = {"DS18B20": {"Temperature": 21.5}, "AM2301": {"Humidity": 40}} | ({"TempUnit": sent} if sent else {})
    found, reasons = take(decoder("tele/plug/SENSOR", points), NOW, ("tele/plug/SENSOR", body))
    assert sorted(found) == [("damp", 0.0, 40.0, ""), expected]
    assert not reasons


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        ({"Time": "yesterday", "ENERGY": {"Total": 1}}, "no time"),
        ({"Time": "2026-03-02T12:00:00", "Switch1": "OFF"}, "none of the paths"),
        ({"ENERGY": {"Total": "on"}}, "'ENERGY.Total' is not a number"),
    ],
)
def test_what_cannot_be_used_is_counted(body: Any, reason: str) -> None:
    """A message without a form, a time or a value is rejected with the reason."""
    _, reasons = take(decoder("tele/plug/SENSOR"), NOW, ("tele/plug/SENSOR", body))
    assert reason in reasons["plug"]


def test_names_tell_units() -> None:
    """Units by name; a name that is not known leaves the point's own unit in force."""
    assert native_unit("tasmota", "ENERGY.Power.2") == "W"
    assert native_unit("tasmota", "ENERGY.ExportReactive") == "kvarh"
    assert native_unit("tasmota", "COUNTER.C1") is None
    assert native_unit("json", "ENERGY.Total") is None
