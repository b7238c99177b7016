"""A KPI's terms minute by minute: amounts in STEP, whether they are known, and what they may be where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpis import terms as science
from kpis.factors import factor_series
from kpis.tariffs import price_series
from pipeline.facts import KNOWN_COVERAGE
from pipeline.minutes import STEP, Minutes
from pipeline.plans import PlantPlan, PointPlan
from plant.model import Kind, Term
from plant.reading import MINUTE, Quality

Floats = NDArray[np.float64]
UNBOUNDED = np.inf


@dataclass
class Amounts:
    """One term over consecutive minutes: float64 amounts [STEP, whole numbers] and what is known of them.

    `low` and `high` are what an amount may have been: the amount itself where it was measured, anything that the
    declared range allows where it is unknown or estimated.
    """

    amount: Floats
    known: NDArray[np.bool_]
    low: Floats
    high: Floats
    estimated: NDArray[np.bool_]
    suspect: NDArray[np.bool_]


def evaluate(plan: PlantPlan, term: Term, facts: dict[str, Minutes]) -> Amounts:
    """The amounts of a term; `facts` holds the same minutes of every point it names."""
    point = plan.points[term.point]
    own = facts[term.point]
    minutes = (own.start + np.arange(len(own.amount), dtype=np.int64)) * MINUTE
    parts = [facts[name] for name in term.names()]
    known = np.logical_and.reduce([known_minutes(part) for part in parts])
    if term.as_ == "hours":
        amount = np.where(known, 1 / 60, 0.0)
        low, high = amount, np.full(len(own.amount), 1 / 60)
    elif term.as_ in ("load", "cooling", "normalised_flow"):
        amount, low, high = _derived(plan, term, facts)
    else:
        factor = _factor(plan, term, point, minutes)
        amount = own.amount * STEP * factor
        known &= np.isfinite(factor)
        low, high = _span(point, own, amount=True)
        low, high = low * factor, high * factor
    known &= np.isfinite(amount)
    low, high = low * term.times, high * term.times
    with np.errstate(invalid="ignore"):
        low, high = np.minimum(low, high), np.maximum(low, high)
    return Amounts(
        _steps(np.where(known, amount * term.times, 0.0)),
        known,
        _steps(np.nan_to_num(low, nan=-UNBOUNDED, neginf=-UNBOUNDED)),
        _steps(np.nan_to_num(high, nan=UNBOUNDED, posinf=UNBOUNDED)),
        np.logical_or.reduce([part.estimated > 0 for part in parts]),
        np.logical_or.reduce([part.quality == Quality.SUSPECT for part in parts]),
    )


def known_minutes(facts: Minutes) -> NDArray[np.bool_]:
    """The minutes whose amount or mean counts: covered to at least nine tenths."""
    return facts.has & (facts.coverage >= KNOWN_COVERAGE)


def _steps(amount: Floats) -> Floats:
    return np.rint(amount / STEP)


def _factor(plan: PlantPlan, term: Term, point: PointPlan, minutes: NDArray[np.int64]) -> Floats:
    carrier = plan.plant.points[term.point].carrier or ""
    if term.as_ == "amount":
        return np.ones(len(minutes))
    if term.as_ == "cost":
        return price_series(plan.plant, carrier, minutes, plan.zone)
    quantity = term.as_
    assert quantity in ("energy", "co2_direct", "co2_location", "co2_market")
    return factor_series(plan.plant, carrier, quantity, minutes, plan.zone)[0]


def _span(point: PointPlan, facts: Minutes, amount: bool) -> tuple[Floats, Floats]:
    """What each minute is: measured ones as they are, others anything the point's declared range allows.

    An interval's amount is exact, only its course within the span is estimated: it stays as it is.
    """
    known = known_minutes(facts)
    sure = known & ((facts.estimated == 0) | (point.kind is Kind.INTERVAL))
    value = facts.amount * STEP if amount else facts.mean
    low, high = point.low, point.high
    if not amount and point.range:
        low, high = point.range
    least = np.where(known, np.minimum(value, low), low)
    most = np.where(known, np.maximum(value, high), high)
    return np.where(sure, value, least), np.where(sure, value, most)


def _derived(plan: PlantPlan, term: Term, facts: dict[str, Minutes]) -> tuple[Floats, Floats, Floats]:
    own = facts[term.point]
    if term.as_ == "load":
        assert term.flow is not None
        flow = facts[term.flow]
        amount = science.load(own.mean, flow.units())
        c = _span(plan.points[term.point], own, amount=False)
        q = _span(plan.points[term.flow], flow, amount=True)
        return amount, *_product(c, q, 1e-3)
    if term.as_ == "cooling":
        assert term.supply is not None and term.return_ is not None
        supply, back = facts[term.supply], facts[term.return_]
        amount = science.cooling(own.mean, supply.mean, back.mean)
        flow_span = _span(plan.points[term.point], own, amount=False)
        cold = _span(plan.points[term.supply], supply, amount=False)
        warm = _span(plan.points[term.return_], back, amount=False)
        return amount, *_product(
            flow_span, (warm[0] - cold[1], warm[1] - cold[0]), science.WATER_HEAT_KWH_PER_M3_K / 60
        )
    names = (term.temperature, term.feed_pressure, term.concentrate_pressure, term.permeate_pressure)
    temperature, feed, concentrate, permeate = (facts[name or ""].mean for name in names)
    assert term.design_pressure is not None
    amount = science.normalised_flow(own.units(), temperature, feed, concentrate, permeate, term.design_pressure)
    parts = [facts[name] for name in term.names()]
    sure = np.logical_and.reduce([known_minutes(part) & (part.estimated == 0) for part in parts])
    return amount, np.where(sure, amount, -UNBOUNDED), np.where(sure, amount, UNBOUNDED)


def _product(a: tuple[Floats, Floats], b: tuple[Floats, Floats], times: float) -> tuple[Floats, Floats]:
    """The range of a product whose factors lie in ranges; a range without bounds leaves none."""
    with np.errstate(invalid="ignore"):
        corners = np.stack([a[i] * b[j] * times for i in (0, 1) for j in (0, 1)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.where(np.isnan(low), -UNBOUNDED, low), np.where(np.isnan(high), UNBOUNDED, high)
