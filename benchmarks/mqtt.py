"""MQTT to journal: how fast a filled queue is drained, beside the bare client loop in the same run.

`python -m benchmarks.mqtt` fills the queues of four sessions on a Mosquitto of its own (the shipped configuration) and
drains each in a process of its own: paho's `loop_forever` with manual acknowledgement, and keepclean's session, commit
thread and journal, both by MQTT 5 and by 3.1.1; then 100-value arrays by keepclean alone. Medians of five rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.collect import collect
from journal.journal import Journal
from plant.clock import PlantClock
from plant.model import Plant

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "deploy" / "mosquitto" / "mosquitto.conf"
SINGLE, ARRAYS, VALUES, TOPICS, ROUNDS = 60_000, 4_000, 100, 50, 5
VERSIONS = {"5": mqtt.MQTTv5, "3.1.1": mqtt.MQTTv311}


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_broker(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A Mosquitto with the shipped configuration, but for port and place; returns once it listens."""
    text = SHIPPED.read_text().replace("listener 1883", f"listener {port}")
    lines = [line for line in text.splitlines() if not line.startswith("persistence_location")]
    lines += [f"persistence_location {folder}/", *(["user root"] if os.geteuid() == 0 else [])]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    broker = subprocess.Popen(["mosquitto", "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return broker
        time.sleep(0.02)
    raise RuntimeError("Mosquitto does not listen")


def described(port: int, version: str, arrays: bool) -> Plant:
    """A plant that reads TOPICS bare numbers, or one topic of arrays."""
    old = "?version=3.1.1" if version == "3.1.1" else ""
    device: dict[str, Any] = (
        {"topic": "bench/list", "payload": "json_array", "time": "ts", "time_format": "epoch_ms"}
        if arrays
        else {"topic": "bench/{read}", "payload": "number"}
    )
    point = {"in": "site", "kind": "level", "unit": "kW", "from": "gateway"}
    return Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "bench", "name": "Bench", "time_zone": "UTC"},
            "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
            "broker": {"url": f"mqtt://127.0.0.1:{port}{old}", "client_id": f"ours-{version}"},
            "devices": {"gateway": {"protocol": "mqtt", "title": "Gateway", **device}},
            "points": {
                f"p{n}": {"title": f"p{n}", "read": f"p{n}", **point} for n in range(VALUES if arrays else TOPICS)
            },
        }
    )


def bare(port: int, version: str, count: int) -> float:
    """Seconds that paho's own loop takes for `count` messages, each acknowledged at once."""
    client = _client(version, f"bare-{version}")
    seen, began, over = 0, 0.0, 0.0

    def message(one: mqtt.Client, _data: Any, found: mqtt.MQTTMessage) -> None:
        nonlocal seen, began, over
        if not seen:
            began = time.perf_counter()
        seen += 1
        one.ack(found.mid, found.qos)
        if seen == count:
            over = time.perf_counter()
            one.disconnect()

    client.on_message = message
    client.connect("127.0.0.1", port, **_options(version))
    client.loop_forever()
    return over - began


def ours(port: int, version: str, count: int, arrays: bool) -> float:
    """Seconds from the first message's arrival until `count` messages are in the journal."""
    plant = described(port, version, arrays)
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        Journal(data / "journal").close()

        async def drain() -> float:
            stop = asyncio.Event()
            task = asyncio.create_task(collect(plant, data, data, PlantClock.real(), {}, None, stop))
            journal = Journal(data / "journal")
            position, got, began = 0, 0, 0
            want = count * (VALUES if arrays else 1)
            while got < want:
                await asyncio.sleep(0.05)
                for found in journal.read(position, 1000):
                    position = found.position
                    if found.readings is not None:
                        began = began or int(found.readings.received.min())
                        got += len(found.readings)
            over = time.time()
            stop.set()
            await task
            return over - began / 1e6

        return asyncio.run(drain())


def _client(version: str, name: str) -> mqtt.Client:
    return mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        protocol=VERSIONS[version],
        clean_session=None if version == "5" else False,
        manual_ack=True,
    )


def _options(version: str) -> dict[str, Any]:
    if version != "5":
        return {}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 86400
    properties.ReceiveMaximum = 1000
    return {"clean_start": False, "properties": properties}


def subscribe(port: int, name: str, version: str, topic: str) -> None:
    """Makes a persistent session with a subscription, and leaves."""
    client = _client(version, name)
    done = False

    def subscribed(*_: Any) -> None:
        nonlocal done
        done = True
        client.disconnect()

    client.on_subscribe = subscribed
    client.on_connect = lambda *_: client.subscribe(
        [(topic, SubscribeOptions(qos=1))] if version == "5" else (topic, 1)
    )
    client.connect("127.0.0.1", port, **_options(version))
    client.loop_forever()
    assert done


def fill(port: int, topics: list[str], payloads: list[bytes]) -> None:
    """Publishes at QoS 1, and returns when the broker has acknowledged everything."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(500)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for number, payload in enumerate(payloads):
        last = client.publish(topics[number % len(topics)], payload, qos=1)
        if number % 500 == 499:
            last.wait_for_publish(60)
    last.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def drain(kind: str, port: int, version: str, count: int) -> float:
    """Runs one drain in a process of its own; seconds."""
    command = [sys.executable, "-m", "benchmarks.mqtt", kind, str(port), version, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout.strip().splitlines()[-1])


def fsync_ms(folder: Path) -> float:
    """Median time of one small write and fsync [ms]."""
    times = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """All of it: medians in messages and readings per second, ratios of the same rounds."""
    single = [b"%d.25" % number for number in range(SINGLE)]
    stamp = int(time.time() * 1000)
    lists = [
        json.dumps([{"tag": f"p{n}", "ts": stamp + number, "value": number + n / 8} for n in range(VALUES)]).encode()
        for number in range(ARRAYS)
    ]
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        broker = start_broker(folder, port)
        try:
            for _ in range(rounds):
                for version in VERSIONS:
                    for who in ("bare", "ours"):
                        subscribe(port, f"{who}-{version}", version, "bench/+" if who == "bare" else "bench/none")
                    for number in range(TOPICS):
                        subscribe(port, f"ours-{version}", version, f"bench/p{number}")
                fill(port, [f"bench/p{n}" for n in range(TOPICS)], single)
                for version in VERSIONS:
                    for who in ("bare", "ours"):
                        rates.setdefault(f"{who} {version}", []).append(SINGLE / drain(who, port, version, SINGLE))
                subscribe(port, "ours-5", "5", "bench/list")
                fill(port, ["bench/list"], lists)
                rates.setdefault("arrays 5", []).append(ARRAYS * VALUES / drain("arrays", port, "5", ARRAYS))
        finally:
            broker.terminate()
            broker.wait(10)
        found: dict[str, Any] = {name: round(statistics.median(each)) for name, each in rates.items()}
        for version in VERSIONS:
            pairs = zip(rates[f"ours {version}"], rates[f"bare {version}"], strict=True)
            found[f"ratio {version}"] = round(statistics.median(one / two for one, two in pairs), 2)
        found["fsync ms"] = round(fsync_ms(folder), 2)
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kind, at, spoken, many = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
        seconds = bare(at, spoken, many) if kind == "bare" else ours(at, spoken, many, kind == "arrays")
        sys.stdout.write(f"{seconds}\n")
    else:
        sys.stdout.write(json.dumps(measure(int(os.environ.get("ROUNDS", ROUNDS))), indent=1) + "\n")
