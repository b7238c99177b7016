"""`discover`: what is heard from a real broker, in bounded memory, and suggestions that a description accepts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import yaml
from collectors_brokers import mosquitto, needs_mosquitto
from collectors_plant import free_port, plant
from paho.mqtt.enums import CallbackAPIVersion

from collectors.check import check
from collectors.mqtt import discover
from collectors.mqtt.discover import Listening, listen
from collectors.mqtt.grouping import alike, groups, names
from plant.errors import DeviceError
from plant.model import Broker

HERE = Path(__file__).parent


@contextmanager
def sender(port: int) -> Iterator[mqtt.Client]:
    """A client that publishes."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def broker(port: int, **more: Any) -> Broker:
    """A broker of loopback as a description has it."""
    return Broker(url=f"mqtt://127.0.0.1:{port}", client_id="mine", **more)


def heard(port: int, messages: list[tuple[str, bytes]], retained: int = 0) -> Listening:
    """What is heard of messages that are published once somebody listens, until they and the retained ones came."""
    with sender(port) as client:
        done: list[bool] = []

        def publish(_found: Listening) -> None:
            if not done:
                done.append(True)
                for name, payload in messages:
                    client.publish(name, payload, qos=1)

        def enough(found: Listening) -> bool:
            return found.messages >= len(messages) + retained

        return listen(broker(port), HERE, "#", 10, publish, enough=enough)


@pytest.mark.server
@needs_mosquitto
def test_topics_are_counted_and_understood(tmp_path: Path) -> None:
    """Counts, retained or not, examples; what one device would read is one group; what cannot be read says why."""
    with mosquitto(tmp_path) as port:
        with sender(port) as client:
            client.publish("plant/m7/serial", b"77", qos=1, retain=True).wait_for_publish(5)
        body = {"ts": "2026-03-02T12:00:00+08:00", "tank": {"level": 2.5}}
        messages = [
            ("plant/m7/energy", b"5000.5"),
            ("plant/m7/energy", b"5001.5"),
            ("plant/m7/power", b"30"),
            ("plant/state", json.dumps(body).encode()),
            ("shop/em/status/em:0", b'{"id": 0, "total_act_power": 5}'),
            ("shop/em/status/emdata:0", b'{"id": 0, "total_act": 7.5}'),
            ("noise", os.urandom(3) + b"\xff"),
            ("big", b"x" * 1_000_000),
        ]
        found = heard(port, messages, retained=1)
    assert (found.messages, len(found.topics), found.beyond) == (9, 8, 0)
    serial, energy = found.topics["plant/m7/serial"], found.topics["plant/m7/energy"]
    assert (serial.count, serial.retained, serial.every_s) == (1, 1, None)
    assert (energy.count, energy.retained, list(energy.payloads)) == (2, 0, [b"5000.5", b"5001.5"])
    assert energy.every_s is not None
    readable, unread = groups(found)
    read = {one.suggestion.topic: {value.read: value.example for value in one.suggestion.values} for one in readable}
    assert read == {
        "plant/m7/{read}": {"energy": 5001.5, "power": 30.0, "serial": 77.0},
        "plant/state": {"tank.level": 2.5},
        "shop/em": {"em:0.total_act_power": 5.0, "emdata:0.total_act": 7.5},
    }
    assert {one.topic: why for one, why in unread}.keys() == {"noise", "big"}
    assert not found.topics["big"].payloads
    assert found.topics["big"].longest == 1_000_000


@pytest.mark.server
@needs_mosquitto
def test_nobody_knows_that_it_listened(tmp_path: Path) -> None:
    """It publishes nothing, leaves no session behind, and never takes the name of the plant's own session."""
    with mosquitto(tmp_path, "log_type all", "log_dest file " + str(tmp_path / "log")) as port:
        heard(port, [("a", b"1")])
    log = (tmp_path / "log").read_text()
    clients = [line for line in log.splitlines() if "New client connected" in line and "keepclean" in line]
    assert len(clients) == 1
    assert "keepclean-discover-" in clients[0]
    assert "c1" in clients[0]  # a clean start
    assert "Received PUBLISH from keepclean" not in log


