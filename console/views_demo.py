"""The demo's truth beside what was found: which drift answers to which fault, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.views_drifts import Drift
from plant.model import Plant, Text
from plant.reading import HOUR

DATA = "data"


@dataclass(frozen=True)
class Verdict:
    """A fault as it was, and the drift that was found for it, if any; times in µs UTC, sizes per hour."""

    fault: str
    title: Text
    target: str
    point: str
    kind: str
    onset: int
    end: int | None
    size: float | None
    unit: str
    drift: Drift | None

    @property
    def took(self) -> int | None:
        """Plant time from the true onset to detection [µs]."""
        if self.drift is None or self.drift.found is None:
            return None
        return self.drift.found - self.onset

    @property
    def onset_error(self) -> int | None:
        """Estimated less true onset [µs]."""
        if self.drift is None or self.drift.onset is None:
            return None
        return self.drift.onset - self.onset

    @property
    def size_error(self) -> float | None:
        """Estimated against true size [%]."""
        if self.drift is None or self.drift.size is None or not self.size:
            return None
        return (self.drift.size - self.size) / abs(self.size) * 100


def verdicts(
    truth: Iterable[Mapping[str, Any]],
    found: Sequence[Drift],
    plant: Plant,
    catalogue: Iterable[Mapping[str, Any]] = (),
) -> list[Verdict]:
    """Each fault with the first drift found on its meter after its onset (and before a later fault's), newest first."""
    titles = {entry["fault"]: Text.model_validate(entry["title"]) for entry in catalogue}
    entries = sorted(truth, key=lambda entry: entry["onset_us"])
    taken: set[str] = set()
    result = []
    for entry in entries:
        drift = _answer(entry, found, plant, taken)
        if drift:
            taken.add(drift.name)
        name = str(entry["fault"])
        result.append(
            Verdict(
                fault=name,
                title=titles.get(name) or Text(en=name, zh=name),
                target=str(entry["target"]),
                point=str(entry["point"]),
                kind=str(entry["kind"]),
                onset=int(entry["onset_us"]),
                end=entry["end_us"],
                size=entry["size_per_hour"] or None,
                unit=str(entry["unit"]),
                drift=drift,
            )
        )
    return result[::-1]


def _answer(entry: Mapping[str, Any], found: Sequence[Drift], plant: Plant, taken: set[str]) -> Drift | None:
    """The first drift on the fault's own meter that was found while the fault stood, or within a day of its end."""
    if entry["kind"] == DATA:
        return None
    onset, until = int(entry["onset_us"]), entry["end_us"]
    candidates = [
        drift
        for drift in found
        if drift.name not in taken
        and drift.found is not None
        and drift.found >= onset
        and (until is None or drift.found <= until + 24 * HOUR)
        and _meter(drift, plant) == entry["point"]
    ]
    return min(candidates, key=lambda drift: drift.found or 0, default=None)


def _meter(drift: Drift, plant: Plant) -> str:
    return drift.baseline.response if drift.baseline else drift.watched
