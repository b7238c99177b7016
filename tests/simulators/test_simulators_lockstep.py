"""The lock step: one seed decides everything, steps of any length give the same words and bytes, a state goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from shop_runs import make_scenario

from plant.errors import ConfigurationError
from plant.reading import DAY, HOUR, MINUTE
from simulators.devices import DEVICES
from simulators.lockstep import Delivery, LockStep
from simulators.scenario import Scenario, load_scenario
from simulators.truth import read_amounts, read_faults

EXAMPLE = Path(__file__).parents[2] / "examples" / "electroplating" / "scenario.yaml"
FAULTS = [
    {"fault": "frozen_meter", "target": "zn_rectifier_meter", "at": "day 1 08:10", "until": "70 min"},
    {"fault": "counter_reset", "target": "city_water", "at": "day 1 09:17"},
    {"fault": "meter_exchange", "target": "chiller_meter", "at": "day 1 09:40"},
    {"fault": "missing_hour", "target": "wastewater_station", "at": "day 1 10:05"},
    {"fault": "steam_trap", "target": "chrome", "at": "day 1 08:30", "until": "2 h"},
]


def words(delivery: Delivery) -> dict[tuple[str, int], NDArray[np.uint16]]:
    """Every register of every device."""
    found = {}
    for device in DEVICES:
        history = delivery.modbus[device.port, device.unit]
        for register in device.meter.registers:
            if register.field in device.signals:
                code = max(device.meter.functions)
                found[device.name, register.address] = history.read(code, register.address, register.words)
    return found


def test_steps_of_any_length_give_the_same(tmp_path: Path) -> None:
    """360 minutes at once are 360 times one, through faults, a kept state and midnight UTC: words, bytes, truth."""
    one, many = LockStep(make_scenario(faults=FAULTS)), LockStep(make_scenario(faults=FAULTS))
    one.advance(450), many.advance(450)
    whole = one.advance(240)
    parts = [many.advance(1) for _ in range(75)]
    many.save(tmp_path / "state.npz")
    many = LockStep.load(tmp_path / "state.npz")
    parts += [many.advance(length) for length in (13, 1, 59, 92)]
    assert many.now_us == one.now_us == whole.now_us
    assert [message for part in parts for message in part.mqtt] == whole.mqtt
    pieces = [words(part) for part in parts]
    for key, expected in words(whole).items():
        np.testing.assert_array_equal(np.concatenate([piece[key] for piece in pieces]), expected)
    for key in whole.modbus:
        answered = np.concatenate([part.modbus[key].answered for part in parts])
        np.testing.assert_array_equal(answered, whole.modbus[key].answered)
        times = np.concatenate([part.modbus[key].times for part in parts])
        np.testing.assert_array_equal(times, whole.modbus[key].times)
    for name, amount in whole.block.amounts.items():
        np.testing.assert_array_equal(np.concatenate([part.block.amounts[name] for part in parts]), amount)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two runs of one scenario are equal; another seed differs everywhere."""
    first, again, other = (LockStep(make_scenario(seed=seed)).advance(120) for seed in (3, 3, 4))
    assert first.mqtt == again.mqtt != other.mqtt
    assert all(np.array_equal(value, words(again)[key]) for key, value in words(first).items())


