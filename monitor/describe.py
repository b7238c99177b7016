"""A plant description, checked by every folder for what it alone knows, before anything connects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import alerts.check
import collectors.check
from pipeline.plans import PlantPlan, compile_plant
from plant.errors import ConfigurationError
from plant.load import examine, plant_hash, read_text
from plant.model import Plant


@dataclass(frozen=True)
class Described:
    """A sound description: where it stands, its text and hash, the plant and its plans."""

    path: Path
    text: str
    config: str
    plant: Plant
    plan: PlantPlan

    @property
    def folder(self) -> Path:
        """The folder that holds the description; profiles and secrets are named from here."""
        return self.path.parent


def describe(path: Path) -> Described:
    """Reads and checks a description. Raises ConfigurationError with every fault that any folder finds."""
    text = read_text(path)
    plant, document = examine(text, path)
    if plant is None:
        raise ConfigurationError(document.faults)

    faults = [
        *collectors.check.check(plant, path, document.line),
        *alerts.check.check(plant, path, document.line),
    ]
    if faults:
        raise ConfigurationError(faults)
    config = plant_hash(text)
    return Described(path, text, config, plant, compile_plant(plant, config))
