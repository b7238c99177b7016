"""A scope's KPIs compiled: which terms add up to which column of its sums, and what each minute adds.

A column holds one numerator and one denominator. Every KPI has one of its own, in the order of the description; behind
them come the key of a KPI that is allocated (its product's share of the key), what bounds a denominator, and the
amounts whose monthly peak a demand charge is for. The columns of one KPI are summed over the same minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kpis.tariffs import Prices
from pipeline.editions import Editions, EditionTexts
from pipeline.figures import Rules
from pipeline.minutes import Minutes
from pipeline.peaks import QUARTER
from pipeline.pieces import Piece
from pipeline.point_plan import PointPlan
from pipeline.running import Sums
from pipeline.sums import Field
from pipeline.terms import STEPS, Amounts, Bridges, Terms
from plant.calendar import Calendar
from plant.model import Kpi, Plant, Term
from plant.reading import MINUTE

if TYPE_CHECKING:
    from pipeline.expected import Expected

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
_Side = tuple[int, range]
LIMIT = 2**52
PIECE_MINUTES = 22 * 60
"""A gap that is longer is no piece: so far back the facts of every term are held when one more late reading comes."""
SIDES = (
    (Field.NUMERATOR, Field.NUMERATOR_LOW, Field.NUMERATOR_HIGH),
    (Field.DENOMINATOR, Field.DENOMINATOR_LOW, Field.DENOMINATOR_HIGH),
)


@dataclass(frozen=True)
class Charge:
    """A demand charge: the KPI it adds to, its place among the peaks and its prices."""

    kpi: int
    peak: int
    prices: Prices


class Formulas:
    """The KPIs of one scope. `columns` names the columns of its sums, `peaked` those whose quarter hours count."""

    def __init__(
        self, plant: Plant, points: Mapping[str, PointPlan], calendar: Calendar, kpis: Mapping[str, Kpi]
    ) -> None:
        self.kpis = tuple(kpis)
        columns = list(kpis)
        peaked = [number for number, kpi in enumerate(kpis.values()) if kpi.peak]
        self.peak_of = {kpi: place for place, kpi in enumerate(peaked)}
        self.key_of: dict[int, int] = {}
        self.most_of: dict[int, int] = {}
        charges: list[tuple[int, int, str]] = []
        terms: list[Term] = []
        first: list[int] = []
        produced: list[bool] = []
        sides: tuple[list[_Side], list[_Side]] = ([], [])
        owner = list(range(len(columns)))

        def add(column: int, numerator: list[Term], denominator: list[Term], late: bool) -> None:
            for side, own in zip(sides, (numerator, denominator), strict=True):
                if own:
                    side.append((column, range(len(terms), len(terms) + len(own))))
                    terms.extend(own)
                    produced.extend([late or side is sides[1]] * len(own))

        for number, (name, kpi) in enumerate(kpis.items()):
            first.append(len(terms))
            add(number, kpi.numerator, kpi.denominator, late=False)
            if kpi.allocate is not None:
                self.key_of[number] = len(columns)
                by, among = ([Term(point=point) for point in some] for some in (kpi.allocate.by, kpi.allocate.among))
                add(len(columns), by, among, late=True)
                columns.append(f"{name}/key")
                owner.append(number)
            if kpi.no_more_than:
                self.most_of[number] = len(columns)
                add(len(columns), kpi.no_more_than, [], late=True)
                columns.append(f"{name}/most")
                owner.append(number)
            for term in kpi.numerator:
                if term.as_ == "demand":
                    charges.append((number, len(peaked), plant.points[term.point].carrier or ""))
                    peaked.append(len(columns))
                    add(len(columns), [Term(point=term.point, times=term.times)], [], late=False)
                    columns.append(f"{name}/demand")
                    owner.append(number)
        self.columns = tuple(columns)
        self.peaked = tuple(peaked)
        self.charges = [Charge(kpi, peak, Prices(plant, carrier, calendar.zone)) for kpi, peak, carrier in charges]
        charged = [charge.kpi for charge in self.charges]
        self.rules = Rules(list(kpis.values()), self.key_of, self.most_of, self.peak_of, charged)
        self.editions = EditionTexts([Editions.of(plant, kpi, calendar) for kpi in kpis.values()])
        self._owner = np.array(owner, np.intp)
        self._quartered = {owner[column] for column in peaked}
        self._first = np.array(first, np.intp)
        self._produced = np.array(produced, np.bool_)[:, None]
        self._cuts = [_cuts(side) for side in sides]
        self._terms = Terms(plant, points, calendar, terms) if terms else None
        self._models = [
            (number, [term.point for term in kpi.numerator])
            for number, kpi in enumerate(kpis.values())
            if all(term.as_ == "amount" and term.times == 1 for term in kpi.numerator) and not kpi.peak
        ]

    def minute_sums(self, facts: Mapping[str, Minutes], expected: Mapping[str, Expected], n: int) -> Sums:
        """What each of the last `n` minutes of `facts` adds to each column: int64 [minute, column, field].

        `facts` holds the same minutes of every point, one more before the first where there is one.
        """
        if self._terms is None or not n:
            return np.zeros((n, len(self.columns), len(Field)), np.int64)
        return self._sums(self._terms.amounts(facts, n), facts, expected)[0]

    def _sums(
        self, terms: Amounts, facts: Mapping[str, Minutes], expected: Mapping[str, Expected]
    ) -> tuple[Sums, Bools]:
        """What terms add to each column, and in which minutes each KPI is known: [KPI, minute]."""
        sums = np.zeros((terms.known.shape[1], len(self.columns), len(Field)), np.int64)
        known = np.logical_and.reduceat(terms.known, self._first)
        # a numerator that is missing is missing; a production that is booked later is only late
        due = np.logical_or.reduceat(np.where(self._produced, terms.due, ~terms.known), self._first)
        self._add_sides(sums, terms, known[self._owner])
        for field, column in (
            (Field.KNOWN, known),
            (Field.ESTIMATED, known & np.logical_or.reduceat(terms.estimated, self._first)),
            (Field.SUSPECT, known & np.logical_or.reduceat(terms.suspect, self._first)),
            (Field.LATE, ~known & ~due),
        ):
            sums[:, :, field] = column[self._owner].T
        if expected:
            self._add_expected(sums, facts, expected, known)
        return sums, known

    def with_pieces(
        self, facts: Mapping[str, Minutes], expected: Mapping[str, Expected], n: int, since: int
    ) -> tuple[Sums, list[Piece], bool]:
        """Likewise, with the gaps with a known total of which a minute from `since` on is the last.

        Also says whether such a gap may have begun before the first of the `n` minutes.
        """
        if self._terms is None or not n:
            return self.minute_sums(facts, expected, n), [], False
        terms = self._terms.amounts(facts, n)
        sums, known = self._sums(terms, facts, expected)
        start = facts[self._terms.names[0]].end - n
        gaps = [(kpi, first, end) for kpi, first, end in _gaps(known) if start + end >= since]
        bridged = self._terms.bridged(facts) if gaps else None
        if bridged is None:
            return sums, [], False
        bridges = self._terms.bridges(facts, terms.known, self._terms.amounts(bridged, n))
        whole, _ = self._sums(bridges.amounts, bridged, expected)
        added = whole - sums
        found = [self._piece(bridges, added, *gap) for gap in gaps]
        pieces = [replace(one, start=start + one.start, end=start + one.end) for one in found if one is not None]
        # where quarter hours count, only one that holds a gap whole knows its mean power
        pieces = [
            one
            for one in pieces
            if one.end > since
            and (one.columns[0] not in self._quartered or one.start // QUARTER == (one.end - 1) // QUARTER)
        ]
        return sums, pieces, any(first == 0 for _, first, _ in gaps)

    def _piece(self, bridges: Bridges, added: Sums, kpi: int, first: int, end: int) -> Piece | None:
        """A KPI's gap over the minutes [first, end) as a piece, when every term's total over it is known."""
        if first == 0 or end - first > PIECE_MINUTES:
            return None
        terms = slice(self._first[kpi], self._first[kpi + 1] if kpi + 1 < len(self._first) else None)
        used = bridges.used[terms]
        if not bridges.known[terms, first:end].all():
            return None
        # a total is known, not how it was parted between two prices
        if (used[:, first:end].any(axis=1) & bridges.cut[terms, first + 1 : end].any(axis=1)).any():
            return None
        columns = np.flatnonzero(self._owner == kpi)
        amount = added[first:end, columns].sum(axis=0)
        first -= int((used[:, first] & bridges.partly[terms, first - 1]).any())
        end += int((used[:, end - 1] & bridges.partly[terms, end]).any())
        return Piece(first, end, columns, amount)

    def _add_sides(self, sums: Sums, terms: Amounts, known: Bools) -> None:
        unbounded = np.zeros(known.shape, np.bool_)
        for (cuts, columns, taken), (field, low_field, high_field) in zip(self._cuts, SIDES, strict=True):
            if not len(cuts):
                continue
            amount, low, high = (
                np.add.reduceat(column[taken], cuts) for column in (terms.amount, terms.low, terms.high)
            )
            amount = np.where(known[columns], amount, 0.0)
            with np.errstate(invalid="ignore"):
                low, high = low - amount, high - amount
                beyond = ~((np.abs(low) < LIMIT) & (np.abs(high) < LIMIT))
            unbounded[columns] |= beyond
            sums[:, columns, field] = amount.T
            sums[:, columns, low_field] = np.where(beyond, 0.0, low).T
            sums[:, columns, high_field] = np.where(beyond, 0.0, high).T
        sums[:, :, Field.UNBOUNDED] = unbounded.T

    def _add_expected(
        self, sums: Sums, facts: Mapping[str, Minutes], expected: Mapping[str, Expected], known: Bools
    ) -> None:
        n = len(sums)
        for number, points in self._models:
            model = [expected[point] for point in points if point in expected]
            if len(model) < len(points):
                continue
            total = sum(part.minutes(dict(facts)) for part in model)[-n:]  # type: ignore[index]
            since = max(part.since_us // MINUTE for part in model)
            minute = facts[points[0]].end - n + np.arange(n)
            there = known[number] & np.isfinite(total) & (minute >= since)
            sums[:, number, Field.EXPECTED] = np.where(there, np.rint(np.nan_to_num(total) * STEPS), 0)
            sums[:, number, Field.EXPECTED_KNOWN] = there


def _gaps(known: Bools) -> list[tuple[int, int, int]]:
    """The runs of unknown minutes [first, end) of each row that a known one follows: (row, first, end)."""
    found = []
    for row in np.flatnonzero((known[:, 1:] & ~known[:, :-1]).any(axis=1)).tolist():
        turns = np.diff(np.concatenate([[True], known[row]]).astype(np.int8))
        begin, end = (np.flatnonzero(turns == turn).tolist() for turn in (-1, 1))
        found += [(row, *gap) for gap in zip(begin, end, strict=False)]
    return found


def _cuts(side: list[_Side]) -> tuple[Rows, Rows, Rows]:
    """One side's columns: where each begins among the side's terms, its number, and which terms the side has."""
    lengths = [len(terms) for _, terms in side]
    cuts = np.cumsum([0, *lengths])[:-1].astype(np.intp)
    columns = np.array([column for column, _ in side], np.intp)
    return cuts, columns, np.array([term for _, terms in side for term in terms], np.intp)
