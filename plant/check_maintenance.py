"""Maintenance that ends before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from plant.draft import Draft
from plant.errors import Fault
from plant.maintenance import span
from plant.model import Maintenance
from plant.partial import tolerant


def check(draft: Draft) -> Iterator[Fault]:
    """Spans that are reversed; a scope that is not there is found with all other references."""
    for name, one in draft.plant.maintenance.items():
        yield from tolerant(_reversed(draft, name, one))


def _reversed(draft: Draft, name: str, one: Maintenance) -> Iterator[Fault]:
    start, end = span(one)
    # a last day is included: one that ends as the first begins is the day before
    if end < start or (end == start and one.until is not None and not isinstance(one.until, datetime)):
        message = f"maintenance.{name}: is reversed: its end {one.until} is before its beginning {one.since}"
        hint = f"write 'from: {one.until}' and 'to: {one.since}'"
        yield draft.fault(("maintenance", name, "to"), message, hint)
