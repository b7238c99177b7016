"""What a process unit takes of the readings that come: stored as they came, refused where they cannot be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from historian.tables import READINGS
from pipeline.clocks import AT_1970, LOCAL, causes, listen
from pipeline.columns import Columns
from pipeline.corrections import Corrections
from pipeline.judge import Finding
from pipeline.messages import Received, Results, UnitMessages
from pipeline.plans import FUTURE_US, HORIZON, UnitPlan
from pipeline.point_table import PointTable
from pipeline.unit_state import UnitState
from plant.clock import to_datetime
from plant.reading import DAY, HOUR, MINUTE, NO_LONGER_VALID, Quality, Readings, Times

QUALITY = pl.Series([quality.name.lower() for quality in Quality])
FIRST_BATCH_US = 31 * DAY
SAME_STRETCH_US = HOUR
REFUSED = ("future", "late", "out of range")
EXPIRED = "calibration expired"
TOLD = (*REFUSED, EXPIRED)
Told = list[tuple[str, Finding]]


def receive(plan: UnitPlan, state: UnitState, messages: UnitMessages, results: Results) -> tuple[Columns, Told]:
    """Refuses what cannot be counted (from the future, later than the horizon, out of range); the rest as columns."""
    readings, table = messages.readings, plan.table
    findings: Told = []
    if not len(readings):
        return Columns.empty(), findings
    quality, finding = readings.quality.copy(), readings.finding.astype(np.int64)
    names = [*readings.findings, *TOLD]
    row = np.array([table.row[name] for name in readings.points], np.int64).take(readings.point)
    future = readings.time > messages.now_us + FUTURE_US
    # the first batch may bring a month of history, but no clock that stands at 1970
    oldest = state.settled * MINUTE - HORIZON if state.settled is not None else messages.now_us - FIRST_BATCH_US
    late = readings.time < oldest
    outside = _outside(table, row, readings.value)
    for offset, mask in enumerate((future, late, outside)):
        if mask.any():
            # what is bad and late already says why it is bad
            rows = mask & (quality != Quality.BAD) if mask is late else mask & ~late if mask is outside else mask
            quality[rows] = Quality.BAD
            finding[rows] = len(readings.findings) + offset
    expired = np.zeros(len(readings), np.bool_)
    if int(readings.time.max()) >= int(table.calibrated_until.min()):
        expired = readings.time >= table.calibrated_until.take(row)
        expired &= quality < Quality.SUSPECT
        quality[expired] = Quality.SUSPECT
        finding[expired & (finding == 0)] = len(names) - 1
    if (quality == Quality.BAD).any() or expired.any():
        _tell(table, state, readings, row, quality, finding, names, findings)
    refused = future | late
    taken = ~refused if refused.any() else slice(None)
    findings += listen(table, state, row[taken], readings.time[taken], readings.received[taken])
    mine = slice(None) if table.owned.all() else table.owned[row]
    results.readings.append(
        Received(
            table.names,
            row[mine],
            readings.time[mine],
            readings.received[mine],
            readings.value[mine],
            quality[mine],
            finding[mine],
            tuple(names),
        )
    )
    if messages.corrections is not None:
        return _counted(table, messages.corrections, readings, row, expired, refused), findings
    bad, suspect = quality == Quality.BAD, quality == Quality.SUSPECT
    columns = Columns.received(row, readings.time, readings.value, bad, suspect)
    return columns.take(~refused) if refused.any() else columns, findings


def _counted(
    table: PointTable, corrections: Corrections, readings: Readings, row: Any, expired: Any, refused: Any
) -> Columns:
    """The readings as they count: put right first, and only then held against what can be."""
    quality = np.where(expired, Quality.SUSPECT, readings.quality).astype(np.uint8)
    kept = replace(readings, quality=quality)
    rows = ~(refused | corrections.replaced(kept))
    kept = corrections.apply(kept)
    bad = _outside(table, row, kept.value) | (kept.quality == Quality.BAD)
    kept = replace(kept, quality=np.where(bad, Quality.BAD, kept.quality).astype(np.uint8))
    return columns_of(table, kept, None if rows.all() else rows)


def _outside(table: PointTable, row: Any, value: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return (value < table.low.take(row)) | (value > table.high.take(row))


def columns_of(table: PointTable, readings: Readings, rows: Any = None) -> Columns:
    """Readings of a unit's points as columns; `rows` keeps some of them."""
    part = readings if rows is None else readings.take(rows)
    point = np.array([table.row[name] for name in part.points], np.int64)[part.point]
    return Columns.received(point, part.time, part.value, part.quality == Quality.BAD, part.quality == Quality.SUSPECT)


