"""Does a broker keep what a gateway was told has arrived, while keepclean is away? Tried, with messages of our own."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.mqtt.broker import host_port, only_old, password, tls
from collectors.mqtt.session import RECEIVE_MAXIMUM, SESSION_EXPIRY_S
from plant.errors import DeviceError
from plant.model import Broker

MESSAGES = 3000
WINDOW_LEAST = 200
WITHIN_S = 15.0
QUIET_S = 1.0
PAYLOAD = b"keepclean tries whether this broker keeps messages for a client that is away"


@dataclass(frozen=True)
class Trial:
    """What was found: messages the broker acknowledged, those it kept, and how many it sent unacknowledged."""

    protocol: str
    sent: int
    kept: int
    window: int

    def faults(self) -> list[str]:
        """Why this broker cannot keep the promise; empty when it can."""
        found = []
        if self.kept < self.sent:
            found.append(
                f"of {self.sent:,} messages that the broker acknowledged while keepclean was away, it kept"
                f" {self.kept:,}: raise its queue (Mosquitto: max_queued_messages 0, a sized max_queued_bytes)"
            )
        if self.window < min(WINDOW_LEAST, self.kept):
            found.append(
                f"the broker sends only {self.window} messages ahead of their acknowledgements: that is at most"
                f" {10 * self.window:,} a second (Mosquitto: max_inflight_messages 1000)"
            )
        return found


def attempt(broker: Broker, url: str, folder: Path, messages: int = MESSAGES) -> Trial:
    """Leaves a session behind, publishes to it, comes back and counts; the session and its topic are removed again.

    Nothing but the topic "keepclean/trial/…" is written to. Raises DeviceError when the broker cannot be reached or
    refuses, OSError when a password or certificate file cannot be read.
    """
    one = _Trial(broker, url, folder, messages)
    for version in ([] if only_old(url) else [MQTTProtocolVersion.MQTTv5]) + [MQTTProtocolVersion.MQTTv311]:
        try:
            return one.run(version)
        except DeviceError:
            if version == MQTTProtocolVersion.MQTTv311:
                raise
    raise AssertionError("3.1.1 either returned or raised")


class _Trial:
    def __init__(self, broker: Broker, url: str, folder: Path, messages: int) -> None:
        self._broker, self._url, self._messages = broker, url, messages
        self._host, self._port = host_port(url)
        self._tls = tls(broker, url, folder)
        self._password = password(broker, folder)
        self._name = f"keepclean-trial-{secrets.token_hex(4)}"
        self._topic = f"keepclean/trial/{self._name}"
        self._arrived: list[tuple[int, int]] = []
        self._last = 0.0

    def run(self, version: MQTTProtocolVersion) -> Trial:
        self._arrived.clear()
        away = self._connect(version, self._name, keep=True)
        self._subscribe(away, version)
        self._leave(away)
        sent = self._publish(version)
        back = self._connect(version, self._name, keep=True)
        window = self._receive(back, sent)
        kept = len({mid for mid, _ in self._arrived}) if len(self._arrived) <= sent else sent
        self._leave(back)
        self._leave(self._connect(version, self._name, keep=False))
        return Trial("MQTT 5" if version == MQTTProtocolVersion.MQTTv5 else "MQTT 3.1.1", sent, kept, window)

    def _receive(self, client: mqtt.Client, sent: int) -> int:
        """Waits for a first pause without acknowledging, whose size is the window; then takes the rest."""
        end = time.monotonic() + WITHIN_S
        window = acknowledged = 0
        while time.monotonic() < end and len(self._arrived) < sent:
            time.sleep(0.05)
            if time.monotonic() - self._last > QUIET_S:
                arrived = len(self._arrived)
                if arrived == acknowledged:
                    break
                window = window or arrived
                for mid, qos in self._arrived[acknowledged:arrived]:
                    client.ack(mid, qos)
                acknowledged, self._last = arrived, time.monotonic()
        for mid, qos in self._arrived[acknowledged:]:
            client.ack(mid, qos)
        return window or len(self._arrived)

    def _publish(self, version: MQTTProtocolVersion) -> int:
        client = self._connect(version, f"{self._name}-sender", keep=False)
        infos = [client.publish(self._topic, PAYLOAD, qos=1) for _ in range(self._messages)]
        end = time.monotonic() + WITHIN_S
        for info in infos:
            info.wait_for_publish(max(0.01, end - time.monotonic()))
        sent = sum(info.is_published() for info in infos)
        self._leave(client)
        if not sent:
            raise DeviceError(f"{self._host}:{self._port} did not take a message on {self._topic}")
        return sent

    def _subscribe(self, client: mqtt.Client, version: MQTTProtocolVersion) -> None:
        done = threading.Event()
        refused: list[str] = []

        def subscribed(_client: Any, _data: Any, _number: int, codes: Any, _props: Any) -> None:
            refused.extend(str(code) for code in codes if code.is_failure)
            done.set()

        client.on_subscribe = subscribed
        options = SubscribeOptions(qos=1)
        client.subscribe([(self._topic, options)] if version == MQTTProtocolVersion.MQTTv5 else [(self._topic, 1)])
        if not done.wait(WITHIN_S) or refused:
            raise DeviceError(f"{self._host}:{self._port} refused the subscription to {self._topic} {refused}")

    def _connect(self, version: MQTTProtocolVersion, name: str, *, keep: bool) -> mqtt.Client:
        v5 = version == MQTTProtocolVersion.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=None if v5 else not keep,
            protocol=version,
            manual_ack=True,
        )
        client.max_queued_messages_set(0)
        client.username_pw_set(self._broker.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        answered = threading.Event()
        reasons: list[Any] = []

        def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
            reasons.append(reason)
            answered.set()

        client.on_connect = connected
        client.on_disconnect = _once(answered)
        client.on_message = self._message
        properties = None
        if v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.SessionExpiryInterval = SESSION_EXPIRY_S if keep else 0
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._last = time.monotonic()
        try:
            if v5:
                client.connect(self._host, self._port, 30, clean_start=not keep, properties=properties)
            else:
                client.connect(self._host, self._port, 30)
        except OSError as error:
            raise DeviceError(f"{self._host}:{self._port} cannot be reached: {error}") from error
        client.loop_start()
        if not answered.wait(WITHIN_S) or not reasons or reasons[0].is_failure:
            client.loop_stop()
            raise DeviceError(f"{self._host}:{self._port} refused: {reasons[0] if reasons else 'no answer'}")
        return client

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._last = time.monotonic()
        self._arrived.append((message.mid, message.qos))

    def _leave(self, client: mqtt.Client) -> None:
        time.sleep(0.05)  # what has been written is on its way
        if client.disconnect() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            time.sleep(0.05)
        client.loop_stop()


def _once(event: threading.Event) -> Callable[..., None]:
    return lambda *_: event.set()
