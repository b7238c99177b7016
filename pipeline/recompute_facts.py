"""Corrections of facts whose readings are no longer kept: written over the stored facts, which are put by first.

`originals/<correction>.parquet` holds the rows as they were, so that a withdrawn correction leaves no trace.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from historian.reader import Reader
from historian.tables import FACTS
from pipeline.corrections import Correction, Corrections
from pipeline.fitting import load_minutes
from pipeline.plans import PlantPlan
from pipeline.recompute_blocks import blocks_of
from pipeline.recompute_scratch import Scratch
from pipeline.unit_step import facts_frame
from plant import durable
from plant.clock import to_us
from plant.reading import MINUTE

FOLDER = "originals"
TASK = "facts"


def correct_facts(
    plan: PlantPlan, reader: Reader, corrections: Corrections, scratch_folder: Path, position: int
) -> Scratch:
    """Rows of the facts that corrections of facts change, made or withdrawn since the last time, in the scratch."""
    scratch = Scratch(scratch_folder, TASK)
    if scratch.memory["done"]:
        return scratch
    folder = reader.folder / FOLDER
    first: list[int] = []
    wanted = {one.name: one for one in corrections.all if one.facts}
    kept = {path.stem: path for path in folder.glob("*.parquet")} if folder.exists() else {}
    for name, one in wanted.items():
        if name not in kept:
            scratch.add("facts", _overlaid(plan, reader, corrections, one, folder / f"{name}.parquet", position))
            first.append(one.start)
    for name, path in kept.items():
        if name not in wanted:
            rows = pl.read_parquet(path).with_columns(pl.lit(position, pl.Int64).alias("revision"))
            scratch.add("facts", rows.select(FACTS.schema.keys()))
            first += [to_us(rows["minute"].min())] if len(rows) else []  # type: ignore[arg-type]
    scratch.save(done=True, first=min(first) // MINUTE if first else None)
    return scratch


def _overlaid(
    plan: PlantPlan, reader: Reader, corrections: Corrections, one: Correction, path: Path, position: int
) -> pl.DataFrame:
    """What a correction makes of the stored facts, which are put by."""
    path.parent.mkdir(exist_ok=True)
    names = [name for name in one.points if name in plan.points]
    fresh = path.with_suffix(".new")
    reader.table("facts", one.start, one.end, {"point": names}).write_parquet(fresh)
    durable.put(fresh, path)
    stored = load_minutes(plan, reader, names, one.start, one.end)
    parts = {name: corrections.overlay(name, stored[name]) for name in names}
    return facts_frame(plan.points, [(block, position) for block in blocks_of(parts)])


def forget_originals(folder: Path, corrections: Corrections) -> None:
    """Deletes what was put by for corrections that are no longer in force; only when all is stored."""
    names = {one.name for one in corrections.all}
    for path in (folder / FOLDER).glob("*.parquet"):
        if path.stem not in names:
            path.unlink()
