"""`make soak ARGS=way`: promise 2 for an hour; docs/proof/way.json.

The property of tests/pipeline/test_pipeline_way.py with ever new histories: each is delivered in time and stepped in
one go, and then in many odd ways. `--history N --way N` tries one of them again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "pipeline")]

from pipeline_builders import MemoryStore  # noqa: E402 (the path is set just above)
from pipeline_histories import history, messages, odd_delivery, works  # noqa: E402
from test_pipeline_way import assert_same, go, reference  # noqa: E402

from benchmarks.proof import write  # noqa: E402
from pipeline.plans import compile_plant  # noqa: E402

WAYS = 20
"""So many ways of one history."""
SEEDS = 2**32


class Tried(NamedTuple):
    """How many ways of a history were tried, the messages of all of them, and those that gave another answer."""

    ways: int
    messages: int
    breaches: list[str]


def one_way(seed: int, way: int) -> int:
    """One history delivered in one odd way; how many messages. Raises AssertionError when the answer is another."""
    store, chance = MemoryStore(), random.Random(way)
    told = messages(odd_delivery(history(seed), chance))
    go(compile_plant(works(), "config"), store, told, chance)
    assert_same(reference(seed), store)
    return len(told)


def ways(seed: int, until: float) -> Tried:
    """Ways of one history, until there are enough or a time of the machine's monotonic clock has come."""
    history.cache_clear()
    reference.cache_clear()
    chance, tried, count, breaches = random.Random(seed), 0, 0, []
    while tried < WAYS and time.monotonic() < until:
        way = chance.randrange(SEEDS)
        try:
            count += one_way(seed, way)
        except Exception as error:  # noqa: BLE001 (whatever is raised is a breach, and the run goes on)
            breaches.append(f"--history {seed} --way {way}: {type(error).__name__}: {str(error)[:300]}")
        tried += 1
    return Tried(tried, count, breaches)


def run(seed: int, seconds: float, workers: int) -> dict[str, object]:
    """Histories after `seed` in some processes until the time is over; what is written as proof."""
    began = time.monotonic()
    until, histories, tried, count = began + seconds, 0, 0, 0
    breaches: list[str] = []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        while time.monotonic() < until:
            first = seed + histories
            for done in pool.map(ways, range(first, first + 4 * workers), [until] * 4 * workers):
                histories += done.ways > 0
                tried, count = tried + done.ways, count + done.messages
                breaches += done.breaches
                for text in done.breaches:
                    sys.stdout.write(text + "\n")
                    sys.stdout.flush()
    counts = {"histories": histories, "examples": tried, "messages": count}
    return {"seed": seed, **counts, "seconds": round(time.monotonic() - began, 1), "breaches": breaches}


def main() -> int:
    """Runs it and writes the proof; 1 when any way gave another answer."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--history", type=int)
    options.add_argument("--way", type=int)
    chosen = options.parse_args()
    if chosen.history is not None and chosen.way is not None:
        one_way(chosen.history, chosen.way)
        return 0
    sys.stdout.write(f"seed {chosen.seed}\n")
    sys.stdout.flush()
    found = run(chosen.seed, 60 * chosen.minutes, chosen.workers)
    write("way", f"python -m benchmarks.way --seed {chosen.seed} --minutes {chosen.minutes:g}", found)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(bool(found["breaches"]))


if __name__ == "__main__":
    sys.exit(main())
