"""The two ends that a killed keepclean is judged by, each a process with a log of its own.

`publish` sends unique numbers at QoS 1 and writes down which of them the broker has acknowledged; `serve` answers
Modbus polls with a count that rises with every poll, and writes down which it has answered.
"""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

BARE, TIMED = 10, 10
TICK_S = 0.02


class Publisher:
    """Sends until SIGTERM, then three closing messages a topic; "sent" and "acked" lines go to its log.

    A message that was under way when the connection broke is neither sent again nor counted as acknowledged: whether
    the broker has it cannot be known.
    """

    def __init__(self, port: int, rate: float, log: TextIO) -> None:
        self._port, self._rate, self._log = port, rate, log
        self._number = 0
        self._stamps: dict[int, int] = {}
        self._topics: dict[tuple[int, int], str] = {}
        self._connection = 0
        self._stopping = False

    def run(self) -> None:
        """Until told to stop."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_stopping", True))
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
            time.sleep(TICK_S)
        client.loop_stop()
        client.disconnect()
        client = self._connect()
        for _ in range(3 * (BARE + TIMED)):
            self._send(client).wait_for_publish(10)
        time.sleep(0.2)
        client.disconnect()
        client.loop_stop()

    def _send(self, client: mqtt.Client) -> mqtt.MQTTMessageInfo:
        number = self._number = self._number + 1
        index = number % (BARE + TIMED)
        if index < BARE:
            topic, payload = f"bare/b{index}", b"%d" % number
        else:
            stamp = self._stamps[index] = max(time.time_ns() // 1_000_000, self._stamps.get(index, 0) + 1)
            topic = f"timed/{index - BARE}"
            payload = json.dumps({"ts": stamp, "number": number, "one": 1}).encode()
        self._log.write(f"sent {number}\n")
        info = client.publish(topic, payload, qos=1)
        self._topics[self._connection, info.mid] = str(number)
        return info

    def _connect(self) -> mqtt.Client:
        self._connection += 1
        here = self._connection
        while True:
            client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"gateway-{here}")
            client.max_inflight_messages_set(1000)
            client.on_publish = lambda _client, _data, mid, _code, _props: self._acked(here, mid)
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

    def _acked(self, connection: int, mid: int) -> None:
        end = time.monotonic() + 1.0
        while (connection, mid) not in self._topics and time.monotonic() < end:
            time.sleep(0.0005)
        self._log.write(f"acked {self._topics.pop((connection, mid))}\n")


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
