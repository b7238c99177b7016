"""SunSpec devices: found by their own chain of models, read with their own scale factors."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from collectors_plant import modbus, plant
from hypothesis import given
from hypothesis import settings as example_count
from hypothesis import strategies as st
from sunspec2.device import Model

from collectors.modbus.decode import decode
from collectors.modbus.plan import plan
from collectors.modbus.request import Request, Search
from collectors.modbus.settings import settings
from collectors.modbus.sunspec_models import places
from plant.errors import DeviceError
from plant.reading import Quality

FOLDER = Path(__file__).parent
POINTS = {
    "amps": ("meter", "current_l1", "level", "A"),
    "power": ("meter", "active_power", "level", "kW"),
    "factor": ("meter", "power_factor", "level", "1"),
    "bought": ("meter", "energy_import", "counter", "kWh"),
    "sold": ("meter", "energy_export", "counter", "kWh"),
}
COMMON = [1, 66, *[0] * 66]


def model_203(**held: int) -> list[int]:
    """A three-phase meter of integers, everything not implemented but what is given.

    Offsets count from the model's ID, by hand over the Alliance's table of model 203: AphA 3, A_SF 6, W 18, W_SF 22,
    PF 33, PF_SF 37, TotWhExp 38, TotWhImp 46, TotWh_SF 54.
    """
    words = [203, 105, *[0x8000] * 105]
    places = {"AphA": 3, "A_SF": 6, "W": 18, "W_SF": 22, "PF": 33, "PF_SF": 37, "TotWh_SF": 54}
    for name, value in held.items():
        if name in places:
            words[places[name]] = value & 0xFFFF
        else:
            at = {"TotWhExp": 38, "TotWhImp": 46}[name]
            words[at : at + 2] = [value >> 16, value & 0xFFFF]
    return words


def model_213(**held: float) -> list[int]:
    """The same of floats: AphA 4, W 28, PF 52, TotWhExp 60, TotWhImp 68, each two registers."""
    words = [213, 124, *[0x7FC0, 0] * 62]
    for name, value in held.items():
        at = {"AphA": 4, "W": 28, "PF": 52, "TotWhExp": 60, "TotWhImp": 68}[name]
        words[at : at + 2] = struct.unpack(">2H", struct.pack(">f", value))
    return words


class Meter:
    """A device's registers; whatever it does not hold it refuses."""

    def __init__(self, base: int, *models: Sequence[int], end: bool = True) -> None:
        words = [0x5375, 0x6E53, *(word for model in models for word in model), *([0xFFFF, 0] if end else [])]
        self.registers = {base + place: word for place, word in enumerate(words)}

    def read(self, request: Request) -> list[int] | None:
        words = [self.registers.get(address) for address in range(request.address, request.address + request.count)]
        assert request.function == 3
        return None if None in words else [word for word in words if word is not None]


def searched(meter: Meter, points: Mapping[str, tuple[str, ...]] = POINTS) -> Search:
    """The search, carried out."""
    [device] = settings(plant({"meter": modbus("127.0.0.1:502", "sunspec-meter")}, dict(points)), FOLDER)
    locate = plan(device).locate
    assert locate is not None
    search = locate()
    while search.wanted is not None:
        search.take(meter.read(search.wanted))
    return search


def values(meter: Meter, points: Mapping[str, tuple[str, ...]] = POINTS) -> dict[str, float | str]:
    """What a meter's points read; the finding where they read nothing."""
    found: dict[str, float | str] = {}
    now = np.zeros(1, np.int64)
    for request in searched(meter, points).found:
        words = meter.read(request)
        readings = decode(request, np.array([words], np.uint16), now, now)
        for row, point in enumerate(readings.point):
            good = readings.quality[row] == Quality.GOOD
            found[readings.points[point]] = readings.value[row] if good else readings.findings[readings.finding[row]]
    return found


@pytest.mark.parametrize("base", [40000, 50000, 0])
def test_a_meter_is_found_wherever_its_map_begins(base: int) -> None:
    """Marker, common model, a model that nobody asked for, the meter: addresses and scale factors are the device's."""
    held = {"AphA": 1234, "A_SF": -2, "W": -2500, "W_SF": 1, "PF": 985, "PF_SF": -1, "TotWh_SF": 2}
    meter = Meter(base, COMMON, [64999, 3, 1, 2, 3], model_203(**held, TotWhImp=123_456_789, TotWhExp=5))
    assert values(meter) == {"amps": 12.34, "power": -25.0, "factor": 0.985, "bought": 12345678.9, "sold": 0.5}


