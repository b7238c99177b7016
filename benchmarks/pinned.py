"""Measurements in a process of its own on cores of its own: Polars reads its number of threads when it is imported."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20


def run(module: str, *arguments: object, cores: Sequence[int] = (0,)) -> Any:
    """Runs `python -m MODULE ARGUMENTS` on some cores, as many Polars threads as cores; what it prints as JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = os.environ | {"POLARS_MAX_THREADS": str(len(cores)), "OMP_NUM_THREADS": "1"}
    there = os.sched_getaffinity(0)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, there & set(cores) or there),
    )
    return json.loads(done.stdout)


def say(found: Any) -> None:
    """Prints what was found, as `run` reads it."""
    sys.stdout.write(json.dumps(found) + "\n")


def times_ms(seconds: Sequence[float]) -> dict[str, float]:
    """What is told of the times of many ticks [ms]."""
    each = np.array(seconds) * 1e3
    p50, p99 = np.percentile(each, [50, 99])
    return {"p50_ms": round(float(p50), 1), "p99_ms": round(float(p99), 1), "max_ms": round(float(each.max()), 1)}


def resident_mib() -> int:
    """What this process holds in memory now [MiB]."""
    return round(psutil.Process().memory_info().rss / MIB)


def most_resident_mib() -> int:
    """The most that this process ever held in memory [MiB]."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
