"""Whether one core holds a large plant at 1 Hz: what a second of readings costs serve's thread, checkpoint included.

`python -m benchmarks.ticks hold` goes as fast as it can, on one core: each plant second is committed to a journal
(not measured), then stepped and stored as serve does it (measured). `live` keeps to the wall clock, with the
collectors' commit thread in a process of its own on the other core. Both print what they found as JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import pinned
from benchmarks.large_plant import START, Feed, accepted, plant
from historian.store import Historian
from journal.journal import Journal
from journal.message import Kind, encode_body, encode_readings
from monitor.serve import CHECKPOINT_S, IDLE_S, Turns
from monitor.server import Server
from pipeline.plans import compile_plant
from plant.reading import MINUTE, SECOND, Readings

POINTS, PER_UNIT, SECONDS = 10_000, 200, 1800


@dataclass(frozen=True)
class Size:
    """How large the plant is, and for how many plant seconds it is watched."""

    points: int = POINTS
    per_unit: int = PER_UNIT
    seconds: int = SECONDS


def commit(journal: Journal, readings: Readings, tick_us: int | None) -> None:
    """Brings readings to the journal as the collectors do, a tick before them."""
    messages: list[tuple[Kind, bytes]] = []
    if tick_us is not None:
        messages.append(("tick", encode_body({"time": tick_us})))
    journal.append([*messages, ("readings", encode_readings(readings))])


def hold(size: Size, folder: Path) -> dict[str, Any]:
    """The time of each plant second in serve's thread, the CPU time of all, memory, and what is left undone."""
    described = plant(size.points, size.per_unit)
    feed, journal = Feed(described), Journal(folder / "journal")
    server = Server(compile_plant(described, "bench"), journal, Historian(folder))
    journal.append([("baseline", encode_body(body)) for body in accepted(described, START)])
    turns = Turns(len(server.plan.units), feed.now_us / SECOND)
    ticks, readings, fed_s, began_s = [], 0, 0.0, time.process_time()
    for _ in range(size.seconds):
        fed = time.thread_time()
        batch = feed.beats()
        second = feed.now_us - SECOND
        commit(journal, batch, second if second % MINUTE == 0 else None)
        journal.trim()
        readings += len(batch)
        fed_s += time.thread_time() - fed
        began = time.perf_counter()
        # the plant's second stands for serve's own: it steps this often when it keeps to the wall clock
        now_s = feed.now_us / SECOND
        while server.step(units_at_once=turns.units(now_s)):
            turns.taken(now_s)
        server.checkpoint()
        ticks.append(time.perf_counter() - began)
    cpu_s = time.process_time() - began_s - fed_s
    return {
        "points": size.points,
        "plant_s": size.seconds,
        "readings": readings,
        **pinned.times_ms(ticks),
        "cpu_s": round(cpu_s, 1),
        "core": round(cpu_s / size.seconds, 3),
        "resident_mib": pinned.resident_mib(),
        "most_resident_mib": pinned.most_resident_mib(),
        "backlog": journal.last() - server.engine.position,
        "behind_s": round((feed.now_us - server.engine.settled_us) / SECOND),
    }


def live(size: Size, folder: Path) -> dict[str, Any]:
    """As `hold`, at the pace of the wall clock beside a process that collects: serve's loop, pass by pass."""
    described = plant(size.points, size.per_unit)
    journal = Journal(folder / "journal")
    server = Server(compile_plant(described, "bench"), journal, Historian(folder))
    journal.append([("baseline", encode_body(body)) for body in accepted(described, START)])
    numbers = map(str, (size.points, size.per_unit, size.seconds))
    feeder = subprocess.Popen([sys.executable, "-m", "benchmarks.feeder", *numbers, folder], cwd=pinned.ROOT)
    passes, waiting, began_s = [], [], time.process_time()
    stored, dirty = time.monotonic(), False
    turns = Turns(len(server.plan.units), stored)
    while feeder.poll() is None:
        began = time.monotonic()
        worked = server.step(units_at_once=turns.units(began))
        if worked:
            turns.taken(began)
        dirty = dirty or worked > 0
        if dirty and time.monotonic() - stored >= CHECKPOINT_S:
            server.checkpoint()
            stored, dirty = time.monotonic(), False
            waiting.append(journal.last() - server.engine.position)
        if worked:
            passes.append(time.monotonic() - began)
        else:
            time.sleep(IDLE_S)
    cpu_s, began = time.process_time() - began_s, time.monotonic()
    backlog = journal.last() - server.engine.position
    while server.step():
        pass
    server.checkpoint()
    return {
        "points": size.points,
        "plant_s": size.seconds,
        **pinned.times_ms(passes),
        "passes": len(passes),
        "core": round(cpu_s / size.seconds, 3),
        "resident_mib": pinned.resident_mib(),
        "most_resident_mib": pinned.most_resident_mib(),
        "messages_waiting_most": max(waiting, default=0),
        "messages_at_the_end": backlog,
        "backlog": journal.last() - server.engine.position,
        "caught_up_ms": round((time.monotonic() - began) * 1e3),
        "collectors": json.loads((folder / "feeder.json").read_text()),
    }


def main() -> None:
    """Measures in this process, wherever it runs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kind", choices=("hold", "live"))
    options.add_argument("points", type=int, nargs="?", default=POINTS)
    options.add_argument("per_unit", type=int, nargs="?", default=PER_UNIT)
    options.add_argument("seconds", type=int, nargs="?", default=SECONDS)
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="keepclean-bench-"))
    try:
        size = Size(chosen.points, chosen.per_unit, chosen.seconds)
        pinned.say((hold if chosen.kind == "hold" else live)(size, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
