"""What a sound description leaves open that a person should still say: no fault, but worth a line after the check."""

from __future__ import annotations

from plant.model import Kind, Plant

SHOWN = 6


def advise(plant: Plant) -> list[str]:
    """Sentences of advice, none when there is nothing to add."""
    open_ended = [name for name, point in plant.points.items() if point.kind is Kind.COUNTER and point.per_hour is None]
    if not open_ended:
        return []
    shown = ", ".join(open_ended[:SHOWN]) + (", …" if len(open_ended) > SHOWN else "")
    plural = "s" if len(open_ended) > 1 else ""
    return [
        f"{len(open_ended)} counter{plural} without 'per_hour' ({shown}): declare the lowest and highest amount of an"
        " hour. Without it a first reading of 0 books all that the meter ever counted at once, no leap is refused, and"
        " a gap has no bounds."
    ]
