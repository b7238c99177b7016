"""Telling drifts apart after a recompute: the same physical drift keeps its name, so that no alarm is sent twice."""

from __future__ import annotations

from typing import Any

import msgspec
import polars as pl

from historian.tables import DRIFT
from pipeline.plans import PlantPlan
from plant.clock import to_datetime, to_us
from plant.reading import SECOND

WITHDRAWN = "withdrawn"
FOUND_BLOCKS = 2

Row = dict[str, Any]


def revised(
    plan: PlantPlan, stored: pl.DataFrame, found: pl.DataFrame, first_us: int, position: int
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The drift rows that change, and new names → names kept.

    `stored` are the drifts told so far, `found` those of the recompute (of one name the last row counts), `first_us`
    the time from which on facts changed. A drift of the same baseline with an overlapping onset, or found within two
    blocks, is the same one; one that is not found again is withdrawn, it never vanishes.
    """
    old = {row["drift"]: row for row in stored.iter_rows(named=True)}
    new = {row["drift"]: row for row in found.iter_rows(named=True) if row["state"] != WITHDRAWN}
    told = {name: row for name, row in old.items() if row["state"] != WITHDRAWN}
    names = {name: name for name in new if name in told}
    free = [row for name, row in told.items() if name not in names]
    for name, row in sorted(new.items(), key=lambda item: item[1]["found"]):
        if name not in names:
            match = next((one for one in free if _same(plan, one, row)), None)
            if match is not None:
                names[name] = match["drift"]
                free.remove(match)
    rows: list[Row] = []
    for name, row in new.items():
        kept = {**row, "drift": names.get(name, name), "revision": position}
        was = old.get(kept["drift"])
        if was is None or any(was[key] != kept[key] for key in DRIFT.schema if key != "revision"):
            rows.append(kept)
    first = to_datetime(first_us)
    rows += [{**row, "state": WITHDRAWN, "revision": position} for row in free if row["found"] > first]
    return pl.DataFrame(rows, schema=DRIFT.schema), {a: b for a, b in names.items() if a != b}


def _same(plan: PlantPlan, old: Row, new: Row) -> bool:
    if old["kpi"] != new["kpi"]:
        return False
    if old["onset_low"] <= new["onset_high"] and new["onset_low"] <= old["onset_high"]:
        return True
    block = plan.plant.baselines[new["kpi"]].block * SECOND if new["kpi"] in plan.plant.baselines else 0
    return abs(to_us(old["found"]) - to_us(new["found"])) <= FOUND_BLOCKS * block


def renamed(chart: bytes, names: dict[str, str]) -> bytes:
    """A chart's state row that calls the drifts by the names kept."""
    plain = msgspec.msgpack.decode(chart)
    for state in [plain["state"], *(state for _, state in plain["before"])]:
        _rename(state["drift"], names)
    for drift in plain["published"]:
        _rename(drift, names)
    return msgspec.msgpack.encode(plain)


def _rename(drift: dict[str, Any] | None, names: dict[str, str]) -> None:
    if drift is not None:
        drift["drift"] = names.get(drift["drift"], drift["drift"])
