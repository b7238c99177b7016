"""The simulator's truth: true amounts of every minute and every fault's onset, for tests and the demo's page only.

`truth.sqlite` holds `minutes` (time = the minute's start [µs UTC], a column per counter-like quantity, amounts in the
point's own unit) and `faults` (fault, target, point, kind, size, onset and end [µs UTC], extra per hour, unit).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from plant.reading import MINUTE
from simulators.catalogue import find_offer
from simulators.faults import ActiveFault
from simulators.scenario import Scenario
from simulators.shop import Block

FAULT_COLUMNS = ("fault", "target", "point", "kind", "size", "onset", "end", "per_hour", "unit")
QUOTED = ", ".join(f'"{column}"' for column in FAULT_COLUMNS)


def describe(fault: ActiveFault, scenario: Scenario) -> dict[str, Any]:
    """A fault as the truth file has it; `per_hour` [unit]: the expected extra of `point` (a slow one's at its end)."""
    offer = find_offer(fault.fault)
    point = next(target.point for target in offer.targets if target.name == fault.target)
    values = (
        fault.fault,
        fault.target,
        scenario.rename(point),
        offer.kind,
        fault.size,
        fault.onset_us,
        fault.end_us,
        offer.per_hour * fault.size * (scenario.scale if offer.kind == "slow" else 1.0),
        offer.unit,
    )
    return dict(zip(FAULT_COLUMNS, values, strict=True))


class TruthWriter:
    """Appends to a truth file; a minute written again replaces itself."""

    def __init__(self, path: Path, scenario: Scenario) -> None:
        self._scenario = scenario
        self._store = sqlite3.connect(path, timeout=10, check_same_thread=False)
        self._store.execute("PRAGMA synchronous=OFF")
        self._store.execute(f"CREATE TABLE IF NOT EXISTS faults ({QUOTED})")
        self._insert = ""
        self._names: list[str] = []

    def write(self, block: Block, faults: Iterable[ActiveFault]) -> None:
        """Add a block's minutes, and the faults as they are now known."""
        if not self._insert:
            self._names = sorted(block.amounts)
            columns = [self._scenario.rename(name) for name in self._names]
            definitions = ", ".join(f'"{name}" REAL NOT NULL' for name in columns)
            self._store.execute(f"CREATE TABLE IF NOT EXISTS minutes (time INTEGER PRIMARY KEY, {definitions})")
            self._insert = f"INSERT OR REPLACE INTO minutes VALUES ({', '.join('?' * (len(columns) + 1))})"
        times = (block.start_us + np.arange(len(block)) * MINUTE).tolist()
        rows = np.column_stack([block.amounts[name] for name in self._names]).tolist()
        rendered = [tuple(describe(fault, self._scenario).values()) for fault in faults]
        with self._store:
            self._store.executemany(self._insert, [(time, *row) for time, row in zip(times, rows, strict=True)])
            self._store.execute("DELETE FROM faults")
            places = ", ".join("?" * len(FAULT_COLUMNS))
            self._store.executemany(f"INSERT INTO faults VALUES ({places})", rendered)

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def read_amounts(path: Path, name: str, start_us: int, end_us: int) -> float:
    """The true amount of a quantity in [start, end), both whole minutes [µs UTC]."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        query = f'SELECT COALESCE(SUM("{name}"), 0) FROM minutes WHERE time >= ? AND time < ?'
        return float(store.execute(query, (start_us, end_us)).fetchone()[0])


def read_faults(path: Path) -> list[dict[str, Any]]:
    """Every fault of the run, in order of onset, with the columns of the table `faults`."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        rows = store.execute(f"SELECT {QUOTED} FROM faults").fetchall()
    return sorted((dict(zip(FAULT_COLUMNS, row, strict=True)) for row in rows), key=lambda row: int(row["onset"]))
