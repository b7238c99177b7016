"""Every unit must be one, and fit what it stands for: a rate is an amount per time, an amount is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from plant.check_points import SUMMABLE
from plant.document import Where
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Block, Kind, Option, Plant, Point, Product
from plant.partial import Unsound, tolerant
from plant.unit_hints import meant, suggest
from plant.units import CURRENCIES, amount_unit, conversion, is_rate, parse

_RATES = {"kWh": "kW", "Wh": "W", "MWh": "MW", "kvarh": "kvar", "Ah": "A"}


def check(draft: Draft) -> Iterator[Fault]:
    """Texts that are no unit, rates and amounts mixed up, products and promises in another unit than their points."""
    for where, text in _units(draft.plant):
        if not known(text):
            yield draft.fault(where, f"{'.'.join(map(str, where))}: '{text}' is not a unit", suggest(text))
    yield from tolerant(_currency(draft))
    for name, point in draft.plant.points.items():
        if known(getattr(point, "unit", "")):
            yield from tolerant(_kind(draft, name, point))
    for name, product in draft.plant.products.items():
        yield from tolerant(_product(draft, name, product))
    for name, option in draft.plant.options.items():
        yield from tolerant(_promise(draft, name, option))


def _currency(draft: Draft) -> Iterator[Fault]:
    currency = draft.plant.site.currency
    if not known(currency) or "currency" not in str(parse(currency).dimensionality):
        hint = f"known: {', '.join(CURRENCIES)}, …"
        yield draft.fault(("site", "currency"), f"site.currency: there is no currency '{currency}'", hint)


def known(text: str) -> bool:
    """Whether a text is a unit."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def natural_unit(point: Point) -> str | None:
    """The unit of a point's amount; None when it has no sound one."""
    try:
        if point.kind != Kind.RATE and point.kind in SUMMABLE and is_rate(point.unit):
            return None
        unit = amount_unit(point.kind, point.unit)
        parse(unit)
        return None if _is_temperature(point) else unit
    except (ValueError, Unsound):
        return None


def _is_temperature(point: Point) -> bool:
    """Whether a point would add up degrees. Raises ValueError when its unit is none."""
    if point.kind not in SUMMABLE or (point.kind == Kind.RATE) != is_rate(point.unit):
        return False
    return parse(amount_unit(point.kind, point.unit)).dimensionality == parse("K").dimensionality


def same(first: str, second: str) -> bool:
    """Whether two sound units are one and the same size of one thing."""
    try:
        return abs(conversion(first, second) - 1) < 1e-9
    except ValueError:
        return False


def _units(plant: Plant) -> Iterator[tuple[Where, str]]:
    blocks: tuple[tuple[str, str, Mapping[str, Block]], ...] = (
        ("points", "unit", plant.points),
        ("products", "unit", plant.products),
        ("kpis", "unit", plant.kpis),
        ("balances", "unit", plant.balances),
        ("options", "promised_unit", plant.options),
    )
    for block, field, entries in blocks:
        for name, entry in entries.items():
            if hasattr(entry, field):
                yield (block, name, field), getattr(entry, field)


def _kind(draft: Draft, name: str, point: Point) -> Iterator[Fault]:
    where = ("points", name, "unit")
    amount = natural_unit(point) if point.kind in SUMMABLE else None
    if _is_temperature(point):
        message = f"points.{name}.unit: '{point.unit}' is a temperature, but a {point.kind} brings amounts"
        yield draft.fault(where, message, "write 'kind: level', or the unit of what is counted")
    elif point.kind == Kind.RATE and not is_rate(point.unit):
        fitting = _RATES.get(point.unit, f"{point.unit}/h")
        hint = f"an amount per time, as {fitting}; a meter that adds up is of kind counter"
        other = meant(point.unit)
        if other is not None and is_rate(other):
            hint = f"did you mean '{other}'?"
        yield draft.fault(where, f"points.{name}.unit: '{point.unit}' is not an amount per time, as a rate is", hint)
    elif point.kind == Kind.RATE and amount is not None and is_rate(amount):
        hint = f"did you mean '{amount}'? a meter that adds up has {amount_unit(Kind.RATE, amount)} and kind counter"
        yield draft.fault(where, f"points.{name}.unit: '{point.unit}' is a rate per time, not an amount", hint)
    elif point.kind in SUMMABLE - {Kind.RATE} and is_rate(point.unit):
        amount = amount_unit(Kind.RATE, point.unit)
        hint = f"write {amount}, or 'kind: rate'"
        if is_rate(amount):
            hint = f"did you mean '{amount_unit(Kind.RATE, amount)}'?"
        message = f"points.{name}.unit: '{point.unit}' is an amount per time, but a {point.kind} brings amounts"
        yield draft.fault(where, message, hint)


def _product(draft: Draft, name: str, product: Product) -> Iterator[Fault]:
    points = draft.plant.points
    for index, counted in enumerate(product.points):
        unit = natural_unit(points[counted]) if counted in points else None
        if unit is not None and known(product.unit) and not same(unit, product.unit):
            message = f"products.{name}: '{counted}' counts {unit}, not {product.unit}"
            hint = "count it in the product's unit ('unit' and 'scale' of the point), or change the product's"
            yield draft.fault(("products", name, "points", index), message, hint)


def _promise(draft: Draft, name: str, option: Option) -> Iterator[Fault]:
    """A promised saving must be of the thing that the option's KPI has in its numerator."""
    kpi = draft.plant.kpis.get(option.kpi)
    if kpi is None or not known(option.promised_unit):
        return
    terms = [term for term in kpi.numerator if term.as_ == "amount" and term.point in draft.plant.points]
    points = [draft.plant.points[term.point] for term in terms]
    units = [unit for one in points if one.kind in SUMMABLE and (unit := natural_unit(one)) is not None]
    wanted = parse(option.promised_unit).dimensionality
    if units and len(terms) == len(kpi.numerator) and all(parse(u).dimensionality != wanted for u in units):
        message = f"options.{name}.promised_unit: '{option.promised_unit}' is not what '{option.kpi}' counts"
        yield draft.fault(("options", name, "promised_unit"), message, f"write it in {units[0]}")
