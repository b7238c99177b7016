"""Terms whose minute amount derives from several columns: loads, masses and the like, with what they may be.

Each kind of term is a function that compiles its terms to a piece of work on stacked columns [term, minute].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpis import terms as science
from plant.model import Plant, Term
from plant.units import conversion

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
HOURS_STEPS = 1_000_000 // 20
WATER_DENSEST = 3.98
WATER_RANGE = (0.0, 150.0)


@dataclass(frozen=True)
class Spanned:
    """Values [row, minute] and the least and the most that they may have been."""

    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, value: Floats, known: Bools, sure: Bools, bounds: tuple[Floats, Floats]) -> Spanned:
        """What each minute is: measured ones as they are, others anything the point's declared range allows."""
        low, high = bounds
        if sure.all():
            return cls(value, value, value)
        least = np.where(known, np.minimum(value, low), low)
        most = np.where(known, np.maximum(value, high), high)
        return cls(value, np.where(sure, value, least), np.where(sure, value, most))

    @classmethod
    def stock(cls, last: Floats, known: Bools, sure: Bools, bounds: tuple[Floats, Floats]) -> Spanned:
        """What was taken out of stores in each minute, from their levels at the minutes' ends; nan in the first one.

        Differences of whole numbers: the minutes of any stretch sum to the difference of its ends.
        """
        level = cls.of(np.where(known, np.rint(last), np.nan), known, sure, bounds)
        unknown = np.full((len(last), 1), np.nan)

        def less(before: Floats, after: Floats) -> Floats:
            with np.errstate(invalid="ignore"):
                return np.concatenate([unknown, before[:, :-1] - after[:, 1:]], axis=1)

        return cls(less(level.value, level.value), less(level.low, level.high), less(level.high, level.low))

    def join(self, other: Spanned) -> Spanned:
        """The rows of both."""
        pairs = ((self.value, other.value), (self.low, other.low), (self.high, other.high))
        return Spanned(*(np.concatenate(pair) for pair in pairs))

    def take(self, rows: Rows) -> Spanned:
        """Some of the rows."""
        return Spanned(self.value[rows], self.low[rows], self.high[rows])

    def scaled(self, factor: float) -> Spanned:
        """In another unit."""
        return Spanned(self.value * factor, self.low * factor, self.high * factor)

    def times(self, other: Spanned, value: Floats) -> Spanned:
        """A product, whose own value is given: its range, without bounds where a factor has none."""
        with np.errstate(invalid="ignore"):
            corners = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
            low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
        return Spanned(value, np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


@dataclass(frozen=True)
class Inputs:
    """What work is done on: [point, minute], amounts in their own unit."""

    minute: NDArray[np.int64]
    known: Bools
    sure: Bools
    amount: Spanned
    mean: Spanned


Work = Callable[[Inputs], Spanned]
Compile = Callable[[Plant, Mapping[str, int], Sequence[Term]], Work]


def _rows(row: Mapping[str, int], terms: Sequence[Term], field: str = "point") -> Rows:
    return np.array([row[getattr(term, field)] for term in terms], np.intp)


def _load(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    concentration, flow = _rows(row, terms), _rows(row, terms, "flow")

    def work(inputs: Inputs) -> Spanned:
        c, q = inputs.mean.take(concentration), inputs.amount.take(flow).scaled(1e-3)
        return c.times(q, science.load(c.value, inputs.amount.value[flow]))

    return work


def _content(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    material, content = _rows(row, terms), _rows(row, terms, "content")
    share = np.array([[conversion(plant.points[str(term.content)].unit, "1")] for term in terms])

    def work(inputs: Inputs) -> Spanned:
        m, w = inputs.amount.take(material), inputs.mean.take(content)
        w = Spanned(w.value * share, w.low * share, w.high * share)
        return m.times(w, science.content(m.value, w.value))

    return work


def _water_mass(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    volume, temperature = _rows(row, terms), _rows(row, terms, "temperature")

    def work(inputs: Inputs) -> Spanned:
        v, t = inputs.amount.take(volume), inputs.mean.take(temperature)
        coldest = np.clip(np.fmax(t.low, WATER_DENSEST), *WATER_RANGE)
        density = Spanned(t.value, science.water_density(np.clip(t.high, *WATER_RANGE)), science.water_density(coldest))
        return v.times(density, science.water_mass(v.value, t.value))

    return work


def _cooling(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    flow, supply, back = _rows(row, terms), _rows(row, terms, "supply"), _rows(row, terms, "return_")

    def work(inputs: Inputs) -> Spanned:
        q, cold, warm = inputs.mean.take(flow), inputs.mean.take(supply), inputs.mean.take(back)
        with np.errstate(invalid="ignore"):
            difference = Spanned(warm.value, warm.low - cold.high, warm.high - cold.low)
        taken = q.scaled(science.WATER_HEAT_KWH_PER_M3_K / 60)
        return taken.times(difference, science.cooling(q.value, cold.value, warm.value))

    return work


def _normalised_flow(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    permeate = _rows(row, terms)
    fields = ("temperature", "feed_pressure", "concentrate_pressure", "permeate_pressure")
    others = [_rows(row, terms, field) for field in fields]
    design = np.array([[term.design_pressure] for term in terms], np.float64)

    def work(inputs: Inputs) -> Spanned:
        temperature, feed, concentrate, product = (inputs.mean.value[rows] for rows in others)
        value = science.normalised_flow(inputs.amount.value[permeate], temperature, feed, concentrate, product, design)
        sure = np.logical_and.reduce([inputs.sure[rows] for rows in (permeate, *others)])
        return Spanned(value, np.where(sure, value, -np.inf), np.where(sure, value, np.inf))

    return work


def _reference_oxygen(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    concentration, oxygen = _rows(row, terms), _rows(row, terms, "oxygen")
    reference = np.array([[term.reference] for term in terms], np.float64)

    def work(inputs: Inputs) -> Spanned:
        c, o = inputs.mean.take(concentration), inputs.mean.take(oxygen)
        air = science.AIR_OXYGEN
        with np.errstate(divide="ignore"):
            low, high = ((air - reference) / np.maximum(air - bound, 0.0) for bound in (o.low, o.high))
        hours = Spanned(o.value, low / 60, high / 60)
        return c.times(hours, science.at_reference_oxygen(c.value, o.value, reference) / 60)

    return work


def _reference_drainage(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    made = _rows(row, terms)
    per_unit = np.array([[term.per_unit] for term in terms], np.float64)

    def work(inputs: Inputs) -> Spanned:
        amount = inputs.amount.take(made)
        columns = (amount.value, amount.low, amount.high)
        return Spanned(*(science.reference_drainage(column, per_unit) for column in columns))

    return work


def _hours(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    """A sixtieth of an hour each, in whole STEPs that sum to the hour's."""
    point = _rows(row, terms)

    def work(inputs: Inputs) -> Spanned:
        third = inputs.minute % 3
        length = ((third + 1) * HOURS_STEPS // 3 - third * HOURS_STEPS // 3) / 1e6
        value = np.where(inputs.known[point], length, 0.0)
        return Spanned(value, value, np.broadcast_to(length, value.shape))

    return work


def _demand(plant: Plant, row: Mapping[str, int], terms: Sequence[Term]) -> Work:
    """Nothing by the minute: the charge is for the highest quarter hour of a whole month."""

    def work(inputs: Inputs) -> Spanned:
        nothing = np.zeros((len(terms), inputs.known.shape[1]))
        return Spanned(nothing, nothing, nothing)

    return work


WORK: dict[str, Compile] = {
    "load": _load,
    "content": _content,
    "water_mass": _water_mass,
    "cooling": _cooling,
    "normalised_flow": _normalised_flow,
    "reference_oxygen": _reference_oxygen,
    "reference_drainage": _reference_drainage,
    "hours": _hours,
    "demand": _demand,
}
