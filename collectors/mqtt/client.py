"""The MQTT session: persistent, QoS 1, acknowledged by hand, MQTT 5 with 3.1.1 to fall back to.

MQTT 5 connects with clean start off and a session expiry, so that the broker keeps what comes while keepclean is down.
A message is acknowledged when the commit thread says so, and only on the connection that brought it: after a reconnect
the broker delivers again what was not acknowledged, and a packet id may by then stand for another message.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.mqtt.payload import Received
from collectors.mqtt.topics import Topics
from collectors.status import Status
from plant.clock import PlantClock
from plant.model import Broker

RECEIVE_MAXIMUM = 1000
WINDOW_311 = 20
SESSION_EXPIRY_S = 30 * 86400
KEEPALIVE_S = 30
REFUSALS_BEFORE_311 = 2
UNSUPPORTED_VERSION = 132
RESTART_AFTER_S = 1.0
RETAIN_NEVER = 2
SETTLE_WITHIN_S = 0.7
CONNACK_WITHIN_S = 3.0

_log = logging.getLogger(__name__)


class Token(NamedTuple):
    """What acknowledges a message: the connection that brought it, its packet id and QoS."""

    connection: int
    mid: int
    qos: int


class _Client(mqtt.Client):
    """paho's client, whose thread says so when it dies of something that a broker sent."""

    died: Callable[[str], None]

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:  # noqa: BLE001 - whatever a malformed packet raised, the session starts anew
            self.died(f"{type(error).__name__}: {error}")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL


OLD_VERSION = "version=3.1.1"


