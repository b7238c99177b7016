"""A KPI's terms must have what their kind of term needs, and its unit must be what the formula gives.

value = times · Σ numerator / Σ denominator, each term in its natural unit: amounts in the point's amount unit, energy
in kgce, CO2 and loads in kg, costs in the site's currency, cooling in kWh, normalised flow in m3, hours in h.
"""

from __future__ import annotations

from collections.abc import Iterator

from plant.check_points import SUMMABLE
from plant.check_references import carriers
from plant.check_units import known, natural_unit, same
from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Kind, Kpi, Term
from plant.partial import tolerant
from plant.units import POWERS, conversion

_NEEDS: dict[str, tuple[str, ...]] = {
    "load": ("flow",),
    "content": ("content",),
    "water_mass": ("temperature",),
    "reference_oxygen": ("oxygen", "reference"),
    "reference_drainage": ("per_unit",),
    "cooling": ("supply", "return"),
    "normalised_flow": (
        "temperature",
        "feed_pressure",
        "concentrate_pressure",
        "permeate_pressure",
        "design_pressure",
    ),
}
_NATURAL = {
    "energy": "kgce",
    "co2_direct": "kg",
    "co2_location": "kg",
    "co2_market": "kg",
    "load": "kg",
    "cooling": "kWh",
    "normalised_flow": "m3",
    "water_mass": "kg",
    "reference_drainage": "m3",
    "hours": "h",
}
_CARRIED = ("energy", "co2_direct", "co2_location", "co2_market")
_PRICED = ("cost", "demand")
_STATES = frozenset({Kind.LEVEL, Kind.SAMPLE})
# Term, its key → the unit that the named point must have; the key "point" is the term's own.
_UNITS = {
    "load": {"point": "mg/L", "flow": "m3"},
    "content": {"content": "1"},
    "water_mass": {"point": "m3", "temperature": "degC"},
    "reference_oxygen": {"point": "mg/m3", "oxygen": "%"},
    "cooling": {"point": "m3/h", "supply": "degC", "return": "degC"},
    "normalised_flow": {
        "point": "m3",
        "temperature": "degC",
        "feed_pressure": "bar",
        "concentrate_pressure": "bar",
        "permeate_pressure": "bar",
    },
}
_AMOUNTS = {("load", "flow"), ("normalised_flow", "point"), ("water_mass", "point")}


def check(draft: Draft) -> Iterator[Fault]:
    """Terms that lack or misuse something, sums of unlike things, units and `times` that do not fit the formula."""
    for name, kpi in draft.plant.kpis.items():
        before = []
        for side in ("numerator", "denominator", "no_more_than"):
            terms = getattr(kpi, side, None)
            if terms is None:
                continue
            if side == "numerator" and not terms:
                before.append(draft.fault(("kpis", name, side), f"kpis.{name}.numerator: is empty", "name a point"))
            for index, term in enumerate(terms):
                before.extend(tolerant(sound_term(draft, ("kpis", name, side, index), term)))
        yield from before
        if not before:
            yield from tolerant(_formula(draft, name, kpi))


def sound_term(draft: Draft, where: Where, term: Term) -> Iterator[Fault]:
    """What one term lacks or misuses."""
    label = ".".join(str(step) for step in where)
    needs = _NEEDS.get(term.as_, ())
    given = {_key(field) for field in term.model_fields_set} - {"point", "as", "times"}
    for key in needs:
        if key not in given and hasattr(term, _field(key)):
            yield draft.fault(where, f"{label}: {term.as_} needs '{key}'", f"add '{key}: …'")
    for key in sorted(given - set(needs)):
        hint = f"leave it out; '{term.as_}' knows {', '.join(needs) or 'no further keys'}"
        yield draft.fault((*where, key), f"{label}.{key}: does not belong to '{term.as_}'", hint)
    yield from tolerant(_kind(draft, where, term))
    for key, wanted in _UNITS.get(term.as_, {}).items():
        point = draft.plant.points.get(str(getattr(term, _field(key), None)))
        if point is None or not known(getattr(point, "unit", "")):
            continue
        unit = natural_unit(point) if (term.as_, key) in _AMOUNTS else point.unit
        if wanted == "1" and unit is not None and _share(unit):
            continue
        if unit is not None and not same(unit, wanted):
            shown = "a share, as %" if wanted == "1" else wanted
            message = f"{label}.{key}: {term.as_} needs {shown}, but '{getattr(term, _field(key))}' is in {unit}"
            yield draft.fault((*where, key), message, f"give the point in {shown.split()[-1]} ('unit' and 'scale')")


def _kind(draft: Draft, where: Where, term: Term) -> Iterator[Fault]:
    """Amounts need a point that has some; energy, CO2 and cost need its carrier's factor or tariff."""
    label = ".".join(str(step) for step in where)
    point = draft.plant.points.get(term.point)
    if point is None:
        return
    if term.as_ == "stock" and point.kind != Kind.LEVEL:
        message = f"{label}: '{term.point}' is a {point.kind}, of which nothing is in stock"
        yield draft.fault((*where, "point"), message, "name the level of the tank or store, in the unit of its content")
    elif term.as_ == "reference_oxygen" and point.kind not in _STATES:
        message = f"{label}: '{term.point}' is a {point.kind}, not a concentration"
        yield draft.fault((*where, "point"), message, "name a level point in mg/m3")
    elif point.kind not in SUMMABLE and (
        term.as_ in ("amount", "content", "demand", "reference_drainage")
        or (term.as_ in ("cost", *_CARRIED) and (point.kind != Kind.LEVEL or point.carrier is None))
    ):
        message = f"{label}: '{term.point}' is a {point.kind}, which has no amount to sum"
        yield draft.fault((*where, "point"), message, "use a counter, net, interval, rate or count point")
    elif term.as_ == "cooling" and point.kind != Kind.RATE:
        yield draft.fault((*where, "point"), f"{label}: cooling needs a flow, '{term.point}' is a {point.kind}", "")
    elif term.as_ in (*_PRICED, *_CARRIED):
        if point.carrier is None:
            hint = f"add 'carrier: …' to points.{term.point}"
            yield draft.fault((*where, "point"), f"{label}: '{term.point}' has no carrier for its {term.as_}", hint)
        elif point.carrier in carriers(draft) and not _has(draft, point.carrier, term.as_):
            priced = {"cost": "tariff", "demand": "tariff with a demand charge"}
            what = priced.get(term.as_, f"fuel and no factor for {term.as_}")
            message = f"{label}: carrier '{point.carrier}' has no {what}"
            hint = "add one under fuels or factors"
            if term.as_ in _PRICED:
                hint = (
                    "add one under tariffs" if term.as_ == "cost" else "add 'demand: …' to its tariff, per kW and month"
                )
            yield draft.fault((*where, "point"), message, hint)


