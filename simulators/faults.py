"""Which faults are on at which minute, and how hard each presses on the shop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.reading import MINUTE
from simulators.catalogue import (
    AIR_LEAK_M3_MIN,
    CHILLER_FOULING,
    DAY_MINUTES,
    LINES,
    RINSE_VALVE_L_MIN,
    RO_DECAY,
    STEAM_TRAP_KG_H,
    find_offer,
)
from simulators.scenario import Scenario

Values = NDArray[np.float64]
Integers = NDArray[np.int64]

WINTER_RAMP_MINUTES = 12 * 60
LOW_OUTPUT, WINTER_WATER = "low_output", "winter_water"


@dataclass(frozen=True)
class ActiveFault:
    """A fault that is, was or will be on: from `onset_us` to `end_us` [µs UTC, whole minutes; None = stands]."""

    fault: str
    target: str
    size: float
    onset_us: int
    end_us: int | None

    def covers(self, epoch: Integers) -> NDArray[np.bool_]:
        """Which of these minutes (since 1970 UTC) it is on."""
        on = epoch >= self.onset_us // MINUTE
        return on if self.end_us is None else on & (epoch < self.end_us // MINUTE)

    def on(self, time_us: int) -> bool:
        """Whether it is on at a time."""
        return self.onset_us <= time_us and (self.end_us is None or time_us < self.end_us)


class Faults:
    """Every fault of a run, planned or switched; `switch` takes effect from the minute given."""

    def __init__(self, planned: Iterable[ActiveFault]) -> None:
        self._all = list(planned)

    @classmethod
    def of(cls, scenario: Scenario) -> Faults:
        """The faults that a scenario plans, each with its onset drawn or given."""
        return cls(
            ActiveFault(fault.fault, fault.target, fault.size, scenario.onset(index), scenario.end(index))
            for index, fault in enumerate(scenario.faults)
        )

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._all)

    def active(self, time_us: int) -> list[ActiveFault]:
        """What is on at a time."""
        return [fault for fault in self._all if fault.on(time_us)]

    def switch(self, fault: str, target: str, size: float, on: bool, time_us: int) -> ActiveFault:
        """Switch a fault on or off from `time_us` (a whole minute) on.

        Raises ValueError for an unknown fault or target, one that can only be planned, one already on, or not on.
        """
        offer = find_offer(fault)
        if target not in {known.name for known in offer.targets}:
            raise ValueError(f"{fault} has no target '{target}'")
        if not 0 < size <= 2:
            raise ValueError(f"a size of {size} is not within 0 to 2")
        standing = [index for index, known in enumerate(self._all) if self._is(known, fault, target, time_us)]
        if on:
            if standing:
                raise ValueError(f"{fault} is already on at {target}")
            if not offer.while_running:
                raise ValueError(f"{fault} can only be planned in a scenario")
            end = None if offer.lasts_minutes is None else time_us + offer.lasts_minutes * MINUTE
            self._all.append(ActiveFault(fault, target, size, time_us, end))
            return self._all[-1]
        if not standing:
            raise ValueError(f"{fault} is not on at {target}")
        self._all[standing[-1]] = replace(self._all[standing[-1]], end_us=time_us)
        return self._all[standing[-1]]

    def extra(self, epoch: Integers) -> dict[str, Values]:
        """What the faults add in each minute, by the shop's own names (kg/h, L/min, m3/min, or a share)."""
        extra: dict[str, Values] = {}
        for fault in self._all:
            key, amount = _pressure(fault)
            if key:
                value: Values = amount * _ramp(fault, epoch) * fault.covers(epoch)
                extra[key] = extra[key] + value if key in extra else value
        return extra

    def windows(self, kinds: set[str], epoch: Integers) -> list[tuple[ActiveFault, NDArray[np.bool_]]]:
        """The faults of these kinds that touch the minutes given, each with the minutes it is on."""
        found = [(fault, fault.covers(epoch)) for fault in self._all if fault.fault in kinds]
        return [(fault, mask) for fault, mask in found if mask.any()]

    def state(self) -> list[dict[str, Any]]:
        """What has to be kept to go on."""
        return [asdict(fault) for fault in self._all]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a kept state."""
        self._all = [ActiveFault(**fault) for fault in state]

    @staticmethod
    def _is(known: ActiveFault, fault: str, target: str, time_us: int) -> bool:
        return known.fault == fault and known.target == target and known.on(time_us)


def _pressure(fault: ActiveFault) -> tuple[str, float]:
    """Where in the shop a fault presses, and how hard; ("", 0) for faults of meters and gateways."""
    if fault.fault == "steam_trap":
        return f"{LINES[fault.target][0]}_steam", STEAM_TRAP_KG_H * fault.size
    return {
        "rinse_valve": (f"{fault.target}_water", RINSE_VALVE_L_MIN * fault.size),
        "air_leak": ("compressed_air", AIR_LEAK_M3_MIN * fault.size),
        "chiller_fouling": ("chiller_kwh", CHILLER_FOULING * fault.size),
        "ro_decay": ("ro_permeate_flow", RO_DECAY * fault.size),
        "low_output_sunday": (LOW_OUTPUT, fault.size),
        "winter_water": (WINTER_WATER, fault.size),
    }.get(fault.fault, ("", 0.0))


def _ramp(fault: ActiveFault, epoch: Integers) -> Values:
    minutes = WINTER_RAMP_MINUTES if fault.fault == "winter_water" else find_offer(fault.fault).ramp_days * DAY_MINUTES
    if not minutes:
        return np.ones(len(epoch))
    ramp: Values = np.clip((epoch - fault.onset_us // MINUTE + 1) / minutes, 0.0, 1.0)
    return ramp
