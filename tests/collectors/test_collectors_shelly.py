"""Shelly Gen2 and later: notifications, status messages, null, Wh, and devices that go offline."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from collectors_plant import mqtt, plant
from payload_rows import message, rows, take

from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import topics
from plant.clock import to_us
from plant.reading import MINUTE

VECTOR: dict[str, Any] = json.loads((Path(__file__).parent / "shelly_pro3em_status.json").read_text())
NOW = to_us(datetime(2026, 3, 2, 4, tzinfo=UTC))
POINTS = {
    "energy": ("meter", "emdata:0.total_act", "counter", "kWh"),
    "load": ("meter", "em:0.total_act_power", "rate", "kW"),
    "neutral": ("meter", "em:0.n_current", "level", "A"),
}
PHASES = {
    f"{phase}_energy": ("meter", f"emdata:0.{phase}_total_act_energy", "counter", "Wh") for phase in ("a", "b", "c")
}
TOPICS = topics(plant({"meter": mqtt("shop/pro3em", "shelly")}, POINTS | PHASES))


def notify(ts: object, method: str = "NotifyStatus", **components: Any) -> dict[str, Any]:
    """A notification; a component's name has _ for the colon."""
    params = {name.replace("_", ":"): body for name, body in components.items()}
    return {"src": "pro3em", "dst": "pro3em/events", "method": method, "params": {"ts": ts, **params}}


def test_a_published_status_by_the_status_topics() -> None:
    """The Pro 3EM's own numbers: Wh become kWh, W kW, the phases sum up, null is missing and never 0."""
    found, reasons = take(
        Decoder(TOPICS),
        NOW,
        ("shop/pro3em/status/em:0", VECTOR["em:0"]),
        ("shop/pro3em/status/emdata:0", VECTOR["emdata:0"]),
    )
    values = {point: value for point, _, value, _ in found}
    assert values["energy"] == pytest.approx(VECTOR["expected"]["total_kwh"], rel=1e-12)
    assert values["load"] == pytest.approx(2.413825)
    assert sum(values[name] or 0.0 for name in PHASES) == pytest.approx(VECTOR["expected"]["sum_of_phases_wh"])
    assert ("neutral", 0.0, None, "not available") in found
    assert not reasons


def test_a_published_status_as_a_notification() -> None:
    """The same as NotifyFullStatus: the same values, at the device's own time."""
    body = notify(VECTOR["sys_unixtime"], "NotifyFullStatus", em_0=VECTOR["em:0"], emdata_0=VECTOR["emdata:0"])
    found, reasons = take(Decoder(TOPICS), NOW, ("shop/pro3em/events/rpc", body))
    assert {time for _, time, _, _ in found} == {VECTOR["sys_unixtime"] - NOW / 1e6}
    assert {point: value for point, _, value, _ in found}["energy"] == pytest.approx(VECTOR["expected"]["total_kwh"])
    assert not reasons


def test_a_notification_holds_only_what_changed() -> None:
    """What is absent gives nothing and is no complaint, nor are notifications of other things."""
    found, reasons = take(
        Decoder(TOPICS),
        NOW,
        ("shop/pro3em/events/rpc", notify(NOW / 1e6 + 1.25, em_0={"id": 0, "total_act_power": 500})),
        ("shop/pro3em/events/rpc", notify(NOW / 1e6, mqtt={"connected": True})),
        ("shop/pro3em/events/rpc", notify(NOW / 1e6, "NotifyEvent", em_0={"total_act_power": 1})),
    )
    assert found == [("load", 1.25, 0.5, "")]
    assert not reasons


@pytest.mark.parametrize("ts", [1.61, None])
def test_a_device_without_the_time_of_day_is_stamped_on_receipt(ts: object) -> None:
    """A Shelly that has just started counts seconds from its start: suspect, at the receipt."""
    body = notify(ts, em_0={"total_act_power": 500})
    assert take(Decoder(TOPICS), NOW, ("shop/pro3em/events/rpc", body))[0] == [("load", 0.0, 0.5, "clock not set")]


def test_a_value_is_not_read_twice_by_two_clocks() -> None:
    """What comes by notification is passed over in the status messages, until notifications end."""
    decoder = Decoder(TOPICS)
    sent = [
        ("shop/pro3em/events/rpc", notify(NOW / 1e6 - 30, emdata_0={"total_act": 1000}), NOW),
        ("shop/pro3em/status/emdata:0", {"total_act": 1000, "a_total_act_energy": 7}, NOW + 1),
        ("shop/pro3em/status/emdata:0", {"total_act": 2000}, NOW + 11 * MINUTE),
    ]
    decoded = decoder.decode([message(*one) for one in sent])
    assert rows(decoded.readings, NOW) == [
        ("energy", -30.0, 1.0, ""),
        ("a_energy", 1e-6, 7.0, ""),
        ("energy", 660.0, 2.0, ""),
    ]
    assert not decoded.rejected


def test_offline_ends_what_is_known() -> None:
    """The last will makes every point bad; coming online says nothing of values."""
    found, _ = take(Decoder(TOPICS), NOW, ("shop/pro3em/online", b"true"), ("shop/pro3em/online", b"false"))
    assert found == [(name, 0.0, None, "device offline") for name in POINTS | PHASES]


def test_what_is_subscribed() -> None:
    """Notifications, the last will, and the status of the components that are read."""
    assert TOPICS.subscriptions() == [
        "shop/pro3em/events/rpc",
        "shop/pro3em/online",
        "shop/pro3em/status/em:0",
        "shop/pro3em/status/emdata:0",
    ]


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("events/rpc", b"\xff", "not JSON"),
        ("events/rpc", notify("noon", em_0={"total_act_power": 1}), "no time"),
        ("status/em:0", b"[", "not JSON"),
        ("status/em:0", {"id": 0}, "none of the paths"),
        ("status/em:0", {"total_act_power": "much"}, "'total_act_power' is not a number"),
    ],
)
def test_what_cannot_be_used_is_counted(topic: str, body: Any, reason: str) -> None:
    """A message without a form, a time or a value is rejected with the reason."""
    _, reasons = take(Decoder(TOPICS), NOW, (f"shop/pro3em/{topic}", body))
    assert reason in reasons["meter"]
