"""What a newcomer answers to `keepclean init`, checked before a file is written."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import available_timezones

from monitor.describe import Described, described
from plant.draft import suggestion
from plant.errors import ConfigurationError, Fault
from plant.units import CURRENCIES, known_currency

# which answer a line of the description is made of
ANSWERS = {
    "time_zone": "--time-zone",
    "currency": "--currency",
    "id": "--name",
    "name": "--name",
    "address": "--meter",
    "device_id": "--meter or --unit",
    "profile": "--profile",
    "url": "--broker",
    "topic": "--topic",
    "read": "--field",
    "kind": "--kind",
    "unit": "--in or --product-unit",
    "product": "--product-unit",
}


def zone(text: str) -> str:
    """A time zone as it was answered. Raises ValueError when there is none of that name."""
    zones = available_timezones()
    if text not in zones:
        raise ValueError(f"--time-zone: there is no time zone '{text}': {suggestion(text, zones)}")
    return text


def currency(text: str) -> str:
    """A currency as it was answered. Raises ValueError unless it is the three capital letters of a known one."""
    if not re.fullmatch("[A-Z]{3}", text) or not known_currency(text):
        raise ValueError(f"--currency: three capital letters, as {', '.join(CURRENCIES[:4])}; not '{text}'")
    return text


def sound(text: str, path: Path) -> Described:
    """The description that a text would be. Raises ValueError, naming the answers at fault, when it fails its check."""
    try:
        return described(text, path)
    except ConfigurationError as error:
        lines = text.splitlines()
        told = "\n".join(
            _told(fault, lines[fault.line - 1] if fault.line <= len(lines) else "") for fault in error.faults
        )
        raise ValueError(f"nothing was written, because the description would not be sound.\n{told}") from error


def _told(fault: Fault, line: str) -> str:
    key = line.strip().partition(":")[0]
    answer = f"{ANSWERS[key]}: " if key in ANSWERS else ""
    hint = f" ({fault.hint})" if fault.hint else ""
    return f"{answer}{fault.message}{hint}"
