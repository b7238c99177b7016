"""`make soak ARGS=workers`: the step in workers, killed at random, against one process; docs/proof/workers.json.

Each round a plant's messages go, in equal batches, through one engine and through workers that are fed by process unit,
killed with SIGKILL and started again from their last checkpoint. Now and then a worker is given the state of an earlier
checkpoint: it must refuse, and publish nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "pipeline")]

from benchmarks.fleet import CONFIG, Fleet, tables  # noqa: E402 (the path is set just above)
from benchmarks.large_plant import START, Feed, accepted  # noqa: E402
from benchmarks.large_plant import plant as large_plant  # noqa: E402
from benchmarks.proof import write  # noqa: E402
from historian.store import Historian  # noqa: E402
from journal.message import Message  # noqa: E402
from pipeline.engine import Engine  # noqa: E402
from pipeline.plans import compile_plant  # noqa: E402
from plant.model import Plant  # noqa: E402
from plant.reading import DAY, HOUR, MINUTE, Readings  # noqa: E402

COMPARED = ("facts", "kpi", "blocks", "drift")
STALE_EVERY = 25


@dataclass(frozen=True)
class Case:
    """A plant and what its journal says."""

    plant: Plant
    messages: list[Message]


def works_case(seed: int) -> Case:
    """The small works of promise 2, its readings late, shuffled and doubled."""
    from pipeline_histories import history, messages, odd_delivery, works

    chance = random.Random(seed)
    return Case(works(), messages(odd_delivery(history(seed), chance)))


def large_case(seed: int, units: int = 6, days: float = 2.0) -> Case:
    """A plant of more units at a reading a minute, a hundredth of them up to ten hours late."""
    described = large_plant(20 * units, 20, "60 s")
    feed, draw = Feed(described, seed, beat_us=MINUTE), np.random.default_rng(seed)
    readings = feed.beats(int(days * DAY) // MINUTE)
    late = np.where(draw.random(len(readings)) < 0.01, draw.integers(0, 10 * HOUR, len(readings)), 0)
    arrived = readings.time + late
    order = np.argsort(arrived, kind="stable")
    found: list[Message] = []
    start = 0
    for now in range(START + 10 * MINUTE, START + int(days * DAY) + 12 * HOUR, 10 * MINUTE):
        end = int(np.searchsorted(arrived[order], now))
        found.append(Message(len(found) + 1, "tick", {"time": now}))
        if end > start:
            found.append(Message(len(found) + 1, "readings", {}, _received(readings.take(order[start:end]), now)))
        if now == START + 6 * HOUR:
            found += [Message(len(found) + 1 + i, "baseline", body) for i, body in enumerate(accepted(described, now))]
        start = end
    return Case(described, found)


def _received(readings: Readings, now: int) -> Readings:
    received = np.full(len(readings), now)
    return Readings.build(readings.points, readings.point, readings.time, received, readings.value)


def batches(messages: list[Message], chance: random.Random, most: int) -> list[list[Message]]:
    """The messages in runs of random lengths; a baseline goes alone, as the engine has it."""
    found: list[list[Message]] = []
    room = 0
    for message in messages:
        if message.kind == "baseline":
            found.append([message])
            room = 0
        elif room:
            found[-1].append(message)
            room -= 1
        else:
            found.append([message])
            room = chance.randint(0, most)
    return found


def in_one(case: Case, runs: list[list[Message]], folder: Path) -> dict[str, pl.DataFrame]:
    """The results of one process."""
    historian = Historian(folder)
    engine = Engine(compile_plant(case.plant, CONFIG), historian)
    for run in runs:
        engine.process(run)
    engine.checkpoint()
    historian.close()
    return results({name: tables([folder], name) for name in COMPARED})


def results(found: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """What must be the same: everything but revisions, and rows of passing windows between the quarter hours."""
    quarter = pl.col("end").cast(pl.Int64) % (15 * MINUTE) == 0
    return {name: (frame.filter(quarter) if name == "kpi" else frame).drop("revision") for name, frame in found.items()}


@dataclass(frozen=True)
class Outcome:
    """What one round came to."""

    counts: dict[str, int]
    rows: dict[str, int]
    breaches: list[str]


def one_round(case: Case, seed: int, folder: Path, workers: int, kills: float, most: int = 12) -> Outcome:
    """One case through one process and through workers; what differs."""
    chance = random.Random(seed)
    runs = batches(case.messages, chance, most)
    expected = in_one(case, runs, folder / "one")
    many = folder / "many"
    fleet = Fleet(case.plant, many, workers, chance, kills, stores=0.2)
    breaches: list[str] = []
    for number, run in enumerate(runs):
        worker, older = fleet.workers[number // STALE_EVERY % workers], folder / f"older-{number // STALE_EVERY}"
        if number % STALE_EVERY == STALE_EVERY // 2:
            fleet.back_up(worker, older)
        if number % STALE_EVERY == STALE_EVERY - 1 and not fleet.put_back(worker, run, older):
            breaches.append(f"batch {number}: stale state was stepped")
        fleet.step(run)
    fleet.close()
    found = results({name: fleet.table(name) for name in COMPARED})
    breaches += [
        f"{name} differ: {_first(expected[name], found[name])}"
        for name in COMPARED
        if not expected[name].equals(found[name])
    ]
    return Outcome(fleet.counts, {name: len(frame) for name, frame in expected.items()}, breaches)


def _first(one: pl.DataFrame, other: pl.DataFrame) -> str:
    if len(one) != len(other):
        return f"{len(one)} and {len(other)} rows"
    differs = pl.any_horizontal([one[name].ne_missing(other[name]) for name in one.columns])
    rows = [frame.filter(differs).rows()[:1] for frame in (one, other)]
    return f"{rows[0]} and {rows[1]}"


def main() -> int:
    """Runs rounds for some minutes and writes the proof; 1 when anything differed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--workers", type=int, default=3)
    options.add_argument("--kills", type=float, default=0.05, help="share of requests in which the worker is killed")
    options.add_argument("--seed", type=int, default=random.randrange(100_000))
    chosen = options.parse_args()
    sys.stdout.write(f"seed {chosen.seed}\n")
    sys.stdout.flush()
    began, rounds = time.monotonic(), 0
    counts: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    breaches: list[str] = []
    while time.monotonic() < began + 60 * chosen.minutes:
        seed = chosen.seed + rounds
        folder = Path(tempfile.mkdtemp(prefix="keepclean-workers-"))
        case = large_case(seed) if rounds % 2 else works_case(seed)
        done = one_round(case, seed, folder, chosen.workers, chosen.kills)
        shutil.rmtree(folder)
        counts.update(done.counts)
        rows.update(done.rows)
        breaches += [f"seed {seed}: {text}" for text in done.breaches]
        rounds += 1
        sys.stdout.write(f"seed {seed}: {done.counts} {done.breaches}\n")
        sys.stdout.flush()
    found = {"seed": chosen.seed, "rounds": rounds, "workers": chosen.workers, **counts, "rows_compared": dict(rows)}
    found |= {"seconds": round(time.monotonic() - began, 1), "breaches": breaches}
    write("workers", f"python -m benchmarks.workers --seed {chosen.seed} --minutes {chosen.minutes:g}", found)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(bool(breaches))


if __name__ == "__main__":
    sys.exit(main())
