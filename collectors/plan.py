"""What is to be read from a plant: every device's requests and every topic's routes, prepared without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collectors.modbus.plan import DevicePlan
from collectors.modbus.plan import plan as plan_device
from collectors.modbus.settings import settings
from collectors.mqtt.topics import Topics, topics
from plant.model import Plant


@dataclass(frozen=True)
class Plan:
    """The Modbus requests and MQTT routes of a plant."""

    modbus: tuple[DevicePlan, ...]
    mqtt: Topics


def plan(plant: Plant, folder: Path) -> Plan:
    """The plan of a plant; `folder` holds its description, and profiles of its own beside it.

    Raises ConfigurationError when a profile is missing or wrong; `collectors.check` finds everything beforehand.
    """
    return Plan(tuple(plan_device(device) for device in settings(plant, folder)), topics(plant))
