"""What a KPI asks for beyond its terms: highest quarter hours, demand charges, shares of products."""

from __future__ import annotations

from collections.abc import Iterator

from plant.check_points import SUMMABLE
from plant.check_units import known, natural_unit
from plant.draft import Draft
from plant.errors import Fault
from plant.model import Kpi
from plant.partial import tolerant
from plant.units import conversion


def check(draft: Draft) -> Iterator[Fault]:
    """Peaks of ratios, demand charges where none can be counted, keys that do not hold a product's own part."""
    for name, kpi in draft.plant.kpis.items():
        for one in (_peak, _bound, _demand, _keys, _units):
            yield from tolerant(one(draft, name, kpi))


def _peak(draft: Draft, name: str, kpi: Kpi) -> Iterator[Fault]:
    if kpi.peak is None:
        return
    where = ("kpis", name, "peak")
    if kpi.denominator or kpi.allocate is not None:
        side = "denominator" if kpi.denominator else "allocate"
        yield draft.fault(where, f"kpis.{name}.peak: a peak has no '{side}'", f"leave '{side}' or 'peak' out")
    for index, term in enumerate(kpi.numerator):
        if term.as_ != "amount":
            message = f"kpis.{name}.numerator.{index}: the highest quarter hour of '{term.as_}' means nothing"
            hint = "name the points whose amounts add up to the load"
            yield draft.fault(("kpis", name, "numerator", index), message, hint)


def _bound(draft: Draft, name: str, kpi: Kpi) -> Iterator[Fault]:
    if kpi.no_more_than and not kpi.denominator:
        message = f"kpis.{name}.no_more_than: bounds a denominator, and there is none"
        yield draft.fault(("kpis", name, "no_more_than"), message, "add 'denominator: …', or leave it out")


def _demand(draft: Draft, name: str, kpi: Kpi) -> Iterator[Fault]:
    sides = (("numerator", kpi.numerator), ("denominator", kpi.denominator))
    found = [(side, index) for side, terms in sides for index, term in enumerate(terms) if term.as_ == "demand"]
    for number, (side, index) in enumerate(found):
        label = f"kpis.{name}.{side}.{index}"
        if side == "denominator":
            message, hint = f"{label}: a demand charge is no denominator", "move it to the numerator"
        elif number:
            message, hint = f"{label}: a second demand charge", "give each meter a KPI of its own"
        elif kpi.allocate is not None:
            message, hint = f"{label}: a demand charge is not shared among products", "leave one of them out"
        else:
            continue
        yield draft.fault(("kpis", name, side, index), message, hint)


def _keys(draft: Draft, name: str, kpi: Kpi) -> Iterator[Fault]:
    if kpi.allocate is None:
        return
    if kpi.product is None:
        hint = "add 'product: …'"
        yield draft.fault(("kpis", name, "allocate"), f"kpis.{name}.allocate: says not for which product", hint)
    for index, point in enumerate(kpi.allocate.by):
        if point not in kpi.allocate.among:
            message = f"kpis.{name}.allocate.by.{index}: '{point}' is not among all of them"
            hint = f"add '{point}' to kpis.{name}.allocate.among"
            yield draft.fault(("kpis", name, "allocate", "by", index), message, hint)


def _units(draft: Draft, name: str, kpi: Kpi) -> Iterator[Fault]:
    """A key is a sum of amounts of one unit."""
    if kpi.allocate is None:
        return
    first = None
    for index, key in enumerate(kpi.allocate.among):
        point = draft.plant.points.get(key)
        if point is None:
            continue
        where = ("kpis", name, "allocate", "among", index)
        label = f"kpis.{name}.allocate.among.{index}"
        unit = natural_unit(point) if point.kind in SUMMABLE else None
        if point.kind not in SUMMABLE:
            message = f"{label}: '{key}' is a {point.kind}, which has no amount to share by"
            yield draft.fault(where, message, "use a counter, net, interval, rate or count point")
        elif unit is not None and known(unit):
            first = unit if first is None else first
            try:
                conversion(unit, first)
            except ValueError:
                message = f"{label}: {unit} cannot be added to {first}"
                yield draft.fault(where, message, "share by things of one kind: areas, pieces or weights")
                continue
            if conversion(unit, first) != 1:
                hint = "give the points one unit ('unit' and 'scale')"
                yield draft.fault(where, f"{label}: {unit} added to {first}", hint)
