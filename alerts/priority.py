"""The priority of an alarm: what the drift costs a day, one step more when it endangers an option.

EEMUA 191 asks for about 80 % low, 15 % medium and 5 % high. Losses in a plant are heavy-tailed (many small
leaks, few large ones), so two fixed limits, a factor of four apart, come near to that share; unlike shares
computed from past alarms they mean the same tomorrow as today.
"""

from __future__ import annotations

from typing import Literal

from plant.endangered import endangered

__all__ = ["PRIORITIES", "Priority", "endangered", "priority"]

Priority = Literal["low", "medium", "high"]
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high")
MEDIUM_COST_PER_DAY = 500.0
HIGH_COST_PER_DAY = 2000.0


def priority(cost_per_day: float | None, endangers_option: bool) -> Priority:
    """The priority of a drift of `cost_per_day` [site currency]; an unknown cost counts as none.

    >>> priority(120.0, False), priority(120.0, True), priority(2500.0, False)
    ('low', 'medium', 'high')
    """
    cost = abs(cost_per_day or 0.0)
    step = int(cost >= MEDIUM_COST_PER_DAY) + int(cost >= HIGH_COST_PER_DAY) + int(endangers_option)
    return PRIORITIES[min(step, 2)]
