"""Stored readings as they count: put right by corrections, with what persons entered, late ones where wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from historian.reader import Reader
from historian.tables import READINGS
from pipeline.corrections import Corrections
from pipeline.plans import HORIZON, UnitPlan
from pipeline.receive import columns_of
from pipeline.unit_state import UnitState
from plant.clock import to_datetime
from plant.reading import DAY, HOUR, MINUTE, Quality, Readings

FOREVER = 2**62
LEAD = HORIZON + 2 * HOUR
COLUMNS_READ = ["received", "quality", "finding"]
QUALITIES = pl.Enum([quality.name.lower() for quality in Quality])
LATE = (pl.col("finding") == "late") & (pl.col("quality") == "bad")
USABLE = pl.when(pl.col("value").is_finite()).then(pl.lit("good")).otherwise(pl.lit("bad"))


class Counted:
    """The readings of one process unit; `plan` is its plan as corrected.

    Readings that came too late to be counted live count from `late_from_us` on (None: nowhere).
    """

    def __init__(self, reader: Reader, unit: UnitPlan, corrections: Corrections, late_from_us: int | None) -> None:
        self.reader, self.plan = reader, corrections.plan(unit)
        self.corrections = corrections.of(self.plan.points)
        self.late_from_us = late_from_us

    def rows(self, low: int, high: int) -> pl.DataFrame:
        """The rows of table `readings` of [low, high) as they came."""
        return self.reader.table("readings", low, high, {"point": list(self.plan.points)}, COLUMNS_READ)

    def batch(self, low: int, high: int) -> list[pl.DataFrame]:
        """The same in frames; one without quality and finding has such as are good and nothing was found out about."""
        return self.reader.batch(list(self.plan.points), low, high, COLUMNS_READ)

    def late(self, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Those that came too late and count now, as they are to be stored."""
        told = [rows for rows in frames if _told(rows)]
        if self.late_from_us is None or not told:
            return READINGS.empty()
        wanted = LATE & (pl.col("time") >= to_datetime(self.late_from_us)) & pl.col("point").is_in(self.plan.owned)
        late = pl.concat(told).filter(wanted)
        return late.with_columns(USABLE.alias("quality")).select(READINGS.schema.keys())

    def readings(self, frames: Sequence[pl.DataFrame], low: int, high: int) -> Readings:
        """What rows of [low, high) count, with what persons entered there."""
        names = tuple(self.plan.points)
        parts = [self._put_right(to_readings(names, self._used(rows))) for rows in frames]
        added = self.corrections.added(self.plan, low, high)
        parts += [added] if len(added) else []
        return parts[0] if len(parts) == 1 else Readings.join(parts)

    def stored(self, points: Sequence[str], start_us: int, end_us: int) -> Readings:
        """Readings of an earlier batch, for those that came too late to be held."""
        rows = self.reader.table("readings", start_us, end_us, {"point": list(points)}, COLUMNS_READ)
        every = self.readings([rows], start_us, end_us)
        mine = np.array([name in points for name in every.points], np.bool_)
        return every.take(mine[every.point]) if len(every) else every

    def fresh(self, began_us: int | None, lead_us: int) -> UnitState:
        """The state at a lead's begin: of a unit that began before, all is settled, and its last readings are held."""
        state, table = UnitState(), self.plan.table
        state.align(table.names)
        state.began_us = began_us
        if began_us is not None and began_us < lead_us:
            state.settled = lead_us // MINUTE
            held = self._before(lead_us)
            state.held = columns_of(table, held).sorted()
            for name, time in zip(np.array(held.points)[held.point].tolist(), held.time.tolist(), strict=True):
                if self.plan.points[name].settles():
                    device = self.plan.points[name].device
                    state.heard[device] = max(state.heard.get(device, 0), time)
        return state

    def _before(self, lead: int) -> Readings:
        """The last usable reading of each point before a time: a gap of any length is closed from it."""
        rows = last_readings(self.reader, set(self.plan.points), lead)
        every = self.readings([rows], 0, lead)
        every = every.take(every.quality != Quality.BAD)
        order = np.lexsort((every.time, every.point))
        last = np.flatnonzero(np.diff(every.point[order], append=-1))
        return every.take(order[last])

    def _put_right(self, stored: Readings) -> Readings:
        if not self.corrections:
            return stored
        return self.corrections.apply(stored.take(~self.corrections.replaced(stored)))

    def _used(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Without those from the future, and those that came too late."""
        if not _told(rows):
            return rows
        early = LATE if self.late_from_us is None else LATE & (pl.col("time") < to_datetime(self.late_from_us))
        rows = rows.filter((pl.col("finding") != "future") & ~early)
        return rows.with_columns(pl.when(LATE).then(USABLE).otherwise(pl.col("quality")).alias("quality"))


def _told(rows: pl.DataFrame) -> bool:
    """Whether anything was found out about readings when they came."""
    return "finding" in rows.columns and bool((rows["finding"] != "").any())


def pieces(readings: Readings, edges: Sequence[int]) -> Iterator[Readings]:
    """Readings of spans of time: before the first edge, between each two, and from the last one on.

    Quick for what is stored: by point, and of each point by time.
    """
    point, time = readings.point, readings.time
    turns = np.flatnonzero((point[1:] != point[:-1]) | (time[1:] < time[:-1])) + 1
    bounds = [0, *turns.tolist(), len(readings)]
    cuts = np.array([[a, *(a + np.searchsorted(time[a:b], edges)), b] for a, b in pairwise(bounds)]).T
    for low, high in pairwise(cuts):
        yield readings.cut(list(zip(low.tolist(), high.tolist(), strict=True)))


def lead_of(unit: UnitPlan) -> int:
    """How long before a time readings are read, so that what follows is judged as it was live [µs]."""
    spans = [max(2 * point.span_us, point.reach_us) for point in unit.points.values()]
    return max([LEAD, *spans])


def last_readings(reader: Reader, names: set[str], before_us: int) -> pl.DataFrame:
    """The last usable stored reading of each point before a time, however long before."""
    oldest = raw_from(reader)
    if oldest is None or oldest >= before_us:
        return READINGS.empty()
    return reader.last_before(sorted(names), before_us, before_us - oldest)


def raw_from(reader: Reader) -> int | None:
    """The time from which on readings are kept, a day's start [µs UTC]; None when there are none."""
    day = reader.first_day("readings")
    return day * DAY if day is not None else None


def cut_off(reader: Reader) -> int | None:
    """The time from which on readings are kept where older ones were deleted [µs UTC]; None when all are kept,
    FOREVER when all were deleted."""
    readings, facts = reader.first_day("readings"), reader.first_day("facts")
    # an interval's facts lie before its reading
    if facts is None or (readings is not None and readings <= facts + 1):
        return None
    return readings * DAY if readings is not None else FOREVER


def to_readings(names: tuple[str, ...], frame: pl.DataFrame) -> Readings:
    """Stored readings as a batch; the step finds again what is out of range, what collectors refused stays refused."""
    good = "quality" not in frame.columns or bool((frame["quality"] == "good").all())
    quality = np.zeros(len(frame), np.uint8) if good else frame["quality"].cast(QUALITIES).to_physical().to_numpy()
    return Readings.build(
        names,
        frame["point"].cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int32),
        frame["time"].to_physical().to_numpy(),
        frame["received"].to_physical().to_numpy(),
        frame["value"].fill_null(np.nan).to_numpy(),
        quality.astype(np.uint8),
    )
