"""What a minute costs that keeps Σ/Σ windows up to date, ours beside engines that ask the whole history again.

`python -m benchmarks.windows [POINTS PER_UNIT DAYS TICKS]`: a plant lives some days, then minute by minute. Ours is the
whole step of that minute, from readings to charts. The others get the minutes that it settled as rows (kpi, minute,
numerator, denominator in STEP, both known), and only keep the windows: 15 min and 1 h each minute, 7 d and 30 d each
hour. Polars and DuckDB filter and sum their table; Bytewax, when the variable BYTEWAX names a Python that has it,
streams a few KPIs. Their sums must be ours to the last bit.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from benchmarks import pinned
from benchmarks.large_plant import START, Feed, plant
from historian.reader import Reader
from historian.store import Historian
from journal.message import Message
from pipeline import engine
from pipeline.facts import KNOWN_COVERAGE
from pipeline.minutes import STEP
from pipeline.plans import compile_plant
from plant.model import Kpi, Plant
from plant.reading import DAY, HOUR, MINUTE, Readings

POINTS, PER_UNIT, DAYS, TICKS = 200, 100, 31, 120
FINE = {"15min": 15, "1h": 60}
HOURLY = {"7d": 7 * 1440, "30d": 30 * 1440}
OUTAGE = (START + 20 * DAY, START + 20 * DAY + 3 * HOUR)
BYTEWAX_KPIS = 4
"""So many of the KPIs go through Bytewax, which takes minutes for a month of them."""

Sums = dict[tuple[str, str, int], tuple[int, int]]
"""Numerator and denominator [STEP] by KPI, window and end [min since 1970]."""
Table = Callable[[pl.DataFrame], None]
Query = Callable[[int, int], dict[str, tuple[int, int]]]


class Ours:
    """The engine over the plant's life; `scopes_s` is the part of its time that KPIs and charts took [s]."""

    def __init__(self, described: Plant, folder: Path) -> None:
        self.scopes_s = 0.0
        self._step_scope, engine.step_scope = engine.step_scope, self._timed
        self.engine = engine.Engine(compile_plant(described, "bench"), Historian(folder))
        self._feed = Feed(described, beat_us=MINUTE)
        self._out = np.array([point.unit_of == "u00" for point in described.points.values()])

    def live(self, beats: int) -> float:
        """Some minutes as one batch; seconds of the step."""
        batch = self._outage(self._feed.beats(beats))
        tick, at = int(batch.time.max()) // MINUTE * MINUTE, self.engine.position
        began = time.perf_counter()
        self.engine.process([Message(at + 1, "tick", {"time": tick}), Message(at + 2, "readings", {}, batch)])
        return time.perf_counter() - began

    def _timed(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        results = self._step_scope(*arguments)
        self.scopes_s += time.perf_counter() - began
        return results

    def _outage(self, batch: Readings) -> Readings:
        out = (batch.time >= OUTAGE[0]) & (batch.time < OUTAGE[1]) & self._out[batch.point]
        return batch.take(~out)

    @property
    def settled(self) -> int:
        """The first minute not settled, since 1970."""
        return self.engine.settled_us // MINUTE


def plain(described: Plant) -> dict[str, Kpi]:
    """The KPIs that are plain ratios of amounts."""
    return {
        name: kpi
        for name, kpi in described.kpis.items()
        if kpi.denominator and all(term.as_ == "amount" and term.times == 1 for term in kpi.terms())
    }


def kpi_minutes(kpis: dict[str, Kpi], facts: pl.DataFrame) -> pl.DataFrame:
    """Numerator and denominator of each KPI in each minute in which all its terms are known.

    Of the outage's minutes those count whose amounts are known in all: every window here holds it whole or not at all.
    """
    terms = pl.DataFrame(
        [
            (name, term.point, number < len(kpi.numerator), len(kpi.terms()))
            for name, kpi in kpis.items()
            for number, term in enumerate(kpi.terms())
        ],
        schema=["kpi", "point", "upper", "terms"],
        orient="row",
    )
    amount = (pl.col("amount") / STEP).round().cast(pl.Int64)
    out = pl.col("minute").cast(pl.Int64).is_between(OUTAGE[0] - 2 * MINUTE, OUTAGE[1] + 2 * MINUTE)
    covered = pl.col("coverage") >= np.float32(KNOWN_COVERAGE)
    known = facts.filter(pl.col("amount").is_not_null() & (covered | out))
    known = known.select("point", pl.col("minute").cast(pl.Int64) // MINUTE, amount=amount, covered=covered)
    rows = known.join(terms, on="point")
    whole = rows.group_by("kpi", "minute").agg(
        n=pl.col("amount").filter("upper").sum(),
        d=pl.col("amount").filter(~pl.col("upper")).sum(),
        whole=pl.len() == pl.col("terms").first(),
        covered=pl.col("covered").all(),
    )
    # a term without a total in the outage leaves all of it out, the minutes at its edges too
    out = (~pl.col("covered")).sum().over("kpi") >= (OUTAGE[1] - OUTAGE[0]) // MINUTE - 2
    return whole.filter("whole").filter(pl.col("covered") | out).select("kpi", "minute", "n", "d").sort("minute", "kpi")


def due(before: int, end: int) -> Iterator[tuple[str, int, int]]:
    """The windows that end with a tick that settled [before, end): name, start, end."""
    yield from ((name, end - length, end) for name, length in FINE.items())
    for hour in range(before // 60 + 1, end // 60 + 1):
        yield from ((name, hour * 60 - length, hour * 60) for name, length in HOURLY.items())


def over(rows: pl.DataFrame, ends: list[int], start: Table, append: Table, query: Query) -> tuple[Sums, list[float]]:
    """Every tick by a table that is asked again: the sums, and the seconds of each tick."""
    found, spent = {}, []
    minute = rows["minute"]
    start(rows.filter(minute < ends[0]))
    for before, end in pairwise(ends):
        fresh = rows.filter((minute >= before) & (minute < end))
        began = time.perf_counter()
        append(fresh)
        for window, first, last in due(before, end):
            for kpi, sums in query(first, last).items():
                found[kpi, window, last] = sums
        spent.append(time.perf_counter() - began)
    return found, spent


def by_polars(rows: pl.DataFrame, ends: list[int]) -> tuple[Sums, list[float]]:
    """A frame of the whole history, filtered and summed."""
    held = [pl.DataFrame()]

    def start(frame: pl.DataFrame) -> None:
        held[0] = frame.rechunk()

    def append(frame: pl.DataFrame) -> None:
        held[0] = pl.concat([held[0], frame])

    def query(first: int, last: int) -> dict[str, tuple[int, int]]:
        within = held[0].lazy().filter((pl.col("minute") >= first) & (pl.col("minute") < last))
        return {kpi: (n, d) for kpi, n, d in within.group_by("kpi").agg(pl.col("n", "d").sum()).collect().rows()}

    return over(rows, ends, start, append, query)


def by_duckdb(rows: pl.DataFrame, ends: list[int], folder: Path) -> tuple[Sums, list[float]]:
    """A table of the whole history in memory, asked by SQL."""
    db = duckdb.connect()
    db.execute("SET threads = 1")

    def start(frame: pl.DataFrame) -> None:
        frame.write_parquet(folder / "rows.parquet")
        db.execute(f"CREATE TABLE held AS SELECT * FROM read_parquet('{folder / 'rows.parquet'}')")

    def append(frame: pl.DataFrame) -> None:
        db.executemany("INSERT INTO held VALUES (?, ?, ?, ?)", frame.select("kpi", "minute", "n", "d").rows())

    def query(first: int, last: int) -> dict[str, tuple[int, int]]:
        sql = "SELECT kpi, sum(n)::BIGINT, sum(d)::BIGINT FROM held WHERE minute >= ? AND minute < ? GROUP BY kpi"
        return {kpi: (n, d) for kpi, n, d in db.execute(sql, [first, last]).fetchall()}

    return over(rows.select("kpi", "minute", "n", "d"), ends, start, append, query)


def by_bytewax(rows: pl.DataFrame, ends: list[int], folder: Path, python: str) -> tuple[Sums, float]:
    """A dataflow over the whole history: the sums of the ticks' windows, and seconds a minute."""
    some = pl.col("kpi").is_in(sorted(rows["kpi"].unique())[:BYTEWAX_KPIS]) & (pl.col("minute") < ends[-1])
    rows.filter(some).select("kpi", "minute", "n", "d").write_csv(folder / "rows.csv")
    script = Path(__file__).with_name("bytewax_windows.py")
    done = subprocess.run(
        [python, str(script), str(folder / "rows.csv"), str(ends[0])], check=True, stdout=subprocess.PIPE
    )
    found = json.loads(done.stdout)
    minutes = len(rows["minute"].unique())
    sums = {(kpi, window, end): (n, d) for kpi, window, end, n, d in found["sums"]}
    wanted = {(window, last) for before, end in pairwise(ends) for window, _, last in due(before, end)}
    return {key: value for key, value in sums.items() if key[1:] in wanted}, found["seconds"] / minutes


def stored(table: pl.DataFrame, kpis: dict[str, Kpi], ends: list[int]) -> Sums:
    """Our own sums of the same windows, as far as rows of passing windows are kept; their values are checked here."""
    end = pl.col("end").cast(pl.Int64) // MINUTE
    mine = table.filter(pl.col("kpi").is_in(list(kpis)) & pl.col("window").is_in([*FINE, *HOURLY]) & (end > ends[0]))
    found = {}
    for row in mine.with_columns(end=end).iter_rows(named=True):
        sums = round(row["numerator"] / STEP), round(row["denominator"] / STEP)
        found[row["kpi"], row["window"], row["end"]] = sums
        if row["value"] is not None:
            expected = kpis[row["kpi"]].times * sums[0] / sums[1]
            assert abs(row["value"] - expected) <= 1e-9 * abs(expected), row
    return found


def same(mine: Sums, other: Sums) -> int:
    """How many sums both know; raises when one differs, or when there is none."""
    both = [key for key in mine if key in other]
    wrong = [(key, mine[key], other[key]) for key in both if mine[key] != other[key]]
    assert both and not wrong, (len(both), len(wrong), wrong[:3])
    return len(both)


def compare(points: int, per_unit: int, days: int, ticks: int, folder: Path) -> dict[str, Any]:
    """All of it in this process; milliseconds a tick, and how many sums were found equal."""
    described = plant(points, per_unit, "60 s")
    kpis, ours = plain(described), Ours(described, folder)
    for _ in range(days):
        ours.live(1440)
        ours.engine.checkpoint()
    ours.live(30)
    ends, spent, scopes = [ours.settled], [], []
    for _ in range(ticks):
        before = ours.scopes_s
        spent.append(ours.live(1))
        scopes.append(ours.scopes_s - before)
        ends.append(ours.settled)
    ours.engine.checkpoint()
    reader = Reader(folder)
    rows = kpi_minutes(kpis, reader.table("facts"))
    mine = stored(reader.table("kpi"), kpis, ends)
    found: dict[str, Any] = {"points": points, "kpis": len(kpis), "days": days, "rows": len(rows)}
    found["ours, the whole step"] = pinned.times_ms(spent)
    found["ours, KPIs and charts of it"] = pinned.times_ms(scopes)
    for name, (sums, seconds) in {
        "polars": by_polars(rows, ends),
        "duckdb": by_duckdb(rows, ends, folder),
    }.items():
        found[name] = {**pinned.times_ms(seconds), "equal": same(mine, sums)}
    if python := os.environ.get("BYTEWAX"):
        sums, each = by_bytewax(rows, ends, folder, python)
        found["bytewax"] = {"kpis": BYTEWAX_KPIS, "mean_ms": round(each * 1e3, 1), "equal": same(mine, sums)}
    return found


def main() -> None:
    """Measures in this process, wherever it runs."""
    sizes = [int(number) for number in sys.argv[1:]] or [POINTS, PER_UNIT, DAYS, TICKS]
    folder = Path(tempfile.mkdtemp(prefix="keepclean-bench-"))
    try:
        pinned.say(compare(*sizes, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