def _tell(
    table: PointTable,
    state: UnitState,
    readings: Readings,
    row: Any,
    quality: Any,
    finding: Any,
    names: list[str],
    findings: Told,
) -> None:
    # a sample that ended tells of nothing wrong
    fine = [0, *(code for code, name in enumerate(names) if name == NO_LONGER_VALID)]
    odd = np.flatnonzero(((quality == Quality.BAD) | (finding == len(names) - 1)) & ~np.isin(finding, fine))
    row, finding, time, received = row[odd], finding[odd], readings.time[odd], readings.received[odd]
    # why a time cannot be is told where it can be; stored readings say no more than that it is late or in the future
    mistimed = (finding >= len(names) - len(TOLD)) & (finding < len(names) - len(TOLD) + 2)
    at_1970, local = (mistimed & cause for cause in causes(table, row, time, received))
    finding[local], finding[at_1970] = len(names), len(names) + 1
    names = [*names, LOCAL, AT_1970]
    # what a clock at 1970 says of when it was is not worth telling
    time = np.where(at_1970, received, time)
    pairs = np.unique(np.stack([row, finding], axis=1), axis=0)
    for number, code in pairs.tolist():
        rows = np.flatnonzero((row == number) & (finding == code))
        name, what = table.names[number], names[code]
        if what == EXPIRED:
            findings += _expired(table, state, number, time[rows])
            continue
        within = max(SAME_STRETCH_US, 3 * int(table.interval_us[number]))
        start, end, count = stretch(state, f"{name} {what}", time[rows], within)
        text = f"{count} readings, the last {readings.value[odd[rows[-1]]]:g}"
        findings.append((name, Finding(what, start, end, text)))


def _expired(table: PointTable, state: UnitState, point: int, time: Times) -> Told:
    """One notice from a certificate's end on, said again with a later end once a day."""
    start, end, key = int(table.calibrated_until[point]), int(time.max()), f"{table.names[point]} {EXPIRED}"
    was = state.refused.get(key)
    if was is not None and was[0] == start and end // DAY <= was[1] // DAY:
        return []
    state.refused[key] = [start, end, 0]
    day = to_datetime(start - 1).astimezone(table.zone).date()
    return [(table.names[point], Finding(EXPIRED, start, end, f"readings after {day}, when its certificate ended"))]


def stretch(state: UnitState, key: str, time: Times, within_us: int) -> tuple[int, int, int]:
    """The stretch that readings with a finding belong to: it goes on while they keep coming. Start, end, how many.

    Its start stays what was told first, so that it is one notice, whatever comes in another order.
    """
    start, end, count = int(time.min()), int(time.max()), len(time)
    was = state.refused.get(key)
    if was is not None and start - was[1] <= within_us and was[0] - end <= within_us:
        start, end, count = was[0], max(end, was[1]), count + was[2]
    state.refused[key] = [start, end, count]
    return start, end, count


def readings_frame(parts: Sequence[Received]) -> pl.DataFrame:
    """What was received, as rows of table `readings`."""
    if not parts:
        return READINGS.empty()
    names: dict[tuple[str, ...], int] = {}
    texts: list[str] = []
    for part in parts:
        for listed in (part.points, part.findings):
            if listed not in names:
                names[listed] = len(texts)
                texts += listed
    text = pl.Series(texts, dtype=pl.String)

    def gathered(name: str, listed: str) -> pl.Series:
        at = np.concatenate([getattr(part, name) + names[getattr(part, listed)] for part in parts])
        return text.gather(at)

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return pl.DataFrame(
        {
            "time": pl.Series(joined("time")).cast(READINGS.schema["time"]),
            "received": pl.Series(joined("received")).cast(READINGS.schema["received"]),
            "point": gathered("point", "points"),
            "value": joined("value"),
            "quality": QUALITY.gather(joined("quality")),
            "finding": gathered("finding", "findings"),
        }
    )
