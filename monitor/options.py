"""What several commands take: the plant description, its data folder, a time of the plant."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.describe import Described, describe
from monitor.terminal import err
from plant.clock import to_us
from plant.errors import ConfigurationError


def _in_folder(plant: Path) -> Path:
    return plant / "plant.yaml" if plant.is_dir() else plant


PlantFile = Annotated[
    Path,
    typer.Argument(help="The plant description, a YAML file, or its folder.", metavar="PLANT", callback=_in_folder),
]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="The plant's data folder (default: data/ beside the plant description).")
]


def data_of(plant: Path, data: Path | None) -> Path:
    """The data folder: as given, or beside the plant description."""
    return data if data is not None else plant.resolve().parent / "data"


def sound(path: Path) -> Described:
    """The description, or an end with every fault in it."""
    try:
        return describe(path)
    except ConfigurationError as error:
        err.print(str(error), markup=False, highlight=False, soft_wrap=True)
        number = len(error.faults)
        err.print(f"{number} fault{'s' if number > 1 else ''}; nothing was connected", highlight=False)
        raise typer.Exit(1) from error


def local_time(text: str, zone: ZoneInfo) -> int:
    """RFC 3339, or local time or date of the plant, as µs UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a time: write 2026-04-03T14:00 or 2026-04-03") from error
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone))
