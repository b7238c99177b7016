"""The shop live, as a process: Modbus TCP and MQTT sockets on plant time, faults by the control, a prompt end."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from collectors.collect import collect
from journal.journal import Journal
from plant.clock import PlantClock, to_us
from plant.errors import DeviceError
from plant.load import load
from plant.reading import DAY, HOUR, MINUTE
from simulators.broker import EmbeddedBroker
from simulators.control import ControlClient
from simulators.live import LivePlant
from simulators.lockstep import LockStep
from simulators.metering import BY_NAME
from simulators.scenario import load_scenario

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "electroplating" / "scenario.yaml"
PROGRAM = """
import sys, time
from pathlib import Path
from collectors.collect import collect
from journal.journal import Journal
from plant.clock import PlantClock, to_us
from simulators.main import run
scenario, data, anchor, ports, broker = sys.argv[1:]
clock = PlantClock(int(anchor), time.monotonic(), 60.0)
run(Path(scenario), data=Path(data), clock=clock, broker_url=broker or None, ports_out=Path(ports))
"""
DEADLINE_S = 30.0


def until(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Poll a condition until it holds."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, "the deadline passed"
        time.sleep(0.02)
    return found


def launch(data: Path, broker: str = "", anchor: int | None = None) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start the shop as a process; gives it and its ports once it listens."""
    ports = data / "ports.json"
    ports.unlink(missing_ok=True)
    start = load_scenario(EXAMPLE).start_us + 9 * HOUR if anchor is None else anchor
    arguments = [str(EXAMPLE), str(data), str(start), str(ports), broker]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT)
    until(lambda: ports.exists() or process.poll() is not None)
    assert process.poll() is None
    return process, json.loads(ports.read_text())


def end(process: subprocess.Popen[bytes]) -> float:
    """SIGTERM; gives how long it took [s]."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(10) == 0
    finally:
        process.kill()
    return time.monotonic() - began


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Path]]:
    """A running shop with an embedded broker."""
    data = tmp_path_factory.mktemp("shop")
    with closing(socket.socket()) as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", 0))
        process, ports = launch(data)
    yield ports, data
    assert end(process) < 2.0


def totaliser(client: ModbusTcpClient, unit: int) -> float:
    """A Promag's totaliser [m3]."""
    words = client.read_holding_registers(2609, count=2, device_id=unit).registers
    return float(struct.unpack(">f", struct.pack(">2H", *words[::-1]))[0])


@pytest.mark.server
def test_meters_answer_and_count(shop: tuple[dict[str, Any], Path]) -> None:
    """A totaliser rises while plant time passes; a wrong function or address is refused; nothing can be written."""
    ports, _ = shop
    with ModbusTcpClient("127.0.0.1", port=ports["modbus"]["15031"]) as gateway:
        first = totaliser(gateway, 1)
        assert first > 1000
        until(lambda: totaliser(gateway, 1) > first)
        assert gateway.read_coils(0, count=1, device_id=1).isError()
        assert gateway.read_holding_registers(1, count=1, device_id=1).exception_code == 2
        assert gateway.write_register(2609, 1, device_id=1).exception_code == 1
    with ModbusTcpClient("127.0.0.1", port=ports["modbus"]["15021"]) as meter:
        assert meter.read_holding_registers(0x48, count=2, device_id=1).exception_code == 1


