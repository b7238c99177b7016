"""Each fault changes exactly what it should, when and as long as it should."""

from __future__ import annotations

import numpy as np
import pytest
from shop_runs import Run, make_scenario, run_shop

from plant.reading import MINUTE
from simulators.catalogue import fault_catalogue
from simulators.devices import DEVICES
from simulators.faults import Faults
from simulators.lockstep import Delivery, LockStep
from simulators.meters.base import Values

AT = 600  # minutes of the first day before the fault
MEASURED = {signal for device in DEVICES for signal in device.signals.values()}
STEAM_SIDE = {"boiler_steam", "gas", "feedwater", "makeup", "blowdown", "steam_lost", "city_water"}
POWER = {"mains_kwh", "mains_kvarh"}
SEWER = {"ww_total", "ww_kwh", "cod"} | POWER


def two_days(fault: str, target: str, size: float = 1.0) -> tuple[Run, Run]:
    """Two days of the same shop, without and with a fault from 10:00 of the first day on."""
    planned = [{"fault": fault, "target": target, "at": "day 1 10:00", "size": size}]
    return run_shop(make_scenario(), 2), run_shop(make_scenario(faults=planned), 2)


def changed(before: Run, after: Run) -> set[str]:
    """The amounts that differ anywhere."""
    return {name for name in before.amounts if not np.array_equal(before.amounts[name], after.amounts[name])}


def extra(before: Run, after: Run, name: str) -> Values:
    """What a fault adds to an amount per minute; nothing before its onset."""
    added = after.amounts[name] - before.amounts[name]
    assert not added[:AT].any(), "nothing changes before the onset"
    return added[AT:]


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_steam_trap(size: float) -> None:
    """+34.4 kg/h on the line, from the boiler, its gas and its water; the condensate does not bring it back."""
    before, after = two_days("steam_trap", "zinc", size)
    np.testing.assert_allclose(extra(before, after, "zn_steam") * 60, 34.4 * size, rtol=1e-9)
    np.testing.assert_allclose(extra(before, after, "boiler_steam") * 60, 34.4 * size, rtol=1e-9)
    assert extra(before, after, "gas").min() > 0
    assert changed(before, after) - SEWER <= {"zn_steam", "condensate"} | STEAM_SIDE
    np.testing.assert_allclose(after.amounts["condensate"], before.amounts["condensate"], rtol=1e-9)


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_rinse_valve(size: float) -> None:
    """+10 L/min on one stage of one line, at standstill too; it is bought and goes down the drain."""
    before, after = two_days("rinse_valve", "ni_rinse2", size)
    np.testing.assert_allclose(extra(before, after, "ni_rinse2_water") * 1000, 10 * size, rtol=1e-9)
    np.testing.assert_allclose(extra(before, after, "city_water") * 1000, 10 * size, rtol=1e-6)
    assert extra(before, after, "ww_total").sum() * 1000 == pytest.approx(10 * size * (2 * 1440 - AT), rel=0.15)
    assert changed(before, after) - SEWER == {"ni_rinse2_water", "city_water"}


@pytest.mark.parametrize("size", [1.0, 0.25])
def test_air_leak(size: float) -> None:
    """+2.94 m3/min of air and +18.7 kW at the compressor and the mains; nothing else."""
    before, after = two_days("air_leak", "compressed_air", size)
    np.testing.assert_allclose(extra(before, after, "compressed_air"), 2.94 * size, rtol=1e-9)
    np.testing.assert_allclose(extra(before, after, "compressor_kwh") * 60, 18.7 * size, rtol=1e-9)
    np.testing.assert_allclose(extra(before, after, "mains_kwh") * 60, 18.7 * size, rtol=1e-6)
    assert changed(before, after) == {"compressed_air", "compressor_kwh"} | POWER


