"""How fast stored readings become minute facts again, beside a bare Polars group-by of the same files.

`python -m benchmarks.history [POINTS PER_UNIT HOURS ROUNDS]` writes readings at 1 Hz as the historian keeps them (a
Parquet file a day, by point and time), then in turn: the step of the process units, in two processes, each reading its
units' rows and stepping them in day-long batches; and Polars' streaming group-by over minute and point (sum, min, max,
mean, last), one process with two threads. Both read everything and keep nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks import pinned
from benchmarks.large_plant import Feed, plant
from historian.store import Historian
from historian.tables import READINGS
from journal.message import Message
from pipeline.engine import Engine
from pipeline.plans import compile_plant
from plant.clock import to_datetime
from plant.reading import HOUR, MINUTE, Readings

POINTS, PER_UNIT, HOURS, ROUNDS = 1_000, 100, 14, 3
BATCH_HOURS = 24


class Spent(NamedTuple):
    """What a worker did, when (by the machine's monotonic clock), and the CPU time of each part [s]."""

    began_s: float
    ended_s: float
    readings: int
    facts: int
    read_s: float
    step_s: float
    store_s: float


class Counting(Historian):
    """A historian that counts the facts it is given, and keeps nothing."""

    facts = 0

    def commit(self, results: Mapping[str, pl.DataFrame], *_: Any, **__: Any) -> None:
        """Counts."""
        self.facts += len(results.get("facts", ()))


def write(folder: Path, points: int, per_unit: int, hours: int) -> int:
    """The readings of so many hours at 1 Hz as day files; how many there are."""
    feed, parts, count = Feed(plant(points, per_unit)), [], 0
    names = pl.Series(feed.names)
    for hour in range(hours):
        for _ in range(6):
            batch = feed.beats(600)
            received = pl.Series(batch.received).cast(READINGS.schema["received"])
            columns = {"time": pl.Series(batch.time).cast(READINGS.schema["time"]), "received": received}
            parts.append(pl.DataFrame({**columns, "point": batch.point, "value": batch.value}))
        if (hour + 1) % 24 == 0 or hour + 1 == hours:
            by_name = pl.col("point").replace_strict(range(len(names)), names.rank("ordinal").cast(pl.UInt32))
            day = pl.concat(parts).unique(["point", "time", "value"]).sort(by_name, "time", "value")
            day = day.with_columns(
                names.gather(day["point"]).alias("point"), quality=pl.lit("good"), finding=pl.lit("")
            )
            name = to_datetime(feed.now_us - 1).date().isoformat()
            day.write_parquet(folder / f"{name}.parquet", compression="zstd", compression_level=1)
            count, parts = count + len(day), []
    return count


def step(folder: Path, points: int, per_unit: int, share: int, of: int) -> Spent:
    """Reads and steps every so-manieth process unit, unit after unit, day after day."""
    began_s = time.monotonic()
    plan = compile_plant(plant(points, per_unit), "bench")
    store, read_s, step_s, store_s, count = Counting(folder / f"store-{share}"), 0.0, 0.0, 0.0, 0
    for name in list(plan.units)[share::of]:
        unit = plan.units[name]
        engine = Engine(replace(plan, units={name: unit}, scopes={}), store)
        names = pl.Enum(sorted(unit.points))
        for path in sorted(folder.glob("*.parquet")):
            began = time.process_time()
            mine = pl.col("point").is_between(pl.lit(f"{name}_"), pl.lit(f"{name}`"), closed="left")
            lazy = pl.scan_parquet(path).filter(mine).select("time", "received", "point", "value")
            rows = lazy.with_columns(pl.col("point").cast(names)).collect()
            read_s += time.process_time() - began
            for batch in _batches(rows, tuple(names.categories)):
                began = time.process_time()
                tick = int(batch.time.max()) // MINUTE * MINUTE + MINUTE
                engine.process(
                    [
                        Message(engine.position + 1, "tick", {"time": tick}),
                        Message(engine.position + 2, "readings", {}, batch),
                    ]
                )
                step_s += time.process_time() - began
                count += len(batch)
            began = time.process_time()
            engine.checkpoint()
            store_s += time.process_time() - began
    return Spent(began_s, time.monotonic(), count, store.facts, read_s, step_s, store_s)


def _batches(rows: pl.DataFrame, names: tuple[str, ...]) -> Iterable[Readings]:
    """A unit's rows, by point and time, in batches of some hours."""
    point = rows["point"].to_physical().to_numpy().astype(np.int32)
    time_us, received = (rows[name].cast(pl.Int64).to_numpy() for name in ("time", "received"))
    value = rows["value"].to_numpy()
    edges = np.flatnonzero(np.diff(point, prepend=-1, append=-1))
    first, last = int(time_us.min()) // HOUR, int(time_us.max()) // HOUR
    for hour in range(first, last + 1, BATCH_HOURS):
        span = (hour * HOUR, (hour + BATCH_HOURS) * HOUR)
        cuts = [low + np.searchsorted(time_us[low:high], span) for low, high in pairwise(edges.tolist())]
        keep = np.concatenate([np.arange(low, high) for low, high in cuts])
        if len(keep):
            yield Readings.build(names, point[keep], time_us[keep], received[keep], value[keep])


def group(folder: Path) -> float:
    """Seconds of the bare group-by."""
    began = time.perf_counter()
    value = pl.col("value")
    lazy = pl.scan_parquet(folder / "*.parquet").group_by(pl.col("time").dt.truncate("1m"), "point")
    lazy.agg(sum=value.sum(), min=value.min(), max=value.max(), mean=value.mean(), last=value.last()).collect(
        engine="streaming"
    )
    return time.perf_counter() - began


def ours(folder: Path, points: int, per_unit: int, processes: int = 2) -> dict[str, Any]:
    """Seconds of the step in some processes (without starting them), and the CPU time of all on each part."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        work = [pool.submit(step, folder, points, per_unit, share, processes) for share in range(processes)]
        found = [one.result() for one in work]
    seconds = max(one.ended_s for one in found) - min(one.began_s for one in found)
    parts = {name: round(sum(getattr(one, name) for one in found), 2) for name in ("read_s", "step_s", "store_s")}
    return {"seconds": seconds, "readings": sum(one.readings for one in found), **parts} | {
        "facts": sum(one.facts for one in found)
    }


def measure(points: int = POINTS, per_unit: int = PER_UNIT, hours: int = HOURS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians of rounds in turn [readings/s], and the ratio to the bare group-by."""
    folder = Path(tempfile.mkdtemp(prefix="keepclean-bench-"))
    try:
        count = write(folder, points, per_unit, hours)
        steps, groups = [], []
        for _ in range(rounds):
            groups.append(pinned.run("benchmarks.history", "group", folder, cores=(0, 1)))
            steps.append(pinned.run("benchmarks.history", "ours", folder, points, per_unit, cores=(0, 1)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert all(one["readings"] == count for one in steps)
    mine, bare = median(count / one["seconds"] for one in steps), median(count / one for one in groups)
    return {
        "readings": count,
        "points": points,
        "hours": hours,
        "per_s": round(mine),
        "bare_per_s": round(bare),
        "ratio": round(mine / bare, 3),
        "rounds": steps,
    }


def main() -> None:
    """Measures; or one half of it, in this process."""
    if sys.argv[1:2] == ["group"]:
        pinned.say(group(Path(sys.argv[2])))
    elif sys.argv[1:2] == ["ours"]:
        pinned.say(ours(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
    else:
        pinned.say(measure(*map(int, sys.argv[1:])))


if __name__ == "__main__":
    main()