@pytest.mark.server
def test_gateways_publish(shop: tuple[dict[str, Any], Path]) -> None:
    """Every topic of the shop comes by at QoS 1, with the time of the plant."""
    ports, _ = shop
    heard: dict[str, bytes] = {}

    def keep(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        assert message.qos == 1
        heard[message.topic] = message.payload

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_message = keep
    client.on_connect = lambda connected, *_: connected.subscribe("plant/#", 1)
    host, port = ports["broker"].removeprefix("mqtt://").split(":")
    client.connect(host, int(port))
    client.loop_start()
    try:
        until(lambda: {"plant/site/state", "plant/events", "plant/wastewater/kwh"} <= set(heard))
    finally:
        client.disconnect()
        client.loop_stop()
    assert json.loads(heard["plant/site/state"])["ts"].startswith("2026-03-02T0")
    assert {"tag", "ts", "value"} == set(json.loads(heard["plant/events"])[0])


def readings(data: Path) -> dict[tuple[str, int], float]:
    """What a journal holds: (point, source time [µs]) to value."""
    journal = Journal(data / "journal")
    stored: dict[tuple[str, int], float] = {}
    for row in journal.read(0, 10_000):
        if row.readings is not None:
            names = [row.readings.points[point] for point in row.readings.point]
            stored.update(
                zip(zip(names, row.readings.time.tolist(), strict=True), row.readings.value.tolist(), strict=True)
            )
    journal.close()
    return stored


@pytest.mark.plant
@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto_sub is not installed (mosquitto-clients)")
def test_mosquitto_sub_reads_what_the_collector_reads(shop: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    """The gateway's messages as another program hears them hold the values that our own other end stores of them."""
    ports, _ = shop
    host, port = ports["broker"].removeprefix("mqtt://").split(":")
    plant = load(EXAMPLE.with_name("plant.yaml"))

    async def both() -> bytes:
        stop = asyncio.Event()
        task = asyncio.create_task(
            collect(plant, EXAMPLE.parent, tmp_path, PlantClock.real(), {}, f"{ports['broker']}?version=3.1.1", stop)
        )
        report, end = tmp_path / "collect.json", time.monotonic() + DEADLINE_S
        while not (report.exists() and '"connected": true' in report.read_text()):
            assert time.monotonic() < end, "the deadline passed"
            await asyncio.sleep(0.05)
        command = ("mosquitto_sub", "-h", host, "-p", port, "-q", "1", "-t", "plant/site/state", "-C", "4", "-W", "20")
        heard = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        lines, _ = await heard.communicate()
        last = to_us(datetime.fromisoformat(json.loads(lines.splitlines()[-1])["ts"]))
        while ("outdoor_temp", last) not in readings(tmp_path):
            assert time.monotonic() < end, "the deadline passed"
            await asyncio.sleep(0.05)
        stop.set()
        await task
        return lines

    messages = [json.loads(line) for line in asyncio.run(both()).splitlines()]
    assert len(messages) == 4
    stored = readings(tmp_path)
    paths = {"outdoor_temp": ("weather", "temperature"), "reuse_water": ("reuse", "total")}
    for body in messages:
        time_us = to_us(datetime.fromisoformat(body["ts"]))
        for point, (block, name) in paths.items():
            assert stored[point, time_us] == body[block][name]


@pytest.mark.server
def test_control_switches_faults(shop: tuple[dict[str, Any], Path]) -> None:
    """A fault switched on by another process is felt by its meter, listed, and tells its truth; nonsense is refused."""
    ports, _ = shop
    control = ControlClient(ports["control"])
    assert {"steam_trap", "missing_hour"} <= {offer["fault"] for offer in control.catalogue()}
    control.switch("missing_hour", "ni_rinse1_meter")
    with ModbusTcpClient("127.0.0.1", port=ports["modbus"]["15031"], timeout=0.3, retries=0) as gateway:

        def silent() -> bool:
            try:
                return bool(gateway.read_holding_registers(2609, count=2, device_id=3).isError())
            except ModbusIOException:
                return True

        until(silent)
        gateway.close()
        assert gateway.connect() and totaliser(gateway, 4) > 1000, "its neighbours on the gateway answer on"
    assert [fault["target"] for fault in control.active()] == ["ni_rinse1_meter"]
    assert control.switch("missing_hour", "ni_rinse1_meter", on=False)["end"] is not None
    assert len(control.truth()["faults"]) == 2
    assert control.true_amount("ni_rinse1_water", 0, 2**62) > 0
    with pytest.raises(DeviceError, match="no target"):
        control.switch("steam_trap", "moon")


@pytest.mark.server
def test_a_shop_goes_on_where_it_ended(tmp_path: Path) -> None:
    """SIGTERM keeps the state within two seconds, without a broker too; a new process goes on from it."""
    start = load_scenario(EXAMPLE).start_us
    dead = "mqtt://127.0.0.1:9"
    process, ports = launch(tmp_path, dead)
    with ModbusTcpClient("127.0.0.1", port=ports["modbus"]["15032"]) as meter:
        before = totaliser(meter, 1)
    assert end(process) < 2.0
    reached = LockStep.load(tmp_path / "shop.npz").now_us
    assert start + 9 * HOUR < reached
    process, ports = launch(tmp_path, dead, reached + 90 * MINUTE)
    try:
        with ModbusTcpClient("127.0.0.1", port=ports["modbus"]["15032"]) as meter:
            gained = totaliser(meter, 1) - before
        assert 4 < gained < 20, "an hour and a half of city water, run through in one go"
    finally:
        assert end(process) < 2.0
    assert not list(tmp_path.glob("*.draft"))


def test_a_gateway_keeps_what_it_could_not_send(tmp_path: Path) -> None:
    """After a standstill stamped messages come late, bare numbers of the past do not, nothing comes early."""
    step = LockStep(load_scenario(EXAMPLE))
    now = [0.0]
    clock = PlantClock(step.now_us + 30_000_000, 0.0, 1.0, lambda: now[0])
    plant = LivePlant(step, clock)
    plant.catch_up()
    sent = plant.due()
    assert {topic for _, topic, _ in sent} == {
        f"plant/wastewater/{read}" for read in ("flow", "total", "cod_in", "cod_out", "ph", "kwh")
    }
    plant.save(tmp_path / "state.npz")
    restored = LivePlant(LockStep.load(tmp_path / "state.npz"), clock)
    now[0] = 3600.0
    restored.catch_up()
    late = restored.due()
    assert sum(topic == "plant/site/state" for _, topic, _ in late) == 60, (
        "those of the running minute came along in the state"
    )
    assert sum(topic == "plant/wastewater/flow" for _, topic, _ in late) == 1
    history = restored.registers(BY_NAME["city_water_meter"])
    assert history is not None and history.answered.all() and history.times[0] == clock.now_us()
    now[0] += 2 * DAY / 1e6
    restored.catch_up()
    assert sum(topic == "plant/site/state" for _, topic, _ in restored.due()) == 1440


@pytest.mark.server
def test_the_embedded_broker_takes_the_next_port() -> None:
    """Two brokers side by side listen on different ports."""
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        assert first.url != second.url
