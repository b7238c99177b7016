"""Every board of a plant, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dashboards import board_audit, board_balances, board_health, board_shift, board_site, board_unit
from dashboards.frame import LANGUAGES, Language
from plant.model import Plant

WHOLE_PLANT = (board_site, board_audit, board_balances, board_shift, board_health)
"""Boards of which a plant has one."""


def every(plant: Plant) -> Iterator[tuple[Language, dict[str, Any]]]:
    """The boards as Grafana's JSON, with their language."""
    for language in LANGUAGES:
        for module in WHOLE_PLANT:
            yield language, module.build(plant, language)
        for scope in plant.scopes():
            yield language, board_unit.build(plant, language, scope)