def _has(draft: Draft, carrier: str, quantity: str) -> bool:
    """Whether a carrier has what a term multiplies by; when lines could not be read, nobody knows."""
    if draft.document.left_out:
        return True
    if quantity in ("energy", "co2_direct") and carrier in draft.declared["fuels"]:
        return True
    if quantity in _PRICED:
        tariffs = [entry for entry in draft.entries("tariffs") if entry.get("carrier") == carrier]
        return any(quantity == "cost" or entry.get("demand") is not None for entry in tariffs)
    return any(
        entry.get("carrier") == carrier and entry.get("quantity") == quantity for entry in draft.entries("factors")
    )


def _formula(draft: Draft, name: str, kpi: Kpi) -> Iterator[Fault]:
    sides: list[str] = []
    for side, terms in (("numerator", kpi.numerator), ("denominator", kpi.denominator)):
        units = [term_unit(draft, term) for term in terms]
        if any(unit is None or not known(unit) for unit in units):
            return
        faults = list(_sum(draft, ("kpis", name, side), terms, [unit or "1" for unit in units]))
        yield from faults
        if faults:
            return
        sides.append(_plain(units[0] or "1") if units else "dimensionless")
    yield from _bound(draft, name, kpi, sides[1])
    if not known(kpi.unit):
        return
    natural = sides[0] if not kpi.denominator else f"({sides[0]})/({sides[1]})"
    if kpi.peak:
        natural = _per_hour(natural)
    shown = natural.replace("dimensionless", "1").replace("(", "").replace(")", "")
    try:
        right = conversion(natural, kpi.unit)
    except ValueError:
        message = f"kpis.{name}.unit: '{kpi.unit}' is not what the formula gives, {shown}"
        yield draft.fault(("kpis", name, "unit"), message, f"write 'unit: {shown}', or correct the terms")
        return
    if abs(kpi.times / right - 1) >= 1e-9:
        message = f"kpis.{name}: from {shown} to {kpi.unit} it takes times {right:.12g}, not {kpi.times:.12g}"
        key = "times" if "times" in kpi.model_fields_set else "unit"
        yield draft.fault(("kpis", name, key), message, f"write 'times: {right:.12g}'")


def _bound(draft: Draft, name: str, kpi: Kpi, denominator: str) -> Iterator[Fault]:
    """What a denominator counts for at most must be of its unit."""
    for index, term in enumerate(kpi.no_more_than):
        where = ("kpis", name, "no_more_than", index)
        unit = term_unit(draft, term)
        if unit is not None and known(unit) and kpi.denominator and not same(unit, denominator):
            message = f"kpis.{name}.no_more_than.{index}: {unit} bounds no {denominator}"
            yield draft.fault(where, message, "give both in one unit")


def _sum(draft: Draft, where: Where, terms: list[Term], units: list[str]) -> Iterator[Fault]:
    """The terms of a sum must be of one unit; a term of another size must say so by its own `times`."""
    for index, (term, unit) in enumerate(zip(terms, units, strict=True)):
        label = f"{'.'.join(str(step) for step in where)}.{index}"
        try:
            size = conversion(unit, units[0])
        except ValueError:
            message = f"{label}: {unit} cannot be added to {units[0]}"
            yield draft.fault((*where, index), message, "a sum holds things of one kind only")
            continue
        if size != 1 and abs(term.times / (size * terms[0].times) - 1) >= 1e-9:
            message = f"{label}: {unit} added to {units[0]}"
            yield draft.fault((*where, index), message, f"write 'times: {size * terms[0].times:.12g}' in this term")


def term_unit(draft: Draft, term: Term) -> str | None:
    """The unit in which a term comes; None when its point has no sound one."""
    if term.as_ in _PRICED:
        return draft.plant.site.currency
    if term.as_ in _NATURAL:
        return _NATURAL[term.as_]
    point = draft.plant.points.get(term.point)
    if point is None:
        return None
    if term.as_ == "stock":
        return point.unit
    return f"({point.unit})*h" if term.as_ == "reference_oxygen" else natural_unit(point)


def _share(unit: str) -> bool:
    """Whether a unit is one of a share, as % or g/kg."""
    try:
        conversion(unit, "1")
    except ValueError:
        return False
    return True


def _per_hour(amount: str) -> str:
    """The unit of an amount per hour: kW for kWh."""
    power = next((power for power, one in POWERS.items() if one == amount), None)
    return power or f"({amount})/h"


def _plain(unit: str) -> str:
    return "dimensionless" if unit == "1" else unit


def _key(field: str) -> str:
    return field.rstrip("_")


def _field(key: str) -> str:
    return "return_" if key == "return" else key
