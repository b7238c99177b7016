"""KPI terms minute by minute: amounts in STEP, whether they are known, and what they may be where they are not.

All terms of a scope are worked out together: columns of the points they name are stacked once, terms of one kind share
their array operations, and what only depends on the description (factors, prices, bounds) is compiled beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kpis.tariffs import Prices
from pipeline import derived
from pipeline.editions import QUANTITIES, factor_values
from pipeline.facts import KNOWN_COVERAGE
from pipeline.minutes import Minutes
from pipeline.point_plan import PointPlan
from pipeline.point_table import COUNTED
from plant.calendar import Calendar
from plant.model import Kind, Plant, Term
from plant.reading import MINUTE, Quality

if TYPE_CHECKING:
    from pipeline.plans import PlantPlan

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Facts = Mapping[str, Minutes]
STEPS = 1_000_000
COLUMNS = ("amount", "has", "coverage", "estimated", "quality")
LATE_KINDS = frozenset({Kind.INTERVAL, Kind.COUNT, Kind.SAMPLE})
LINEAR = frozenset({"amount", "stock", "cost", *QUANTITIES})
SLACK = 1e-6


@dataclass
class Amounts:
    """Terms over consecutive minutes, [term, minute]: float64 amounts [STEP, whole numbers] and what is known of them.

    `low` and `high` are what an amount may have been: the amount itself where it was measured, anything that the
    declared range allows where it is unknown or estimated. `due` is false where what is unknown comes late by nature.
    """

    amount: Floats
    known: Bools
    low: Floats
    high: Floats
    estimated: Bools
    suspect: Bools
    due: Bools

    def of(self, number: int) -> Amounts:
        """One term's columns, [minute]."""
        return Amounts(*(getattr(self, field.name)[number] for field in fields(self)))


@dataclass(frozen=True)
class Bridges:
    """Terms over minutes some of which a counter's known difference is spread over: flags [term, minute].

    `amounts` are those of the minutes bridged too, which leave nothing open; `known` says where a term is known or
    bridged, `used` where it is bridged; `cut`: it counts by another factor than the minute before; `partly`: a known
    minute that a gap reaches into.
    """

    amounts: Amounts
    known: Bools
    used: Bools
    cut: Bools
    partly: Bools


def known_minutes(facts: Minutes) -> Bools:
    """The minutes whose amount or mean counts: covered to at least nine tenths."""
    return facts.has & (facts.coverage >= KNOWN_COVERAGE)


def spread_minutes(facts: Minutes) -> Bools:
    """The unknown minutes of a counter that it counted over all the same: its own difference is spread over them.

    A minute that is partly unknown, or doubtful (a reset lost what was counted before it), is none of them.
    """
    whole = facts.coverage + facts.estimated >= 1 - SLACK
    unknown = facts.has & (facts.coverage < KNOWN_COVERAGE)
    spread: Bools = unknown & whole & (facts.quality == Quality.ESTIMATED)
    return spread


def evaluate(plan: PlantPlan, term: Term, facts: Facts, n: int | None = None) -> Amounts:
    """The amounts of one term over the last `n` minutes (all) of `facts`, the same of every point it names.

    The first minute of a term `stock` is unknown when no minute before it is there.
    """
    n = len(facts[term.point].amount) if n is None else n
    return Terms(plan.plant, plan.points, plan.calendar, [term]).amounts(facts, n).of(0)