def test_chiller_fouling_grows_over_thirty_days(four_weeks: Run) -> None:
    """+35 % power for the same cooling, grown evenly over 30 days: half of it after 15; nothing else changes."""
    planned = [{"fault": "chiller_fouling", "target": "chiller", "at": "day 1"}]
    fouled = run_shop(make_scenario(faults=planned), 28)
    share = fouled.amounts["chiller_kwh"] / four_weeks.amounts["chiller_kwh"] - 1
    assert share[15 * 1440] == pytest.approx(0.175, abs=0.001)
    assert share[-1] == pytest.approx(0.35 * 28 / 30)
    assert (np.diff(share) >= -1e-12).all()
    assert changed(four_weeks, fouled) == {"chiller_kwh", "chiller_extra_kwh"} | POWER
    added = fouled.amounts["chiller_kwh"] - four_weeks.amounts["chiller_kwh"]
    np.testing.assert_allclose(added, fouled.amounts["chiller_extra_kwh"], atol=1e-9)


def test_ro_decay_takes_flow_at_the_same_pressure(four_weeks: Run) -> None:
    """-15 % permeate over 60 days at unchanged pressure and temperature: a quarter of it after 15."""
    planned = [{"fault": "ro_decay", "target": "ro", "at": "day 1"}]
    decayed = run_shop(make_scenario(faults=planned), 16)
    share = decayed.amounts["ro_permeate"] / four_weeks.amounts["ro_permeate"][: 16 * 1440] - 1
    assert share[15 * 1440] == pytest.approx(-0.0375, abs=0.0005)
    for name in ("ro_feed_pressure", "ro_feed_temp"):
        np.testing.assert_array_equal(four_weeks.levels[name][: 16 * 1440], decayed.levels[name])


def test_a_slow_fault_stays_at_its_end_and_leaves_when_mended() -> None:
    """Beyond its days a slow fault presses no harder; switched off it is gone at once."""
    planned = [{"fault": "chiller_fouling", "target": "chiller", "at": "day 1", "until": "day 41", "size": 0.5}]
    scenario = make_scenario(faults=planned)
    first = scenario.start_us // MINUTE
    pressed = Faults.of(scenario).extra(first + np.arange(42) * 1440)["chiller_kwh"]
    np.testing.assert_allclose(pressed[30:40], 0.175)
    assert not pressed[40:].any()


def test_low_output_day_and_winter_water_are_no_waste() -> None:
    """A low day makes a quarter; winter water is 6 K colder after 12 hours and thins the permeate: no valve opens."""
    before, after = two_days("low_output_sunday", "plating")
    np.testing.assert_allclose(
        after.amounts["zn_area"][AT : AT + 1440], 0.25 * before.amounts["zn_area"][AT : AT + 1440]
    )
    np.testing.assert_array_equal(after.amounts["zn_area"][AT + 1440 :], before.amounts["zn_area"][AT + 1440 :])
    before, after = two_days("winter_water", "city_water")
    np.testing.assert_allclose((after.levels["city_water_temp"] - before.levels["city_water_temp"])[AT + 720 :], -6)
    assert after.amounts["ro_permeate"][AT + 720 :].sum() < 0.85 * before.amounts["ro_permeate"][AT + 720 :].sum()
    np.testing.assert_array_equal(after.amounts["zn_rinse1_water"], before.amounts["zn_rinse1_water"])


def counter(delivery: Delivery, port: int, unit: int, address: int) -> Values:
    """A Promag's float, its words swapped by hand."""
    words = delivery.modbus[port, unit].read(3, address, 2)
    return np.frombuffer(words[:, ::-1].astype(">u2").tobytes(), ">f4").astype(np.float64)


def day_of(fault: str, target: str, minutes: int = 1440) -> Delivery:
    """A day's delivery with a fault from 10:00 on, delivered at once."""
    planned = [{"fault": fault, "target": target, "at": "day 1 10:00"}]
    return LockStep(make_scenario(faults=planned)).advance(minutes)


def test_counter_reset_and_exchange_start_again() -> None:
    """A reset begins at zero, an exchanged meter at 2 after 15 silent minutes; the flow goes on."""
    shown = counter(day_of("counter_reset", "ni_rinse1_water"), 15031, 3, 2609)
    assert shown[AT - 1] > 1000 and 0 <= shown[AT] < 0.1
    delivery = day_of("meter_exchange", "ni_rinse1_meter")
    assert not delivery.modbus[15031, 3].answered[AT : AT + 15].any()
    assert delivery.modbus[15031, 3].answered.sum() == 1440 - 15
    shown = counter(delivery, 15031, 3, 2609)
    assert shown[AT - 1] > 1000 and 2 <= shown[AT + 15] < 2.6


