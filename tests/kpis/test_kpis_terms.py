"""Minute amounts derived from other minutes, against worked and published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from kpis import terms


def test_load_is_summed_minute_by_minute() -> None:
    """Pitfall: mean concentration times total volume would give 0.11 kg here, not 0.06."""
    concentration, flow = np.array([1000.0, 100.0]), np.array([0.01, 0.5])
    assert terms.load(concentration, flow).sum() == pytest.approx(0.06)


def test_temperature_correction_is_the_published_tables_inverse() -> None:
    """FilmTec's table: 10 °C 1.711, 15 °C 1.422 (±1 in the last place), 25 °C 1.000, 29 °C 0.889."""
    table = 1 / terms.temperature_correction(np.array([10.0, 15.0, 25.0, 29.0]))
    assert table.tolist() == pytest.approx([1.711, 1.422, 1.0, 0.889], abs=1.1e-3)


def test_normalised_flow_takes_temperature_and_pressure_out() -> None:
    """The same membrane in cold water, or at half the pressure, has the same normalised flow."""
    feed, concentrate, permeate = np.array([12.0, 12.0, 6.25]), np.array([10.0, 10.0, 5.25]), np.array([0.5, 0.5, 0.5])
    temperature = np.array([25.0, 10.0, 25.0])
    volume = 0.1 * terms.temperature_correction(temperature) * np.array([1.0, 1.0, 0.5])
    flow = terms.normalised_flow(volume, temperature, feed, concentrate, permeate, 10.5)
    assert flow.tolist() == pytest.approx([0.1, 0.1, 0.1])


def test_a_resting_unit_is_zero_and_an_impossible_one_unknown() -> None:
    """Promise 3: no permeate is a true 0; permeate without driving pressure, or an unknown pressure, is unknown."""
    volume, none = np.array([0.0, 0.1, 0.1, 0.0]), np.array([0.0, 0.0, np.nan, np.nan])
    flow = terms.normalised_flow(volume, np.full(4, 20.0), none, none, np.zeros(4), 10.0)
    assert flow[0] == 0.0
    assert np.isnan(flow[1:]).all()


def test_cooling_of_an_hour() -> None:
    """60 m3/h warmed by 5 K carry 60·5·1.163 = 348.9 kWh in an hour."""
    assert terms.cooling(np.full(60, 60.0), np.full(60, 7.0), np.full(60, 12.0)).sum() == pytest.approx(348.9)


def test_product_of_an_unknown_price_is_unknown() -> None:
    """Promise 3: an amount without a price costs an unknown sum, not nothing."""
    cost = terms.product(np.array([2.0, 2.0]), np.array([0.7, np.nan]), times=0.5)
    assert cost[0] == pytest.approx(0.7)
    assert np.isnan(cost[1])
