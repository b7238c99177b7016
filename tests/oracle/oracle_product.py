"""The product's own answer to the same raw readings: its step and its historian, minute by minute of receipt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
from oracle_readings import HOUR, MINUTE

from historian.reader import Reader
from historian.store import Historian
from journal.message import Message
from pipeline.engine import Engine
from pipeline.plans import compile_plant
from plant.model import Plant
from plant.reading import Readings

QUALITY = {"good": 0, "estimated": 1, "suspect": 2, "bad": 3}
WINDOWS = {"15min": "15 min", "1h": "1 h", "7d": "7 d", "30d": "30 d", "12mo": "12 months"}
SETTLE_HOURS = 26


def messages(readings: pl.DataFrame, first: int, end: int) -> Iterator[Message]:
    """A tick for every minute, then what was received in it; at the end, ticks until everything has settled."""
    names = tuple(readings["point"].unique(maintain_order=True))
    code = {name: index for index, name in enumerate(names)}
    coded = readings.with_columns(code=pl.col("point").replace_strict(code, return_dtype=pl.Int32))
    columns = (coded[name].to_numpy() for name in ("code", "time", "received", "value", "quality"))
    batch = Readings.build(names, *columns)
    minute = batch.received // MINUTE * MINUTE
    position = 0
    for tick in range(min(first, int(minute[0])), end + SETTLE_HOURS * HOUR + 1, MINUTE):
        since, until = np.searchsorted(minute, [tick, tick + 1])
        if since == until and tick > end + HOUR and tick % HOUR:
            continue
        position += 1
        yield Message(position, "tick", {"time": tick})
        if until > since:
            position += 1
            yield Message(position, "readings", {}, batch.take(np.arange(since, until)))


def run(plant: Plant, readings: pl.DataFrame, folder: Path, first: int, end: int) -> Reader:
    """The tables that the product makes of readings in order of arrival between two times [us UTC]."""
    historian = Historian(folder)
    engine = Engine(compile_plant(plant, "oracle"), historian)
    coming = messages(readings, first, end)
    while some := list(islice(coming, 1440)):
        engine.process(some)
        engine.checkpoint()
    return Reader(folder)


def facts(reader: Reader) -> pl.DataFrame:
    """Minute facts with the oracle's names; amounts in 1e-6, times in us, quality as a number."""
    return reader.table("facts").select(
        "point", "mean", "min", "max", "last",
        pl.col("minute").dt.timestamp("us"),
        (pl.col("amount") * 1e6).round().cast(pl.Int64).alias("amount"),
        pl.col("coverage", "estimated").cast(pl.Float64),
        pl.col("quality").replace_strict(QUALITY, return_dtype=pl.Int64),
    )  # fmt: skip


def kpis(reader: Reader) -> pl.DataFrame:
    """KPI values with the oracle's names of windows."""
    return reader.table("kpi").select(
        "kpi", "numerator", "denominator", "value", "coverage", "low", "high",
        pl.col("window").replace(WINDOWS).alias("span"),
        pl.col("start").dt.timestamp("us").alias("since"),
        pl.col("end").dt.timestamp("us").alias("until"),
        pl.col("quality").replace_strict(QUALITY, return_dtype=pl.Int64),
    )  # fmt: skip
