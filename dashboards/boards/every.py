"""Every board of a plant, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dashboards.boards import audit as board_audit
from dashboards.boards import balances as board_balances
from dashboards.boards import health as board_health
from dashboards.boards import shift as board_shift
from dashboards.boards import site as board_site
from dashboards.boards import unit as board_unit
from dashboards.frame import LANGUAGES, Language
from plant.model import Plant

WHOLE_PLANT = (board_site, board_audit, board_balances, board_shift, board_health)
"""Boards of which a plant has one."""


def every(plant: Plant) -> Iterator[tuple[Language, dict[str, Any]]]:
    """The boards as Grafana's JSON, with their language.

    Grafana 9 takes two boards of a folder for one when the Latin letters and digits of their titles are the same, and
    writes the second over the first: a title that could be taken for another carries the board's address.
    """
    for language in LANGUAGES:
        known = set[str]()
        for board in _of(plant, language):
            short = re.sub("[^a-z0-9]+", "-", board["title"].lower()).strip("-")
            if short in known or (short and language == "zh"):
                board["title"] += f" ({board['uid'].removeprefix('keepclean-')})"
            known.add(short or board["title"])
            yield language, board


def _of(plant: Plant, language: Language) -> Iterator[dict[str, Any]]:
    for module in WHOLE_PLANT:
        yield module.build(plant, language)
    for scope in plant.scopes():
        yield board_unit.build(plant, language, scope)
