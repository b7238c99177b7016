"""What a scope's KPIs are over windows, from their sums: value, range, coverage, quality and, where unknown, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpis.ratio import Range, distances, grades, ratio, ratio_range
from pipeline.peaks import BOUNDLESS, HIGH, LOW, NONE, VALUE
from pipeline.running import Ints, Sums
from pipeline.sums import Field
from pipeline.terms import STEPS
from plant.model import Kpi

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
GOOD_COVERAGE = 0.9
REASONS = (
    "",
    "no data",
    "coverage below limit",
    "production below minimum",
    "waits for late production",
    "counted by whole months",
)
NO_DATA, LOW_COVERAGE, LOW_PRODUCTION, WAITS, WHOLE_MONTHS = range(1, 6)
GOOD, ESTIMATED, SUSPECT, BAD = range(4)


@dataclass(frozen=True)
class Peaked:
    """Highest quarter hours of each window, [window, place, (value, low, high)], and demand charges.

    `charges` [window, charge, (value, low, high)] are in the currency; nan where unknown, `charged` says in which
    windows a demand charge means anything.
    """

    peaks: Sums
    charges: Floats
    charged: Bools


class Rules:
    """What does not change about a scope's KPIs: columns of settings, [KPI].

    `key_of` names the column that holds the key of an allocated KPI, `most_of` that of what bounds its denominator,
    `peak_of` the place of a KPI among the peaks,
    `charged` the KPI of each demand charge.
    """

    def __init__(
        self,
        kpis: Sequence[Kpi],
        key_of: Mapping[int, int],
        most_of: Mapping[int, int],
        peak_of: Mapping[int, int],
        charged: Sequence[int],
    ) -> None:
        listed = list(kpis)
        targets = [kpi.target for kpi in listed]
        self.count = len(listed)
        self.times = np.array([kpi.times for kpi in listed])
        self.divided = np.array([bool(kpi.denominator) for kpi in listed], np.bool_)
        self.minimum = np.array([max(kpi.minimum, 1 / STEPS) if kpi.denominator else -np.inf for kpi in listed])
        self.coverage = np.array([kpi.coverage_limit for kpi in listed])
        self.lower = np.array([kpi.better == "lower" for kpi in listed], np.bool_)
        self.target = np.array([np.nan if target is None else target.near_term for target in targets])
        limits = [target.grades if target and target.grades else (np.nan,) * 3 for target in targets]
        self.grades = np.array(limits).reshape(-1, 3)
        self.keyed, self.keys = np.array(list(key_of), np.intp), np.array(list(key_of.values()), np.intp)
        self.capped, self.caps = np.array(list(most_of), np.intp), np.array(list(most_of.values()), np.intp)
        self.peaked, self.peaks = np.array(list(peak_of), np.intp), np.array(list(peak_of.values()), np.intp)
        self.charged = np.array(charged, np.intp)
        self.plain = np.ones(self.count, np.bool_)
        self.plain[[*self.capped.tolist(), *self.keyed.tolist(), *self.peaked.tolist(), *self.charged.tolist()]] = False


@dataclass(frozen=True)
class Figures:
    """Columns [window, KPI]; `reason` indexes REASONS, `quality` is a code of `Quality`, `grade` one of I, II, III."""

    value: Floats
    low: Floats
    high: Floats
    numerator: Floats
    denominator: Floats
    coverage: Floats
    expected: Floats
    distance: Floats
    grade: NDArray[np.int64]
    reason: NDArray[np.int64]
    quality: NDArray[np.int64]


def figures(
    rules: Rules, totals: Sums, whole: Bools, length: Ints, late: Bools, graded: Bools, peaked: Peaked | None
) -> Figures:
    """Every KPI over every window.

    Arguments: `totals` [window, column, field]; `whole` [window, column], whether all of the window was summed;
    `length` of the windows [min]; `late` [window, KPI], whether production may still be booked at the window's end;
    `graded` [window], whether grades are judged on it; `peaked` where a KPI needs quarter hours.
    """
    n, k = len(totals), rules.count
    own = totals[:, :k]
    known = own[..., Field.KNOWN]
    coverage = known / length[:, None]
    numerator = own[..., Field.NUMERATOR] / STEPS
    denominator = np.where(rules.divided, own[..., Field.DENOMINATOR] / STEPS, np.nan)
    if len(rules.capped):
        caps = totals[:, rules.caps, Field.NUMERATOR] / STEPS
        denominator[:, rules.capped] = np.minimum(denominator[:, rules.capped], caps)
    unbounded = (own[..., Field.UNBOUNDED] > 0) | ~whole[:, :k]
    value, bounds = _ranged(rules, totals, length, ~unbounded)
    if len(rules.keyed):
        unbounded[:, rules.keyed] |= (totals[:, rules.keys, Field.UNBOUNDED] > 0) | ~whole[:, rules.keys]
        numerator[:, rules.keyed] *= _share(totals[:, rules.keys])
    if len(rules.capped):
        unbounded[:, rules.capped] |= totals[:, rules.caps, Field.UNBOUNDED] > 0
    low, high = (np.where(unbounded, sign * np.inf, bound) for sign, bound in ((-1, bounds.low), (1, bounds.high)))
    enough = (coverage >= rules.coverage) & (known > 0)
    reason = np.where(rules.divided & ~(denominator >= rules.minimum), LOW_PRODUCTION, 0)
    reason[:, rules.keyed] = np.where(np.isnan(numerator[:, rules.keyed]), LOW_PRODUCTION, reason[:, rules.keyed])
    if peaked is not None:
        _with_peaks(rules, peaked, numerator, denominator, value, low, high)
        reason[:, rules.charged] = np.where(peaked.charged[:, None], reason[:, rules.charged], WHOLE_MONTHS)
    value = np.where(enough & (reason == 0), value, np.nan)
    reason = np.where((reason == 0) & np.isnan(value), NO_DATA, reason)
    reason = np.where(~enough & (reason != WHOLE_MONTHS), np.where(known == 0, NO_DATA, LOW_COVERAGE), reason)
    waits = late & ((known + own[..., Field.LATE]) >= rules.coverage * length[:, None])
    reason = np.where(~enough & waits & (reason != WHOLE_MONTHS), WAITS, reason)
    reason = np.where(np.isnan(value), reason, 0)
    scaled = (known < length[:, None]) & ~rules.divided
    quality = np.where((own[..., Field.ESTIMATED] > 0) | scaled | (coverage < GOOD_COVERAGE), ESTIMATED, GOOD)
    quality = np.where(own[..., Field.SUSPECT] > 0, SUSPECT, quality)
    quality = np.where(np.isnan(value), BAD, quality)
    modelled = (own[..., Field.EXPECTED_KNOWN] == known) & np.isfinite(value) & rules.plain
    with np.errstate(divide="ignore", invalid="ignore"):
        base = np.where(rules.divided, denominator, 1.0)
        expected = np.where(modelled, rules.times * (own[..., Field.EXPECTED] / STEPS) / base, np.nan)
    found = np.zeros((n, k), np.int64)
    if graded.any():
        found[graded] = grades(value[graded], rules.grades, rules.lower)
    return Figures(
        value,
        np.where(np.isfinite(low), low, np.nan),
        np.where(np.isfinite(high), high, np.nan),
        numerator,
        denominator,
        coverage,
        expected,
        distances(value, rules.target, rules.lower),
        found,
        reason,
        quality,
    )


def _ranged(rules: Rules, totals: Sums, length: Ints, bounded: Bools) -> tuple[Floats, Range]:
    """Values and their ranges over what unknown minutes may have been, which mean something where they are `bounded`.

    A plain sum over known minutes alone would read too low: it is scaled to the whole window, within what unknown
    minutes can have been.
    """
    own = totals[:, : rules.count]
    amount, upper = _range(own, Field.NUMERATOR, Field.NUMERATOR_LOW, Field.NUMERATOR_HIGH)
    below, under = _range(own, Field.DENOMINATOR, Field.DENOMINATOR_LOW, Field.DENOMINATOR_HIGH)
    if len(rules.keyed):
        at = rules.keyed
        keys = totals[:, rules.keys]
        part = _bounded_ratio(
            _range(keys, Field.NUMERATOR, Field.NUMERATOR_LOW, Field.NUMERATOR_HIGH)[1],
            _range(keys, Field.DENOMINATOR, Field.DENOMINATOR_LOW, Field.DENOMINATOR_HIGH)[1],
        )
        shares = np.clip(part.low, 0.0, 1.0), np.clip(part.high, 0.0, 1.0)
        corners = [bound[:, at] * share for bound in upper for share in shares]
        amount[:, at] *= _share(keys)
        upper.low[:, at], upper.high[:, at] = np.minimum.reduce(corners), np.maximum.reduce(corners)
    if len(rules.capped):
        most, over = _range(totals[:, rules.caps], Field.NUMERATOR, Field.NUMERATOR_LOW, Field.NUMERATOR_HIGH)
        for side, cap in ((below, most), (under.low, over.low), (under.high, over.high)):
            side[:, rules.capped] = np.minimum(side[:, rules.capped], cap)
    ends = upper.low * rules.times, upper.high * rules.times
    low, high = np.minimum(*ends), np.maximum(*ends)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = amount * rules.times * (length[:, None] / own[..., Field.KNOWN])
    plain = np.where(bounded, np.clip(scaled, low, high), scaled)
    shared = _bounded_ratio(upper, under, rules.times)
    value = np.where(rules.divided, ratio(amount, below, rules.times, rules.minimum), plain)
    return value, Range(np.where(rules.divided, shared.low, low), np.where(rules.divided, shared.high, high))


def _bounded_ratio(numerator: Range, denominator: Range, times: Floats | float = 1.0) -> Range:
    """The range of a ratio; nothing divided by nothing is no bound."""
    found = ratio_range(numerator, denominator, times)
    low = (numerator.low == 0) & ~(denominator.high > 0)
    high = (numerator.high == 0) & ~(denominator.low > 0)
    return Range(np.where(low, -np.inf, found.low), np.where(high, np.inf, found.high))


def _range(sums: Sums, amount: Field, low: Field, high: Field) -> tuple[Floats, Range]:
    """A sum in its own unit and what it may have been."""
    own = sums[..., amount]
    return own / STEPS, Range((own + sums[..., low]) / STEPS, (own + sums[..., high]) / STEPS)


def _share(keys: Sums) -> Floats:
    """A product's share of the key; unknown where there was none of it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Floats = keys[..., Field.NUMERATOR] / keys[..., Field.DENOMINATOR]
    return np.where(keys[..., Field.DENOMINATOR] > 0, share, np.nan)


