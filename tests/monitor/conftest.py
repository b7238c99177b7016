"""The plant that the lock-step tests share: another seed, size and point names than the example's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plant_runs import Plant, described, fitted, scenario

NAMES = {"zn_": "galvanic_"}


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """29 days without a drift fault, with baselines in force; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("month")
    chosen = scenario(seed=4711, scale=1.25, names=NAMES, faults=[])
    plant = fitted(described(folder / "plant", NAMES), folder / "data", chosen)
    yield plant
    plant.close()


@pytest.fixture
def plant(month: Plant, tmp_path: Path) -> Iterator[Plant]:
    """A copy of the month, to do with as a test likes."""
    copy = month.copy(tmp_path / "data")
    yield copy
    copy.close()
