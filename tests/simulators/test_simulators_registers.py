"""The registers: decoded by struct as the manuals say, they tell the truth within the meter's own resolution."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from shop_runs import make_scenario

from plant.reading import MINUTE
from simulators.lockstep import Delivery, LockStep
from simulators.meters.base import IllegalAddressError

HIGH, LOW = False, True
LINES = ("zn", "ni", "cr")

# Written by hand from the manuals: signal, port, unit id, function, address, format, low word first, value per raw
# unit, absolute resolution of the reading.
COUNTERS = [
    ("zn_rectifier_kwh", 15021, 1, 4, 0x48, ">f", HIGH, 1.0, 0.005),
    ("ni_rectifier_kwh", 15022, 1, 3, 3203, ">q", HIGH, 0.001, 0.001),
    ("cr_rectifier_kwh", 15023, 1, 4, 0x3E, ">i", LOW, 0.1, 0.1),
    ("zn_aux_kwh", 15024, 1, 3, 0x5000, ">Q", HIGH, 0.01, 0.01),
    ("ni_aux_kwh", 15025, 1, 4, 0x48, ">f", HIGH, 1.0, 0.005),
    ("cr_aux_kwh", 15026, 1, 4, 0x48, ">f", HIGH, 1.0, 0.005),
    ("mains_kwh", 15027, 1, 3, 801, ">d", HIGH, 0.001, 1e-6),
    ("mains_kvarh", 15027, 1, 3, 817, ">d", HIGH, 0.001, 1e-6),
    ("compressor_kwh", 15028, 1, 3, 19068, ">f", HIGH, 0.02, 0.02),
    ("chiller_kwh", 15029, 1, 3, 0x3E, ">i", LOW, 0.1, 0.1),
    ("ro_kwh", 15030, 1, 4, 0x48, ">f", HIGH, 1.0, 0.001),
    *((f"{line}_rinse1_water", 15031, 1 + 2 * i, 3, 2609, ">f", LOW, 1.0, 0.0005) for i, line in enumerate(LINES)),
    *((f"{line}_rinse2_water", 15031, 2 + 2 * i, 3, 2609, ">f", LOW, 1.0, 0.0005) for i, line in enumerate(LINES)),
    ("city_water", 15032, 1, 3, 2609, ">f", LOW, 1.0, 0.001),
    *((f"{line}_area", 15033, 1, 3, 2 * i, ">I", HIGH, 0.1, 0.1) for i, line in enumerate(LINES)),
    *((f"{line}_rectifier_ah", 15033, 1, 3, 6 + 2 * i, ">I", HIGH, 1.0, 1.0) for i, line in enumerate(LINES)),
    *((f"{line}_steam", 15033, 1, 3, 20 + 2 * i, ">I", HIGH, 0.1, 0.1) for i, line in enumerate(LINES)),
    ("gas", 15034, 1, 3, 102, ">I", LOW, 0.01, 0.01),
    ("boiler_steam", 15034, 1, 3, 106, ">I", LOW, 0.1, 0.1),
    ("feedwater", 15034, 1, 3, 112, ">I", LOW, 0.001, 0.001),
    ("condensate", 15034, 1, 3, 114, ">I", LOW, 0.001, 0.001),
    ("compressed_air", 15034, 1, 3, 118, ">I", LOW, 0.1, 0.1),
    ("ro_permeate", 15035, 1, 3, 10, ">I", HIGH, 0.001, 0.001),
]
LEVELS = [
    ("zn_rectifier_kw", 15021, 1, 4, 0x34, ">f", HIGH, 0.001, 1e-5),
    ("ni_rectifier_kw", 15022, 1, 3, 3059, ">f", HIGH, 1.0, 1e-5),
    ("cr_rectifier_kw", 15023, 1, 3, 0x28, ">i", LOW, 0.0001, 1e-4),
    ("mains_kw", 15027, 1, 3, 65, ">f", HIGH, 0.001, 1e-4),
    ("mains_pf", 15027, 1, 3, 69, ">f", HIGH, 1.0, 1e-6),
    ("mains_voltage", 15027, 1, 3, 59, ">f", HIGH, 1.0, 1e-4),
    ("compressor_kw", 15028, 1, 3, 19026, ">f", HIGH, 0.02, 1e-4),
    ("chiller_kw", 15029, 1, 4, 0x28, ">i", LOW, 0.0001, 1e-4),
    ("zn_rinse1_flow", 15031, 1, 3, 2008, ">f", LOW, 1000 / 60, 1e-5),
    ("city_water_flow", 15032, 1, 3, 2008, ">f", LOW, 1.0, 1e-5),
    ("zn_mode", 15033, 1, 3, 12, ">h", HIGH, 1.0, 0),
    ("cr_bath_temp", 15033, 1, 3, 17, ">h", HIGH, 0.1, 0.051),
    ("gas_flow", 15034, 1, 3, 100, ">f", LOW, 1.0, 1e-4),
    ("steam_flow", 15034, 1, 3, 104, ">f", LOW, 1.0, 1e-3),
    ("steam_pressure", 15034, 1, 3, 108, ">f", LOW, 1.0, 1e-5),
    ("air_flow", 15034, 1, 3, 116, ">f", LOW, 1.0, 1e-5),
    ("chw_return_temp", 15034, 1, 3, 126, ">f", LOW, 1.0, 1e-5),
    ("ro_permeate_flow", 15035, 1, 3, 1, ">H", HIGH, 0.01, 0.0051),
    ("ro_feed_pressure", 15035, 1, 3, 3, ">H", HIGH, 0.01, 0.0051),
    ("ro_feed_temp", 15035, 1, 3, 6, ">h", HIGH, 0.1, 0.051),
    ("ro_feed_conductivity", 15035, 1, 3, 7, ">H", HIGH, 1.0, 0.51),
    ("ro_permeate_conductivity", 15035, 1, 3, 8, ">H", HIGH, 0.1, 0.051),
]


@pytest.fixture(scope="module")
def day() -> Delivery:
    """A day of the shop."""
    return LockStep(make_scenario()).advance(1440)


def decode(delivery: Delivery, row: tuple[str, int, int, int, int, str, bool, float, float]) -> NDArray[np.float64]:
    """The readings of a row, each by struct."""
    _, port, unit, function, address, form, low_first, per_raw, _ = row
    words = delivery.modbus[port, unit].read(function, address, struct.calcsize(form) // 2)
    packed = [struct.pack(f">{len(line)}H", *(line[::-1] if low_first else line)) for line in words.tolist()]
    return np.array([struct.unpack(form, text)[0] * per_raw for text in packed])


def true_totals(delivery: Delivery, signal: str, times: NDArray[np.int64]) -> NDArray[np.float64]:
    """The true running total at instants, from the minutes' amounts."""
    edges = delivery.block.start_us + np.arange(1441) * MINUTE
    total = np.concatenate(([0.0], np.cumsum(delivery.block.amounts[signal])))
    return np.interp(times.astype(np.float64), edges.astype(np.float64), total)


