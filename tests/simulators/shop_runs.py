"""Scenarios and runs of the simulated shop, for its tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.faults import Faults
from simulators.scenario import Scenario
from simulators.shop import Block, Shop


def make_scenario(**changes: Any) -> Scenario:
    """A scenario without faults, with the changes given."""
    return Scenario.model_validate(
        {"seed": 11, "start": datetime.fromisoformat("2026-03-02T00:00:00+08:00"), **changes}
    )


class Run:
    """Blocks of a run, joined: `amounts` and `levels` by name."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.amounts = {name: self._join("amounts", name) for name in blocks[0].amounts}
        self.levels = {name: self._join("levels", name) for name in blocks[0].levels}

    def _join(self, kind: str, name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(block, kind)[name] for block in self.blocks])


def run_shop(scenario: Scenario, days: int) -> Run:
    """The shop itself, without meters, in steps of six hours."""
    shop, faults = Shop(scenario), Faults.of(scenario)
    return Run([shop.advance(360, faults) for _ in range(days * 4)])
