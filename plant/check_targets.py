"""Targets must lead from the baseline year's value to the better one, and grades from I to III to the worse."""

from __future__ import annotations

from collections.abc import Iterator

from plant.draft import Draft
from plant.errors import Fault
from plant.model import Kpi, Target
from plant.partial import tolerant

_WORDS = {"lower": "below", "higher": "above"}


def check(draft: Draft) -> Iterator[Fault]:
    """Targets against the direction in which the KPI is better, grades out of order, limits without grades."""
    for name, kpi in draft.plant.kpis.items():
        target = getattr(kpi, "target", None)
        if target is not None and hasattr(kpi, "better"):
            yield from _direction(draft, name, kpi, target)
            yield from tolerant(_grades(draft, name, kpi, target))


def _direction(draft: Draft, name: str, kpi: Kpi, target: Target) -> Iterator[Fault]:
    sign = 1 if kpi.better == "lower" else -1
    steps = (("baseline", "near_term"), ("near_term", "long_term"))
    for before, after in steps:
        first, second = getattr(target, before, None), getattr(target, after, None)
        if first is not None and second is not None and sign * (second - first) > 0:
            message = (
                f"kpis.{name}.target.{after}: {second:g} is worse than {before} {first:g}: {kpi.better} is better here"
            )
            hint = f"set it {_WORDS[kpi.better]} {first:g}, or write 'better: {_other(kpi.better)}'"
            yield draft.fault(("kpis", name, "target", after), message, hint)


def _grades(draft: Draft, name: str, kpi: Kpi, target: Target) -> Iterator[Fault]:
    where = ("kpis", name, "target", "grades")
    if target.grades is not None:
        ordered = tuple(sorted(target.grades, reverse=kpi.better == "higher"))
        if ordered != target.grades:
            shown = ", ".join(f"{grade:g}" for grade in ordered)
            message = f"kpis.{name}.target.grades: not in the order I, II, III: {kpi.better} is better here"
            yield draft.fault(where, message, f"write [{shown}]")
    elif target.limiting:
        message = f"kpis.{name}.target.limiting: a limiting indicator needs grades"
        yield draft.fault(("kpis", name, "target", "limiting"), message, "add 'grades: [I, II, III]'")


def _other(better: str) -> str:
    return "higher" if better == "lower" else "lower"
