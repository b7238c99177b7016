"""The run of the simulated shop that several tests look at."""

from __future__ import annotations

import pytest
from shop_runs import Run, make_scenario, run_shop


@pytest.fixture(scope="session")
def four_weeks() -> Run:
    """Four weeks without a fault."""
    return run_shop(make_scenario(), 28)
