"""What is to be read from a plant: every device's requests, topics' routes and stations, prepared without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collectors.hj212.plan import Stations, stations
from collectors.modbus.plan import plan as plan_device
from collectors.modbus.request import DevicePlan
from collectors.modbus.settings import settings
from collectors.mqtt.topics import Topics, topics
from collectors.own import OwnDevice
from collectors.own import plan as plan_own
from plant.model import Plant


@dataclass(frozen=True)
class Plan:
    """The Modbus requests, MQTT routes and HJ 212 stations of a plant, and what it tells of keepclean itself."""

    modbus: tuple[DevicePlan, ...]
    mqtt: Topics
    hj212: Stations
    own: tuple[OwnDevice, ...]


def plan(plant: Plant, folder: Path) -> Plan:
    """The plan of a plant; `folder` holds its description, and profiles of its own beside it.

    Raises ConfigurationError when a profile is missing or wrong; `collectors.check` finds everything beforehand.
    """
    requests = tuple(plan_device(device) for device in settings(plant, folder))
    return Plan(requests, topics(plant), stations(plant), plan_own(plant))
