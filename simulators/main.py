"""The simulated shop as a process of its own: live on sockets until it is told to end."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path

from plant.clock import PlantClock
from simulators.broker import EmbeddedBroker
from simulators.live import serve
from simulators.lockstep import LockStep
from simulators.scenario import load_scenario

STATE, TRUTH = "shop.npz", "truth.sqlite"


def open_shop(scenario_path: Path, data: Path, ports: Mapping[int, int] | None = None) -> LockStep:
    """The shop as `data` holds it, or at its beginning; its truth goes on in the same folder.

    Raises ConfigurationError for a scenario that is wrong.
    """
    data.mkdir(parents=True, exist_ok=True)
    state, truth = data / STATE, data / TRUTH
    if state.exists():
        return LockStep.load(state, ports, truth)
    return LockStep(load_scenario(scenario_path), ports, truth)


def run(scenario_path: Path, *, data: Path, clock: PlantClock, broker_url: str | None, ports_out: Path) -> None:
    """Run the shop until SIGTERM or SIGINT.

    `ports_out` receives, once all listens: {"modbus": {wanted: actual}, "control": port, "broker": address,
    "embedded": whether the broker is the shop's own}. Without a `broker_url` an embedded broker is started. Raises
    ConfigurationError for a wrong scenario, DeviceError when no port is free.
    """
    step = open_shop(scenario_path, data)
    broker = None if broker_url else EmbeddedBroker()
    url = broker_url or (broker.start() if broker else "")

    def started(modbus: Mapping[int, int], control: int) -> None:
        report = {"modbus": modbus, "control": control, "broker": url, "embedded": broker is not None}
        draft = ports_out.with_name(f"{ports_out.name}.draft")
        draft.write_text(json.dumps(report), encoding="utf-8")
        draft.replace(ports_out)

    async def until_told() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(step, clock, broker_url=url, state=data / STATE, stop=stop, started=started, truth=data / TRUTH)

    try:
        asyncio.run(until_told())
    finally:
        step.close()
        if broker is not None:
            broker.stop()
