"""Factors and their editions stretch by stretch: a window across a change of edition used both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from kpis.factors import co2_direct_factor, co2_location_factor, co2_market_factor, energy_factor
from plant.calendar import Calendar
from plant.model import Kpi, Plant, Term

Ints = NDArray[np.int64]
_FACTORS = {
    "energy": energy_factor,
    "co2_direct": co2_direct_factor,
    "co2_location": co2_location_factor,
    "co2_market": co2_market_factor,
}
QUANTITIES = frozenset(_FACTORS)
FOREVER = 2**62


def _changes(plant: Plant, used: Iterable[tuple[str, str]]) -> list[date]:
    """The local days on which a factor of (carrier, quantity) changes."""
    pairs = set(used)
    days = {factor.since for factor in plant.factors if (factor.carrier, factor.quantity) in pairs}
    days |= {fuel.since for carrier, _ in pairs for fuel in plant.fuels.get(carrier, [])}
    return sorted(day for day in days if day is not None)


def _used(plant: Plant, terms: Iterable[Term]) -> list[tuple[str, str]]:
    return [(plant.points[term.point].carrier or "", term.as_) for term in terms if term.as_ in QUANTITIES]


def factor_values(plant: Plant, calendar: Calendar, terms: Sequence[Term]) -> tuple[Ints, NDArray[np.float64]]:
    """What the amounts of terms are multiplied by, `times` included, in each stretch between changes of factors.

    Returns the bounds between stretches [µs UTC] and float64 [term, stretch]; nan where no factor is in force.
    """
    changes = _changes(plant, _used(plant, terms))
    values = np.empty((len(terms), len(changes) + 1))
    for row, term in enumerate(terms):
        values[row] = term.times
        if term.as_ in QUANTITIES:
            factor = _FACTORS[term.as_]
            carrier = plant.points[term.point].carrier or ""
            values[row] *= [factor(plant, carrier, day)[0] for day in [date.min, *changes]]
    return np.array([calendar.midnight(day) for day in changes], np.int64), values


@dataclass(frozen=True)
class Editions:
    """`bounds` [µs UTC] part time into stretches; `names` are the editions in force in each."""

    bounds: Ints
    names: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, plant: Plant, kpi: Kpi, calendar: Calendar) -> Editions:
        """The editions that a KPI's terms use, stretch by stretch."""
        used = sorted(set(_used(plant, kpi.terms())))
        changes = _changes(plant, used)
        names = []
        for day in [date.min, *changes]:
            found = [_FACTORS[quantity](plant, carrier, day)[1] for carrier, quantity in used]
            names.append(tuple(dict.fromkeys(name for name in found if name)))
        return cls(np.array([calendar.midnight(day) for day in changes], np.int64), tuple(names))

    def text(self, first: int, last: int) -> str:
        """The editions in force from one instant to another, both included [µs UTC], in order of time."""
        low, high = (int(np.searchsorted(self.bounds, at, "right")) for at in (first, last))
        return "; ".join(dict.fromkeys(name for stretch in self.names[low : high + 1] for name in stretch))


class EditionTexts:
    """The editions that each of several KPIs used over windows, as texts."""

    def __init__(self, editions: Sequence[Editions]) -> None:
        self._editions = editions
        self._bounds = (
            np.unique(np.concatenate([one.bounds for one in editions])) if editions else np.empty(0, np.int64)
        )
        self._known: dict[tuple[int, int], list[str]] = {}

    def of(self, starts: Ints, ends: Ints) -> tuple[list[str], NDArray[np.intp]]:
        """Texts, one a KPI for each set of windows that used the same, and which set each window [start, end) is of."""
        low = np.searchsorted(self._bounds, starts, "right").tolist()
        high = np.searchsorted(self._bounds, ends - 1, "right").tolist()
        sets: dict[tuple[int, int], int] = {}
        of = [sets.setdefault(pair, len(sets)) for pair in zip(low, high, strict=True)]
        return [text for pair in sets for text in self._texts(pair)], np.array(of, np.intp)

    def _texts(self, pair: tuple[int, int]) -> list[str]:
        if pair not in self._known:
            # a stretch of the scope lies within one of each KPI: its last instant tells which
            first, last = (int(self._bounds[at]) - 1 if at < len(self._bounds) else FOREVER for at in pair)
            self._known[pair] = [one.text(first, last) for one in self._editions]
        return self._known[pair]
