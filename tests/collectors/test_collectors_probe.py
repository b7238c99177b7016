"""`probe`: one device read once, against servers that answer, refuse, stay silent, or hold something else."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from collectors_plant import free_port
from collectors_servers import Troubled, pymodbus_server

from collectors.modbus.connection import UnreachableError
from collectors.modbus.fit import Fit, attempt, judge, ranked
from collectors.modbus.probe import Probe, Seen, Target, reference, target
from collectors.profile import builtin, load, parse
from plant.errors import DeviceError
from plant.model import Serial

HERE = Path(__file__).parent
T = TypeVar("T")

# By hand over the appendix of Siemens' PAC2200 manual (L1V30415167B): offset → value; voltages, currents, powers and so
# on are floats, energies doubles in Wh.
PAC2200_FLOATS = {1: 230.5, 3: 231.0, 5: 229.5, 7: 399.0, 9: 400.0, 11: 398.0, 13: 61.0, 15: 62.0, 17: 60.0}
PAC2200_FLOATS |= {55: 50.0, 57: 230.5, 59: 399.0, 61: 61.0, 63: 44000.0, 65: 42000.0, 67: 13000.0, 69: 0.953125}
PAC2200_DOUBLES = {801: 123456789.0, 805: 0.0, 809: 0.0, 813: 0.0, 817: 2345678.0, 821: 0.0}

OWN = """
make: A maker
model: M1
source: by hand
fields:
  first: {title: First, function: 3, address: 10, type: uint16, unit: "1"}
  second: {title: Second, function: 3, address: 11, type: uint16, scale: 0.5, unit: kW}
  name: {title: Name, function: 4, address: 20, type: string, length: 2, unit: "1"}
  runs: {title: Runs, function: 1, address: 3, type: bool, unit: "1"}
"""


def pac2200() -> dict[int, int]:
    """The meter's registers."""
    words: dict[int, int] = {}
    for form, width, values in (("f", 2, PAC2200_FLOATS), ("d", 4, PAC2200_DOUBLES)):
        for at, value in values.items():
            words.update(enumerate(struct.unpack(f">{width}H", struct.pack(f">{form}", value)), at))
    return words


def run(work: Coroutine[Any, Any, T]) -> T:
    """A coroutine, carried out within ten seconds."""
    return asyncio.run(asyncio.wait_for(work, 10))


def read(registers: dict[int, dict[int, int]], profile: str, device_id: int = 1) -> list[Seen]:
    """What a probe of pymodbus's own server brings."""

    async def once() -> list[Seen]:
        port = free_port()
        async with pymodbus_server(port, registers), Probe(Target(f"127.0.0.1:{port}", device_id)) as probe:
            return await probe.read(load(profile, HERE))

    return run(once())


@pytest.mark.server
def test_every_field_is_read_with_its_registers() -> None:
    """Name, place on the wire, the manuals' number, raw words and value of every field of a PAC2200."""
    seen = {one.name: one for one in read({1: pac2200()}, "siemens-pac2200")}
    assert list(seen) == list(load("siemens-pac2200", HERE).fields)
    assert all(one.answered and not one.why for one in seen.values())
    power = seen["active_power"]
    assert (power.function, power.address, power.count, power.reference) == (3, 65, 2, "40066")
    assert power.words == (0x4724, 0x1000)  # 42000.0, by the definition of IEEE 754
    assert (power.value, power.unit, power.title.en) == (42000.0, "W", "Total active power")
    assert seen["energy_import"].value == 123456789.0
    assert seen["energy_import"].words == (0x419D, 0x6F34, 0x5400, 0x0000)


@pytest.mark.server
def test_a_refused_field_does_not_take_its_neighbours_along() -> None:
    """A joined request that the device refuses is asked again field by field; what is missing says why."""
    words = pac2200()
    for address in (15, 16):
        del words[address]
    seen = {one.name: one for one in read({1: words}, "siemens-pac2200")}
    assert seen["current_l1"].value == 61.0
    assert seen["current_l3"].value == 60.0
    refused = seen["current_l2"]
    assert (refused.answered, refused.value, refused.words) == (False, None, ())
    assert refused.why == "exception 2: illegal data address"
    assert [name for name, one in seen.items() if not one.answered] == ["current_l2"]


@pytest.mark.server
def test_not_available_is_said_and_is_no_refusal() -> None:
    """A device's own pattern for "no value" is shown with its words, apart from a refusal."""
    nan = {2008: 0x0000, 2009: 0x7FC0, 2012: 0x0000, 2013: 0x3F80, 2609: 0x0000, 2610: 0x42C8}
    flow, velocity, volume = read({1: nan}, "endress-hauser-promag400")
    assert (flow.value, flow.why, flow.answered) == (None, "not available", True)
    assert (velocity.value, volume.value) == (1.0, 100.0)


@pytest.mark.server
def test_a_sunspec_meter_is_searched_and_shown_where_it_is() -> None:
    """The registers shown are those where the device says its model is; what it lacks is not available."""
    model = [203, 105, *[0x8000] * 105]
    model[18], model[22] = 1234, 1  # W and W_SF, by the Alliance's table of model 203
    words = [0x5375, 0x6E53, 1, 66, *[0] * 66, *model, 0xFFFF, 0]
    seen = {one.name: one for one in read({1: dict(enumerate(words, 40000))}, "sunspec-meter")}
    assert seen["active_power"].value == 12340.0
    assert seen["active_power"].address == 40000 + 2 + 68 + 18
    assert seen["frequency"].why == "not available"
    with pytest.raises(DeviceError, match="no SunSpec marker"):
        read({1: {0: 1}}, "sunspec-meter")


