"""The shop's model: its balances close, and it strays as much as its scenario states."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from shop_runs import Run, make_scenario, run_shop

Values = NDArray[np.float64]

LINES = ("zn", "ni", "cr")
METERS = (
    *(f"{line}_{name}" for line in LINES for name in ("rectifier_ah", "rectifier_kwh", "aux_kwh", "steam")),
    *(f"{line}_rinse{stage}_water" for line in LINES for stage in (1, 2)),
    *("mains_kwh", "mains_kvarh", "compressor_kwh", "compressed_air", "chiller_kwh", "ro_kwh", "ro_permeate"),
    *("city_water", "ww_total", "ww_kwh", "reuse_water", "gas", "boiler_steam", "feedwater", "condensate"),
)


def total(run: Run, *names: str) -> Values:
    """The sum of several amounts per minute."""
    return np.sum([run.amounts[name] for name in names], axis=0)


def stages() -> list[str]:
    """The six rinse meters."""
    return [f"{line}_rinse{stage}_water" for line in LINES for stage in (1, 2)]


def test_electricity_closes(four_weeks: Run) -> None:
    """The mains are the sum of all sub-meters and the rest load, in every minute."""
    subs = [f"{line}_{kind}_kwh" for line in LINES for kind in ("rectifier", "aux")]
    whole = total(four_weeks, *subs, "compressor_kwh", "chiller_kwh", "ro_kwh", "ww_kwh", "rest_kwh")
    np.testing.assert_allclose(whole, four_weeks.amounts["mains_kwh"], rtol=1e-12)


def test_water_closes(four_weeks: Run) -> None:
    """City water and reuse are what all users take, less what the RO gives back; every drop leaves somewhere."""
    amounts = four_weeks.amounts
    used = total(four_weeks, *stages(), "other_water", "ro_concentrate", "makeup") - amounts["reuse_water"]
    np.testing.assert_allclose(amounts["city_water"], used, rtol=1e-9)
    np.testing.assert_allclose(amounts["ro_feed"], total(four_weeks, "ro_permeate", "ro_concentrate"), rtol=1e-12)
    entered = total(four_weeks, "city_water", "reuse_water").sum()
    left = total(four_weeks, "ww_total", "evaporation", "drag_out", "steam_lost").sum()
    assert abs(entered - left) < 60, "the sump alone may hold a difference, and it holds 60 m3"
    assert abs(entered - left) < 0.01 * entered


def test_heat_closes(four_weeks: Run) -> None:
    """Gas carries the steam's enthalpy at an efficiency around 0.9; feedwater is steam and blowdown."""
    amounts = four_weeks.amounts
    np.testing.assert_allclose(amounts["feedwater"], amounts["boiler_steam"] / 1000 + amounts["blowdown"], rtol=1e-9)
    np.testing.assert_allclose(
        amounts["feedwater"], total(four_weeks, "condensate", "steam_lost", "blowdown"), rtol=1e-9
    )
    burnt = amounts["gas"].sum() * 35.588
    steam = amounts["boiler_steam"].sum() * (2756 - 4.19 * 53) / 1000
    assert 0.87 < steam / burnt < 0.93
    lines = total(four_weeks, *(f"{line}_steam" for line in LINES))
    assert (amounts["boiler_steam"] > lines).all()


@pytest.mark.parametrize(("line", "ah_m2", "volts"), [("zn", 49.3, 6.0), ("ni", 85.6, 5.0), ("cr", 44.5, 6.0)])
def test_rectifiers_follow_their_charge(four_weeks: Run, line: str, ah_m2: float, volts: float) -> None:
    """Ah per m2 are those of the deposit; kWh are Ah x V over the rectifier's efficiency."""
    amounts = four_weeks.amounts
    charge = amounts[f"{line}_rectifier_ah"]
    assert charge.sum() / amounts[f"{line}_area"].sum() == pytest.approx(ah_m2, rel=0.02)
    drawn = amounts[f"{line}_rectifier_kwh"] - charge * volts / 1000 / 0.9
    np.testing.assert_allclose(drawn, 0.3 / 60, rtol=1e-6)


def test_cooling_and_air_follow_their_physics(four_weeks: Run) -> None:
    """Cooling is what the chilled water carries away; the compressor draws 6.36 kW per m3/min and an idle load."""
    levels, amounts = four_weeks.levels, four_weeks.amounts
    rise = levels["chw_return_temp"] - levels["chw_supply_temp"]
    np.testing.assert_allclose(levels["chw_flow"] * rise * 1.163, amounts["cooling_kwh"] * 60, rtol=1e-9)
    idle = levels["compressor_kw"] - 18.7 / 2.94 * levels["air_flow"]
    assert idle.min() > 0.3 and idle.max() < 5.0


