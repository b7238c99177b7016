"""Polls a second beside bare pymodbus; and `make soak`'s part on what troubled devices cost the others.

Servers run in a process of their own; everything of ours is in the measurement: connections, pollers, decoding in the
commit thread, a journal on disk. `python -m benchmarks.modbus [seed]` writes docs/proof/beats.json.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Literal

from pymodbus.client import AsyncModbusTcpClient

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "collectors")]

from collectors_beats import beat, collecting, shared_line  # noqa: E402 (the path is set just above)
from collectors_plant import modbus, plant  # noqa: E402
from collectors_servers import served  # noqa: E402

from benchmarks.proof import write  # noqa: E402
from collectors.modbus.poller import Poller  # noqa: E402

CONNECTIONS = 50
FIFTY_FLOATS = "\n".join(
    [
        "{make: A, model: B, source: the benchmark's own device, fields: {",
        *(f"  f{k}: {{title: x, function: 3, address: {2 * k}, type: float32, unit: m}}," for k in range(50)),
        "}}",
    ]
)


async def bare(ports: list[int], seconds: float) -> float:
    """Polls of 100 registers a second by pymodbus alone, one client a port."""
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for port in ports]
    for client in clients:
        assert await client.connect()
    polls, end = 0, time.monotonic() + seconds

    async def work(client: AsyncModbusTcpClient) -> None:
        nonlocal polls
        while time.monotonic() < end:
            answer = await client.read_holding_registers(0, count=100, device_id=1)
            assert len(answer.registers) == 100
            polls += 1

    began = time.monotonic()
    await asyncio.gather(*(work(client) for client in clients))
    took = time.monotonic() - began
    for client in clients:
        client.close()
    return polls / took


async def ours(ports: list[int], seconds: float) -> float:
    """The same polls through our pollers into a journal, as 50 floats each, counted when they are on disk."""
    with tempfile.TemporaryDirectory(prefix="keepclean-bench-") as name:
        folder = Path(name)
        (folder / "fifty.yaml").write_text(FIFTY_FLOATS)
        described = plant(
            {f"d{number}": modbus(f"127.0.0.1:{port}", "fifty.yaml") for number, port in enumerate(ports)},
            {
                f"d{number}_{k}": (f"d{number}", f"f{k}", "level", "m")
                for number in range(len(ports))
                for k in range(50)
            },
        )
        began = time.monotonic()
        async with collecting(described, folder) as (pollers, status):
            began = time.monotonic()
            end = began + seconds

            async def work(poller: Poller) -> None:
                while time.monotonic() < end:
                    assert await poller.poll()

            await asyncio.gather(*(work(poller) for poller in pollers.pollers))
        took = time.monotonic() - began
        assert status.journal.storage_error == ""
        return status.journal.messages / took


def throughput(runs: int = 5, seconds: float = 3.0) -> dict[str, Any]:
    """Medians of alternating runs, and the ratio of ours to bare pymodbus [polls/s]."""
    alone, whole = [], []
    with served(["none"] * CONNECTIONS) as ports:
        for _ in range(runs):
            alone.append(asyncio.run(bare(ports, seconds)))
            whole.append(asyncio.run(ours(ports, seconds)))
    return {
        "what": f"polls of 100 registers on {CONNECTIONS} connections",
        "bare_per_s": round(median(alone)),
        "ours_per_s": round(median(whole)),
        "ratio": round(median(whole) / median(alone), 3),
        "bare_runs": [round(one) for one in alone],
        "ours_runs": [round(one) for one in whole],
    }


def long_beat(seed: int, minutes: float = 5.0, interval_s: float = 5.0) -> dict[str, Any]:
    """The interval error of 196 sound devices beside four in trouble, over some minutes."""
    with tempfile.TemporaryDirectory(prefix="keepclean-bench-") as name:
        return beat(Path(name), seed, polls=round(60 * minutes / interval_s), interval_s=interval_s)


def long_line(seed: int, way: Literal["tcp", "rtu"], minutes: float = 3.0) -> dict[str, Any]:
    """What a silent unit costs a line of eight, over some minutes, with the timeout of 1 s that is the default."""
    with tempfile.TemporaryDirectory(prefix="keepclean-bench-") as name:
        return shared_line(Path(name), seed, way, polls=round(6 * minutes), interval_s=10.0, timeout_s=1.0)


def main() -> int:
    """The long runs once each; the seed may be given. Whether the others kept their beat."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(10**6)
    sys.stdout.write(f"seed {seed}\n")
    found: dict[str, Any] = {
        "two hundred devices, 1 s": long_beat(seed, minutes=2, interval_s=1.0),
        "two hundred devices, 5 s": long_beat(seed, minutes=2, interval_s=5.0),
        "a line of eight, TCP": long_line(seed, "tcp"),
        "a line of eight, RTU": long_line(seed, "rtu"),
    }
    write("beats", f"python -m benchmarks.modbus {seed}", found)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    kept = all(one.get("p99", 0.0) < 0.1 and one.get("line_lost", 0.0) <= 0.1 for one in found.values())
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