@pytest.mark.parametrize("row", COUNTERS, ids=lambda row: row[0])
def test_counters_tell_the_truth(day: Delivery, row: tuple[str, int, int, int, int, str, bool, float, float]) -> None:
    """A counter starts from a lifetime, never falls, and gains what truly passed, within its resolution."""
    signal, port, unit, *_, resolution = row
    shown = decode(day, row)
    times = day.modbus[port, unit].times
    assert shown[0] > 1000 and (np.diff(shown) >= 0).all()
    passed = true_totals(day, signal, times)
    assert np.abs((shown - shown[0]) - (passed - passed[0])).max() <= 2 * resolution + 1e-6
    assert shown[-1] - shown[0] == pytest.approx(day.block.amounts[signal].sum(), rel=0.004)


@pytest.mark.parametrize("row", LEVELS, ids=lambda row: row[0])
def test_levels_tell_the_truth(day: Delivery, row: tuple[str, int, int, int, int, str, bool, float, float]) -> None:
    """A rate or a state is the minute's own, rounded as the meter rounds."""
    np.testing.assert_allclose(decode(day, row), day.block.levels[row[0]], atol=row[-1], rtol=2e-7)


def test_one_reading_a_minute_and_device(day: Delivery) -> None:
    """Every device is polled once a minute, not all at the same instant."""
    offsets = set()
    for history in day.modbus.values():
        assert (np.diff(history.times) == MINUTE).all() and len(history.times) == 1440
        assert history.answered.all()
        offsets.add(int(history.times[0]) - day.block.start_us)
    assert len(offsets) > 10 and min(offsets) > 0 and max(offsets) < MINUTE


def test_a_block_is_read_at_once_and_in_parts(day: Delivery) -> None:
    """Any window of registers gives the same words: half a pair, a whole block, a part across gaps."""
    history = day.modbus[15034, 1]
    whole = history.read(3, 100, 28)
    for address, count in ((101, 1), (103, 4), (127, 1), (112, 4)):
        np.testing.assert_array_equal(history.read(3, address, count), whole[:, address - 100 : address - 100 + count])


@pytest.mark.parametrize(
    ("port", "function", "address", "count"),
    [(15021, 3, 0x48, 2), (15021, 4, 0x18F, 2), (15022, 3, 3100, 110), (15024, 4, 0x5000, 4), (15033, 3, 0, 126)],
)
def test_what_a_meter_has_not_is_refused(day: Delivery, port: int, function: int, address: int, count: int) -> None:
    """A wrong function code, an address beyond the map or too many registers are refused as the meter would."""
    with pytest.raises(IllegalAddressError) as refused:
        day.modbus[port, 1].read(function, address, count)
    assert not refused.value.retryable
