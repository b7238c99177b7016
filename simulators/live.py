"""The shop live: plant time drives it minute by minute, its meters answer Modbus TCP, its gateways publish MQTT."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import numpy as np
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from plant.clock import PlantClock
from plant.reading import DAY, MINUTE
from simulators.control import ControlServer
from simulators.devices import Device
from simulators.gateway import WASTEWATER_TOPIC, Message
from simulators.live_modbus import ModbusServers
from simulators.lockstep import LockStep
from simulators.metering import Metered
from simulators.registers import RegisterHistory

CATCH_UP_MINUTES = 360
SAVE_EVERY_S = 10.0
LOOK_EVERY_S = 0.25
FLUSH_S = 0.8
BUFFERED = DAY  # a gateway keeps what it could not send for a day
NOT_BUFFERED = MINUTE  # a bare number has no time of its own: late it would be a lie


class LivePlant:
    """The shop at the clock's now: the minute that is running, and messages due."""

    def __init__(self, step: LockStep, clock: PlantClock) -> None:
        self._step = step
        self._clock = clock
        self._running: Metered | None = None
        self._waiting: deque[Message] = deque(step.undelivered)

    def catch_up(self) -> None:
        """Run every minute that has begun by now."""
        while (now := self._clock.now_us()) >= self._step.now_us:
            behind = (now - self._step.now_us) // MINUTE
            self._running = self._step.run(min(max(behind, 1), CATCH_UP_MINUTES))
            self._waiting += self._step.messages(self._running)

    def due(self) -> list[Message]:
        """The messages whose time has come, less those that came too late to be sent."""
        now, out = self._clock.now_us(), []
        while self._waiting and self._waiting[0][0] <= now:
            time, topic, payload = self._waiting.popleft()
            keep = NOT_BUFFERED if topic.startswith(WASTEWATER_TOPIC) else BUFFERED
            if now - time <= keep:
                out.append((time, topic, payload))
        return out

    def registers(self, device: Device) -> RegisterHistory | None:
        """A device's registers at this instant; None while the shop's minute is not yet there."""
        now = self._clock.now_us()
        if now >= self._step.now_us:
            self.catch_up()
        if self._running is None or now < self._running.block.start_us:
            return None
        latest = min(now, self._step.now_us - 1)
        return RegisterHistory(self._running, device, np.array([latest], np.int64))

    def wait_s(self) -> float:
        """Real seconds until the next message or minute, at most a quarter of one."""
        following = min([self._step.now_us, *(message[0] for message in list(self._waiting)[:1])])
        return min(max(self._clock.real_seconds_until(following), 0.005), LOOK_EVERY_S)

    def save(self, path: Path) -> None:
        """Keep the state and the messages not yet due."""
        self._step.undelivered = list(self._waiting)
        self._step.save(path)


class Publisher:
    """Publishes to a broker at QoS 1, from a thread of paho's own; reconnects by itself."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 1883
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="keepclean-shop", protocol=mqtt.MQTTv311)
        if parts.username:
            self._client.username_pw_set(parts.username, parts.password)
        self._client.reconnect_delay_set(1, 5)
        self._last: mqtt.MQTTMessageInfo | None = None

    def start(self) -> None:
        """Connect in the background."""
        self._client.connect_async(self._host, self._port, keepalive=30)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes) -> None:
        """Queue a message; it is sent when there is a connection."""
        self._last = self._client.publish(topic, payload, qos=1)

    def stop(self) -> None:
        """Let the last messages go out, briefly, and disconnect."""
        if self._last is not None:
            with contextlib.suppress(RuntimeError, ValueError):
                self._last.wait_for_publish(FLUSH_S)
        self._client.disconnect()
        self._client.loop_stop()


async def serve(
    step: LockStep,
    clock: PlantClock,
    *,
    broker_url: str,
    state: Path,
    stop: asyncio.Event,
    started: Callable[[Mapping[int, int], int], None],
    truth: Path | None = None,
) -> None:
    """Run the shop on plant time until `stop` is set.

    `started` is told the mapping wanted Modbus port → actual port, and the control's port. The state is kept in `state`
    every ten seconds and at the end. Raises DeviceError when a server finds no port.
    """
    plant = LivePlant(step, clock)
    servers, control, publisher = ModbusServers(plant.registers), ControlServer(step, truth), Publisher(broker_url)
    saved = monotonic()
    try:
        plant.catch_up()
        started(await servers.start(), await control.start())
        publisher.start()
        while not stop.is_set():
            plant.catch_up()
            for _, topic, payload in plant.due():
                publisher.publish(topic, payload)
            if monotonic() - saved >= SAVE_EVERY_S:
                plant.save(state)
                saved = monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), plant.wait_s())
    finally:
        await servers.stop()
        await control.stop()
        publisher.stop()
        plant.save(state)