def test_rollover_passes_the_devices_own_limit() -> None:
    """A planned rollover comes about when it is told to, at 2^32 of the PLC's register, and the amount goes on."""
    delivery = day_of("rollover", "zn_rectifier_ah", 2880)
    words = delivery.modbus[15033, 1].read(3, 6, 2).astype(np.int64)
    shown = words[:, 0] * 65536 + words[:, 1]
    falls = np.flatnonzero(np.diff(shown) < 0)
    assert len(falls) == 1 and abs(falls[0] - AT) < 300
    gained = np.diff(shown) % 2**32
    true = delivery.block.amounts["zn_rectifier_ah"]
    assert gained.sum() == pytest.approx(true.sum(), rel=0.001)


def test_frozen_meter_answers_with_old_values() -> None:
    """A frozen meter answers for six hours with everything standing still, then jumps to what it missed."""
    delivery = day_of("frozen_meter", "ni_rinse1_meter")
    assert delivery.modbus[15031, 3].answered.all()
    shown = counter(delivery, 15031, 3, 2609)
    assert len(set(shown[AT : AT + 360])) == 1
    assert len(set(counter(delivery, 15031, 3, 2008)[AT : AT + 360])) == 1
    assert shown[AT + 360] - shown[AT - 1] > 1


def test_missing_hour_and_clock_jump() -> None:
    """A silent gateway sends nothing for an hour; a jumping clock stamps two hours ahead for half an hour."""
    first = day_of("missing_hour", "site_gateway")
    at = first.block.start_us + AT * 60_000_000
    gone = [time for time, topic, _ in first.mqtt if topic == "plant/site/state" and at <= time < at + 3_600_000_000]
    assert not gone
    jumped = [payload for _, topic, payload in day_of("clock_jump", "site_gateway").mqtt if topic == "plant/site/state"]
    assert jumped[AT - 1][:30] == b'{"ts":"2026-03-02T01:59:30Z","'
    assert jumped[AT][:30] == b'{"ts":"2026-03-02T04:00:30Z","'
    assert jumped[AT + 30][:30] == b'{"ts":"2026-03-02T02:30:30Z","'


def test_a_fault_is_switched_while_the_shop_runs() -> None:
    """Switched on it holds from the next minute, switched off it ends there; nonsense is refused."""
    step, other = LockStep(make_scenario()), LockStep(make_scenario())
    for shop in (step, other):
        shop.advance(100)
    fault = step.switch("rinse_valve", "zn_rinse1", size=0.5)
    assert fault.onset_us == step.now_us
    with pytest.raises(ValueError, match="already on"):
        step.switch("rinse_valve", "zn_rinse1")
    added = step.advance(60).block.amounts["zn_rinse1_water"] - other.advance(60).block.amounts["zn_rinse1_water"]
    np.testing.assert_allclose(added * 1000, 5.0)
    step.switch("rinse_valve", "zn_rinse1", on=False)
    after = [shop.advance(60).block.amounts["zn_rinse1_water"] for shop in (step, other)]
    np.testing.assert_array_equal(*after)
    for fault_name, target in (("rinse_valve", "boiler"), ("fire", "boiler"), ("rollover", "zn_area")):
        with pytest.raises(ValueError, match=r"no target|no fault|only be planned"):
            step.switch(fault_name, target)


def test_the_catalogue_is_a_menu() -> None:
    """Every offer has words in both languages, a kind and targets that exist."""
    offers = fault_catalogue()
    assert {offer.kind for offer in offers} == {"step", "slow", "data"}
    for offer in offers:
        for words in (offer.title, offer.description):
            assert words.en and words.zh and words.en != words.zh
        assert offer.targets
        if offer.kind == "step":
            assert offer.per_hour > 0 and {target.point for target in offer.targets} <= MEASURED
