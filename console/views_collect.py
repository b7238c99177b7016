"""Whether what the page shows is fresh and complete: is the collectors' report new, are messages processed, stored?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.figures import duration, number
from console.words import Words
from plant.model import Manual, Plant
from plant.reading import SECOND

STALE_AFTER_S = 10.0
STANDSTILL_S = 60.0
BEHIND_MESSAGES = 1000


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong with keepclean itself: a text of the table, with its fields."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)

    def text(self, words: Words) -> str:
        """What is wrong, in words."""
        return words(self.key, **self.values)


def is_stale(status: Mapping[str, Any]) -> bool:
    """Whether the collectors' report is too old to speak of the present; without any report there is nothing stale.

    A report from the future is as little worth: the wall clock was set back after it.
    """
    age = status.get("report_age_s")
    return age is not None and abs(age) > STALE_AFTER_S


def troubles(status: Mapping[str, Any], plant: Plant, ahead: bool = False) -> list[Trouble]:
    """What is wrong with keepclean itself; nothing while it runs `ahead`, when nobody collects."""
    return [] if ahead else [*_collect(status, plant), *_serve(status), *_journal(status)]


def _collect(status: Mapping[str, Any], plant: Plant) -> list[Trouble]:
    if is_stale(status):
        return [Trouble("report_old", {"span": _span(abs(status["report_age_s"]))})]
    expected = any(not isinstance(device, Manual) for device in plant.devices.values())
    return [Trouble("no_status")] if expected and status.get("report_age_s") is None else []


def _serve(status: Mapping[str, Any]) -> list[Trouble]:
    standstill_s, backlog = status.get("standstill_s") or 0.0, status.get("backlog") or 0
    if standstill_s > STANDSTILL_S:
        return [Trouble("stands_still", {"span": _span(standstill_s), "count": number(backlog, 0)})]
    return [Trouble("is_behind", {"count": number(backlog, 0)})] if backlog > BEHIND_MESSAGES else []


def _journal(status: Mapping[str, Any]) -> list[Trouble]:
    journal = status.get("journal")
    if journal is None or is_stale(status):
        return []
    found = [Trouble("not_stored", {"error": journal["storage_error"]})] if journal["storage_error"] else []
    return [*found, Trouble("reading_pauses")] if journal["paused"] else found


def _span(seconds: float) -> str:
    return duration(int(seconds * SECOND))
