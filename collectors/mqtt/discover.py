"""Listening to a broker for a while: which topics there are, how often they come, and a few of their payloads.

Nothing is acknowledged, kept or published: a clean session at QoS 0 under a name of its own. Memory is bounded,
whatever comes: so many topics, so many payloads of each, none longer than a limit.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from collectors.mqtt.broker import OLD_VERSION, host_port, password, tls
from collectors.mqtt.session import CONNECT_WITHIN_S
from plant.errors import DeviceError
from plant.model import Broker

TOPICS_MAX = 5_000
PAYLOADS_EACH = 3
PAYLOAD_MAX = 64 * 1024
SAMPLES_MAX = 32 * 1024 * 1024
PACKET_MAX = 16 * 1024 * 1024
LOOK_S = 0.1


@dataclass
class Heard:
    """One topic: its messages, how many of them were retained, when fresh ones came [s], their longest [bytes].

    `payloads` are the newest few, none longer than PAYLOAD_MAX; `begin` is how the newest one begins.
    """

    topic: str
    count: int = 0
    retained: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    longest: int = 0
    begin: bytes = b""
    payloads: deque[bytes] = field(default_factory=lambda: deque(maxlen=PAYLOADS_EACH))

    @property
    def every_s(self) -> float | None:
        """How often a fresh message comes [s]; None when fewer than two did."""
        fresh = self.count - self.retained
        return (self.last_s - self.first_s) / (fresh - 1) if fresh > 1 else None


@dataclass
class Listening:
    """What was heard in `seconds`; `beyond` counts messages of topics that were too many to be told apart."""

    topics: dict[str, Heard] = field(default_factory=dict)
    messages: int = 0
    beyond: int = 0
    seconds: float = 0.0
    ended: str = ""
    samples: int = 0

    def take(self, topic: str, payload: bytes, retained: bool, now_s: float) -> None:
        """Counts a message, and keeps its payload where there is room."""
        self.messages += 1
        heard = self.topics.get(topic)
        if heard is None:
            if len(self.topics) >= TOPICS_MAX:
                self.beyond += 1
                return
            heard = self.topics[topic] = Heard(topic)
        heard.count += 1
        heard.longest = max(heard.longest, len(payload))
        heard.begin = payload[:60]
        if retained:
            heard.retained += 1
        else:
            heard.first_s = heard.first_s or now_s
            heard.last_s = now_s
        if len(payload) <= PAYLOAD_MAX:
            if len(heard.payloads) == PAYLOADS_EACH:
                self.samples -= len(heard.payloads.popleft())
            if self.samples + len(payload) <= SAMPLES_MAX:
                heard.payloads.append(payload)
                self.samples += len(payload)


def listen(
    broker: Broker,
    folder: Path,
    topic: str,
    seconds: float,
    progress: Callable[[Listening], None] = lambda _so_far: None,
    *,
    enough: Callable[[Listening], bool] = lambda _so_far: False,
) -> Listening:
    """Listens for some seconds, until `enough`, or until Ctrl-C.

    Raises DeviceError when the broker cannot be reached or refuses; OSError when a password or certificate file,
    relative to `folder`, cannot be read; ValueError for a wrong URL.
    """
    versions = [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311]
    for version in versions[1:] if urlsplit(broker.url).query == OLD_VERSION else versions:
        one = _Listener(broker, folder, topic, version)
        try:
            one.connect()
            break
        except _NoAnswerError:
            if version == MQTTProtocolVersion.MQTTv311:
                raise
    return one.run(seconds, progress, enough)


class _NoAnswerError(DeviceError):
    """A broker that did not answer, or not in this version of MQTT."""


class _Listener:
    def __init__(self, broker: Broker, folder: Path, topic: str, version: MQTTProtocolVersion) -> None:
        self._host, self._port = host_port(broker.url)
        self._topic, self._v5 = topic, version == MQTTProtocolVersion.MQTTv5
        self._found = Listening()
        self._state: list[str] = []
        self._wrong = ""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"keepclean-discover-{secrets.token_hex(4)}",
            clean_session=None if self._v5 else True,
            protocol=version,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.username, password(broker, folder))
        context = tls(broker, broker.url, folder)
        if context is not None:
            client.tls_set_context(context)
        client.connect_timeout = CONNECT_WITHIN_S
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        self._client = client

    def connect(self) -> None:
        """Until the subscription stands. Raises DeviceError."""
        options: dict[str, Any] = {}
        if self._v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.MaximumPacketSize = PACKET_MAX
            options = {"clean_start": True, "properties": properties}
        try:
            self._client.connect(self._host, self._port, 30, **options)
        except (OSError, ValueError) as error:
            raise DeviceError(f"{self._host}:{self._port} cannot be reached: {error}") from error
        end = time.monotonic() + 2 * CONNECT_WITHIN_S
        while "subscribed" not in self._state:
            self._client.loop(LOOK_S)
            if self._wrong:
                raise DeviceError(f"{self._host}:{self._port} {self._wrong}")
            if "gone" in self._state or time.monotonic() > end:
                raise _NoAnswerError(f"{self._host}:{self._port} does not answer as an MQTT broker does")

    def run(
        self, seconds: float, progress: Callable[[Listening], None], enough: Callable[[Listening], bool]
    ) -> Listening:
        """Listens until the time is over."""
        found, began = self._found, time.monotonic()
        try:
            while (now := time.monotonic()) - began < seconds and not enough(found):
                found.seconds = now - began
                progress(found)
                code = self._client.loop(LOOK_S)
                if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    found.ended = f"the connection was lost after {found.seconds:.0f} s: {self._wrong or code.name}"
                    break
        except KeyboardInterrupt:
            found.ended = "ended early"
        found.seconds = time.monotonic() - began
        self._client.on_disconnect = None
        self._client.disconnect()
        return found

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic, qos=0)
        elif "version" in str(reason).lower():
            self._state.append("gone")
        else:
            self._wrong = f"refused: {reason}"

    def _subscribed(self, _client: Any, _data: Any, _number: int, codes: Any, _props: Any) -> None:
        if codes and codes[0].is_failure:
            self._wrong = f"refused the subscription to '{self._topic}': {codes[0]}; try a --topic that you may read"
        self._state.append("subscribed")

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        self._state.append("gone")
        if "subscribed" in self._state and not self._wrong:
            self._wrong = str(reason)

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._found.beyond += 1
            return
        self._found.take(topic, bytes(message.payload), message.retain, time.monotonic())
