"""A plant description, checked by every folder for what it alone knows, before anything connects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import alerts.check
import collectors.check
import dashboards.alerting.contacts
from pipeline.plans import PlantPlan, compile_plant
from plant.errors import ConfigurationError
from plant.load import inspect, plant_hash, read_text
from plant.model import Alarms, Plant


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
    """Reads and checks a description. Raises ConfigurationError with every fault that any folder finds.

    Every folder checks what is sound, whatever is wrong elsewhere, so that one run tells everything.
    """
    return described(read_text(path), path)


def described(text: str, path: Path) -> Described:
    """As `describe`, of a text that stands, or is to stand, in a file."""
    sound, document = inspect(text, path)
    addressed = _addressed(sound)
    faults = {
        *document.faults,
        *collectors.check.check(sound, path, document.line),
        *alerts.check.check(addressed, path, document.line),
        *dashboards.alerting.contacts.check(addressed, path, document.line),
    }
    if faults:
        raise ConfigurationError(list(faults))
    plant = Plant.model_validate(document.data)
    config = plant_hash(text)
    return Described(path, text, config, plant, compile_plant(plant, config))


def _addressed(plant: Plant) -> Plant:
    """A plant with those alarm routes only whose addresses are sound, for a check that asks for nothing else."""
    routes = {name: route for name, route in getattr(plant.alarms, "routes", {}).items() if hasattr(route, "to")}
    notify = getattr(plant.alarms, "notify", "keepclean")
    return plant.model_copy(update={"alarms": Alarms.model_construct(routes=routes, notify=notify)})
