"""What collectors alone know to be wrong in a plant description: profiles, registers, stations, topics, columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from collectors import own_check
from collectors.files import check as files
from collectors.files.zones import FORMATS
from collectors.hj212 import check as hj212
from collectors.modbus import check as modbus
from collectors.mqtt import check as mqtt
from plant.errors import Fault
from plant.model import Plant
from plant.partial import tolerant

LineOf = Callable[[tuple[str, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> list[Fault]:
    """The faults of everything that is to be read.

    `path` is the description's file; `line_of(("points", NAME, "read"))` gives the line of an entry in it. The plant
    may be sound in part only (`plant.partial`): then what its sound fields say is checked.
    """
    checks = (modbus.check, hj212.check, mqtt.check, files.check, own_check.check, _wide)
    parts = (one(plant, path, line_of) for one in checks)
    return [fault for part in parts for fault in tolerant(part)]


def _wide(plant: Plant, path: Path, line_of: LineOf) -> Iterator[Fault]:
    """The time format of a wide file."""
    wide = plant.import_
    if wide is not None and wide.time_format not in FORMATS and "%" not in wide.time_format:
        hint = f"one of {', '.join(FORMATS)}, or a format as '%d/%m/%Y %H:%M'"
        message = f"import: '{wide.time_format}' is not a time format"
        yield Fault(path, line_of(("import", "time_format")), message, hint)
