"""Running sums of a scope's KPIs: minutes for a day and its corrections, hours for a month, local days for 13 months.

Every sum is int64, so that it depends neither on order nor on how its minutes were batched, and an emptied window is
exactly 0. A changed minute changes its hour and its day by the difference. Minutes older than those held are known at
the edges from which a window may still begin: the starts of shifts and of local days. Gaps with a known total lie among
them as pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.peaks import QUARTER, Level, Peaks, quarter_values
from pipeline.pieces import Piece, Pieces
from pipeline.rows import pack, unpack
from pipeline.running import Ints, RunningSums, Sums
from plant.calendar import Calendar
from plant.reading import MINUTE

HOUR_MINUTES = 60
MINUTES_KEPT = 52 * 60
FINE_KEPT = 28 * 60
HOURS_KEPT = 31 * 24 + 26
DAYS_KEPT = 400
REACH_US = 2 * 1440 * MINUTE
NEVER = 2**62
PEAK_LEVELS: dict[str, Level] = {"peak quarter": "quarter", "peak hour": "hour", "peak day": "day"}


class Field(IntEnum):
    """What is summed: numerator and denominator over known minutes [STEP], minutes by what is known of them (`LATE`:
    of all that is unknown nothing is due yet), the lowest and highest numerator and denominator of unknown minutes
    [STEP]; what the baseline expected [STEP], and over how many minutes."""

    NUMERATOR = 0
    DENOMINATOR = 1
    KNOWN = 2
    ESTIMATED = 3
    SUSPECT = 4
    UNBOUNDED = 5
    NUMERATOR_LOW = 6
    NUMERATOR_HIGH = 7
    DENOMINATOR_LOW = 8
    DENOMINATOR_HIGH = 9
    EXPECTED = 10
    EXPECTED_KNOWN = 11
    LATE = 12


class KpiSums:
    """Sums of all columns (KPIs first) of a scope: arrays [time, column, field]; of `peaked` columns the peaks too."""

    def __init__(self, columns: int, calendar: Calendar, peaked: tuple[int, ...] = ()) -> None:
        self._columns = columns
        self._calendar = calendar
        self._peaked = list(peaked)
        shape = (columns, len(Field))
        self.minutes, self.hours, self.days = RunningSums(shape), RunningSums(shape), RunningSums(shape)
        self.peaks = Peaks(len(peaked))
        self.pieces = Pieces()
        self._began = np.full(columns, NEVER, np.int64)
        self.trimmed = False
        self._edges: dict[int, Sums] = {}
        self._touched: set[tuple[str, int]] = set()
        self._stored: set[tuple[str, int]] = set()
        self._swept: dict[str, int] = {}
        self._day = (0, 0, 0)

    @property
    def end(self) -> int:
        """The first minute not summed yet."""
        return self.minutes.end

    def oldest(self) -> int:
        """The first minute that may still be set: none before those held, once older ones were forgotten."""
        return self.minutes.start if self.trimmed else 0

    def holds(self, minute: int) -> bool:
        """Whether a minute is held by itself."""
        return self.minutes.start <= minute < self.end and len(self.minutes) > 0

    def closes(self, start: int, sums: Sums) -> bool:
        """Whether a gap may end in minutes from `start` on that are to be put, or did before they changed."""
        known = sums[..., Field.KNOWN] > 0
        before = self.minutes.values(start - 1, start)[..., Field.KNOWN] > 0
        resumed = known[:1] & ~before if len(before) else known[:1]
        return bool(resumed.any() or (known[1:] & ~known[:-1]).any()) or self.pieces.reach(start)

    def put(self, start: int, sums: Sums, pieces: Sequence[Piece] = ()) -> None:
        """Sets the sums of consecutive minutes from `start` on, and the pieces that end with them.

        Later minutes that are held stay, with the pieces that end there.
        """
        if not len(sums):
            return
        for minute in self.pieces.put(start, start + len(sums), pieces):
            self._touched.add(("piece", self._days(minute, minute + 1)[0][0]))
        if pieces:
            sums = sums.copy()
            for piece in pieces:
                sums[piece.end - 1 - start, piece.columns] += piece.amount
        if len(self.minutes) and start > self.end:
            nothing = np.zeros((start - self.end, *sums.shape[1:]), np.int64)
            nothing[..., Field.UNBOUNDED] = 1
            sums, start = np.concatenate([nothing, sums]), self.end
        self._began = np.minimum(self._began, start)
        difference = self.minutes.put(start, sums)
        end = start + len(sums)
        hours = np.arange(start // HOUR_MINUTES, (end - 1) // HOUR_MINUTES + 1)
        self.hours.add(int(hours[0]), _grouped(difference, hours[1:] * HOUR_MINUTES - start))
        days = self._days(start, end)
        inner = np.array([at for _, at, _ in days[1:]], np.int64) - start
        self.days.add(days[0][0], _grouped(difference, inner))
        self._touched.update(("hour", hour) for hour in hours.tolist())
        self._touched.update(("minutes", hour) for hour in hours.tolist())
        self._touched.update(("day", day) for day, _, _ in days)
        if self._peaked:
            self._put_peaks(start)

    def _put_peaks(self, start: int) -> None:
        """Works out the whole quarter hours from the one that holds `start` on."""
        slots = np.arange(start // QUARTER, self.end // QUARTER)
        if not len(slots):
            return
        sums = self.between(slots * QUARTER, (slots + 1) * QUARTER)[:, self._peaked]
        bounded = sums[..., Field.UNBOUNDED] == 0
        bounded &= slots[:, None] * QUARTER >= np.maximum(self._began[self._peaked], self.minutes.start)
        amount = sums[..., Field.NUMERATOR]
        low, high = (amount + sums[..., field] for field in (Field.NUMERATOR_LOW, Field.NUMERATOR_HIGH))
        values = quarter_values(amount, low, high, sums[..., Field.KNOWN], bounded)
        day_of = {}
        for day, first, end in self._days(int(slots[0]) * QUARTER, self.end):
            day_of.update(dict.fromkeys(range(first // QUARTER, end // QUARTER), day))
        self.peaks.put(int(slots[0]), values, day_of)

    def _days(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """The local days that touch [start, end): ordinal, first minute, minute after the last."""
        found = []
        at = start
        while at < end:
            if not self._day[1] <= at < self._day[2]:
                day = self._calendar.day(at * MINUTE)
                ordinal = self._calendar.local(day.start).toordinal()
                self._day = (ordinal, day.start // MINUTE, day.end // MINUTE)
            found.append(self._day)
            at = self._day[2]
        return found

    def trim(self) -> None:
        """Forgets what no window reaches any more, an hour at a time."""
        first = (self.end - FINE_KEPT) // HOUR_MINUTES * HOUR_MINUTES
        if not len(self.minutes) or first <= self.minutes.start:
            return
        for at in self._window_starts(self.minutes.start, first):
            self._edges[at] = self.minutes.before(at).copy()
        self.minutes.drop_before(first)
        self._edges = {at: total for at, total in self._edges.items() if at >= self.end - MINUTES_KEPT}
        self.trimmed = True
        self.hours.drop_before(self.end // HOUR_MINUTES - HOURS_KEPT)
        now = self._days(self.end - 1, self.end)[0][0]
        reach = self._calendar.begun((self.end - 1) * MINUTE - REACH_US)
        self.days.drop_before(min(now - DAYS_KEPT, self._calendar.local(reach).toordinal()))
        self.peaks.drop_before(self._first_quarter(), self.hours.start, self.days.start)
        for minute in self.pieces.keep(self._may_begin_in):
            self._touched.add(("piece", self._days(minute, minute + 1)[0][0]))

    def _may_begin_in(self, piece: Piece) -> bool:
        """Whether a window may begin inside a piece: at any minute, at a full hour of this month, on a local day."""
        if piece.end >= self.end - MINUTES_KEPT:
            return True
        if piece.end > self.hours.start * HOUR_MINUTES and (piece.start // HOUR_MINUTES + 1) * HOUR_MINUTES < piece.end:
            return True
        days = self._days(piece.start, piece.end)
        return len(days) > 1 and days[-1][0] >= self.days.start

    def _window_starts(self, start: int, end: int) -> list[int]:
        """The minutes of [start, end) at which a shift or a local day begins."""
        shifts = [period.start // MINUTE for period in self._calendar.shifts(start * MINUTE, end * MINUTE)]
        days = [first for _, first, _ in self._days(start, end)]
        return [at for at in (*shifts, *days) if start <= at < end]

    def between(self, starts: Ints, ends: Ints, coarse: str = "") -> Sums:
        """Sums over [start, end) for each pair of minutes, with the pieces that lie in it whole.

        Pairs that may begin before the minutes held need `coarse`: "hour" for pairs of whole hours, "day" for such as
        begin with a local day.
        """
        if coarse == "hour":
            totals = self.hours.between(starts // HOUR_MINUTES, ends // HOUR_MINUTES)
        elif coarse == "day":
            days = self.day_spans(starts, ends)
            first, last, midnight = (np.array(column, np.int64) for column in zip(*days, strict=True))
            totals = self.days.between(first, last) + self._fine(midnight, ends)
        else:
            totals = self._fine(starts, ends)
        self.pieces.take_out(totals, starts, ends)
        return totals

    def day_spans(self, starts: Ints, ends: Ints) -> list[tuple[int, int, int]]:
        """Of each pair the local day of its first minute, that of its last one, and when that last one began."""
        found = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            first = self._calendar.local(start * MINUTE).toordinal()
            last, midnight, after = self._days(end - 1, end)[0]
            found.append((first, last + 1, end) if after == end else (first, last, midnight))
        return found

    def _fine(self, starts: Ints, ends: Ints) -> Sums:
        total = self.minutes.between(starts, ends)
        for row in np.flatnonzero(starts < self.minutes.start).tolist():
            if (edge := self._edges.get(int(starts[row]))) is not None:
                total[row] = self.minutes.before(int(ends[row])) - edge
        return total

    def whole(self, starts: Ints, coarse: str = "") -> NDArray[np.bool_]:
        """Whether each column was summed, and is still held, from each window's start on: [window, column]."""
        if coarse == "day":
            days = np.array([self._calendar.local(start * MINUTE).toordinal() for start in starts.tolist()], np.int64)
            held = days >= self.days.start
        elif coarse == "hour":
            held = starts >= self.hours.start * HOUR_MINUTES
        else:
            held = (starts >= self.minutes.start) | np.array([start in self._edges for start in starts.tolist()])
        found: NDArray[np.bool_] = (starts[:, None] >= self._began) & held[:, None]
        return found

    def _oldest(self) -> dict[str, int]:
        """The first slot that is stored of each kind of row."""
        return {
            "minutes": self.minutes.start // HOUR_MINUTES,
            "hour": self.hours.start,
            "day": self.days.start,
            "piece": self.days.start,
            "peak quarter": self._first_quarter(),
            "peak hour": self.hours.start,
            "peak day": self.days.start,
        }

    def _first_quarter(self) -> int:
        """The quarter hours of a local day that may still be corrected are held whole."""
        return (self.minutes.start - (MINUTES_KEPT - FINE_KEPT)) // QUARTER

    def checkpoint(self) -> list[tuple[str, int, bytes | None]]:
        """Rows touched since the last checkpoint: minutes by the hour, hours, days, peaks; edges when one was added."""
        oldest = self._oldest()
        self._touched |= {(f"peak {level}", at) for level, at in self.peaks.touched}
        self.peaks.touched.clear()
        rows: list[tuple[str, int, bytes | None]] = [
            (f"sum {kind}", at, pack({"sum": self._row(kind, at)}))
            for kind, at in sorted(self._touched)
            if at >= oldest[kind]
        ]
        if rows:
            rows.append(("sum began", 0, pack({"sum": {"began": self._began}})))
        if oldest["minutes"] != self._swept.get("minutes") and self._edges:
            since = self.minutes.before(self.minutes.start)
            totals = np.array([since - total for total in self._edges.values()])
            rows.append(("sum edges", 0, pack({"sum": {"at": np.array(list(self._edges)), **_sparse(totals)}})))
        self._stored |= {one for one in self._touched if one[1] >= oldest[one[0]]}
        self._touched.clear()
        # rows grow old once an hour: only then are they gone through
        if oldest != self._swept:
            for kind, at in sorted(one for one in self._stored if one[1] < oldest[one[0]]):
                self._stored.discard((kind, at))
                rows.append((f"sum {kind}", at, None))
            self._swept = oldest
        return rows

    def _row(self, kind: str, at: int) -> dict[str, Sums]:
        """What is stored of one slot; of pieces, those that end on a local day."""
        if kind == "piece":
            return self.pieces.row(lambda piece: self._days(piece.end - 1, piece.end)[0][0] == at)
        if kind in PEAK_LEVELS:
            return {"peak": self.peaks.level(PEAK_LEVELS[kind])[at], "columns": np.array(self._peaked)}
        if kind == "minutes":
            first, last = at * HOUR_MINUTES, (at + 1) * HOUR_MINUTES
            return {"start": np.array([max(first, self.minutes.start)]), **_sparse(self.minutes.values(first, last))}
        return _sparse((self.hours if kind == "hour" else self.days).values(at, at + 1))

    def restore(self, rows: list[tuple[str, int, bytes]], columns: list[int | None]) -> None:
        """Takes back what `checkpoint` gave; `columns` says which stored column each of today's was (None: new)."""
        known = np.array([number for number, was in enumerate(columns) if was is not None], np.intp)
        taken = np.array([was for was in columns if was is not None], np.intp)
        counted: set[int | None] = set()

        def widened(part: dict[str, Sums]) -> Sums:
            values = np.zeros((len(part["values"]), self._columns, len(Field)), np.int64)
            values[:, known[:, None], part["fields"]] = part["values"][:, taken]
            return values

        edges: dict[str, Sums] = {"at": np.empty(0, np.int64)}
        for kind, at, body in sorted(rows):
            if not kind.startswith("sum "):
                continue
            name, stored = kind.removeprefix("sum "), unpack(body)[0]["sum"]
            if name == "began":
                self._began[known] = stored["began"][taken]
                continue
            if name == "edges":
                edges = stored
                continue
            self._stored.add((name, at))
            if name == "piece":
                self.pieces.restore(stored, columns)
                continue
            if name.startswith("peak "):
                was = stored["columns"].tolist()
                counted.update(was)
                row = self.peaks.nothing()
                for number, column in enumerate(self._peaked):
                    if columns[column] in was:
                        row[number] = stored["peak"][was.index(columns[column])]
                self.peaks.level(PEAK_LEVELS[name])[at] = row
                continue
            values = widened(stored)
            held = {"hour": self.hours, "day": self.days, "minutes": self.minutes}[name]
            held.add(int(stored["start"][0]) if name == "minutes" else at, values)
        if len(edges["at"]):
            since = self.minutes.before(self.minutes.start)
            self._edges = dict(zip(edges["at"].tolist(), since - widened(edges), strict=True))
        # quarter hours that nobody counted may have been the highest
        uncounted = [one for one in self._peaked if columns[one] not in counted]
        self._began[uncounted] = np.maximum(self._began[uncounted], self.end)
        self.trimmed = len(self.hours) > 0 and self.hours.start < self.minutes.start // HOUR_MINUTES
        self.trim()


def _grouped(rows: Sums, edges: Ints) -> Sums:
    """Sums of consecutive rows, parted before each edge."""
    if not len(edges):
        return rows.sum(axis=0, keepdims=True) if len(rows) > 1 else rows
    found: Sums = np.add.reduceat(rows, np.concatenate([[0], edges]), axis=0)
    return found


def _sparse(values: Sums) -> dict[str, Sums]:
    """Rows [time, column, field] without the fields that are 0 throughout."""
    fields = np.flatnonzero(values.any(axis=(0, 1)))
    return {"fields": fields, "values": values[..., fields]}
