"""What the accuracy classes of meters say of a balance: how far it may be off without anything being lost."""

from __future__ import annotations

import math
import re

from plant.model import Balance, Plant, Term

_NUMBER = re.compile(r"(?:class|cl\.?)?\s*(\d+(?:\.\d+)?)\s*[S%]?", re.IGNORECASE)
_LETTERS = {"A": 2.0, "B": 1.0, "C": 0.5}
"""Active-energy meters of EN 50470-3 carry a letter."""


def class_percent(text: str | None) -> float | None:
    """The limit of error that an accuracy class names [% of the reading]; None when it names none.

    >>> class_percent("0.5S"), class_percent("class 2"), class_percent("B"), class_percent(None)
    (0.5, 2.0, 1.0, None)
    """
    if text is None:
        return None
    found = _NUMBER.fullmatch(text.strip())
    return float(found[1]) if found else _LETTERS.get(text.strip().upper())


def uncertainty(plant: Plant, balance: Balance) -> float:
    """How far in − out may be off by the meters alone, at most [% of what comes in].

    The meters' errors are independent: they combine as the root of the sum of the squares of amount × class. Shares of
    one side add up to 1, so that a side is off by no more than its worst class. A meter without a class counts as
    exact; so do stores, whose two readings come from one gauge, and estimated terms.
    """
    return math.hypot(_worst(plant, balance.in_), _worst(plant, balance.out))


def _worst(plant: Plant, terms: list[Term]) -> float:
    devices = [plant.devices[plant.points[name].device] for term in terms for name in term.names()]
    classes = [class_percent(getattr(device, "accuracy_class", None)) for device in devices]
    return max((one for one in classes if one is not None), default=0.0)