def host_port(url: str) -> tuple[str, int]:
    """Host and port of `mqtt://host[:port][?version=3.1.1]`. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname or parts.path.strip("/") or parts.username:
        raise ValueError(f"'{url}' is not of the form mqtt://host:port")
    if parts.query not in ("", OLD_VERSION):
        raise ValueError(f"'{url}': after ? only {OLD_VERSION} is known")
    return parts.hostname, parts.port or 1883


class Session:
    """Keeps one MQTT session alive and hands over what arrives."""

    def __init__(
        self,
        broker: Broker,
        url: str,
        folder: Path,
        topics: Topics,
        clock: PlantClock,
        status: Status,
        put: Callable[[Received, Token], None],
        window: Callable[[int], None],
    ) -> None:
        """`topics` has at least one route; messages go to `put` with what acknowledges them.

        `window` hears how many messages the broker sends without acknowledgement. Raises OSError when the password
        file, relative to `folder`, cannot be read; ValueError for a wrong URL.
        """
        self._broker, self._topics, self._clock, self._status = broker, topics, clock, status
        self._put, self._window = put, window
        self._host, self._port = host_port(url)
        self._password: str | None = None
        if broker.password_file:
            self._password = (folder / broker.password_file).read_text(encoding="utf-8").strip()
        self._client: _Client | None = None
        self._lock = threading.Lock()
        self._connection = 0
        # a broker that hangs on MQTT 5 can be named with the version it speaks: mqtt://host:port?version=3.1.1
        old = urlsplit(url).query == OLD_VERSION
        self._version = MQTTProtocolVersion.MQTTv311 if old else MQTTProtocolVersion.MQTTv5
        self._refusals = 0
        self._ever_connected = False
        self._answers = threading.Condition()
        self._answered: deque[int] = deque(maxlen=8)

    async def run(self) -> None:
        """Connects, reconnects and falls back until cancelled; then call `close`."""
        loop = asyncio.get_running_loop()
        while True:
            restart = asyncio.Event()
            self._client = self._start(partial(loop.call_soon_threadsafe, restart.set))
            while not restart.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(restart.wait(), CONNACK_WITHIN_S)
                self._watch(restart.set)
            await asyncio.to_thread(self.close)
            await asyncio.sleep(RESTART_AFTER_S)

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledges messages whose readings are on disk; those of an earlier connection will come again."""
        with self._lock:
            client, connection = self._client, self._connection
            if client is not None:
                for token in tokens:
                    if token.connection == connection:
                        client.ack(token.mid, token.qos)

    def close(self) -> None:
        """Ends the connection once the broker has every acknowledgement; the session stays with the broker.

        A socket closed while the broker still delivers is reset, and acknowledgements on their way are lost with it.
        The answer to one more subscription says that all sent before it has arrived.
        """
        client = self._client
        if client is not None:
            if client.is_connected():
                self._settle(client)
            client.disconnect()
            client.loop_stop()
            self._client = None

    def _watch(self, restart: Callable[[], object]) -> None:
        """Some brokers of 3.1.1 neither refuse MQTT 5 nor hang up: they never answer."""
        client = self._client
        if client is not None and client.socket() is not None and not client.is_connected() and self._first_try():
            self._fall_back(restart)

    def _first_try(self) -> bool:
        return self._version == MQTTProtocolVersion.MQTTv5 and not self._ever_connected

    def _settle(self, client: mqtt.Client) -> None:
        _, number = self._subscribe(client, self._topics.subscriptions()[:1])
        with self._answers:
            self._answers.wait_for(lambda: number in self._answered, SETTLE_WITHIN_S)

    def _start(self, restart: Callable[[], object]) -> _Client:
        v5 = self._version == MQTTProtocolVersion.MQTTv5
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            clean_session=None if v5 else False,
            protocol=self._version,
            manual_ack=True,
        )
        client.username_pw_set(self._broker.username, self._password)
        client.reconnect_delay_set(min_delay=1, max_delay=15)

        def died(reason: str) -> None:
            self._say(reason)
            restart()

        def connected(
            _client: mqtt.Client, _data: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, _props: Properties | None
        ) -> None:
            if reason.is_failure:
                self._say(f"the broker refused: {reason}")
                if v5 and reason.value == UNSUPPORTED_VERSION:
                    self._fall_back(restart)
                return
            self._connected(client, flags.session_present)

        def disconnected(
            _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Properties | None
        ) -> None:
            with self._lock:
                self._connection += 1
            if self._status.broker:
                self._status.broker.connected = False
            if reason.is_failure:
                self._say(f"connection lost: {reason}")
            if self._first_try():
                self._refusals += 1
                if self._refusals >= REFUSALS_BEFORE_311:
                    self._fall_back(restart)

        client.died = died
        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_connect_fail = lambda _client, _data: self._say(f"{self._host}:{self._port} cannot be reached")
        client.on_subscribe = lambda _client, _data, number, codes, _props: self._subscribed(number, codes)
        client.on_message = lambda _client, _data, message: self._message(client, message)
        if v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            client.connect_async(self._host, self._port, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            client.connect_async(self._host, self._port, KEEPALIVE_S)
        client.loop_start()
        return client

    def _connected(self, client: mqtt.Client, session_present: bool) -> None:
        v5 = self._version == MQTTProtocolVersion.MQTTv5
        with self._lock:
            self._connection += 1
        self._ever_connected = True
        self._window(RECEIVE_MAXIMUM if v5 else WINDOW_311)
        if self._status.broker:
            self._status.broker.connected = True
            self._status.broker.protocol = "MQTT 5" if v5 else "MQTT 3.1.1"
            self._status.broker.session_present = session_present
            self._status.broker.connections += 1
        self._subscribe(client, self._topics.subscriptions())

    def _subscribe(self, client: mqtt.Client, names: list[str]) -> tuple[MQTTErrorCode, int | None]:
        if self._version == MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(qos=1, retainHandling=RETAIN_NEVER)
            return client.subscribe([(name, options) for name in names])
        return client.subscribe([(name, 1) for name in names])

    def _subscribed(self, number: int, codes: Sequence[ReasonCode]) -> None:
        with self._answers:
            self._answered.append(number)
            self._answers.notify_all()
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            self._say(f"the broker refused {len(refused)} of {len(codes)} subscriptions: {refused[0]}")

    def _message(self, client: mqtt.Client, message: mqtt.MQTTMessage) -> None:
        received = self._clock.now_us()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            client.ack(message.mid, message.qos)
            return
        if message.retain:
            for route in self._topics.routes.get(topic, ()):
                self._status.retained(route.device)
            client.ack(message.mid, message.qos)
            return
        self._put((received, topic, bytes(message.payload)), Token(self._connection, message.mid, message.qos))

    def _fall_back(self, restart: Callable[[], object]) -> None:
        self._version = MQTTProtocolVersion.MQTTv311
        self._say("the broker does not speak MQTT 5: falling back to 3.1.1")
        restart()

    def _say(self, reason: str) -> None:
        _log.warning("broker %s:%s: %s", self._host, self._port, reason)
        if self._status.broker:
            self._status.broker.last_error = reason
