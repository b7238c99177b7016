"""How the processes of a plant are doing, put together for the data-health page from what each of them publishes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from historian.reader import Reader
from journal.journal import Journal
from plant.model import Plant

GIB = 2**30


class PlantStatus:
    """Answers `console.sources.Status`; reads files only."""

    def __init__(self, plant: Plant, data: Path, journal: Journal, reader: Reader) -> None:
        self._limit = int(plant.storage.disk_gib * GIB)
        self._data, self._journal, self._reader = data, journal, reader

    def __call__(self) -> Mapping[str, Any]:
        """Positions, backlog, disk use, and the collectors' own report."""
        position, served = self._journal.last(), self._journal.served()
        report: dict[str, Any] = {
            "position": position,
            "served": served,
            "backlog": position - served,
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
        return {**report, "devices": devices, "broker": collected["broker"], "time": collected["time"]}


def data_bytes(folder: Path) -> int:
    """Size of everything in a data folder [bytes]; a file that goes meanwhile counts as 0."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
