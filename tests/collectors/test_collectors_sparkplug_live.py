"""Sparkplug B over a real Mosquitto: a birth is asked for, and what it says is read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from collectors_brokers import mosquitto, needs_mosquitto
from collectors_plant import mqtt as mqtt_device
from collectors_plant import plant, until
from paho.mqtt.enums import CallbackAPIVersion
from sparkplug_edge import by_alias, double, payload

from collectors.collect import collect
from journal.journal import Journal
from plant.clock import PlantClock

pytestmark = [pytest.mark.server, needs_mosquitto]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """A Mosquitto as it is shipped; its port."""
    with mosquitto(tmp_path) as port:
        yield port


class EdgeNode:
    """An edge node with one device that is read and one that is not; it answers a request for births."""

    def __init__(self, port: int) -> None:
        self.requests = 0
        self._seq = 200
        self._lock = threading.Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._asked
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("spBv1.0/G/NCMD/E", qos=1)
        self._client.loop_start()

    def _asked(self, _client: mqtt.Client, _data: Any, found: mqtt.MQTTMessage) -> None:
        with self._lock:
            self.requests += b"Node Control/Rebirth" in found.payload
            self._seq = 0
            self._send("NBIRTH/E", double("Temperature", 1, 20.0))
            self._send("DBIRTH/E/press", double("Energy", 2, 100.0))
            self._send("DBIRTH/E/oven", double("Energy", 3, 7.0))

    def send_unborn(self) -> bool:
        """Sends data unless a birth was asked for; whether it has been."""
        with self._lock:
            if not self.requests:
                self._send("NDATA/E", by_alias(1, 666.0))
            return self.requests > 0

    def send(self, topic: str, *metrics: bytes) -> None:
        """Publishes the next message of the sequence, at QoS 0 as edge nodes do."""
        with self._lock:
            self._send(topic, *metrics)

    def _send(self, topic: str, *metrics: bytes) -> None:
        kind, _, rest = topic.partition("/")
        self._client.publish(f"spBv1.0/G/{kind}/{rest}", payload(self._seq, *metrics))
        self._seq = (self._seq + 1) % 256

    def close(self) -> None:
        """Ends the connection."""
        self._client.disconnect()
        self._client.loop_stop()


def values(data: Path) -> list[tuple[str, float]]:
    """Every reading of the journal."""
    journal = Journal(data / "journal")
    rows = [row.readings for row in journal.read(0, 10_000) if row.readings is not None]
    journal.close()
    return [(one.points[point], value) for one in rows for point, value in zip(one.point, one.value, strict=True)]


def test_a_birth_is_asked_for_and_aliases_are_read(broker: int, tmp_path: Path) -> None:
    """Data before any birth asks for one, once; then node and device are read, past a device that nobody reads."""
    described = plant(
        {"node": mqtt_device("G/E", "sparkplug_b", rebirth=True), "press": mqtt_device("G/E/press", "sparkplug_b")},
        {"warm": ("node", "Temperature", "level", "degC"), "kwh": ("press", "Energy", "counter", "kWh")},
        broker={"url": f"mqtt://127.0.0.1:{broker}", "client_id": "keepclean-test"},
    )

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(collect(described, tmp_path, tmp_path, PlantClock.real(), {}, None, stop))
        edge = EdgeNode(broker)
        try:
            await until(edge.send_unborn)
            await until(lambda: len(values(tmp_path)) >= 2)
            edge.send("DDATA/E/oven", by_alias(3, 8.0))
            edge.send("NDATA/E", by_alias(1, 21.0))
            edge.send("DDATA/E/press", by_alias(2, 101.0))
            await until(lambda: len(values(tmp_path)) >= 4)
            assert edge.requests == 1
        finally:
            edge.close()
            stop.set()
            await running

    asyncio.run(asyncio.wait_for(run(), 30))
    assert sorted(values(tmp_path)) == [("kwh", 100.0), ("kwh", 101.0), ("warm", 20.0), ("warm", 21.0)]
