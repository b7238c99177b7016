"""MQTT over real sockets: Mosquitto for the promises, small fakes for brokers that are old."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from amqtt.broker import Broker as AmqttBroker
from collectors_brokers import mosquitto, needs_mosquitto
from collectors_plant import free_port, until, written
from collectors_plant import mqtt as mqtt_device
from paho.mqtt.enums import CallbackAPIVersion

from collectors.collect import collect
from collectors.mqtt.broker import host_port
from collectors.mqtt.identity import FORGET, Delivery, Item
from collectors.mqtt.session import Session
from collectors.mqtt.topics import topics
from collectors.status import FILE, Status
from journal.journal import Journal
from plant.clock import PlantClock
from plant.model import Broker, Plant

pytestmark = pytest.mark.server


def as_written(port: int) -> dict[str, Any]:
    """A plant with one bare-number topic and one list."""
    return written(
        {
            "scale": mqtt_device("plant/weight", "number"),
            "events": mqtt_device("plant/events", "json_array", time="ts", time_format="epoch_ms"),
        },
        {"weight": ("scale", "weight", "level", "kg"), "racks": ("events", "racks", "count", "rack")},
        broker={"url": f"mqtt://127.0.0.1:{port}", "client_id": "keepclean-test"},
    )


def described(port: int) -> Plant:
    """The same as a Plant."""
    return Plant.model_validate(as_written(port))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status file is what these tests wait for; a broker of loopback answers at once or not at all."""
    monkeypatch.setattr("collectors.collect.STATUS_EVERY_S", 0.05)
    monkeypatch.setattr("collectors.mqtt.session.PAUSE_FIRST_S", 0.05)
    monkeypatch.setattr("collectors.mqtt.session.CONNECT_WITHIN_S", 0.5)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """A Mosquitto as it is shipped; its port."""
    with mosquitto(tmp_path) as port:
        yield port


