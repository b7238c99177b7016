"""How the processes of a plant are doing, put together for the data-health page from what each of them publishes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from historian.reader import Reader
from journal.journal import Journal
from plant.model import Plant
from plant.reading import SECOND

GIB = 2**30


class PlantStatus:
    """Answers `console.sources.Status`; reads files only. `wall` and `monotonic` tell real time [s]."""

    def __init__(
        self,
        plant: Plant,
        data: Path,
        journal: Journal,
        reader: Reader,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._stands: tuple[int, float] | None = None
        self._limit = int(plant.storage.disk_gib * GIB)
        self._data, self._journal, self._reader = data, journal, reader

    def __call__(self) -> Mapping[str, Any]:
        """Positions, backlog, disk use, and the collectors' own report."""
        position, served = self._journal.last(), self._journal.served()
        report: dict[str, Any] = {
            "position": position,
            "served": served,
            "backlog": position - served,
            "standstill_s": self._standstill_s(position, served),
            "journal_bytes": self._journal.bytes_on_disk(),
            "data_bytes": data_bytes(self._data),
            "disk_free_bytes": shutil.disk_usage(self._data).free,
            "disk_limit_bytes": self._limit,
        }
        try:
            collected = json.loads((self._data / "collect.json").read_text())
        except (OSError, ValueError):
            return {**report, "devices": []}
        devices = [{"device": name, **state} for name, state in collected["devices"].items()]
        known = {key: collected[key] for key in ("time", "real_time", "speed", "broker", "journal")}
        return {**report, **known, "devices": devices, "report_age_s": self._wall() - known["real_time"] / SECOND}

    def _standstill_s(self, position: int, served: int) -> float:
        """For how long the same messages have been seen to wait, of which none was processed [s]."""
        if served >= position:
            self._stands = None
            return 0.0
        now = self._monotonic()
        if self._stands is None or self._stands[0] != served:
            self._stands = served, now
        return now - self._stands[1]


def data_bytes(folder: Path) -> int:
    """Size of everything in a data folder [bytes]; a file that goes meanwhile counts as 0."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