def _with_peaks(
    rules: Rules, peaked: Peaked, numerator: Floats, denominator: Floats, value: Floats, low: Floats, high: Floats
) -> None:
    """Puts peaks in the place of sums, and adds demand charges to them (in place)."""
    if len(rules.peaked):
        at, times = rules.peaked, rules.times[rules.peaked]
        peak = peaked.peaks[:, rules.peaks]
        value[:, at] = np.where(peak[..., VALUE] == NONE, np.nan, peak[..., VALUE] / STEPS * times)
        least = np.where(peak[..., LOW] == NONE, -np.inf, peak[..., LOW] / STEPS * times)
        most = np.where(peak[..., HIGH] == BOUNDLESS, np.inf, peak[..., HIGH] / STEPS * times)
        boundless = ~np.isfinite(high[:, at])
        low[:, at] = np.where(boundless, -np.inf, np.minimum(least, most))
        high[:, at] = np.where(boundless, np.inf, np.maximum(least, most))
    for place, kpi in enumerate(rules.charged.tolist()):
        charge = peaked.charges[:, place]
        with np.errstate(divide="ignore", invalid="ignore"):
            per = rules.times[kpi] / (denominator[:, kpi] if rules.divided[kpi] else 1.0)
            numerator[:, kpi] += np.nan_to_num(charge[:, VALUE])
            value[:, kpi] += charge[:, VALUE] * per
            low[:, kpi] += charge[:, LOW] * per
            high[:, kpi] += charge[:, HIGH] * per