def test_messages_are_in_order_and_of_this_advance() -> None:
    """Messages come in order of receipt, within the time advanced; racks and quarter hours as events tell the truth."""
    step = LockStep(make_scenario())
    start = step.now_us
    delivery = step.advance(1440)
    times = [time for time, _, _ in delivery.mqtt]
    assert times == sorted(times) and start <= times[0] and times[-1] <= delivery.now_us == start + DAY
    events = [event for _, topic, text in delivery.mqtt if topic == "plant/events" for event in json.loads(text)]
    for line in ("zn", "ni", "cr"):
        racks = [event for event in events if event["tag"] == f"{line}_racks"]
        assert len(racks) * 1.25 == pytest.approx(delivery.block.amounts[f"{line}_area"].sum(), abs=1.3)
        assert len({event["ts"] for event in racks}) == len(racks)
    quarters = {event["ts"]: event["value"] for event in events if event["tag"] == "mains_interval"}
    assert len(quarters) == 95, "the last one is sent with the next minute"
    kwh = delivery.block.amounts["mains_kwh"].reshape(96, 15).sum(axis=1)
    for place in range(95):
        assert quarters[(start + (place + 1) * 15 * MINUTE) // 1000] == pytest.approx(kwh[place], abs=0.0006)
    samples = [(time, json.loads(text)) for time, topic, text in delivery.mqtt if topic == "plant/laboratory"]
    assert len(samples) == 2, "the first shift change has nothing to report on yet"
    for received, items in samples:
        assert {item["tag"] for item in items} == {
            *(f"{metal}_{side}" for metal in ("zn", "ni", "cr") for side in ("in", "out")),
            "sludge_kg",
            "chemicals_kg",
        }
        assert {received - item["ts"] * 1000 for item in items} == {HOUR + 40_000_000}
    sludge = [item["value"] for _, items in samples for item in items if item["tag"] == "sludge_kg"]
    assert sludge[0] == pytest.approx(delivery.block.amounts["sludge"][360:840].sum(), abs=0.001)


def test_wastewater_is_bare_numbers_and_the_site_an_object() -> None:
    """Three payload styles: a bare number per topic, an object with its own time, arrays of tagged values."""
    delivery = LockStep(make_scenario()).advance(3)
    reads = [topic.removeprefix("plant/wastewater/") for _, topic, _ in delivery.mqtt if "wastewater" in topic]
    assert reads == ["flow", "total", "cod_in", "cod_out", "ph", "kwh"] * 3
    assert all(float(text) > 0 for _, topic, text in delivery.mqtt if "wastewater" in topic)
    site = [json.loads(text) for _, topic, text in delivery.mqtt if topic == "plant/site/state"]
    assert [state["ts"] for state in site] == [f"2026-03-01T16:0{minute}:30Z" for minute in range(3)]
    assert set(site[0]) == {"ts", "weather", "city_water", "reuse"}
    gained = (site[2]["reuse"]["total"] - site[0]["reuse"]["total"]) * 60 / 2
    assert gained == pytest.approx(np.mean([state["reuse"]["flow"] for state in site]), rel=0.1)


def test_the_standing_fault_moves_with_the_seed(tmp_path: Path) -> None:
    """The example's trap opens in days 31 to 33, at a minute that another seed moves; days 1-28 have no drift."""
    example = load_scenario(EXAMPLE)
    onsets = set()
    for seed in range(20):
        scenario = example.model_copy(update={"seed": seed})
        step = LockStep(scenario)
        (fault,) = step.faults
        assert (fault.fault, fault.target, fault.end_us) == ("steam_trap", "zinc", None)
        assert 30 * DAY <= fault.onset_us - scenario.start_us < 33 * DAY and fault.onset_us % MINUTE == 0
        onsets.add(fault.onset_us)
    assert len(onsets) == 20


def test_truth_is_what_happened(tmp_path: Path) -> None:
    """The truth file holds every minute's true amounts under the plant's names, and the faults with their extra."""
    truth = tmp_path / "truth.sqlite"
    scenario = make_scenario(names={"zn_": "line1_"}, faults=FAULTS)
    step = LockStep(scenario, truth=truth)
    blocks = [step.advance(360).block for _ in range(2)]
    expected = sum(block.amounts["zn_steam"].sum() for block in blocks)
    assert read_amounts(truth, "line1_steam", 0, step.now_us) == pytest.approx(expected)
    first = read_amounts(truth, "line1_steam", step.now_us - 360 * MINUTE, step.now_us)
    assert first == pytest.approx(blocks[1].amounts["zn_steam"].sum())
    faults = {fault["fault"]: fault for fault in read_faults(truth)}
    assert len(faults) == len(FAULTS)
    trap = faults["steam_trap"]
    assert (trap["point"], trap["kind"], trap["per_hour"], trap["unit"]) == ("cr_steam", "step", 34.4, "kg")
    assert trap["end"] - trap["onset"] == 2 * HOUR
    tags = {
        event["tag"]
        for block in [step.advance(360)]
        for _, t, p in block.mqtt
        if t == "plant/events"
        for event in json.loads(p)
    }
    assert "line1_racks" in tags and "zn_racks" not in tags
    step.close()


def test_ports_are_remapped() -> None:
    """A run may give the shop's ports other numbers."""
    assert (16021, 1) in LockStep(make_scenario(), {15021: 16021}).advance(1).modbus


def test_a_wrong_scenario_is_refused_with_lines(tmp_path: Path) -> None:
    """Unknown keys, faults, targets and times are all reported, each with its line; broken YAML too."""
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "seed: 1\nstart: 2026-03-02T00:00:00+08:00\nwind: strong\nfaults:\n"
        "  - {fault: steam_trap, target: moon, at: day 3}\n  - {fault: steam_trap, target: zinc, at: soon}\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        load_scenario(path)
    assert {fault.line for fault in refused.value.faults} == {3, 5, 6}
    path.write_text("seed: [1\n")
    with pytest.raises(ConfigurationError):
        load_scenario(path)
    with pytest.raises(ConfigurationError):
        load_scenario(tmp_path / "none.yaml")


def test_times_of_a_scenario_are_local() -> None:
    """'day 3 10:30' is local time, day 1 the first; an end may be a time or a duration."""
    faults = [
        {"fault": "air_leak", "target": "compressed_air", "at": "day 3 10:30", "until": "6 h"},
        {"fault": "missing_hour", "target": "ro_plc", "at": "day 2"},
        {"fault": "rinse_valve", "target": "zn_rinse1", "at": "day 2", "until": "day 4 06:00"},
    ]
    scenario: Scenario = make_scenario(faults=faults)
    assert scenario.onset(0) == scenario.start_us + 2 * DAY + 630 * MINUTE
    assert scenario.end(0) == scenario.onset(0) + 6 * HOUR
    assert scenario.end(1) == scenario.start_us + DAY + HOUR
    assert scenario.end(2) == scenario.start_us + 3 * DAY + 6 * HOUR
