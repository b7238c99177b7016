"""`keepclean run`: a real plant, read and watched until told to stop."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console

from monitor.clock_file import write_clock
from monitor.describe import Described
from monitor.processes import Supervisor
from plant.clock import PlantClock
from plant.model import Manual

ANNOUNCE_S = 30.0


def run_plant(described: Described, data: Path, port: int, broker: str | None) -> None:
    """Collect and serve, each a process of its own, until SIGTERM or Ctrl-C."""
    data.mkdir(parents=True, exist_ok=True)
    clock = data / "clock.json"
    write_clock(clock, PlantClock.real())
    (data / "serve.json").unlink(missing_ok=True)
    common = (str(described.path), "--data", str(data), "--clock", str(clock))
    supervisor = Supervisor()
    supervisor.catch_signals()
    screen = Console()
    announced, began = False, time.monotonic()
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
    finally:
        supervisor.close()