class Terms:
    """Terms compiled for evaluation; `names` are the points they read."""

    def __init__(
        self, plant: Plant, points: Mapping[str, PointPlan], calendar: Calendar, terms: Sequence[Term]
    ) -> None:
        self.names = tuple(dict.fromkeys(name for term in terms for name in term.names()))
        row = {name: number for number, name in enumerate(self.names)}
        own = [points[name] for name in self.names]
        self._amount_bounds = _column([bound * STEPS for bound in (point.low, point.high)] for point in own)
        self._mean_bounds = _column(_mean_bounds(point) for point in own)
        self._exact = np.array([[point.kind is Kind.INTERVAL] for point in own], np.bool_)
        late = [point.kind in LATE_KINDS for point in own]
        # a level counts by what was taken out of it: such rows follow those of the points themselves
        stocks = [term.point for term in terms if term.as_ in LINEAR and points[term.point].kind is Kind.LEVEL]
        self._stock = np.array([row[name] for name in dict.fromkeys(stocks)], np.intp)
        taken = {name: len(own) + number for number, name in enumerate(dict.fromkeys(stocks))}
        self._stock_bounds = _column([bound * STEPS for bound in _mean_bounds(points[name])] for name in taken)
        counted = [taken.get(term.point, row[term.point]) if term.as_ in LINEAR else row[term.point] for term in terms]
        self._reads = np.array(
            [one for at, term in zip(counted, terms, strict=True) for one in (at, *(row[n] for n in term.names()[1:]))],
            np.intp,
        )
        self._late = np.array([*late, *(False for _ in taken)], np.bool_)[:, None]
        self._first = np.cumsum([0, *(len(term.names()) for term in terms)])[:-1]
        self._count = len(terms)
        self._linear = np.array([i for i, term in enumerate(terms) if term.as_ in LINEAR], np.intp)
        linear = [terms[i] for i in self._linear.tolist()]
        self._linear_point = np.array([counted[i] for i in self._linear.tolist()], np.intp)
        self._counted = [name for name, point in zip(self.names, own, strict=True) if point.kind in COUNTED]
        self._since, self._factor = factor_values(plant, calendar, linear)
        carriers = [plant.points[term.point].carrier or "" if term.as_ == "cost" else None for term in linear]
        self._prices = [
            (np.flatnonzero([one == carrier for one in carriers]), Prices(plant, carrier, calendar.zone))
            for carrier in dict.fromkeys(one for one in carriers if one is not None)
        ]
        kinds = dict.fromkeys(term.as_ for term in terms if term.as_ not in LINEAR)
        self._derived: list[tuple[NDArray[np.intp], Floats, derived.Work]] = []
        for kind in kinds:
            rows = [i for i, term in enumerate(terms) if term.as_ == kind]
            times = np.array([[terms[i].times * STEPS] for i in rows])
            work = derived.WORK[kind](plant, row, [terms[i] for i in rows])
            self._derived.append((np.array(rows, np.intp), times, work))
        needed = [
            ("mean", any(kind not in ("demand", "hours", "reference_drainage") for kind in kinds)),
            ("last", bool(stocks)),
        ]
        self._columns = (*COLUMNS, *(name for name, used in needed if used))

    def amounts(self, facts: Facts, n: int) -> Amounts:
        """The terms over the last `n` minutes of `facts`, which hold the same minutes of every point.

        A minute more before them tells what a term `stock` began with.
        """
        stacked = {name: np.array([getattr(facts[point], name) for point in self.names]) for name in self._columns}
        first = facts[self.names[0]].start
        known = stacked["has"] & (stacked["coverage"] >= KNOWN_COVERAGE)
        estimated, suspect = stacked["estimated"] > 0, stacked["quality"] == Quality.SUSPECT
        sure = known & (~estimated | self._exact)
        amount = derived.Spanned.of(stacked["amount"].astype(np.float64), known, sure, self._amount_bounds)
        minute = first + np.arange(known.shape[1], dtype=np.int64)
        inputs = None
        if self._derived:
            mean = amount
            if "mean" in stacked:
                mean = derived.Spanned.of(stacked["mean"], known, sure, self._mean_bounds)
            inputs = derived.Inputs(minute, known, sure, amount.scaled(1 / STEPS), mean)
        if len(self._stock):
            rows = self._stock
            last = stacked["last"][rows] * STEPS
            amount = amount.join(derived.Spanned.stock(last, known[rows], sure[rows], self._stock_bounds))
            known = np.concatenate([known, _both(known[rows], np.logical_and)])
            estimated = np.concatenate([estimated, _both(estimated[rows], np.logical_or)])
            suspect = np.concatenate([suspect, _both(suspect[rows], np.logical_or)])
        terms_known = np.logical_and.reduceat(known[self._reads], self._first)
        due = ~np.logical_and.reduceat((known | self._late)[self._reads], self._first)
        out = Amounts(
            np.zeros(terms_known.shape),
            terms_known,
            np.zeros(terms_known.shape),
            np.zeros(terms_known.shape),
            np.logical_or.reduceat(estimated[self._reads], self._first),
            np.logical_or.reduceat(suspect[self._reads], self._first),
            due,
        )
        if len(self._linear):
            factor = self._factors(minute)
            rows, point = self._linear, self._linear_point
            out.amount[rows] = amount.value[point] * factor
            with np.errstate(invalid="ignore"):
                out.low[rows], out.high[rows] = (
                    np.where(factor == 0, 0.0, bound[point] * factor) for bound in (amount.low, amount.high)
                )
        if inputs is not None:
            for rows, times, work in self._derived:
                found = work(inputs)
                with np.errstate(invalid="ignore"):
                    out.amount[rows], out.low[rows], out.high[rows] = (
                        one * times for one in (found.value, found.low, found.high)
                    )
        return self._finished(out, known.shape[1] - n)

    def bridged(self, facts: Facts) -> dict[str, Minutes] | None:
        """The facts as if minutes that a counter's known difference is spread over were known; None without any."""
        spread = {name: spread_minutes(facts[name]) for name in self._counted}
        some = {name: minutes for name, minutes in spread.items() if minutes.any()}
        if not some:
            return None
        found = dict(facts)
        for name, minutes in some.items():
            found[name] = replace(facts[name], coverage=np.where(minutes, 1.0, facts[name].coverage))
        return found

    def bridges(self, facts: Facts, known: Bools, bridged: Amounts) -> Bridges:
        """What terms make of `bridged` facts, where they are not `known` without: both of the last minutes of `facts`.

        Only terms that multiply an amount bridge anything: the product of two means over a gap is not the mean's.
        """
        n = known.shape[1]
        minute = facts[self.names[0]].end - n + np.arange(n, dtype=np.int64)
        used, cut, partly = (np.zeros(known.shape, np.bool_) for _ in range(3))
        rows = self._linear
        used[rows] = bridged.known[rows] & ~known[rows]
        factor = np.broadcast_to(self._factors(minute), (len(rows), n))
        cut[rows, 1:] = factor[:, 1:] != factor[:, :-1]
        for row, point in zip(rows.tolist(), self._linear_point.tolist(), strict=True):
            if used[row].any():
                own = facts[self.names[point]]
                partly[row] = (known_minutes(own) & (own.coverage < 1 - SLACK) & (own.estimated > SLACK))[-n:]
        exact = replace(
            bridged,
            low=np.where(used, bridged.amount, bridged.low),
            high=np.where(used, bridged.amount, bridged.high),
        )
        return Bridges(exact, known | used, used, cut, partly)

    def _factors(self, minute: Ints) -> Floats:
        """What each linear term's amounts are multiplied by: [term, minute], or [term, 1] where it does not change."""
        stretch = np.searchsorted(self._since, minute * MINUTE, "right")
        constant = not self._prices and stretch[0] == stretch[-1]
        factor: Floats = self._factor[:, stretch[:1] if constant else stretch]
        for rows, prices in self._prices:
            factor[rows] *= prices.at(minute * MINUTE)
        return factor

    def _finished(self, out: Amounts, lead: int) -> Amounts:
        """Whole STEPs, bounds in order, unknown what is not finite; without the `lead` minutes before the first."""
        with np.errstate(invalid="ignore"):
            low, high = np.minimum(out.low, out.high), np.maximum(out.low, out.high)
        finite = np.isfinite(out.amount)
        missing = out.known & ~finite
        known = out.known & finite
        return Amounts(
            np.rint(np.where(known, out.amount, 0.0))[:, lead:],
            known[:, lead:],
            np.rint(np.where(np.isnan(low) | missing, -np.inf, low))[:, lead:],
            np.rint(np.where(np.isnan(high) | missing, np.inf, high))[:, lead:],
            out.estimated[:, lead:],
            out.suspect[:, lead:],
            (out.due | missing)[:, lead:],
        )


def _both(minutes: Bools, combine: np.ufunc) -> Bools:
    """Of each minute and the one before it; false in the first one."""
    first = np.zeros((len(minutes), 1), np.bool_)
    return np.concatenate([first, combine(minutes[:, 1:], minutes[:, :-1])], axis=1)


def _mean_bounds(point: PointPlan) -> tuple[float, float]:
    return point.range or (-np.inf, np.inf)


def _column(bounds: object) -> tuple[Floats, Floats]:
    """Pairs of bounds as two columns [point, 1]."""
    both = np.array(list(bounds), np.float64).reshape(-1, 2)  # type: ignore[call-overload]
    return both[:, :1], both[:, 1:]
