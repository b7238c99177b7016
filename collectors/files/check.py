"""What is wrong with the folders of manual devices in a plant description."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from plant.errors import Fault
from plant.model import Manual, Plant

LineOf = Callable[[tuple[str, ...]], int]


def check(plant: Plant, path: Path, line_of: LineOf) -> Iterator[Fault]:
    """A folder that is not there, is no folder, or is another device's. An absolute one may be mounted later."""
    taken: dict[Path, str] = {}
    for name, device in plant.devices.items():
        folder = getattr(device, "folder", None)
        if not isinstance(device, Manual) or folder is None:
            continue
        line = line_of(("devices", name, "folder"))
        place = path.parent / folder
        if place.exists() and not place.is_dir():
            yield Fault(
                path, line, f"device '{name}': '{folder}' is not a folder", "name a folder for CSV and Parquet files"
            )
        elif not place.exists() and not Path(folder).is_absolute():
            hint = "create it beside the plant description"
            yield Fault(path, line, f"device '{name}': there is no folder '{folder}'", hint)
        if (resolved := place.resolve()) in taken:
            message = f"device '{name}': '{folder}' is the folder of device '{taken[resolved]}' too"
            yield Fault(path, line, message, "give each device a folder of its own")
        taken.setdefault(resolved, name)
