"""`keepclean simulate`: the simulated shop by itself on sockets, or in lock step with the whole pipeline."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar

import simulators.main
from historian.reader import Reader
from historian.spool import spools
from historian.store import Historian
from journal.journal import Journal
from monitor.demo_control import MINUTES_PER_DAY, PORTS
from monitor.describe import Described
from monitor.lockstep import LockStepRun, Progress
from monitor.server import Server, announce_plant
from plant.clock import PlantClock
from plant.errors import ConfigurationError, Fault
from simulators.main import STATE


def simulate(
    scenario: Path,
    data: Path,
    speed: str,
    described: Described | None,
    days: float,
    broker: str | None,
    screen: Console,
) -> None:
    """Runs until stopped (speed a number), or `days` in lock step (speed "max", with a plant description).

    Raises ConfigurationError for a speed that is none, or "max" without a plant description.
    """
    data.mkdir(parents=True, exist_ok=True)
    if speed != "max":
        _on_sockets(scenario, data, _positive(scenario, speed), broker, screen)
        return
    if described is None:
        raise ConfigurationError([Fault(scenario, 1, "--speed max needs a plant that watches", "add --plant PLANT")])
    simulator = simulators.main.open_shop(scenario, data)
    journal, historian = Journal(data / "journal"), Historian(data, spools(described.plant))
    announce_plant(journal, Reader(data), described, simulator.now_us)
    run = LockStepRun(described.plant, described.folder, simulator, journal, Server(described.plan, journal, historian))
    began = time.monotonic()
    with Bar(console=screen) as bar:
        task = bar.add_task(f"{days:g} days", total=int(days * MINUTES_PER_DAY))

        def show(done: Progress) -> None:
            bar.update(task, completed=done.minutes)

        run.run(int(days * MINUTES_PER_DAY), show)
    simulator.save(data / STATE)
    simulator.close()
    journal.close()
    historian.close()
    screen.print(f"{run.readings:,} readings in {time.monotonic() - began:.1f} s")


def _positive(scenario: Path, speed: str) -> float:
    try:
        found = float(speed)
    except ValueError:
        found = 0.0
    if found <= 0:
        raise ConfigurationError([Fault(scenario, 1, f"'{speed}' is not a speed", "write a number above 0, or max")])
    return found


def _on_sockets(scenario: Path, data: Path, speed: float, broker: str | None, screen: Console) -> None:
    state = data / STATE
    shop = simulators.main.open_shop(scenario, data)
    clock = PlantClock(shop.now_us, time.monotonic(), speed)
    shop.close()
    screen.print(f"the shop is on sockets at {speed:g}×; its ports: {data / PORTS}   (Ctrl-C ends it)", highlight=False)
    simulators.main.run(scenario, data=data, clock=clock, broker_url=broker, ports_out=data / PORTS)
    screen.print(f"state kept in {state}", highlight=False)
