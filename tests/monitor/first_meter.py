"""A meter and a broker of one's own for the tests of `init`, `probe` and `discover`: pymodbus's server, Mosquitto."""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

MOSQUITTO = shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None)
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (Debian package mosquitto)")

# By hand over Acrel's address list (ADL3000-E instruction V1.1, 9.1): energies uint32 of 0.01 kWh, voltages 0.1 V,
# currents 0.01 A, frequency 0.01 Hz, total active power int32 W; a meter that gives secondary values.
ADL400 = {0: 0, 1: 12345, 10: 0, 11: 12300, 20: 0, 21: 45, 97: 2301, 98: 2310, 99: 2295, 100: 412, 101: 415, 102: 409}
ADL400 |= {119: 5002, 362: 0, 363: 2790}
# The same list up to the currents, by one who left the frequency and the power out.
HALF_ADL400 = {address: word for address, word in ADL400.items() if address < 119}


def sdm630() -> dict[int, int]:
    """An Eastron SDM630 by its table of input registers: one float each."""
    values = {0: 230.0, 2: 231.0, 4: 229.0, 6: 4.0, 8: 4.5, 10: 3.5, 52: 2750.0, 56: 2800.0, 60: 500.0, 62: 0.98}
    values |= {70: 50.0, 72: 1234.5, 74: 0.0, 76: 10.0, 342: 1234.5}
    words: dict[int, int] = {}
    for address, value in values.items():
        words.update(enumerate(struct.unpack(">2H", struct.pack(">f", value)), address))
    return words


def pm5300() -> dict[int, int]:
    """A Schneider PM5300 by its public register list: a float at each offset, energies in Wh as 64-bit integers."""
    floats = {2999: 4.0, 3001: 4.5, 3003: 3.5, 3025: 400.0, 3027: 230.0, 3029: 231.0, 3031: 229.0, 3035: 230.0}
    floats |= {3059: 2.75, 3067: 0.5, 3075: 2.8, 3109: 50.0}
    words = dict.fromkeys(range(2999, 3225), 0)
    for address, value in floats.items():
        words.update(enumerate(struct.unpack(">2H", struct.pack(">f", value)), address))
    for address, count in {3203: 1_234_500, 3207: 0, 3219: 10_000}.items():
        words.update(enumerate(struct.unpack(">4H", struct.pack(">q", count)), address))
    return words


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def meter(registers: dict[int, int]) -> Iterator[str]:
    """A device with id 1 and these registers, served by a thread; its address."""
    port, loop, ready = free_port(), asyncio.new_event_loop(), threading.Event()
    blocks = [SimData(at, values=[word], datatype=DataType.REGISTERS) for at, word in sorted(registers.items())]

    async def serve() -> None:
        server = ModbusTcpServer([SimDevice(id=1, simdata=blocks)], address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        ready.set()
        await ended.wait()
        await server.shutdown()

    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker on loopback; its port."""
    port = free_port()
    assert MOSQUITTO is not None
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
                break
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def publishing(port: int, make: Callable[[int], dict[str, bytes]]) -> Iterator[None]:
    """Publishes what `make` gives for 0, 1, 2, … every twentieth of a second, until the end."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    over = threading.Event()

    def run() -> None:
        number = 0
        while not over.wait(0.05):
            for topic, payload in make(number).items():
                client.publish(topic, payload)
            number += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)
        client.disconnect()
        client.loop_stop()
