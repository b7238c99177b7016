"""How fast stored readings become minute facts again, beside a bare Polars group-by of the same files.

`python -m benchmarks.history [POINTS PER_UNIT HOURS ROUNDS]` writes readings at 1 Hz as the historian keeps a closed
day (one Parquet file, by point and time), then in turn: `recompute`, which reads each process unit's rows, steps them
and leaves its facts on disk, in two processes; and Polars' streaming group-by over minute and point (sum, min, max,
mean, last), one process with two threads, which keeps nothing. Starting the processes is not counted.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import polars as pl

from benchmarks import pinned
from benchmarks.large_plant import Feed, plant
from historian import parts
from historian.store import Historian
from historian.tables import READINGS
from pipeline.corrections import NONE
from pipeline.plans import compile_plant
from pipeline.recompute_run import worker_environment
from pipeline.recompute_scratch import Scratch
from pipeline.recompute_units import UnitTask, run_unit
from plant.clock import to_datetime
from plant.reading import DAY

POINTS, PER_UNIT, HOURS, ROUNDS = 1_000, 100, 14, 3


class Spent(NamedTuple):
    """What a worker did, when (by the machine's monotonic clock), and its CPU time [s]."""

    began_s: float
    ended_s: float
    facts: int
    cpu_s: float


def write(folder: Path, points: int, per_unit: int, hours: int) -> tuple[int, int, int]:
    """The readings of so many hours at 1 Hz as day files; how many there are, and from when to when [us UTC]."""
    Historian(folder).close()
    feed, frames, count = Feed(plant(points, per_unit)), [], 0
    began_us = feed.now_us
    names = pl.Series(feed.names)
    for hour in range(hours):
        for _ in range(6):
            batch = feed.beats(600)
            received = pl.Series(batch.received).cast(READINGS.schema["received"])
            columns = {"time": pl.Series(batch.time).cast(READINGS.schema["time"]), "received": received}
            frames.append(pl.DataFrame({**columns, "point": batch.point, "value": batch.value}))
        if (hour + 1) % 24 == 0 or hour + 1 == hours:
            day = pl.concat(frames).with_columns(names.gather(pl.concat(frames)["point"]).alias("point"))
            day = day.with_columns(quality=pl.lit("good"), finding=pl.lit("")).select(READINGS.schema.keys())
            # what is said twice is stored once
            parts.add(folder, READINGS, (feed.now_us - 1) // DAY, day)
            count, frames = count + _rows(folder, feed.now_us - 1), []
    return count, began_us, feed.now_us


def _rows(folder: Path, time_us: int) -> int:
    name = to_datetime(time_us).date().isoformat()
    files = parts.list_files(folder, READINGS.name, time_us // DAY, time_us // DAY)
    assert len(files) == 1, name
    return int(pl.scan_parquet(files[0]).select(pl.len()).collect().item())


def work(folder: Path, points: int, per_unit: int, span_us: tuple[int, int], share: int, of: int) -> Spent:
    """Recomputes every so-manieth process unit, unit after unit."""
    began_s, began_cpu_s, facts = time.monotonic(), time.process_time(), 0
    plan = compile_plant(plant(points, per_unit), "bench")
    scratch = Path(tempfile.mkdtemp(dir=folder))
    for name in list(plan.units)[share::of]:
        task = UnitTask(folder, scratch, plan, name, NONE, span_us[0], None, span_us[1], None, 1, span_us[0])
        run_unit(task)
        facts += sum(len(found["facts"]) for found in Scratch(scratch, task.name).chunks())
    spent = Spent(began_s, time.monotonic(), facts, time.process_time() - began_cpu_s)
    shutil.rmtree(scratch)
    return spent


def group(folder: Path) -> float:
    """Seconds of the bare group-by."""
    began = time.perf_counter()
    value = pl.col("value")
    lazy = pl.scan_parquet(folder / "readings" / "**" / "*.parquet").group_by(pl.col("time").dt.truncate("1m"), "point")
    lazy.agg(sum=value.sum(), min=value.min(), max=value.max(), mean=value.mean(), last=value.last()).collect(
        engine="streaming"
    )
    return time.perf_counter() - began


def ours(folder: Path, points: int, per_unit: int, span_us: tuple[int, int], processes: int = 2) -> dict[str, Any]:
    """Seconds of the recompute in some processes (without starting them), and the CPU time of all."""
    del os.environ["POLARS_MAX_THREADS"]
    with worker_environment(), ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        shares = [pool.submit(work, folder, points, per_unit, span_us, share, processes) for share in range(processes)]
        found = [share.result() for share in shares]
    seconds = max(one.ended_s for one in found) - min(one.began_s for one in found)
    cpu_s = round(sum(one.cpu_s for one in found), 2)
    return {"seconds": round(seconds, 3), "cpu_s": cpu_s, "facts": sum(one.facts for one in found)}


def measure(points: int = POINTS, per_unit: int = PER_UNIT, hours: int = HOURS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians of rounds in turn [readings/s], and the ratio to the bare group-by."""
    folder = Path(tempfile.mkdtemp(prefix="keepclean-bench-"))
    try:
        count, first_us, end_us = write(folder, points, per_unit, hours)
        recomputed, groups = [], []
        for _ in range(rounds):
            groups.append(pinned.run("benchmarks.history", "group", folder, cores=(0, 1)))
            arguments = (folder, points, per_unit, first_us, end_us)
            recomputed.append(pinned.run("benchmarks.history", "ours", *arguments, cores=(0, 1)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # facts of every point and minute but the last, which later readings may still change
    assert all(one["facts"] >= points * (hours * 60 - 3) for one in recomputed)
    mine, bare = median(count / one["seconds"] for one in recomputed), median(count / one for one in groups)
    return {
        "readings": count,
        "points": points,
        "hours": hours,
        "per_s": round(mine),
        "bare_per_s": round(bare),
        "ratio": round(mine / bare, 3),
        "rounds": recomputed,
    }


def main() -> None:
    """Measures; or one half of it, in this process."""
    if sys.argv[1:2] == ["group"]:
        pinned.say(group(Path(sys.argv[2])))
    elif sys.argv[1:2] == ["ours"]:
        points, per_unit, first_us, end_us = map(int, sys.argv[3:])
        pinned.say(ours(Path(sys.argv[2]), points, per_unit, (first_us, end_us)))
    else:
        pinned.say(measure(*map(int, sys.argv[1:])))


if __name__ == "__main__":
    main()
