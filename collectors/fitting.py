"""Whether a point's unit can be held against what its device sends; what else is wrong with it is said elsewhere."""

from __future__ import annotations

from plant.check_points import SUMMABLE
from plant.model import Kind, Point
from plant.units import is_rate, parse


def fits_kind(point: Point) -> bool:
    """Rates and amounts mixed up are the fault of the plant description itself, which says so."""
    if not is_unit(point.unit):
        return False
    kind = getattr(point, "kind", None)
    return kind not in SUMMABLE or (kind == Kind.RATE) == is_rate(point.unit)


def is_unit(text: str) -> bool:
    """A text that is none is the fault of the plant description itself, which says so."""
    try:
        parse(text)
    except ValueError:
        return False
    return True
