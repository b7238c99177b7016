"""All that two blocks of a description can have against each other, found in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from plant import (
    check_balances,
    check_calendar,
    check_carriers,
    check_kpis,
    check_made_of,
    check_maintenance,
    check_periods,
    check_points,
    check_references,
    check_registers,
    check_targets,
    check_tariffs,
    check_terms,
    check_units,
)
from plant.draft import Draft
from plant.errors import Fault
from plant.partial import tolerant

CHECKS: tuple[Callable[[Draft], Iterator[Fault]], ...] = (
    check_references.check,
    check_registers.check,
    check_points.check,
    check_units.check,
    check_terms.check,
    check_kpis.check,
    check_balances.check,
    check_carriers.check,
    check_made_of.check,
    check_tariffs.check,
    check_calendar.check,
    check_periods.check,
    check_maintenance.check,
    check_targets.check,
)


def check(draft: Draft) -> list[Fault]:
    """Every fault that what is sound in a draft has against each other; each check minds unsound fields itself."""
    return [fault for one in CHECKS for fault in tolerant(one(draft))]