def publish(port: int, messages: list[tuple[str, bytes]], *, retain: bool = False) -> None:
    """Publishes at QoS 1 and returns when the broker has acknowledged everything."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def values(data: Path) -> list[tuple[str, float]]:
    """Every reading of the journal."""
    journal = Journal(data / "journal")
    rows = [row.readings for row in journal.read(0, 100_000) if row.readings is not None]
    journal.close()
    return [(one.points[point], value) for one in rows for point, value in zip(one.point, one.value, strict=True)]


def connected(data: Path) -> bool:
    """Whether the status says so."""
    with suppress(FileNotFoundError):
        return bool(json.loads((data / FILE).read_text())["broker"]["connected"])
    return False


def collect_until(one: Plant, data: Path, count: int) -> None:
    """Collects until the journal has so many readings, then ends in order, in time."""

    async def scenario() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(collect(one, data, data, PlantClock.real(), {}, None, stop))
        await until(lambda: task.done() or (connected(data) and len(values(data)) >= count))
        stop.set()
        began = time.monotonic()
        await task
        assert time.monotonic() - began < 3

    asyncio.run(scenario())


@needs_mosquitto
def test_what_was_sent_while_collect_was_down_comes_after_its_restart(broker: int, tmp_path: Path) -> None:
    """Promise 1: the session is persistent; a retained message is not taken for a fresh reading."""
    one = described(broker)
    publish(broker, [("plant/weight", b"99")], retain=True)

    collect_until(one, tmp_path, 0)
    ms = int(time.time() * 1000)
    publish(broker, [("plant/weight", b"%d" % number) for number in range(50)])
    publish(
        broker, [("plant/events", json.dumps([{"tag": "racks", "ts": ms + n, "value": 1} for n in range(10)]).encode())]
    )
    collect_until(one, tmp_path, 60)
    found = values(tmp_path)
    assert [value for point, value in found if point == "weight"] == [float(number) for number in range(50)]
    assert len([value for point, value in found if point == "racks"]) == 10
    collect_until(one, tmp_path, 60)
    assert values(tmp_path) == found


@needs_mosquitto
def test_what_was_not_acknowledged_comes_again(broker: int, tmp_path: Path) -> None:
    """Promise 1: messages received but not committed are delivered again, those acknowledged are not."""
    one = described(broker)
    assert one.broker is not None
    arrived: list[Item] = []

    def deliveries() -> list[Delivery]:
        return [delivery for _, delivery in arrived if delivery is not None]

    async def listen(count: int, acknowledge: int) -> None:
        arrived.clear()
        clock = PlantClock.real()
        status = Status(clock, {"scale": "mqtt", "events": "mqtt"}, "mqtt://")
        session = Session(
            one.broker or Broker(url="", client_id=""),
            f"mqtt://127.0.0.1:{broker}",
            tmp_path,
            topics(one),
            clock,
            status,
            arrived.extend,
            lambda window: None,
        )
        session.start()
        await until(lambda: FORGET in arrived or deliveries() or count)
        session.forgotten()
        await until(lambda: status.broker and status.broker.connected and len(deliveries()) >= count)
        session.acknowledge(deliveries()[:acknowledge])
        session.acknowledge([(connection - 1, packet, repeated) for connection, packet, repeated in deliveries()])
        await asyncio.to_thread(session.close)

    asyncio.run(listen(0, 0))
    publish(broker, [("plant/weight", b"%d" % number) for number in range(20)])
    asyncio.run(listen(20, 12))
    asyncio.run(listen(8, 8))
    assert [message[2] for message, _ in arrived if message] == [b"%d" % number for number in range(12, 20)]


@needs_mosquitto
def test_sigterm_commits_everything_and_ends_in_time(broker: int, tmp_path: Path) -> None:
    """Promise 1: a process told to end does so within 3 s; after its restart every message is there once."""
    script = (
        "import json, sys; from pathlib import Path\n"
        "from collectors import collect; from plant.clock import PlantClock; from plant.model import Plant\n"
        "collect.STATUS_EVERY_S = 0.05\n"
        "data = Path(sys.argv[1])\n"
        "collect.run(Plant.model_validate_json(sys.argv[2]), data, data, PlantClock.real(), {}, None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), json.dumps(as_written(broker))])
    asyncio.run(until(lambda: process.poll() is not None or connected(tmp_path), 20))
    publish(broker, [("plant/weight", b"%d" % number) for number in range(200)])
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(10) == 0
    assert time.monotonic() - began < 3
    assert not connected(tmp_path)
    collect_until(described(broker), tmp_path, 200)
    assert [value for _, value in values(tmp_path)] == [float(number) for number in range(200)]


class OldBroker:
    """A broker that knows only MQTT 3.1.1: refuses level 5 (with a code, or by hanging up), accepts level 4."""

    def __init__(self, *, hangs_up: bool) -> None:
        self.hangs_up, self.levels = hangs_up, list[int]()
        self.subscribed = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, length = struct.unpack(">BB", await reader.readexactly(2))
                body = await reader.readexactly(length)
                if kind >> 4 == 1:
                    self.levels.append(body[6])
                    if body[6] != 4:
                        if not self.hangs_up:
                            writer.write(b"\x20\x02\x00\x01")
                        break
                    writer.write(b"\x20\x02\x00\x00")
                elif kind >> 4 == 8:
                    writer.write(b"\x90\x04" + body[:2] + b"\x01\x01")
                    self.subscribed = True
                    writer.write(b"\x32\x11\x00\x0cplant/weight\x00\x09" + b"7")
                elif kind >> 4 == 14:
                    break
        writer.close()


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(hangs_up: bool, tmp_path: Path) -> None:
    """Whether it refuses the version or simply hangs up, the session falls back and readings come."""
    port, old = free_port(), OldBroker(hangs_up=hangs_up)
    one = described(port)

    async def scenario() -> None:
        server = await asyncio.start_server(old.serve, "127.0.0.1", port)
        stop = asyncio.Event()
        task = asyncio.create_task(collect(one, tmp_path, tmp_path, PlantClock.real(), {}, None, stop))
        await until(lambda: task.done() or ("weight", 7.0) in values(tmp_path), 15)
        stop.set()
        await task
        server.close()

    asyncio.run(scenario())
    assert old.levels[0] == 5
    assert old.levels[-1] == 4
    assert json.loads((tmp_path / FILE).read_text())["broker"]["protocol"] == "MQTT 3.1.1"


def test_the_embedded_broker_is_understood(tmp_path: Path) -> None:
    """amqtt, which the demo brings where no broker runs, carries messages to the journal."""
    port = free_port()
    one = described(port)

    async def scenario() -> None:
        embedded = AmqttBroker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await embedded.start()
        stop = asyncio.Event()
        task = asyncio.create_task(collect(one, tmp_path, tmp_path, PlantClock.real(), {}, None, stop))
        await until(lambda: task.done() or connected(tmp_path), 15)
        await asyncio.to_thread(publish, port, [("plant/weight", b"5")])
        await until(lambda: task.done() or ("weight", 5.0) in values(tmp_path), 15)
        stop.set()
        await task
        await embedded.shutdown()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "expected"),
    [("mqtt://broker", ("broker", 1883)), ("mqtt://10.0.0.1:1884", ("10.0.0.1", 1884)), ("mqtts://b", ("b", 8883))],
)
def test_broker_addresses(url: str, expected: tuple[str, int]) -> None:
    """mqtt://host with or without a port."""
    assert host_port(url) == expected


@pytest.mark.parametrize("url", ["broker:1883", "ws://broker", "mqtt://", "mqtt://user:word@broker", "mqtt://b/x"])
def test_other_addresses_are_refused(url: str) -> None:
    """Promise 8: a password in the URL, or a scheme that is not spoken, is refused rather than ignored."""
    with pytest.raises(ValueError, match="not of the form"):
        host_port(url)
