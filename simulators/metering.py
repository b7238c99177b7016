"""What the meters show of a block: counters on top of their lifetimes, and everything that befalls a meter itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.reading import DAY, MINUTE
from simulators.devices import COUNTERS, DEVICES, LIFETIMES, PER_DAY, Device
from simulators.faults import ActiveFault, Faults
from simulators.scenario import Scenario
from simulators.shop import Block

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

LIFETIME = 7  # stream of random numbers for lifetimes
OPENING = 2.0  # what a new meter shows after its test bench, in its own unit
METER_FAULTS = {"counter_reset", "meter_exchange", "frozen_meter", "missing_hour"}
NO_ANSWER = {"meter_exchange", "missing_hour"}
BY_NAME = {device.name: device for device in DEVICES}


@dataclass(frozen=True)
class Metered:
    """A block as its meters show it, at a fraction of a minute."""

    block: Block
    bases: Mapping[str, float | Values]
    silent: Mapping[str, Mask]
    frozen: Mapping[str, tuple[Mask, Mapping[str, float]]]

    def value(self, signal: str, index: NDArray[np.intp], fraction: Values | float) -> Values:
        """A signal at minutes `index` of the block plus `fraction` of each: counters gain within the minute."""
        if signal not in COUNTERS:
            return self.block.levels[signal][index]
        totals, base = self.block.totals[signal], self.bases[signal]
        before = totals[index]
        shown = before + fraction * (totals[index + 1] - before)
        out: Values = shown + (base if isinstance(base, float) else base[index])
        return out

    def field(self, device: Device, field: str, index: NDArray[np.intp], fraction: Values | float) -> Values:
        """What a device shows in a field, its ratio and a standstill included."""
        signal = device.signals[field]
        shown = self.value(signal, index, fraction)
        if device.name in self.frozen:
            mask, kept = self.frozen[device.name]
            shown = np.where(mask[index], kept[signal], shown)
        return shown / (1.0 if field in UNSCALED else device.ratio)

    def answers(self, device: str, index: NDArray[np.intp]) -> Mask:
        """Whether a device answers, or a gateway sends, in these minutes."""
        silent = self.silent.get(device)
        return np.ones(len(index), np.bool_) if silent is None else ~silent[index]


UNSCALED = {"power_factor", "frequency", "voltage_l1_n", "voltage_l2_n", "voltage_l3_n", "voltage_ln", "voltage_ll"}


class Metering:
    """Lifetimes, resets, exchanges and standstills of all meters, kept from block to block."""

    def __init__(self, scenario: Scenario) -> None:
        drawn = np.random.default_rng([scenario.seed, LIFETIME]).uniform(0.8, 1.2, len(LIFETIMES))
        worn = scenario.scale * drawn
        self._bases = {name: life * float(by) for (name, life), by in zip(LIFETIMES.items(), worn, strict=True)}
        self._kept: dict[str, dict[str, float]] = {}
        for fault in Faults.of(scenario):
            if fault.fault == "rollover":
                days = (fault.onset_us - scenario.start_us) / DAY
                limit = COUNTERS[fault.target] or 0.0
                self._bases[fault.target] = limit - days * PER_DAY[fault.target] * scenario.scale

    def show(self, block: Block, faults: Faults) -> Metered:
        """The next block as the meters show it."""
        bases: dict[str, float | Values] = dict(self._bases)
        silent: dict[str, Mask] = {}
        frozen: dict[str, tuple[Mask, Mapping[str, float]]] = {}
        touched = faults.windows(METER_FAULTS, block.time.epoch)
        for fault, mask in touched:
            if fault.fault in NO_ANSWER:
                silent[fault.target] = silent.get(fault.target, False) | mask
            begins = (fault.onset_us - block.start_us) // MINUTE
            if 0 <= begins < len(block):
                self._begin(fault, int(begins), block, bases)
        metered = Metered(block, bases, silent, frozen)
        for fault, mask in touched:
            if fault.fault == "frozen_meter":
                if fault.target not in self._kept:
                    self._kept[fault.target] = _snapshot(metered, BY_NAME[fault.target], int(np.argmax(mask)))
                frozen[fault.target] = (mask, self._kept[fault.target])
        last_us = block.start_us + (len(block) - 1) * MINUTE
        still = {fault.target for fault, _ in touched if fault.fault == "frozen_meter" and fault.on(last_us + MINUTE)}
        self._kept = {name: kept for name, kept in self._kept.items() if name in still}
        return metered

    def state(self) -> dict[str, Any]:
        """What has to be kept to go on."""
        return {"bases": self._bases, "kept": self._kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a kept state."""
        self._bases = dict(state["bases"])
        self._kept = {name: dict(kept) for name, kept in state["kept"].items()}

    def _begin(self, fault: ActiveFault, index: int, block: Block, bases: dict[str, float | Values]) -> None:
        """A counter starts again: its base changes from minute `index` of the block on."""
        if fault.fault == "counter_reset":
            fresh = {fault.target: 0.0}
        elif fault.fault == "meter_exchange":
            fresh = {signal: OPENING for signal in BY_NAME[fault.target].signals.values() if signal in COUNTERS}
        else:
            return
        for signal, opening in fresh.items():
            self._bases[signal] = opening - float(block.totals[signal][index])
            steps = np.broadcast_to(np.asarray(bases[signal], np.float64), len(block)).copy()
            steps[index:] = self._bases[signal]
            bases[signal] = steps


def _snapshot(metered: Metered, device: Device, index: int) -> dict[str, float]:
    at = np.array([index])
    return {signal: float(metered.value(signal, at, 0.0)[0]) for signal in device.signals.values()}