def test_permeate_follows_pressure_and_temperature(four_weeks: Run) -> None:
    """Permeate over net driving pressure and exp(3020 (1/298 - 1/(273+T))) is the membranes' own, nearly constant."""
    levels = four_weeks.levels
    pressure = (levels["ro_feed_pressure"] + levels["ro_concentrate_pressure"]) / 2
    driving = pressure - levels["ro_permeate_pressure"] - 0.4
    factor = np.exp(3020 * (1 / 298 - 1 / (273 + levels["ro_feed_temp"])))
    normalised = levels["ro_permeate_flow"] / driving / factor
    assert normalised.mean() == pytest.approx(0.27, rel=0.01)
    assert normalised.std() / normalised.mean() < 0.04


def test_the_week_has_its_shape(four_weeks: Run) -> None:
    """About 1000 m2 a day and line; nights lower, Sundays low, the third week cold, spring water cold."""
    area = total(four_weeks, *(f"{line}_area" for line in LINES)).reshape(28, 1440)
    working = area[[day for day in range(28) if day % 7 != 6]]
    assert area.sum() / 28 / 3 == pytest.approx(1000, rel=0.1)
    assert working[:, 1320:].sum(axis=1).mean() / 2 < 0.8 * working[:, 360:840].sum(axis=1).mean() / 8
    assert area[6::7, 480:1320].mean() < 0.35 * working[:, 480:1320].mean()
    outdoor = four_weeks.levels["outdoor_temp"].reshape(28, 1440).mean(axis=1)
    assert outdoor[15:20].mean() < min(outdoor[:14].mean(), outdoor[21:].mean()) - 3
    assert 7 < four_weeks.levels["city_water_temp"].mean() < 12
    assert max(run_length(four_weeks)) < 3


def run_length(run: Run) -> list[int]:
    """The most racks of any line in a minute, block by block."""
    return [int(np.bincount(minutes, minlength=1).max()) for block in run.blocks for minutes, _ in block.racks.values()]


def spread(values: Values, drivers: list[Values], minutes: int) -> tuple[float, float]:
    """CV and lag-1 autocorrelation of what a line through the drivers leaves, at a length of block."""
    means = [series.reshape(-1, minutes).mean(axis=1) for series in (values, *drivers)]
    design = np.column_stack([np.ones(len(means[0])), *means[1:]])
    fitted, *_ = np.linalg.lstsq(design, means[0], rcond=None)
    left = means[0] - design @ fitted
    return float(left.std() / means[0].mean()), float(np.corrcoef(left[1:], left[:-1])[0, 1])


@pytest.mark.parametrize("meter", METERS)
def test_noise_is_as_stated(four_weeks: Run, meter: str) -> None:
    """Each meter's residuals around production: minutes CV >= 15 %, lag-1 >= 0.8; hours >= 5 %, >= 0.3; days >= 3 %."""
    prefix = meter[:2]
    area = (
        four_weeks.amounts[f"{prefix}_area"] if prefix in LINES else total(four_weeks, "zn_area", "ni_area", "cr_area")
    )
    drivers = [area, four_weeks.levels["outdoor_temp"]]
    minute, hour, day = (spread(four_weeks.amounts[meter], drivers, minutes) for minutes in (1, 60, 1440))
    assert 0.15 <= minute[0] < 0.25 and minute[1] >= 0.8
    assert 0.05 <= hour[0] < 0.09 and hour[1] >= 0.3
    assert 0.03 <= day[0] < 0.055


def test_meters_stray_independently(four_weeks: Run) -> None:
    """Two stages of one line share their production, not their noise."""
    area = four_weeks.amounts["zn_area"]
    left = []
    for stage in (1, 2):
        flow = four_weeks.amounts[f"zn_rinse{stage}_water"]
        slope, base = np.polyfit(area, flow, 1)
        left.append(flow - slope * area - base)
    assert abs(np.corrcoef(left)[0, 1]) < 0.1


def test_size_and_seed_change_the_shop() -> None:
    """Twice the scale is twice the amounts with the same noise; another seed is another history."""
    small, large, other = (run_shop(make_scenario(**changes), 1) for changes in ({}, {"scale": 2.0}, {"seed": 12}))
    for name in ("mains_kwh", "gas", "city_water", "zn_rinse1_water", "ro_permeate"):
        np.testing.assert_allclose(large.amounts[name], 2 * small.amounts[name], rtol=1e-9)
        assert not np.array_equal(other.amounts[name], small.amounts[name])
