"""One carrier, one calorific value, one factor and one price at a time, all per the unit in which it is measured."""

from __future__ import annotations

from collections.abc import Iterator

from plant.check_units import known, natural_unit, same
from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Factor, Fuel, Plant
from plant.partial import tolerant
from plant.unit_hints import suggest
from plant.units import conversion

_DERIVED = ("energy", "co2_direct")
_CALORIFIC = (1.0, 150.0)  # MJ per kg or m3


def check(draft: Draft) -> Iterator[Fault]:
    """Editions that hold at one time, factors beside a calorific value, coefficients per another unit."""
    yield from _editions(draft)
    yield from _beside_fuels(draft)
    yield from _units(draft)
    for name, fuels in draft.plant.fuels.items():
        for index, fuel in enumerate(fuels):
            yield from tolerant(_calorific(draft, ("fuels", name, index, "ncv"), fuel))


def _calorific(draft: Draft, where: Where, fuel: Fuel) -> Iterator[Fault]:
    """Fuels hold a few MJ per m3 (furnace gas) to about 130 MJ per kg (hydrogen)."""
    size = next((size for unit in ("kg", "m3", "Nm3") if (size := _size(fuel.unit, unit)) is not None), None)
    if size is None:
        return
    # A liquid by the litre holds as much as others by the kilogram.
    per = fuel.ncv / size if _size(fuel.unit, "kg") or size >= 1 else fuel.ncv
    if not _CALORIFIC[0] <= per <= _CALORIFIC[1]:
        kilo = _CALORIFIC[0] <= per / 1000 <= _CALORIFIC[1]
        hint = (
            f"is it kJ? then write {fuel.ncv / 1000:g}" if kilo else "write it in MJ per unit, as 38.9 for natural gas"
        )
        message = f"{'.'.join(map(str, where))}: {fuel.ncv:g} MJ per {fuel.unit} is no calorific value of a fuel"
        yield draft.fault(where, message, hint)


def _size(unit: str, other: str) -> float | None:
    """How many of another unit one is; None when they measure different things."""
    try:
        return conversion(unit, other)
    except ValueError:
        return None


def _editions(draft: Draft) -> Iterator[Fault]:
    """Entries of one thing of which nobody could say which one holds: with the same `from`, or without one.

    Without `from` an entry holds since ever, which only the first of its kind can mean.
    """
    seen: dict[tuple[object, ...], dict[object, Where]] = {}
    for where, what, since in _dated(draft):
        others = seen.setdefault(what, {})
        clash = since if since in others else next(iter(others)) if since is None and others else ...
        others.setdefault(since, where)
        if clash is ...:
            continue
        line = draft.document.line(others[clash])
        label = ".".join(str(step) for step in where)
        named = {"fuels": "calorific values", "factors": "factors", "tariffs": "tariffs"}[str(what[0])]
        of = " ".join(str(part) for part in what[1:])
        message = f"{label}: two {named} of {of} in force at once"
        if clash == since:
            when = f"from {since}" if since else "without 'from'"
            hint = f"the other is on line {line}: keep one, or date them apart with 'from'"
            yield draft.fault(where, f"{message}, both {when}", hint)
        else:
            hint = f"give it a 'from: …'; the other is on line {line}"
            yield draft.fault(where, f"{message}, this one without 'from'", hint)


def _dated(draft: Draft) -> Iterator[tuple[Where, tuple[object, ...], object]]:
    for name, editions in draft.plant.fuels.items():
        for index, fuel in enumerate(editions):
            if hasattr(fuel, "since"):
                yield ("fuels", name, index), ("fuels", name), fuel.since
    for index, factor in enumerate(draft.plant.factors):
        if all(hasattr(factor, field) for field in ("carrier", "quantity", "since")):
            yield draft.at("factors", index), ("factors", factor.carrier, factor.quantity), factor.since
    for index, tariff in enumerate(draft.plant.tariffs):
        if hasattr(tariff, "carrier") and hasattr(tariff, "since"):
            yield draft.at("tariffs", index), ("tariffs", tariff.carrier), tariff.since


def _beside_fuels(draft: Draft) -> Iterator[Fault]:
    for index, factor in enumerate(draft.plant.factors):
        if getattr(factor, "carrier", "") in draft.declared["fuels"] and getattr(factor, "quantity", "") in _DERIVED:
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
            yield draft.fault(where, f"{'.'.join(map(str, where))}: '{unit}' is not a unit", suggest(unit))
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
            if hasattr(fuel, "unit"):
                yield ("fuels", name, index, "unit"), name, fuel.unit, ""
    for index, factor in enumerate(plant.factors):
        if all(hasattr(factor, field) for field in ("carrier", "quantity", "unit")):
            yield (*draft.at("factors", index), "unit"), factor.carrier, factor.unit, _result(factor)
    for index, tariff in enumerate(plant.tariffs):
        if hasattr(tariff, "carrier") and hasattr(tariff, "unit"):
            yield (*draft.at("tariffs", index), "unit"), tariff.carrier, tariff.unit, ""


def _result(factor: Factor) -> str:
    return "kgce" if factor.quantity == "energy" else "kg"


def _measured(plant: Plant, carrier: str) -> dict[str, str]:
    """The points of a carrier and the units of their amounts."""
    found = {
        name: natural_unit(point) for name, point in plant.points.items() if getattr(point, "carrier", None) == carrier
    }
    return {name: unit for name, unit in found.items() if unit is not None}


def _fits(unit: str, amount: str, result: str) -> bool:
    return same(f"({unit})*({amount})", result) if result else same(unit, amount)
