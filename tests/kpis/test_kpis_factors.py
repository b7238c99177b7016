"""Dated factors: one calorific value a fuel, the right edition for every local day."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from kpis.factors import (
    co2_direct_factor,
    co2_location_factor,
    co2_market_factor,
    energy_factor,
    factor_series,
    in_force,
)
from plant.clock import to_us
from plant.model import Plant
from plant.reading import MINUTE

SHANGHAI = ZoneInfo("Asia/Shanghai")


def grid(quantity: str, value: float, edition: str, since: str | None = None) -> dict[str, Any]:
    """A factor of electricity."""
    entry = {"carrier": "electricity", "quantity": quantity, "value": value, "unit": "kg/kWh", "edition": edition}
    return entry | {"source": "MEE"} | ({"from": since} if since else {})


def gas(ncv: float, since: str | None = None) -> dict[str, Any]:
    """A natural gas of a calorific value."""
    fuel = {"title": "natural gas", "unit": "m3", "ncv": ncv, "carbon_content": 15.3, "source": "supplier"}
    return fuel | ({"from": since} if since else {})


@pytest.fixture
def plant() -> Plant:
    """A plant that buys electricity and gas."""
    return Plant.model_validate(
        {
            "format": "keepclean/1",
            "site": {"id": "shop", "name": "Shop", "time_zone": "Asia/Shanghai"},
            "audit": {"name": "Audit", "period": ("2026-01-01", "2028-12-31"), "baseline_year": 2025},
            "devices": {},
            "points": {},
            "fuels": {"gas": [gas(35.588), gas(38.931, "2026-03-01")]},
            "factors": [
                grid("energy", 0.1229, "GB/T 2589-2020"),
                grid("co2_location", 0.5366, "national 2022", "2025-01-01"),
                grid("co2_location", 0.5306, "national 2023", "2026-01-01"),
                grid("co2_market", 0.6096, "residual 2023", "2026-01-01"),
            ],
        }
    )


def test_a_fuels_energy_and_carbon_come_from_its_one_calorific_value(plant: Plant) -> None:
    """Gas of 35.588 MJ/m3 is 1.2143 kgce and 1.977 kg CO2; of 38.931 it is 1.3300 and 2.1622 (IPCC carbon content)."""
    before, after = date(2026, 2, 28), date(2026, 3, 1)
    assert energy_factor(plant, "gas", before)[0] == pytest.approx(1.2143, abs=5e-5)
    assert co2_direct_factor(plant, "gas", before)[0] == pytest.approx(1.977, abs=5e-4)
    assert energy_factor(plant, "gas", after)[0] == pytest.approx(1.3284, abs=5e-5)
    assert co2_direct_factor(plant, "gas", after)[0] == pytest.approx(2.1622, abs=5e-5)
    assert energy_factor(plant, "gas", before)[1] == "gas: NCV 35.588 MJ/m3 (supplier)"


def test_the_worked_example_of_energy(plant: Plant) -> None:
    """18 540 000 kWh are 2 278.6 tce and 1 280 000 m3 of gas 1 554.3 tce."""
    day = date(2026, 2, 1)
    assert 18_540_000 * energy_factor(plant, "electricity", day)[0] / 1000 == pytest.approx(2278.6, abs=0.05)
    assert 1_280_000 * energy_factor(plant, "gas", day)[0] / 1000 == pytest.approx(1554.3, abs=0.05)


def test_an_edition_holds_from_its_first_local_day(plant: Plant) -> None:
    """Location- and market-based factors are looked up side by side by date."""
    assert co2_location_factor(plant, "electricity", date(2025, 12, 31)) == (0.5366, "national 2022")
    assert co2_location_factor(plant, "electricity", date(2026, 1, 1)) == (0.5306, "national 2023")
    assert co2_market_factor(plant, "electricity", date(2026, 6, 1)) == (0.6096, "residual 2023")


def test_what_has_no_factor_is_unknown(plant: Plant) -> None:
    """Promise 3: a carrier or a day without a factor is nan, never 0."""
    for value, edition in (
        co2_location_factor(plant, "electricity", date(2024, 12, 31)),
        co2_direct_factor(plant, "steam", date(2026, 1, 1)),
    ):
        assert math.isnan(value)
        assert edition == ""


def test_a_window_across_new_year_uses_both_editions(plant: Plant) -> None:
    """The year ends at local midnight, 16:00 UTC in Shanghai."""
    start = to_us(datetime(2025, 12, 31, 15, 58, tzinfo=UTC))
    minutes = start + MINUTE * np.arange(4)
    values, editions = factor_series(plant, "electricity", "co2_location", minutes, SHANGHAI)
    assert values.tolist() == [0.5366, 0.5366, 0.5306, 0.5306]
    assert editions == ("national 2022", "national 2023")


def test_a_series_is_the_daily_factor_of_each_minute(plant: Plant) -> None:
    """Looking up a whole window and looking up its minutes one by one agree, in any order of minutes."""
    start = to_us(datetime(2024, 12, 30, tzinfo=UTC))
    minutes = np.random.default_rng(1).permutation(start + 997 * MINUTE * np.arange(600))
    values, _ = factor_series(plant, "electricity", "co2_location", minutes, SHANGHAI)
    for at, value in zip(minutes[:50].tolist(), values[:50].tolist(), strict=True):
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(SHANGHAI).date()
        assert co2_location_factor(plant, "electricity", day)[0] == pytest.approx(value, nan_ok=True)


def test_an_empty_window_has_no_factor(plant: Plant) -> None:
    """No minutes: no values and no editions."""
    values, editions = factor_series(plant, "gas", "energy", np.empty(0, np.int64), SHANGHAI)
    assert (len(values), editions) == (0, ())


def test_in_force_ignores_the_order_of_the_list(plant: Plant) -> None:
    """The youngest entry that has begun counts, wherever it stands."""
    fuels = plant.fuels["gas"]
    for entries in (fuels, fuels[::-1]):
        found = in_force(entries, date(2026, 5, 1))
        assert found is not None
        assert found.ncv == 38.931
    assert in_force([], date(2026, 1, 1)) is None
