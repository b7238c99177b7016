"""`make soak`, the decoders' part: mutated and made-up input for every decoder, each beside a reference of its own.

`python -m benchmarks.fuzz [--inputs 1000000] [--seed N]` prints a table and writes docs/proof/fuzz.json. An input is
what one answer, message, packet, file or set of marks brings. No exception may escape, and what is mutated gives the
checked value of its own bytes, or none.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any, NamedTuple

from benchmarks import (
    fuzz_files,
    fuzz_frames,
    fuzz_hypothesis,
    fuzz_journal,
    fuzz_messages,
    fuzz_registers,
    fuzz_sparkplug,
    fuzz_stations,
)
from benchmarks.fuzz_common import BAD, GOOD, REJECTED, Tally, Target, raised
from benchmarks.proof import write

INPUTS, SEED, WORKERS = 1_000_000, 1, 2
PART = 5_000


class Share(NamedTuple):
    """A target, and how many of 1,000 inputs are its."""

    run: Target
    thousandths: int


TARGETS = {
    "register words": Share(fuzz_registers.run, 330),
    "Modbus frames": Share(fuzz_frames.run, 90),
    "MQTT payloads": Share(fuzz_messages.run, 260),
    "Sparkplug sessions": Share(fuzz_sparkplug.run, 110),
    "Sparkplug marks": Share(fuzz_sparkplug.run_marks, 8),
    "by Hypothesis": Share(fuzz_hypothesis.run, 40),
    "HJ 212 streams": Share(fuzz_stations.run, 80),
    "journal bodies": Share(fuzz_journal.run, 60),
    "MQTT marks": Share(fuzz_journal.run_marks, 20),
    "CSV files": Share(fuzz_files.run, 2),
}


class Part(NamedTuple):
    """So many inputs of a target, by a seed that brings them again."""

    target: str
    inputs: int
    seed: str


def parts(inputs: int, seed: int) -> list[Part]:
    """What there is to do, in parts that processes share."""
    found = []
    for name, share in TARGETS.items():
        left, number = max(1, inputs * share.thousandths // 1000), 0
        while left:
            found.append(Part(name, min(PART, left), f"{seed}/{name}/{number}"))
            left, number = left - found[-1].inputs, number + 1
    return found


def one(part: Part) -> tuple[str, Tally, float]:
    """Runs a part: its target, its counts, its seconds. A finding names the part's seed."""
    began, tally = time.monotonic(), Tally()
    try:
        TARGETS[part.target].run(part.inputs, Random(part.seed), tally)
    except Exception as error:  # noqa: BLE001 (a part that breaks off is a finding, not the end of the run)
        tally.finding(raised(error, "the target itself"))
    tally.findings = [f"seed {part.seed}, {part.inputs} inputs: {text}" for text in tally.findings]
    return part.target, tally, time.monotonic() - began


def fuzz(
    inputs: int, seed: int, workers: int = 1, say: Callable[[str], object] = lambda text: None
) -> tuple[dict[str, Tally], dict[str, float]]:
    """Runs every target: its counts and its seconds by name. With one worker it runs in this process."""
    tallies, seconds = {name: Tally() for name in TARGETS}, dict.fromkeys(TARGETS, 0.0)
    todo = parts(inputs, seed)

    def take(name: str, tally: Tally, took: float) -> None:
        tallies[name].add(tally)
        seconds[name] += took
        for text in tally.findings:
            say(f"{name}: {text}\n")

    if workers == 1:
        for part in todo:
            take(*one(part))
        return tallies, seconds
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(one, todo):
            take(*found)
    return tallies, seconds


def table(tallies: dict[str, Tally], seconds: dict[str, float]) -> str:
    """The counts, target by target."""
    lines = [f"{'':20}{'inputs':>10}{'good':>10}{'bad':>10}{'rejected':>10}{'findings':>10}{'s':>8}"]
    for name, tally in tallies.items():
        counts = "".join(f"{tally.outcomes[one]:>10,}" for one in (GOOD, BAD, REJECTED))
        lines.append(f"{name:20}{tally.inputs:>10,}{counts}{tally.found:>10,}{seconds[name]:>8.1f}")
    inputs, found = sum(one.inputs for one in tallies.values()), sum(one.found for one in tallies.values())
    lines.append(f"{'in all':20}{inputs:>10,}{'':30}{found:>10,}{sum(seconds.values()):>8.1f}")
    return "\n".join(lines) + "\n"


def proof(tallies: dict[str, Tally], seed: int, took: float) -> dict[str, Any]:
    """What docs/proof/fuzz.json says."""
    return {
        "seed": seed,
        "seconds": round(took, 1),
        "inputs": sum(one.inputs for one in tallies.values()),
        "findings": sum(one.found for one in tallies.values()),
        "targets": {
            name: {"inputs": one.inputs, **dict(sorted(one.outcomes.items())), "findings": one.findings}
            for name, one in tallies.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it, prints the table and writes the proof; 1 when anything was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=INPUTS)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--workers", type=int, default=WORKERS)
    chosen = options.parse_args(arguments)
    began = time.monotonic()
    tallies, seconds = fuzz(chosen.inputs, chosen.seed, chosen.workers, sys.stdout.write)
    sys.stdout.write(table(tallies, seconds))
    command = f"python -m benchmarks.fuzz --inputs {chosen.inputs} --seed {chosen.seed}"
    write("fuzz", command, proof(tallies, chosen.seed, time.monotonic() - began))
    return int(any(one.found for one in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
