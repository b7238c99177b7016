"""The windows of `benchmarks.windows` by Bytewax 0.21, run by a Python that has it: `bytewax_windows.py ROWS.csv FROM`.

Sliding windows fold each item once for every window that holds it: so 7 d and 30 d slide over hours that a tumbling
window has summed. Prints the seconds, and the sums of the windows that end at minute FROM or later, as JSON.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, SlidingWindower, TumblingWindower, fold_window
from bytewax.testing import TestingSink, TestingSource, run_main

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FINE = {"15min": 15 * MINUTE, "1h": HOUR}
HOURLY = {"7d": timedelta(days=7), "30d": timedelta(days=30)}
ZERO = datetime(1970, 1, 1, tzinfo=UTC)

Item = tuple[datetime, int, int]


def add(total: list[int], item: Item) -> list[int]:
    """An item more in a window."""
    total[0] += item[1]
    total[1] += item[2]
    return total


def merge(one: list[int], other: list[int]) -> list[int]:
    """Two windows as one."""
    return [one[0] + other[0], one[1] + other[1]]


def windowed(flow: Any, name: str, items: Any, windower: Any) -> Any:
    """The sums of a stream's windows, as (KPI, (number of the window, sums))."""
    clock = EventClock(lambda item: item[0], wait_for_system_duration=timedelta(0))
    return fold_window(name, items, clock, windower, lambda: [0, 0], add, merge).down


def main() -> None:
    """Runs the dataflow over the rows."""
    with Path(sys.argv[1]).open() as file:
        rows = [(row[0], (ZERO + int(row[1]) * MINUTE, int(row[2]), int(row[3]))) for row in list(csv.reader(file))[1:]]
    first = int(sys.argv[2])
    start = rows[0][1][0].replace(hour=0, minute=0)
    flow, found = Dataflow("windows"), {name: [] for name in (*FINE, *HOURLY)}  # type: ignore[var-annotated]
    items = op.input("rows", flow, TestingSource(rows, batch_size=1000))
    for name, length in FINE.items():
        op.output(
            f"{name} out", windowed(flow, name, items, SlidingWindower(length, MINUTE, start)), TestingSink(found[name])
        )
    hours = windowed(flow, "hours", items, TumblingWindower(HOUR, start))
    summed = op.map_value("hour", hours, lambda window: (start + window[0] * HOUR, *window[1]))
    for name, length in HOURLY.items():
        op.output(
            f"{name} out", windowed(flow, name, summed, SlidingWindower(length, HOUR, start)), TestingSink(found[name])
        )
    began = time.perf_counter()
    run_main(flow)
    seconds = time.perf_counter() - began
    sums = []
    for name, length in (FINE | HOURLY).items():
        step = MINUTE if name in FINE else HOUR
        for kpi, (number, total) in found[name]:
            end = (start + number * step + length - ZERO) // MINUTE
            if end >= first:
                sums.append((kpi, name, end, *total))
    sys.stdout.write(json.dumps({"seconds": seconds, "sums": sums}))


if __name__ == "__main__":
    main()