@pytest.mark.server
@needs_mosquitto
def test_what_goes_wrong_is_said_in_words(tmp_path: Path) -> None:
    """Nobody there, a wrong password, a topic that one may not read."""
    with pytest.raises(DeviceError, match="cannot be reached"):
        listen(broker(free_port()), HERE, "#", 1)
    (tmp_path / "passwords").write_text("")
    (tmp_path / "wrong").write_text("nobody knows\n")
    users = f"password_file {tmp_path / 'passwords'}"
    with mosquitto(tmp_path, users, "allow_anonymous false", shipped=False) as port:
        wrong = broker(port, username="me", password_file="wrong")
        with pytest.raises(DeviceError, match=r"refused: .*(Not authorized|Bad user name)"):
            listen(wrong, tmp_path, "#", 1)


@pytest.mark.server
@needs_mosquitto
def test_an_old_broker_and_an_early_end(tmp_path: Path) -> None:
    """MQTT 3.1.1 where the address says so; Ctrl-C ends it early and keeps what was heard."""
    with mosquitto(tmp_path) as port, sender(port) as client:
        old = Broker(url=f"mqtt://127.0.0.1:{port}?version=3.1.1", client_id="mine")

        def progress(found: Listening) -> None:
            if found.messages:
                raise KeyboardInterrupt
            client.publish("a", b"1")

        found = listen(old, HERE, "#", 10, progress)
    assert found.ended == "ended early"
    assert found.topics["a"].count >= 1


def test_memory_is_bounded_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many topics, so many payloads of each, so many bytes in all; the rest is counted."""
    monkeypatch.setattr(discover, "TOPICS_MAX", 100)
    monkeypatch.setattr(discover, "SAMPLES_MAX", 10_000)
    found = Listening()
    for number in range(2_000):
        found.take(f"t/{number % 250}", b"x" * (number % 900), retained=False, now_s=float(number))
    assert (found.messages, len(found.topics), found.beyond) == (2_000, 100, 8 * 150)
    kept = [payload for one in found.topics.values() for payload in one.payloads]
    assert found.samples == sum(map(len, kept)) <= 10_000
    assert all(len(one.payloads) <= discover.PAYLOADS_EACH for one in found.topics.values())
    assert {one.count for one in found.topics.values()} == {8}


def test_hundreds_of_topics_give_lines_that_a_description_accepts() -> None:
    """The lines of all groups together pass the check; devices have names of their own."""
    found = Listening()
    for number in range(300):
        found.take(f"Hall {number % 3}/meter-{number % 100}/{'Energie' if number % 2 else 'P'}", b"1.5", False, 0.0)
    found.take("1/x", b"2", False, 0.0)
    found.take("1_/x", b"2", False, 0.0)
    readable, unread = groups(found)
    named = names(readable)
    assert not unread
    assert len(set(named)) == len(named) == 302
    lines = ["devices:"]
    for name, one in zip(named, readable, strict=True):
        lines += one.suggestion.device_lines(name)
    lines.append("points:")
    for name, one in zip(named, readable, strict=True):
        lines += one.suggestion.point_lines(name)
    loaded = yaml.safe_load("\n".join(lines))
    made = plant(loaded["devices"], loaded["points"], broker={"url": "mqtt://b", "client_id": "x"})
    assert check(made, HERE / "plant.yaml", lambda _: 1) == []


def test_topics_of_one_pattern_are_shown_once() -> None:
    """Groups that differ in one level of their topic only are one; those that hold something else are not."""
    found = Listening()
    for number in range(50):
        found.take(f"hall/meter-{number}/state", b'{"kwh": 1}', False, 0.0)
    for topic, payload in (("hall/a/state", b'{"other": 1}'), ("hall/meter-1/more", b'{"kwh": 1}')):
        found.take(topic, payload, False, 0.0)
    shown = {group.suggestion.topic: (count, shared) for group, count, shared in alike(groups(found)[0])}
    assert shown == {
        "hall/a/state": (1, ""),
        "hall/meter-0/state": (50, "hall/+/state"),
        "hall/meter-1/more": (1, ""),
    }
