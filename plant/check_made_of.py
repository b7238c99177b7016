"""What the plant makes itself is never added on top of the energy it was made of (GB/T 2589-2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from plant.draft import Draft
from plant.errors import Fault
from plant.model import SITE, Kpi, Term
from plant.partial import tolerant

_COUNTED = {"energy": "energy", "co2_direct": "CO2", "co2_location": "CO2", "co2_market": "CO2", "cost": "cost"}


def check(draft: Draft) -> Iterator[Fault]:
    """Carriers that are made of themselves, and sums of the site that count steam beside the gas it was made of."""
    made_of = {name: tuple(getattr(carrier, "made_of", ())) for name, carrier in draft.plant.carriers.items()}
    yield from _circles(draft, made_of)
    for name, kpi in draft.plant.kpis.items():
        yield from tolerant(_twice(draft, name, kpi, made_of))


def sources(carrier: str, made_of: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Every carrier that one was made of, through any number of steps.

    >>> sorted(sources("cold", {"cold": ("air",), "air": ("power", "water")}))
    ['air', 'power', 'water']
    """
    found: set[str] = set()
    open_ = list(made_of.get(carrier, ()))
    while open_:
        one = open_.pop()
        if one not in found:
            found.add(one)
            open_ += made_of.get(one, ())
    return frozenset(found)


def _circles(draft: Draft, made_of: Mapping[str, tuple[str, ...]]) -> Iterator[Fault]:
    reported: set[str] = set()
    for name in made_of:
        if name not in reported and name in sources(name, made_of):
            reported |= sources(name, made_of)
            hint = "name only what it was made of, not what is made of it"
            yield draft.fault(("carriers", name, "made_of"), f"carriers.{name}: is made of itself", hint)


def _twice(draft: Draft, name: str, kpi: Kpi, made_of: Mapping[str, tuple[str, ...]]) -> Iterator[Fault]:
    """Energy that crosses the site's boundary counts once; what is subtracted was sold."""
    if kpi.scope != SITE:
        return
    terms = [(index, term, _carrier(draft, term)) for index, term in enumerate(kpi.numerator)]
    for index, term, carrier in terms:
        for _, source, of in terms:
            added = term.times > 0 and source.times > 0
            alike = _COUNTED.get(term.as_) == _COUNTED.get(source.as_)
            if carrier and alike and added and of in sources(carrier, made_of):
                message = f"kpis.{name}.numerator.{index}: counts {carrier} beside {of}, of which it is made"
                hint = f"leave '{term.point}' out: its {_COUNTED[term.as_]} is counted with '{source.point}'"
                yield draft.fault(("kpis", name, "numerator", index), message, hint)
                break


def _carrier(draft: Draft, term: Term) -> str:
    point = draft.plant.points.get(term.point)
    return getattr(point, "carrier", None) or "" if point is not None and term.as_ in _COUNTED else ""
