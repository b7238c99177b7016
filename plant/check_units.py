"""Every unit must be one, and fit what it stands for: a rate is an amount per time, an amount is not."""

from __future__ import annotations

from collections.abc import Iterator

from plant.check_points import SUMMABLE
from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Kind, Plant, Point
from plant.units import CURRENCIES, amount_unit, conversion, is_rate, parse

_USUAL = 'write it as kWh, kW, m3/h, L/min, kg, mg/L, degC, bar, uS/cm, kgce, CNY, % or "1"'
_RATES = {"kWh": "kW", "Wh": "W", "MWh": "MW", "kvarh": "kvar", "Ah": "A"}


def check(draft: Draft) -> Iterator[Fault]:
    """Texts that are no unit, rates and amounts mixed up, products and promises in another unit than their points."""
    for where, text in _units(draft.plant):
        if not known(text):
            yield draft.fault(where, f"{'.'.join(map(str, where))}: '{text}' is not a unit", _USUAL)
    currency = draft.plant.site.currency
    if not known(currency) or "currency" not in str(parse(currency).dimensionality):
        hint = f"known: {', '.join(CURRENCIES)}, …"
        yield draft.fault(("site", "currency"), f"site.currency: there is no currency '{currency}'", hint)
    for name, point in draft.plant.points.items():
        if known(point.unit):
            yield from _kind(draft, name, point)
    yield from _products(draft)
    yield from _promises(draft)


def known(text: str) -> bool:
    """Whether a text is a unit."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def natural_unit(point: Point) -> str | None:
    """The unit of a point's amount; None when it has no sound one."""
    if point.kind != Kind.RATE and point.kind in SUMMABLE and is_rate(point.unit):
        return None
    try:
        unit = amount_unit(point.kind, point.unit)
        parse(unit)
    except ValueError:
        return None
    return unit


def same(first: str, second: str) -> bool:
    """Whether two sound units are one and the same size of one thing."""
    try:
        return abs(conversion(first, second) - 1) < 1e-9
    except ValueError:
        return False


def _units(plant: Plant) -> Iterator[tuple[Where, str]]:
    for name, point in plant.points.items():
        yield ("points", name, "unit"), point.unit
    for name, product in plant.products.items():
        yield ("products", name, "unit"), product.unit
    for name, kpi in plant.kpis.items():
        yield ("kpis", name, "unit"), kpi.unit
    for name, option in plant.options.items():
        yield ("options", name, "promised_unit"), option.promised_unit


def _kind(draft: Draft, name: str, point: Point) -> Iterator[Fault]:
    where = ("points", name, "unit")
    if point.kind == Kind.RATE and not is_rate(point.unit):
        fitting = _RATES.get(point.unit, f"{point.unit}/h")
        hint = f"an amount per time, as {fitting}; a meter that adds up is of kind counter"
        yield draft.fault(where, f"points.{name}.unit: '{point.unit}' is not an amount per time, as a rate is", hint)
    elif point.kind in SUMMABLE - {Kind.RATE} and is_rate(point.unit):
        amount = amount_unit(Kind.RATE, point.unit)
        hint = f"write {amount}, or 'kind: rate'"
        message = f"points.{name}.unit: '{point.unit}' is an amount per time, but a {point.kind} brings amounts"
        yield draft.fault(where, message, hint)


def _products(draft: Draft) -> Iterator[Fault]:
    points = draft.plant.points
    for name, product in draft.plant.products.items():
        for index, counted in enumerate(product.points):
            unit = natural_unit(points[counted]) if counted in points else None
            if unit is not None and known(product.unit) and not same(unit, product.unit):
                message = f"products.{name}: '{counted}' counts {unit}, not {product.unit}"
                hint = "count it in the product's unit ('unit' and 'scale' of the point), or change the product's"
                yield draft.fault(("products", name, "points", index), message, hint)


def _promises(draft: Draft) -> Iterator[Fault]:
    """A promised saving must be of the thing that the option's KPI has in its numerator."""
    for name, option in draft.plant.options.items():
        kpi = draft.plant.kpis.get(option.kpi)
        if kpi is None or not known(option.promised_unit):
            continue
        terms = [term for term in kpi.numerator if term.as_ == "amount" and term.point in draft.plant.points]
        points = [draft.plant.points[term.point] for term in terms]
        units = [unit for one in points if one.kind in SUMMABLE and (unit := natural_unit(one)) is not None]
        wanted = parse(option.promised_unit).dimensionality
        if units and len(terms) == len(kpi.numerator) and all(parse(u).dimensionality != wanted for u in units):
            message = f"options.{name}.promised_unit: '{option.promised_unit}' is not what '{option.kpi}' counts"
            yield draft.fault(("options", name, "promised_unit"), message, f"write it in {units[0]}")
