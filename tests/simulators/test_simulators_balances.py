"""The example's balances are true of the simulated shop: they close over their window, week after week."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from kpis.factors import energy_factor
from plant.load import load
from plant.model import Plant, Term
from simulators.faults import Faults
from simulators.scenario import Scenario
from simulators.shop import Shop

DAY_MIN = 1440


@pytest.fixture(scope="module")
def described() -> Plant:
    """The electroplating example."""
    return load(Path(__file__).parents[2] / "examples/electroplating/plant.yaml")


@pytest.fixture(scope="module")
def weeks() -> list[dict[str, float]]:
    """What really flowed in each of four weeks, by signal."""
    scenario = Scenario(seed=11, start=datetime(2026, 3, 1, 16, tzinfo=UTC))
    shop, faults = Shop(scenario), Faults.of(scenario)
    found = []
    for _ in range(4):
        block = shop.advance(7 * DAY_MIN, faults)
        found.append({name: float(np.sum(amount)) for name, amount in block.amounts.items()})
    return found


@pytest.mark.parametrize("name", ["plant_water", "boiler_energy"])
def test_a_balance_closes_over_its_window(described: Plant, weeks: list[dict[str, float]], name: str) -> None:
    """|in − out − estimated| stays within half the limit of in: what the balance names is what the shop does, and a
    leak of a few per cent would show."""
    balance = described.balances[name]
    assert balance.over == "7d" and not balance.stock

    def total(terms: list[Term], week: dict[str, float]) -> float:
        return sum(term.times * week[term.point] * per_amount(term) for term in terms)

    def per_amount(term: Term) -> float:
        carrier = described.points[term.point].carrier
        if term.as_ == "amount":
            return 1.0
        assert term.as_ == "energy" and carrier is not None
        return energy_factor(described, carrier, datetime(2026, 3, 2).date())[0]

    for week in weeks:
        came = total(balance.in_, week)
        gap = came - total(balance.out, week) - total(balance.estimated, week)
        assert came > 0 and abs(gap) / came * 100 <= balance.limit / 2, week
