"""The two ends that a killed keepclean is judged by, each a process with a log of its own.

`publish` sends numbers at QoS 1 and writes down which of them the broker has acknowledged; `serve` answers Modbus polls
with a count that rises with every poll, and writes down which it has answered.
"""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

SAME, BARE, TIMED = 4, 10, 10
TOPICS = SAME + BARE + TIMED
TICK_S = 0.02


def point_of(number: int) -> str:
    """The point that a number's message is for: "same_N", "bare_N" or "timed_N"."""
    index = number % TOPICS
    if index < SAME:
        return f"same_{index}"
    return f"bare_{index - SAME}" if index < SAME + BARE else f"timed_{index - SAME - BARE}"


class Publisher:
    """Sends until SIGTERM, then three closing messages a topic; "sent" and "acked" lines go to its log.

    The messages of the "same" topics are all equal, byte by byte; the others hold their number, the last one of all as
    well. A message that was under way when the connection broke is neither sent again nor counted as acknowledged:
    whether the broker has it cannot be known.
    """

    def __init__(self, port: int, rate: float, log: TextIO) -> None:
        self._port, self._rate, self._log = port, rate, log
        self._number = 0
        self._stamps: dict[str, int] = {}
        self._under_way: dict[tuple[int, int], int] = {}
        self._acked: deque[tuple[int, int]] = deque()
        self._connection = 0
        self._stopping = False
        self._dead: list[threading.ExceptHookArgs] = []

    def run(self) -> None:
        """Until told to stop. Raises RuntimeError when paho's thread has died, KeyError for a PUBACK of nothing."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_stopping", True))
        threading.excepthook = self._dead.append
        client = self._connect()
        began, sent = time.monotonic(), 0
        while not self._stopping:
            if not client.is_connected():
                client.loop_stop()
                client = self._connect()
                began, sent = time.monotonic(), 0
            due = int((time.monotonic() - began) * self._rate)
            for _ in range(due - sent):
                self._send(client)
            sent = max(sent, due)
            self._note()
            time.sleep(TICK_S)
        self._drain(client)
        if not client.is_connected():
            client.loop_stop()
            client = self._connect()
        closing = 0
        while closing < 3 * TOPICS or not point_of(self._number).startswith("timed"):
            self._send(client)
            closing += 1
        self._drain(client)
        client.disconnect()
        client.loop_stop()

    def _send(self, client: mqtt.Client) -> None:
        number = self._number = self._number + 1
        point = point_of(number)
        kind, _, index = point.partition("_")
        topic, payload = f"{kind}/{index}", b"1" if kind == "same" else b"%d" % number
        if kind == "timed":
            stamp = self._stamps[point] = max(time.time_ns() // 1_000_000, self._stamps.get(point, 0) + 1)
            payload = json.dumps({"ts": stamp, "number": number, "one": 1}).encode()
        self._log.write(f"sent {number}\n")
        self._under_way[self._connection, client.publish(topic, payload, qos=1).mid] = number

    def _note(self) -> None:
        """Writes down what paho's thread has heard; every id is known by then, because this thread sent it."""
        if self._dead:
            raise RuntimeError("paho's thread has died") from self._dead[0].exc_value
        while self._acked:
            self._log.write(f"acked {self._under_way.pop(self._acked.popleft())}\n")

    def _drain(self, client: mqtt.Client) -> None:
        """Waits for what is still under way."""
        here, end = self._connection, time.monotonic() + 10
        while client.is_connected() and time.monotonic() < end:
            self._note()
            if not any(connection == here for connection, _ in self._under_way):
                return
            time.sleep(TICK_S)

    def _connect(self) -> mqtt.Client:
        self._connection += 1
        while True:
            client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"gateway-{self._connection}")
            client.max_inflight_messages_set(1000)
            client.on_publish = self._heard(self._connection)
            try:
                client.connect("127.0.0.1", self._port)
            except OSError:
                time.sleep(0.1)
                continue
            client.reconnect_delay_set(3600, 3600)
            client.loop_start()
            end = time.monotonic() + 5
            while not client.is_connected() and time.monotonic() < end:
                time.sleep(0.01)
            if client.is_connected():
                return client
            client.loop_stop()

    def _heard(self, connection: int) -> Callable[..., None]:
        def heard(_client: mqtt.Client, _data: Any, mid: int, *_: Any) -> None:
            self._acked.append((connection, mid))

        return heard


class Meters:
    """Modbus TCP devices, one a port, whose registers 0 and 1 hold how often they have been asked."""

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self._asked: dict[int, int] = {}

    async def run(self, ports: list[int]) -> None:
        """Until SIGTERM."""
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        servers = [
            await asyncio.start_server(lambda r, w, n=number: self._serve(n, r, w), "127.0.0.1", port)
            for number, port in enumerate(ports)
        ]
        await stop.wait()
        for server in servers:
            server.close()

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                transaction, _, _, device_id, function, _, count = struct.unpack(
                    ">HHHBBHH", await reader.readexactly(12)
                )
                assert (function, count) == (4, 2)
                asked = self._asked[number] = self._asked.get(number, 0) + 1
                self._log.write(f"{number} {asked}\n")
                writer.write(struct.pack(">HHHBBBI", transaction, 0, 7, device_id, function, 4, asked))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def main(arguments: list[str]) -> None:
    """`publish LOG PORT RATE`, or `serve LOG PORT…`."""
    what, path, *rest = arguments
    with Path(path).open("w", buffering=1 << 16) as log:
        if what == "publish":
            Publisher(int(rest[0]), float(rest[1]), log).run()
        else:
            asyncio.run(Meters(log).run([int(port) for port in rest]))


def sent_and_acked(path: Path) -> tuple[set[int], set[int]]:
    """What a publisher's log says: numbers sent, numbers acknowledged."""
    found: dict[str, set[int]] = {"sent": set(), "acked": set()}
    for line in path.read_text().splitlines():
        what, number = line.split()
        found[what].add(int(number))
    return found["sent"], found["acked"]


def served(path: Path) -> set[tuple[int, int]]:
    """What the meters' log says: (meter, count) of every poll answered."""
    pairs: Any = (line.split() for line in path.read_text().splitlines())
    return {(int(number), int(asked)) for number, asked in pairs}


if __name__ == "__main__":
    main(sys.argv[1:])
