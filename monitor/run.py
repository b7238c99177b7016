"""`keepclean run`: a real plant, read and watched until told to stop."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console

from journal.lock import FolderLock
from monitor.clock_file import write_clock
from monitor.describe import Described
from monitor.processes import Supervisor
from plant.clock import PlantClock
from plant.model import Manual

ANNOUNCE_S = 30.0
RUN_LOCK_S = 5.0


def run_plant(described: Described, data: Path, port: int, broker: str | None) -> None:
    """Collect and serve, each a process of its own, until SIGTERM or Ctrl-C.

    Raises StorageError when another `run` works on the same folder.
    """
    with FolderLock(data / "run.lock", RUN_LOCK_S):
        _run(described, data, port, broker)


def _run(described: Described, data: Path, port: int, broker: str | None) -> None:
    clock = data / "clock.json"
    write_clock(clock, PlantClock.real())
    (data / "serve.json").unlink(missing_ok=True)
    common = (str(described.path), "--data", str(data), "--clock", str(clock))
    supervisor = Supervisor()
    supervisor.catch_signals()
    screen = Console()
    announced, began = False, time.monotonic()
    silent: set[str] = set()
    try:
        supervisor.add("serve", ("serve", *common, "--port", str(port)))
        if any(not isinstance(device, Manual) or device.folder for device in described.plant.devices.values()):
            supervisor.add("collect", ("collect", *common, *(("--broker", broker) if broker else ())))
        while not supervisor.wait():
            supervisor.watch()
            if not announced and (data / "serve.json").exists():
                url = json.loads((data / "serve.json").read_text())["url"]
                screen.print(f"[bold]{described.plant.site.name.en}: {url}[/bold]   (Ctrl-C ends everything)")
                announced = True
            elif not announced and time.monotonic() - began > ANNOUNCE_S:
                screen.print("serve is not up yet; see the messages above")
                announced = True
            for name, reason in _silent(data, silent):
                screen.print(f"{name}: {reason}   (Data health has the rest)", highlight=False, markup=False)
    finally:
        supervisor.close()


def _silent(data: Path, told: set[str]) -> list[tuple[str, str]]:
    """Devices that have never answered though they were asked, each told once, with the reason."""
    try:
        devices = json.loads((data / "collect.json").read_text())["devices"]
    except (OSError, ValueError, KeyError):
        return []
    found = [
        (name, str(one["last_error"]))
        for name, one in devices.items()
        if name not in told and one["last_success"] is None and one["errors"]
    ]
    told.update(name for name, _ in found)
    return found
