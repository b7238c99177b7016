"""A balance adds things of one unit, and the KPIs that it is counted as take no name that is taken."""

from __future__ import annotations

from collections.abc import Iterator

from plant.check_terms import sound_term, term_unit
from plant.check_units import known
from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Balance, Term
from plant.model_computed import BALANCE_PARTS
from plant.partial import tolerant
from plant.units import conversion

_NO_FLOW = ("cost", "demand", "hours", "reference_oxygen", "stock")
_NAME_MAX = 64


def check(draft: Draft) -> Iterator[Fault]:
    """Terms that lack something or are of another unit, stores that are no level, names that clash."""
    for name, balance in draft.plant.balances.items():
        yield from _names(draft, name)
        for side, field in (("in", "in_"), ("out", "out"), ("estimated", "estimated")):
            for index, term in enumerate(getattr(balance, field, ())):
                where = ("balances", name, side, index)
                yield from tolerant(_term(draft, where, term, balance))
        for index, point in enumerate(getattr(balance, "stock", ())):
            where = ("balances", name, "stock", index)
            term = Term.model_validate({"point": point, "as": "stock"})
            yield from tolerant(_stock(draft, where, term, balance))


def _names(draft: Draft, name: str) -> Iterator[Fault]:
    longest = max(len(f"{name}_{part}") for part in BALANCE_PARTS)
    if longest > _NAME_MAX:
        message = f"balances.{name}: its KPIs would have names of {longest} characters"
        yield draft.fault(("balances", name), message, f"shorten it by {longest - _NAME_MAX}")
    for part in BALANCE_PARTS:
        taken = f"{name}_{part}"
        if taken in draft.declared["kpis"]:
            line = draft.document.line(("kpis", taken))
            message = f"balances.{name}: it is counted as a KPI '{taken}', and there is one on line {line}"
            yield draft.fault(("balances", name), message, "give the balance or the KPI another name")


def _term(draft: Draft, where: Where, term: Term, balance: Balance) -> Iterator[Fault]:
    label = ".".join(str(step) for step in where)
    if term.as_ in _NO_FLOW:
        hint = "name levels of stores under 'stock'" if term.as_ == "stock" else "name the points whose amounts flow"
        yield draft.fault((*where, "as"), f"{label}: '{term.as_}' is nothing that comes in or goes out", hint)
        return
    faults = list(sound_term(draft, where, term))
    yield from faults
    if not faults:
        yield from _unit(draft, where, term, balance)


def _stock(draft: Draft, where: Where, term: Term, balance: Balance) -> Iterator[Fault]:
    point = draft.plant.points.get(term.point)
    if point is None:
        return
    if point.kind != "level":
        label = ".".join(str(step) for step in where)
        message = f"{label}: '{term.point}' is a {point.kind}, of which nothing is in stock"
        yield draft.fault(where, message, "name the level of the tank or store, in the unit of its content")
    else:
        yield from _unit(draft, where, term, balance)


def _unit(draft: Draft, where: Where, term: Term, balance: Balance) -> Iterator[Fault]:
    """A term of another size than the balance's unit says so by its `times`; one of another thing does not belong."""
    unit = term_unit(draft, term)
    if unit is None or not known(unit) or not known(balance.unit):
        return
    label = ".".join(str(step) for step in where)
    try:
        size = conversion(unit, balance.unit)
    except ValueError:
        message = f"{label}: {unit} does not belong into a balance of {balance.unit}"
        yield draft.fault(where, message, "a balance holds things of one kind only")
        return
    if abs(size - 1) >= 1e-9 and (term.as_ == "stock" or abs(abs(term.times) / size - 1) >= 1e-9):
        hint = f"write 'times: {size:.12g}' in this term"
        if term.as_ == "stock":
            hint = f"give the point in {balance.unit} ('unit' and 'scale')"
        yield draft.fault(where, f"{label}: {unit} in a balance of {balance.unit}", hint)
