"""How decoding Modbus floats compares with NumPy's own time for the same bytes; `make bench` prints it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from fractions import Fraction
from statistics import median

import numpy as np

from collectors.modbus.decode import decode
from collectors.modbus.plan import requests
from collectors.modbus.settings import Limits, Value

RUNS = 5
ROUNDS = 30
POLLS, POINTS = 2_000, 50


def ratio(runs: int = RUNS) -> float:
    """The time of decoding 100,000 float32 values, in multiples of NumPy's own time; the median of five runs.

    Ours: `decode` of 2,000 polls of 50 floats, words as 16-bit numbers (as the poller keeps them), to readings with
    value, point, both times, quality and finding. NumPy's own: the same bytes as they came over the wire,
    `np.frombuffer(data, ">f4").astype(np.float64)` and `np.isfinite` of that. A run is the median of 30 rounds of
    each, in turn.
    """
    data = np.random.default_rng(7).normal(230.0, 5.0, POLLS * POINTS).astype(">f4").tobytes()
    words = np.frombuffer(data, ">u2").astype(np.uint16).reshape(POLLS, 2 * POINTS)
    values = [Value(f"p{n}", 3, 2 * n, "float32", 2, "big", "big", Fraction(1), 0.0) for n in range(POINTS)]
    [request] = requests(values, Limits())
    times = np.arange(POLLS, dtype=np.int64)

    def own() -> None:
        found = np.frombuffer(data, ">f4").astype(np.float64)
        np.isfinite(found).all()

    return median(_run(lambda: decode(request, words, times, times), own) for _ in range(runs))


def single_poll_us() -> float:
    """Microseconds of decoding one poll of 50 floats, as a live poll would without others beside it."""
    words = np.full((1, 2 * POINTS), 0x4366, np.uint16)
    values = [Value(f"p{n}", 3, 2 * n, "float32", 2, "big", "big", Fraction(1), 0.0) for n in range(POINTS)]
    [request] = requests(values, Limits())
    now = np.zeros(1, np.int64)
    return median(_seconds(lambda: decode(request, words, now, now)) for _ in range(50 * ROUNDS)) * 1e6


def _run(ours: Callable[[], object], own: Callable[[], object]) -> float:
    pairs = [(_seconds(ours), _seconds(own)) for _ in range(ROUNDS)]
    return median(pair[0] for pair in pairs) / median(pair[1] for pair in pairs)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.stdout.write(f"100,000 float32: {ratio():.2f} × NumPy's own; one poll of 50: {single_poll_us():.0f} µs\n")