def test_a_meter_of_floats_needs_no_other_profile() -> None:
    """The same fields come from model 213, without scale factors; its power factor is no percentage."""
    meter = Meter(40000, COMMON, model_213(AphA=1.5, W=2500.0, PF=0.5, TotWhImp=1e6, TotWhExp=2e3))
    assert values(meter) == {"amps": 1.5, "power": 2.5, "factor": 0.5, "bought": 1000.0, "sold": 2.0}


def test_what_is_not_implemented_is_not_available() -> None:
    """Promise 3: a point, a scale factor or an accumulator that the device does not implement is no value."""
    meter = Meter(
        40000, COMMON, model_203(AphA=5, W=0x8000, W_SF=0, PF=98, PF_SF=12, TotWhImp=0, TotWh_SF=0, TotWhExp=7)
    )
    absent = "not available"
    assert values(meter) == {"amps": absent, "power": absent, "factor": "not a number", "bought": absent, "sold": 0.007}


def test_a_point_beyond_the_device_s_own_length_is_not_available() -> None:
    """A device may hold less of a model than is published: what lies beyond is never read, and is no value."""
    short = model_203(W=40, W_SF=0)[:40]
    short[1] = 38
    found = values(Meter(40000, COMMON, short))
    assert (found["power"], found["bought"], found["sold"]) == (0.04, "not available", "not available")


def test_a_scale_factor_that_changes_is_followed() -> None:
    """Scale factors are read with the values, each poll anew."""
    points = {"power": POINTS["power"]}
    meter = Meter(40000, COMMON, model_203(W=100, W_SF=1))
    [request] = searched(meter, points).found
    now = np.arange(2, dtype=np.int64)
    first = meter.read(request)
    meter.registers[40000 + 2 + len(COMMON) + 22] = 0xFFFF
    readings = decode(request, np.array([first, meter.read(request)], np.uint16), now, now)
    assert readings.value.tolist() == [1.0, 0.01]


@pytest.mark.parametrize(
    ("meter", "says"),
    [
        (Meter(1000, COMMON), "no SunSpec marker at register 40000, 50000, 0"),
        (Meter(40000, COMMON, [103, 1, 0]), "no SunSpec model 201 or 202 .* the device's are 1, 103"),
        (Meter(40000, COMMON, end=False), "no SunSpec model"),
        (Meter(40000, *[[7, 0]] * 200), "no SunSpec model"),
    ],
)
def test_a_device_without_the_model_is_refused_for_good(meter: Meter, says: str) -> None:
    """No marker, no such model, a chain that breaks off or never ends: an error that names what there is."""
    with pytest.raises(DeviceError, match=says) as caught:
        searched(meter)
    assert not caught.value.retryable


@given(st.lists(st.one_of(st.none(), st.lists(st.integers(0, 65535), min_size=2, max_size=2)), max_size=300))
@example_count(max_examples=100, deadline=None)
def test_no_chain_leads_anywhere_but_to_an_end(answers: list[list[int] | None]) -> None:
    """Whatever a device answers, the search ends within some hundred requests, in requests or in a DeviceError."""
    [device] = settings(plant({"meter": modbus("127.0.0.1:502", "sunspec-meter")}, dict(POINTS)), FOLDER)
    locate = plan(device).locate
    assert locate is not None
    search, left = locate(), iter([[0x5375, 0x6E53], *answers])
    try:
        for _ in range(200):
            if search.wanted is None:
                break
            assert search.wanted.address + search.wanted.count <= 0x10000
            search.take(next(left, None))
    except DeviceError:
        return
    assert search.wanted is None
    assert all(one.address >= 0 and one.address + one.count <= 0x10000 for one in search.found)


@pytest.mark.parametrize("model", [201, 202, 203, 204, 211, 212, 213, 214])
def test_every_point_lies_where_the_alliance_s_own_tool_puts_it(model: int) -> None:
    """Offsets and lengths of all numeric points agree with pysunspec2's device model."""
    theirs = Model(model).points
    assert {name: (place.offset, place.width) for name, place in places(model).items()} == {
        name: (theirs[name].offset, theirs[name].len) for name in places(model)
    }