@pytest.mark.server
@pytest.mark.parametrize("rtu", ["tcp", "line"])
def test_rtu_lines_are_probed_alike(rtu: str) -> None:
    """RTU frames over TCP and over a serial line bring the same values; texts are shown, bits are words of 0 and 1."""
    server = Troubled(rtu=True)

    async def once() -> list[Seen]:
        port = free_port()
        opened: AbstractAsyncContextManager[str] = server.on(port) if rtu == "tcp" else server.on_line()
        async with opened as path:
            where = target(f"rtu://127.0.0.1:{port}/2") if rtu == "tcp" else target(path, 2)
            async with Probe(where, Serial(baud=19200) if rtu == "line" else None) as probe:
                return await probe.read(parse(OWN, HERE / "own.yaml"))

    first, second, name, runs = run(once())
    assert (first.value, second.value, second.words) == (10.0, 5.5, (11,))
    assert (name.value, name.words) == ("", (20, 21))  # a register of 20 begins with NUL, which ends a text
    assert (runs.value, runs.words, runs.reference) == (1.0, (1,), "00004")


@pytest.mark.server
def test_nobody_is_told_apart_from_silence() -> None:
    """No connection at all, and a connection on which nobody answers, are two errors; silence costs one timeout."""

    async def unreachable() -> None:
        async with Probe(Target(f"127.0.0.1:{free_port()}", 1), timeout_s=0.2) as probe:
            await probe.read(load("acrel-adl400", HERE))

    with pytest.raises(UnreachableError, match="cannot be reached"):
        run(unreachable())
    server = Troubled("silent")

    async def silent() -> None:
        port = free_port()
        async with server.on(port), Probe(Target(f"127.0.0.1:{port}", 1), timeout_s=0.2) as probe:
            await probe.read(load("acrel-adl400", HERE))

    with pytest.raises(DeviceError, match=r"no answer within 0\.2 s"):
        run(silent())
    assert server.requests == 1


@pytest.mark.server
def test_a_scan_tells_who_answers() -> None:
    """A refusal is an answer, silence is none."""
    server = Troubled("silent")

    async def each() -> list[bool]:
        port = free_port()
        async with server.on(port), Probe(Target(f"127.0.0.1:{port}", 1), timeout_s=0.2) as probe:
            found = [await probe.answers(device_id) for device_id in (1, 2)]
            server.trouble, server.everybody = "illegal", True
            return [*found, await probe.answers(3)]

    assert run(each()) == [False, True, True]


def fits(registers: dict[int, int]) -> list[Fit]:
    """Every built-in profile beside a device."""

    async def each() -> list[Fit]:
        port = free_port()
        async with pymodbus_server(port, {1: registers}), Probe(Target(f"127.0.0.1:{port}", 1)) as probe:
            return ranked([await attempt(probe, name, load(name, HERE)) for name in builtin()])

    return run(each())


@pytest.mark.server
def test_the_profile_that_fits_comes_first() -> None:
    """A PAC2200 fits the three Siemens profiles that share its registers, and nothing else."""
    found = fits(pac2200())
    assert {fit.profile for fit in found if fit.verdict == "fits"} == {
        "siemens-pac2200",
        "siemens-pac3200",
        "siemens-pac3220",
    }
    assert (found[0].answered, found[0].plausible) == (17, 17)


@pytest.mark.server
@pytest.mark.parametrize("seed", [0, 7, 8])
def test_rubbish_fits_nothing(seed: int) -> None:
    """A device that answers to every address, with zeros (seed 0) or with noise, is no meter that we know."""
    draw = random.Random(seed)
    registers = {address: draw.randrange(0x10000) if seed else 0 for address in range(0x7000)}
    assert [fit.profile for fit in fits(registers) if fit.verdict == "fits"] == []


def test_a_profile_without_voltages_is_never_claimed() -> None:
    """Where nothing could give a wrong profile away, the verdict is that values cannot tell."""
    profile = load("schneider-pm800", HERE)
    [(name, field)] = profile.fields.items()
    answered = Seen(name, field.title, field.unit, 3, 1, 4, (0, 0, 0, 1), 1.0, "")
    assert judge("schneider-pm800", profile, [answered]).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("text", "device_id", "found"),
    [
        ("modbus://10.0.0.7:502/3", None, Target("10.0.0.7:502", 3)),
        ("modbus://10.0.0.7", None, Target("10.0.0.7:502", 1)),
        ("10.0.0.7:1502", 17, Target("10.0.0.7:1502", 17)),
        ("tcp://meter.local/0", None, Target("meter.local:502", 0)),
        ("rtu://gateway:4001/9", None, Target("rtu://gateway:4001", 9)),
        ("/dev/ttyUSB0", 5, Target("/dev/ttyUSB0", 5)),
        ("COM3", None, Target("COM3", 1)),
    ],
)
def test_a_target_as_people_write_it(text: str, device_id: int | None, found: Target) -> None:
    """Scheme, port and id may be left out."""
    assert target(text, device_id) == found


@pytest.mark.parametrize(
    ("text", "device_id"),
    [("http://x", None), ("modbus://h:70000/1", None), ("modbus://h/300", None), ("modbus://h/1", 2), ("/dev/x", 0)],
)
def test_a_wrong_target_is_refused(text: str, device_id: int | None) -> None:
    """Before anything connects."""
    with pytest.raises(ValueError, match=r".+"):
        target(text, device_id)


def test_references_are_those_of_manuals() -> None:
    """Coils 0xxxx, input bits 1xxxx, input registers 3xxxx, holding registers 4xxxx, counted from 1."""
    cases = [(1, 3), (2, 0), (4, 52), (3, 801), (3, 9998), (3, 9999)]
    assert [reference(*case) for case in cases] == ["00004", "10001", "30053", "40802", "49999", "410000"]
