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


def test_density_of_water_is_the_published_tables() -> None:
    """CRC Handbook, density of water: 0 °C 999.84, 20 °C 998.21, 60 °C 983.20, 100 °C 958.4 kg/m3."""
    found = terms.water_density(np.array([0.0, 20.0, 60.0, 100.0]))
    assert found.tolist() == pytest.approx([999.84, 998.21, 983.20, 958.37], abs=0.02)
    assert np.isnan(terms.water_density(np.array([-1.0, 151.0]))).all()


def test_condensate_return_by_weight() -> None:
    """Hot condensate by volume alone reads 3.5 % too high against steam by weight."""
    share = terms.water_mass(np.array([1.0]), np.array([90.0]))[0] / 1500
    assert share == pytest.approx(0.64355, abs=1e-4)


def test_a_boiler_at_reference_oxygen() -> None:
    """A gas boiler of 8 % oxygen: measured 52 mg/m3 are 70 mg/m3 at 3.5 %; diluted flue gas gains nothing."""
    found = terms.at_reference_oxygen(np.array([52.0, 26.0]), np.array([8.0, 14.5]), 3.5)
    assert found.tolist() == pytest.approx([70.0, 70.0])


def test_solvent_balance() -> None:
    """VOC = used × content − recovered − destroyed: 120 kg of 45 % less 20 kg recovered leaves 34 kg."""
    assert terms.content(np.array([120.0]), np.array([0.45]))[0] - 20.0 == pytest.approx(34.0)
