"""The shop in lock step: each advance delivers the register words and payload bytes that sockets would have carried."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plant.reading import MINUTE, SECOND
from simulators.devices import DEVICES, Device
from simulators.faults import ActiveFault, Faults
from simulators.gateway import Gateways, Message
from simulators.metering import Metered, Metering
from simulators.registers import RegisterHistory
from simulators.scenario import Scenario
from simulators.shop import Block, Shop
from simulators.truth import TruthWriter

FORMAT = 1
FIRST_POLL_S, POLL_APART_S = 1.0, 0.4


@dataclass(frozen=True)
class Delivery:
    """What reached the collectors in an advance, up to `now_us` [µs UTC].

    `modbus` holds each device's registers by (port, unit id) at its poll instants, one a minute; `mqtt` the messages as
    (received [µs UTC], topic, payload), in order of time.
    """

    now_us: int
    modbus: Mapping[tuple[int, int], RegisterHistory]
    mqtt: list[Message]
    block: Block


class LockStep:
    """The simulated shop, its meters and gateways, advanced by whole minutes; the seed decides everything.

    `ports` maps ports of the shop's own list to others; `truth` is the truth file to write, none when left out.
    """

    def __init__(self, scenario: Scenario, ports: Mapping[int, int] | None = None, truth: Path | None = None) -> None:
        self.scenario = scenario
        self.faults = Faults.of(scenario)
        self._ports = dict(ports or {})
        self._shop = Shop(scenario)
        self._metering = Metering(scenario)
        self._gateways = Gateways(scenario)
        self._truth = None if truth is None else TruthWriter(truth, scenario)
        self.undelivered: list[Message] = []

    @property
    def now_us(self) -> int:
        """The instant up to which the shop has run [µs UTC, a whole minute]."""
        return self._shop.minute * MINUTE

    def advance(self, minutes: int) -> Delivery:
        """Run `minutes` minutes (≥ 1) and deliver what they brought."""
        metered = self.run(minutes)
        start = metered.block.start_us + np.arange(minutes, dtype=np.int64) * MINUTE
        modbus = {
            (self._ports.get(device.port, device.port), device.unit): RegisterHistory(
                metered, device, start + int((FIRST_POLL_S + POLL_APART_S * place) * SECOND)
            )
            for place, device in enumerate(DEVICES)
        }
        return Delivery(self.now_us, modbus, self._gateways.messages(metered, self.faults), metered.block)

    def run(self, minutes: int) -> Metered:
        """Run `minutes` minutes without polling anything; messages of these minutes come by `messages` alone."""
        block = self._shop.advance(minutes, self.faults)
        if self._truth is not None:
            self._truth.write(block, self.faults)
        return self._metering.show(block, self.faults)

    def messages(self, metered: Metered) -> list[Message]:
        """The messages of the block that `run` has just given, once."""
        return self._gateways.messages(metered, self.faults)

    def switch(self, fault: str, target: str, *, size: float = 1.0, on: bool = True) -> ActiveFault:
        """Switch a fault on or off from the next minute on; raises ValueError when that cannot be."""
        return self.faults.switch(fault, target, size, on, self.now_us)

    def save(self, path: Path) -> None:
        """Keep the whole state in a file, atomically (npz of arrays and JSON); `undelivered` messages with it."""
        shop = self._shop.state()
        noise = shop.pop("noise")
        rest = {
            "format": FORMAT,
            "scenario": self.scenario.model_dump(mode="json"),
            "hour": noise.pop("hour"),
            "shop": shop,
            "metering": self._metering.state(),
            "gateways": self._gateways.state(),
            "faults": self.faults.state(),
            "undelivered": [(time, topic, payload.decode()) for time, topic, payload in self.undelivered],
        }
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        with draft.open("wb") as file:
            np.savez(file, allow_pickle=False, state=np.array(json.dumps(rest)), **noise)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @classmethod
    def load(cls, path: Path, ports: Mapping[int, int] | None = None, truth: Path | None = None) -> LockStep:
        """Go on from a kept state; raises ValueError when the file is of another format."""
        with np.load(path, allow_pickle=False) as kept:
            rest = json.loads(str(kept["state"]))
            noise = {name: kept[name] for name in kept.files if name != "state"}
        if rest["format"] != FORMAT:
            raise ValueError(f"{path} is of format {rest['format']}, not {FORMAT}")
        step = cls(Scenario.model_validate(rest["scenario"]), ports, truth)
        step._shop.restore({**rest["shop"], "noise": {"hour": rest["hour"], **noise}})
        step._metering.restore(rest["metering"])
        step._gateways.restore(rest["gateways"])
        step.faults.restore(rest["faults"])
        step.undelivered = [(time, topic, text.encode()) for time, topic, text in rest["undelivered"]]
        return step

    def close(self) -> None:
        """Close the truth file."""
        if self._truth is not None:
            self._truth.close()


def device_ports() -> dict[int, list[Device]]:
    """The devices behind each port of the shop's own list."""
    ports: dict[int, list[Device]] = {}
    for device in DEVICES:
        ports.setdefault(device.port, []).append(device)
    return ports
