"""How troubled devices disturb the others: many devices of their own, and one line that is shared; for tests and bench.

Everything of ours runs as it does in the product: connections, pollers, commit thread, a journal on disk.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from collectors_plant import free_port, modbus, plant
from collectors_servers import Trouble, Troubled, served

from collectors.commit import Committer
from collectors.modbus.pollers import Pollers
from collectors.plan import plan
from collectors.status import Status
from journal.journal import Journal
from plant.clock import PlantClock
from plant.model import Plant
from plant.reading import SECOND, Readings

OWN = "{make: A, model: B, source: own, fields: {low: {title: x, function: 3, address: 10, type: uint16, unit: m}}}"
TROUBLES: list[Trouble] = ["silent", "late", "rubbish", "closing"]
DEADLINE_S = 60.0


@asynccontextmanager
async def collecting(described: Plant, folder: Path) -> AsyncIterator[tuple[Pollers, Status]]:
    """Pollers (not started), and the rest at work; on leaving everything received is in the journal."""
    clock = PlantClock.real()
    status = Status(clock, dict.fromkeys(described.devices, "modbus"))
    journal = Journal(folder / "journal")
    committer = Committer(journal, clock, status)
    thread = threading.Thread(target=committer.run, daemon=True)
    pollers = Pollers(described, plan(described, folder).modbus, {}, clock, committer, status)
    thread.start()
    try:
        yield pollers, status
    finally:
        pollers.close()
        committer.stop()
        await asyncio.to_thread(thread.join)
        journal.close()


class Lateness(threading.Thread):
    """How late a thread that sleeps is woken meanwhile [s]: how busy the machine was."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Sleeps 10 ms again and again."""
        while True:
            began = time.monotonic()
            if self.over.wait(0.01):
                return
            self.found.append(time.monotonic() - began - 0.01)


async def polled(described: Plant, folder: Path, enough: dict[str, int], expected_s: float) -> float:
    """Polls until the devices named have so many readings; the seconds that it took."""
    began = time.monotonic()
    async with collecting(described, folder) as (pollers, status):
        tasks = pollers.start()
        while any(status.device(name).readings < least for name, least in enough.items()):
            assert time.monotonic() < began + DEADLINE_S + 2 * expected_s, "the polls did not come in time"
            await asyncio.sleep(0.05)
        took = time.monotonic() - began
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return took


def journalled(folder: Path) -> Readings:
    """What is in the journal."""
    journal = Journal(folder / "journal")
    try:
        return Readings.join([row.readings for row in journal.read(0, 10**9) if row.readings is not None])
    finally:
        journal.close()


def beat(folder: Path, seed: int, devices: int = 200, polls: int = 6, interval_s: float = 1.0) -> dict[str, Any]:
    """The error of the interval between two readings of the same sound device, when four others are in trouble.

    One is silent, one answers after 5 s, one answers rubbish, one closes every connection; which ones `seed` decides.
    The first interval, in which all the connections are made, is not counted.
    """
    (folder / "own.yaml").write_text(OWN)
    troubles: list[Trouble] = TROUBLES + ["none"] * (devices - len(TROUBLES))
    random.Random(seed).shuffle(troubles)
    sound = [number for number, trouble in enumerate(troubles) if trouble == "none"]
    with served(troubles, 5.0) as ports:
        described = plant(
            {
                f"d{number}": modbus(f"127.0.0.1:{port}", "own.yaml", interval=f"{interval_s} s")
                for number, port in enumerate(ports)
            },
            {f"d{number}": (f"d{number}", "low", "level", "m") for number in range(devices)},
        )
        lateness = Lateness()
        lateness.start()
        enough = {f"d{number}": polls + 2 for number in sound}
        asyncio.run(polled(described, folder, enough, polls * interval_s))
        lateness.over.set()
    found = journalled(folder)
    times = [found.time[found.point == found.points.index(f"d{number}")] for number in sound]
    errors = np.abs(np.concatenate([np.diff(one)[1:] for one in times]) / SECOND / interval_s - 1)
    return {
        "what": "interval error of sound devices [share of the interval]",
        "seed": seed,
        "devices": devices,
        "interval_s": interval_s,
        "intervals": len(errors),
        "p50": round(float(np.quantile(errors, 0.5)), 4),
        "p99": round(float(np.quantile(errors, 0.99)), 4),
        "max": round(float(errors.max()), 4),
        "machine_late_p99_s": round(float(np.quantile(lateness.found, 0.99)), 4),
        "machine_late_max_s": round(max(lateness.found), 4),
        "points_in_trouble_with_values": sum(
            f"d{number}" in found.points for number in range(devices) if troubles[number] != "none"
        ),
    }


def shared_line(
    folder: Path,
    seed: int,
    way: Literal["tcp", "rtu"],
    polls: int = 20,
    interval_s: float = 0.25,
    timeout_s: float = 0.05,
    units: int = 8,
) -> dict[str, Any]:
    """What a silent unit costs the line that it shares with others."""
    random.seed(seed)
    (folder / "own.yaml").write_text(OWN)
    server = Troubled("silent", rtu=way == "rtu")
    port = free_port()
    described = plant(
        {
            f"d{unit}": modbus(
                f"{way}://127.0.0.1:{port}",
                "own.yaml",
                device_id=unit,
                interval=f"{interval_s} s",
                timeout=f"{timeout_s} s",
            )
            for unit in range(1, units + 1)
        },
        {f"d{unit}": (f"d{unit}", "low", "level", "m") for unit in range(1, units + 1)},
    )

    async def scenario() -> float:
        async with server.on(port):
            enough = {f"d{unit}": polls + 1 for unit in range(2, units + 1)}
            return await polled(described, folder, enough, polls * interval_s)

    took = asyncio.run(scenario())
    asked = sum(unit == 1 for _, unit in server.asked)
    found = journalled(folder)
    missed = 0
    for unit in range(2, units + 1):
        times = found.time[found.point == found.points.index(f"d{unit}")]
        missed += round(float(times[-1] - times[0]) / SECOND / interval_s) + 1 - len(times)
    return {
        "what": f"a silent unit of {units} on one line, {way}",
        "seed": seed,
        "seconds": round(took, 2),
        "timeout_s": timeout_s,
        "silent_asked": asked,
        "line_lost": round(asked * timeout_s / took, 4),
        "polls_of_others": len(found),
        "polls_missed": missed,
    }
