"""The MQTT session: persistent, QoS 1, acknowledged by hand, MQTT 5 with 3.1.1 to fall back to.

MQTT 5 connects with clean start off and a session expiry, so that the broker keeps what comes while keepclean is down.
A message is acknowledged when the commit thread says so, and only on the connection that brought it: after a reconnect
the broker delivers again what was not acknowledged, and a packet id may by then stand for another message.

One thread does all that touches the connection, by paho's calls for external loops on a `BufferedSocket`.
"""

from __future__ import annotations

import logging
import os
import random
import select
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.mqtt.broker import host_port, only_old, password, tls
from collectors.mqtt.identity import FORGET, Delivery, Item
from collectors.mqtt.socket import BufferedClient, BufferedSocket
from collectors.mqtt.topics import Topics
from collectors.mqtt.trust import DROPPED_TOPIC, FORGOTTEN, Dropped, doubts
from collectors.status import Status
from plant.clock import PlantClock
from plant.model import Broker

RECEIVE_MAXIMUM = 1000
WINDOW_311 = 20
SESSION_EXPIRY_S = 30 * 86400
KEEPALIVE_S = 30
REFUSALS_BEFORE_311 = 2
UNSUPPORTED_VERSION = 132
PAUSE_FIRST_S, PAUSE_LAST_S = 1.0, 15.0
RETAIN_AT_SUBSCRIBE, RETAIN_NEVER = 0, 2
SETTLE_WITHIN_S = 0.7
CONNECT_WITHIN_S = 3.0
LOOK_EVERY_S = 1.0
READ_FOR_S = 0.05
QOS0_WAITING_MAX = 100_000
PUBACK = struct.Struct("!BBH")

BROKER_DOUBT = "broker may lose messages"

