"""One carrier, one calorific value, one factor and one price at a time, all per the unit in which it is measured."""

from __future__ import annotations

from collections.abc import Iterator

from plant.check_units import known, natural_unit, same
from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Factor, Plant

_DERIVED = ("energy", "co2_direct")


def check(draft: Draft) -> Iterator[Fault]:
    """Editions that hold at one time, factors beside a calorific value, coefficients per another unit."""
    yield from _editions(draft)
    yield from _beside_fuels(draft)
    yield from _units(draft)


def _editions(draft: Draft) -> Iterator[Fault]:
    """Entries of one thing with the same `from`, of which nobody could say which one holds."""
    first: dict[tuple[object, ...], Where] = {}
    for where, what, since in _dated(draft):
        key = (*what, since)
        if key not in first:
            first[key] = where
            continue
        when = f"from {since}" if since else "without 'from'"
        line = draft.document.line(first[key])
        label = ".".join(str(step) for step in where)
        named = {"fuels": "calorific values", "factors": "factors", "tariffs": "tariffs"}[str(what[0])]
        of = " ".join(str(part) for part in what[1:])
        message = f"{label}: two {named} of {of} in force at once, both {when}"
        yield draft.fault(where, message, f"the other is on line {line}: keep one, or date them apart with 'from'")


def _dated(draft: Draft) -> Iterator[tuple[Where, tuple[object, ...], object]]:
    for name, editions in draft.plant.fuels.items():
        for index, fuel in enumerate(editions):
            yield ("fuels", name, index), ("fuels", name), fuel.since
    for index, factor in enumerate(draft.plant.factors):
        yield draft.at("factors", index), ("factors", factor.carrier, factor.quantity), factor.since
    for index, tariff in enumerate(draft.plant.tariffs):
        yield draft.at("tariffs", index), ("tariffs", tariff.carrier), tariff.since


def _beside_fuels(draft: Draft) -> Iterator[Fault]:
    for index, factor in enumerate(draft.plant.factors):
        if factor.carrier in draft.declared["fuels"] and factor.quantity in _DERIVED:
            where = draft.at("factors", index)
            label = ".".join(str(step) for step in where)
            line = draft.document.line(("fuels", factor.carrier))
            message = f"{label}: a factor for {factor.quantity} of {factor.carrier} beside its calorific value"
            hint = f"remove it: kgce and CO2 of a fuel derive from the one 'ncv' on line {line}"
            yield draft.fault(where, message, hint)


def _units(draft: Draft) -> Iterator[Fault]:
    """A coefficient that fits none of its carrier's points is wrong itself; else the points that it misses are."""
    missed: set[str] = set()
    for where, carrier, unit, result in _coefficients(draft.plant, draft):
        measured = _measured(draft.plant, carrier)
        if not known(unit):
            yield draft.fault(where, f"{'.'.join(map(str, where))}: '{unit}' is not a unit", "")
            continue
        wrong = [name for name, amount in measured.items() if not _fits(unit, amount, result)]
        if wrong and len(wrong) == len(measured):
            amount = measured[wrong[0]]
            right = f"{result}/{amount}" if result else amount
            message = f"{'.'.join(map(str, where))}: '{unit}' does not fit: {carrier} is measured in {amount}"
            yield draft.fault(where, message, f"write {right}")
        elif wrong:
            missed |= set(wrong)
    for name in sorted(missed):
        point = draft.plant.points[name]
        message = f"points.{name}.unit: '{point.unit}' is not the unit of carrier '{point.carrier}'"
        hint = "give it in the unit of the other points of that carrier ('unit' and 'scale')"
        yield draft.fault(("points", name, "unit"), message, hint)


def _coefficients(plant: Plant, draft: Draft) -> Iterator[tuple[Where, str, str, str]]:
    """Where a coefficient's unit stands, its carrier, the unit, and what it gives ("" for a unit of the carrier)."""
    for name, editions in plant.fuels.items():
        for index, fuel in enumerate(editions):
            yield ("fuels", name, index, "unit"), name, fuel.unit, ""
    for index, factor in enumerate(plant.factors):
        yield (*draft.at("factors", index), "unit"), factor.carrier, factor.unit, _result(factor)
    for index, tariff in enumerate(plant.tariffs):
        yield (*draft.at("tariffs", index), "unit"), tariff.carrier, tariff.unit, ""


def _result(factor: Factor) -> str:
    return "kgce" if factor.quantity == "energy" else "kg"


def _measured(plant: Plant, carrier: str) -> dict[str, str]:
    """The points of a carrier and the units of their amounts."""
    found = {name: natural_unit(point) for name, point in plant.points.items() if point.carrier == carrier}
    return {name: unit for name, unit in found.items() if unit is not None}


def _fits(unit: str, amount: str, result: str) -> bool:
    return same(f"({unit})*({amount})", result) if result else same(unit, amount)
