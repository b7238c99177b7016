"""What a sound description leaves open that a person should still say: no fault, but worth a line after the check."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from plant.model import Kind, Plant

SHOWN = 6
AHEAD = timedelta(days=30)


def advise(plant: Plant, today: date | None = None) -> list[str]:
    """Sentences of advice, none when there is nothing to add; with `today` of certificates that end within 30 days."""
    return [*_open_ended(plant), *(_certificates(plant, today) if today is not None else [])]


def _open_ended(plant: Plant) -> list[str]:
    open_ended = [name for name, point in plant.points.items() if point.kind is Kind.COUNTER and point.per_hour is None]
    if not open_ended:
        return []
    plural = "s" if len(open_ended) > 1 else ""
    return [
        f"{len(open_ended)} counter{plural} without 'per_hour' ({_shown(open_ended)}): declare the lowest and highest"
        " amount of an hour. Without it a first reading of 0 books all that the meter ever counted at once, no leap is"
        " refused, and a gap has no bounds."
    ]


def _certificates(plant: Plant, today: date) -> list[str]:
    ends = {name: getattr(device, "calibrated_until", None) for name, device in plant.devices.items()}
    over = [name for name, end in ends.items() if end is not None and end < today]
    soon = [f"{name} on {end}" for name, end in ends.items() if end is not None and today <= end <= today + AHEAD]
    found = []
    if over:
        found.append(
            f"the calibration of {len(over)} meter{'s' if len(over) > 1 else ''} has expired ({_shown(over)}): the"
            " readings since are suspect. Write the new 'calibrated_until' when the certificate is renewed."
        )
    if soon:
        found.append(f"calibration ends within {AHEAD.days} days: {_shown(soon)}. Readings after it are suspect.")
    return found


def _shown(names: Collection[str]) -> str:
    return ", ".join(list(names)[:SHOWN]) + (", …" if len(names) > SHOWN else "")