_log = logging.getLogger(__name__)


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
        put: Callable[[Sequence[Item]], None],
        window: Callable[[int], None],
        waiting: Callable[[], int] = lambda: 0,
        notice: Callable[[str, str], None] = lambda _finding, _evidence: None,
        remember: Callable[[int], None] = lambda _count: None,
        *,
        resumes: bool = False,
        dropped: int | None = None,
    ) -> None:
        """`topics` has at least one route; messages go to `put` with what acknowledges them.

        `window` hears how many messages the broker sends without acknowledgement; `waiting` says how many items wait
        for the disk; `notice` takes a finding and its evidence; `remember` takes the broker's count of dropped
        messages, which was `dropped` in an earlier life; `resumes` says that there was a session before.

        Raises OSError when a password or certificate file, relative to `folder`, cannot be read;
        ValueError for a wrong URL.
        """
        self._broker, self._topics, self._clock, self._status = broker, topics, clock, status
        self._put, self._window, self._waiting = put, window, waiting
        self._notice, self._remember = notice, remember
        self._resumes, self._dropped = resumes, Dropped(dropped)
        self._host, self._port = host_port(url)
        self._tls, self._password = tls(broker, url, folder), password(broker, folder)
        old = only_old(url)  # a broker that hangs on MQTT 5 can be named with the version it speaks
        self._version = MQTTProtocolVersion.MQTTv311 if old else MQTTProtocolVersion.MQTTv5
        self._only_311 = old
        self._connection = 0
        self._connected = False
        self._refusals = 0
        self._stamp = 0
        self._arrived: list[Item] = []
        self._acks: deque[Sequence[Delivery]] = deque()
        self._publications: deque[tuple[str, bytes]] = deque()
        self._settling: int | None = None
        self._counting: int | None = None
        self._ask_counts = True
        self._forgetting = self._unsubscribed = False
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connects in a thread of its own; reconnects and falls back by itself."""
        self._thread.start()

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledges messages whose readings are on disk; those of an earlier connection will come again."""
        self._acks.append(deliveries)
        self._wake()

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends a message, at QoS 0; lost when there is no connection."""
        self._publications.append((topic, payload))
        self._wake()

    def close(self) -> None:
        """Ends the connection once the broker has every acknowledgement; the session stays with the broker."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(SETTLE_WITHIN_S + CONNECT_WITHIN_S)
        if not self._thread.is_alive():
            os.close(self._wake_read)
            os.close(self._wake_write)

    def forgotten(self) -> None:
        """Hears that it is on disk that the packet ids of an old session mean nothing any more.

        A new session is subscribed to only then: killed in between, the messages that came under its ids would be taken
        for those that the old one brought under the same.
        """
        self._forgetting = False
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except OSError:  # full: it is awake already; closed: it is over
            return

    def _run(self) -> None:
        pause = PAUSE_FIRST_S
        while not self._stopping.is_set():
            client = self._client()
            began = time.monotonic()
            try:
                client.connect(self._host, self._port, KEEPALIVE_S, **self._options())
                self._converse(client)
            except (OSError, ValueError) as error:
                if not self._stopping.is_set():
                    self._say(f"{self._host}:{self._port} cannot be reached: {error}")
            except Exception as error:  # noqa: BLE001 - whatever a malformed packet raised, the session starts anew
                self._say(f"{type(error).__name__}: {error}")
            self._over(client)
            pause = PAUSE_FIRST_S if time.monotonic() - began > PAUSE_LAST_S else min(2 * pause, PAUSE_LAST_S)
            self._stopping.wait(random.uniform(PAUSE_FIRST_S / 2, pause))

    def _converse(self, client: BufferedClient) -> None:
        """One connection, from CONNECT until it is over or `close` was called."""
        buffered: Any = client.socket()
        poll = select.poll()
        poll.register(buffered.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        deadline = time.monotonic() + CONNECT_WITHIN_S
        settle_until = 0.0
        misc_at = 0.0
        while _is(client.socket(), buffered):
            self._send(client, buffered)
            flushed = buffered.flush()
            poll.modify(buffered.fileno(), select.POLLIN if flushed else select.POLLIN | select.POLLOUT)
            ready = dict(poll.poll(0 if buffered.pending() else int(LOOK_EVERY_S * 1000)))
            if self._wake_read in ready:
                os.read(self._wake_read, 1 << 16)
            if ready.get(buffered.fileno(), 0) & ~select.POLLOUT or buffered.pending():
                self._read(client, buffered)
            now = time.monotonic()
            if now >= misc_at:
                client.loop_misc()
                misc_at = now + LOOK_EVERY_S
            if not self._connected and now > deadline:
                # some brokers of 3.1.1 neither refuse MQTT 5 nor hang up: they never answer
                self._refusals = REFUSALS_BEFORE_311
                return
            if self._stopping.is_set():
                if not self._connected or (settle_until and (self._settling is None or now > settle_until)):
                    return
                if not settle_until:
                    settle_until = now + SETTLE_WITHIN_S
                    self._settling = self._subscribe(client, self._topics.subscriptions()[:1])

    def _read(self, client: BufferedClient, buffered: BufferedSocket) -> None:
        until = time.monotonic() + READ_FOR_S
        while client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS and buffered.pending():
            if time.monotonic() > until:
                break
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            self._put(arrived)

    def _send(self, client: BufferedClient, buffered: BufferedSocket) -> None:
        """Acknowledgements go out as bytes, all at once: building each by paho costs more than all the rest."""
        while self._acks:
            deliveries = self._acks.popleft()
            here = self._connection
            pack = PUBACK.pack
            buffered.send(b"".join([pack(mqtt.PUBACK, 2, packet) for at, packet, _ in deliveries if at == here]))
        if self._unsubscribed and not self._forgetting:
            self._unsubscribed = False
            self._subscribe(client, self._topics.subscriptions())
            if self._ask_counts:
                self._counting = self._subscribe(client, [DROPPED_TOPIC], RETAIN_AT_SUBSCRIBE)
        while self._publications:
            client.publish(*self._publications.popleft())
        if client.want_write():
            client.loop_write()

    def _over(self, client: BufferedClient) -> None:
        if self._connected:
            try:
                client.disconnect()
                client.loop_write()
                buffered: Any = client.socket()
                if buffered is not None:
                    buffered.flush()
            except (OSError, ValueError) as error:
                _log.debug("the connection was gone before DISCONNECT: %s", error)
        self._choose_version()
        gone: Any = client.socket()
        if gone is not None:
            gone.close()
        if self._counting is not None:  # some brokers hang up on who asks for what he may not have
            self._ask_counts, self._counting = False, None
        self._connection += 1
        self._connected = False
        self._acks.clear()
        self._arrived.clear()
        if self._status.broker:
            self._status.broker.connected = False

    def _choose_version(self) -> None:
        """3.1.1 for good where the broker refuses MQTT 5; for the next attempt where it only does not answer.

        A broker that is starting, or a proxy before it, also hangs up or is slow.
        """
        if self._only_311:
            self._version = MQTTProtocolVersion.MQTTv311
        elif self._connected or self._old() or self._refusals < REFUSALS_BEFORE_311:
            self._version = MQTTProtocolVersion.MQTTv5
        else:
            self._refusals = 0
            self._version = MQTTProtocolVersion.MQTTv311
            self._say("the broker does not answer to MQTT 5: trying 3.1.1")

    def _old(self) -> bool:
        return self._version == MQTTProtocolVersion.MQTTv311

    def _options(self) -> dict[str, Any]:
        if self._old():
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        return {"clean_start": False, "properties": properties}

    def _client(self) -> BufferedClient:
        v5 = self._version == MQTTProtocolVersion.MQTTv5
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            clean_session=None if v5 else False,
            protocol=self._version,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_WITHIN_S
        client.username_pw_set(self._broker.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)

        def connected(
            _client: mqtt.Client, _data: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, given: Properties | None
        ) -> None:
            if reason.is_failure:
                self._say(f"the broker refused: {reason}")
                self._only_311 |= not self._old() and reason.value == UNSUPPORTED_VERSION
                return
            self._begin(client, flags.session_present, given)

        def disconnected(
            _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Properties | None
        ) -> None:
            if reason.is_failure and not self._stopping.is_set():
                self._say(f"connection lost: {reason}")
            if not self._connected:
                self._refusals += 1

        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_subscribe = lambda _client, _data, number, codes, _props: self._subscribed(number, codes)
        client.on_message = self._message_callback(client)
        client.on_socket_register_write = lambda _client, _data, _socket: None  # acknowledgements leave together
        return client

    def _begin(self, client: BufferedClient, session_present: bool, given: Properties | None) -> None:
        v5 = self._version == MQTTProtocolVersion.MQTTv5
        self._connected = True
        self._refusals = 0
        self._window(RECEIVE_MAXIMUM if v5 else WINDOW_311)
        if self._status.broker:
            self._status.broker.protocol = "MQTT 5" if v5 else "MQTT 3.1.1"
            self._status.broker.session_present = session_present
            self._status.broker.connections += 1
        found = doubts(given, SESSION_EXPIRY_S) if v5 else []
        if not session_present:
            self._forgetting = True
            self._put([FORGET])
            if self._resumes:
                found.append(FORGOTTEN)
        self._resumes = True
        for doubt in found:
            self._doubt(doubt)
        self._unsubscribed = True

    def _doubt(self, reason: str) -> None:
        _log.warning("broker %s:%s: %s", self._host, self._port, reason)
        self._notice(BROKER_DOUBT, reason)
        if self._status.broker and reason not in self._status.broker.doubts:
            self._status.broker.doubts.append(reason)

    def _subscribe(self, client: mqtt.Client, names: list[str], retained: int = RETAIN_NEVER) -> int | None:
        if self._version == MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(qos=1, retainHandling=retained)
            return client.subscribe([(name, options) for name in names])[1]
        return client.subscribe([(name, 1) for name in names])[1]

    def _subscribed(self, number: int, codes: Sequence[ReasonCode]) -> None:
        if number == self._settling:
            self._settling = None
        refused = [str(code) for code in codes if code.is_failure]
        if self._status.broker:
            self._status.broker.connected = self._connected
        if number == self._counting:  # the broker's own counts are a courtesy
            self._counting = None
        elif refused:
            self._say(f"the broker refused {len(refused)} of {len(codes)} subscriptions: {refused[0]}")

    def _message_callback(self, client: BufferedClient) -> Callable[[mqtt.Client, Any, mqtt.MQTTMessage], None]:
        """Called for every message: everything in it counts."""
        now_us, connection = self._clock.now_us, self._connection

        def message(_client: mqtt.Client, _data: Any, found: mqtt.MQTTMessage) -> None:
            # strictly rising, so that two messages without a time of their own are two readings
            self._stamp = stamp = max(now_us(), self._stamp + 1)
            qos, packet = found.qos, found.mid
            try:
                topic = found.topic
            except UnicodeDecodeError:
                client.ack(packet, qos)
                return
            if topic == DROPPED_TOPIC:
                more = self._dropped.more(bytes(found.payload))
                if more:
                    self._doubt(f"the broker's queues did not take at least {more:,} messages (not only ours)")
                if self._dropped.last is not None:
                    self._remember(self._dropped.last)
                client.ack(packet, qos)
                return
            if found.retain:
                for route in self._topics.routes.get(topic, ()):
                    self._status.retained(route.device)
                client.ack(packet, qos)
                return
            if qos:
                self._arrived.append(((stamp, topic, bytes(found.payload)), (connection, packet, found.dup)))
            elif self._waiting() + len(self._arrived) < QOS0_WAITING_MAX:
                self._arrived.append(((stamp, topic, bytes(found.payload)), None))
            elif self._status.broker:
                self._status.broker.dropped += 1  # QoS 0 promises nothing; it is counted, and shown

        return message

    def _say(self, reason: str) -> None:
        _log.warning("broker %s:%s: %s", self._host, self._port, reason)
        if self._status.broker:
            self._status.broker.last_error = reason


def _is(one: object, other: object) -> bool:
    return one is other
