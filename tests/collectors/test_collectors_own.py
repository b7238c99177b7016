"""keepclean's own state as points of the plant."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from collectors_plant import Hand, hand_clock, modbus, mqtt, plant, until

from collectors.collect import collect
from collectors.own import NOT_AVAILABLE, Observed, Observers, OwnSource, plan
from collectors.own_check import check
from collectors.own_fields import SECTIONS, split
from collectors.source import Rejected, Source
from collectors.status import Status
from journal.journal import Journal
from plant.clock import PlantClock
from plant.model import Plant
from plant.reading import MINUTE, SECOND, Quality, Readings

ROOT = Path(__file__).parents[2]
OWN = {"protocol": "keepclean", "interval": "60 s"}
BROKER = {"url": "mqtt://127.0.0.1:1", "client_id": "test"}


def own(*points: tuple[str, str] | tuple[str, str, dict[str, Any]], **more: Any) -> Plant:
    """A plant with a meter, a topic and these own points, each a read and a unit; p0, p1, …"""
    devices = {"meter": modbus("127.0.0.1:1", "x"), "topic": mqtt("t", "number"), "own": OWN, **more.pop("also", {})}
    written = {
        f"p{place}": {"from": "own", "read": read, "kind": "level", "unit": unit, **dict(*rest)}
        for place, (read, unit, *rest) in enumerate(points)
    }
    return plant(devices, written, **{"broker": BROKER, **more})


class Taken:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.open = True

    def put(self, source: Source[Any], items: Sequence[Any]) -> None:
        assert isinstance(source, OwnSource)
        self.items.extend(items)

    def accepts(self) -> bool:
        return self.open


class Bench:
    """Own points of a status that a test fills."""

    def __init__(self, described: Plant, hand: Hand | None = None, speed: float = 1.0) -> None:
        self.hand = hand or Hand()
        self.clock = hand_clock(self.hand, anchor_us=10 * MINUTE, speed=speed)
        names = {name: one.protocol for name, one in described.devices.items()}
        self.status = Status(self.clock, names, "mqtt://b" if described.broker else None, described)
        self.taken = Taken()
        (self.device,) = plan(described)
        self.observers = Observers((self.device,), self.clock, self.taken, self.status)

    def read(self) -> Readings:
        """The readings of one look at the status."""
        self.observers.observe(self.device)
        return OwnSource().decode(self.taken.items[-1:]).readings


def test_values_come_in_the_point_s_unit() -> None:
    """Ages in seconds, booleans as 0 or 1, counts as they are; times the point's own scale."""
    bench = Bench(
        own(
            ("devices.meter.last_success", "s"),
            ("devices.meter.latency_ms", "s"),
            ("devices.meter.error_rate", "%"),
            ("devices.topic.rejected", "1"),
            ("broker.connected", "1"),
            ("broker.doubts", "1"),
            ("journal.used_bytes", "MB"),
            ("journal.paused", "1"),
            ("journal.storage_error", "1"),
            ("journal.position", "1", {"scale": 0.5}),
        )
    )
    bench.status.success("meter", 0.25, 3)
    bench.status.failure("meter", "no answer")
    bench.status.rejected("topic", Rejected(4, "x", "not a number"))
    assert bench.status.broker is not None
    bench.status.broker.connected, bench.status.broker.doubts = True, ["forgetful"]
    journal = bench.status.journal
    journal.used_bytes, journal.storage_error, journal.position = 2_500_000, "disk full", 42
    bench.hand.now = 12.0
    found = bench.read()
    assert found.points == tuple(f"p{place}" for place in range(10))
    assert found.value.tolist() == pytest.approx([12.0, 0.25, 50.0, 4.0, 1.0, 1.0, 2.5, 0.0, 1.0, 21.0])
    assert set(found.quality.tolist()) == {Quality.GOOD}
    assert set(found.time.tolist()) == set(found.received.tolist()) == {10 * MINUTE + 12 * SECOND}


def test_what_is_not_known_is_bad_and_not_zero() -> None:
    """Promise 3: a device that never answered has no latency, an unlimited journal no budget."""
    bench = Bench(
        own(
            ("devices.meter.last_success", "s"),
            ("devices.meter.latency_median_ms", "ms"),
            ("devices.meter.error_rate", "1"),
            ("devices.meter.lag_s", "s"),
            ("devices.meter.readings_per_s", "1/s"),
            ("journal.last_commit", "s"),
            ("journal.budget_bytes", "GiB"),
            ("devices.meter.readings", "1"),
        )
    )
    found = bench.read()
    assert np.isnan(found.value[:7]).all() and found.value[7] == 0
    assert found.quality.tolist() == [Quality.BAD] * 7 + [Quality.GOOD]
    assert [found.findings[index] for index in found.finding] == [NOT_AVAILABLE] * 7 + [""]


def test_a_status_without_a_broker_gives_bad_readings() -> None:
    """The plant has one, but nothing is subscribed to."""
    bench = Bench(own(("broker.connected", "1")))
    bench.status.broker = None
    assert bench.read().quality.tolist() == [Quality.BAD]


def test_keepclean_is_a_device_of_its_own_status() -> None:
    """With last success and readings, so that the page shows it like any other."""
    bench = Bench(own(("devices.own.readings", "1"), ("devices.meter.latency_ms", "ms")))
    bench.read()
    assert bench.read().value[0] == 1.0
    assert bench.status.device("own").successes == 2


def test_nothing_is_read_while_the_journal_takes_nothing() -> None:
    """Bounded memory: as a poller does, with the reason."""
    bench = Bench(own(("journal.paused", "1")))
    bench.taken.open = False
    bench.observers.observe(bench.device)
    assert not bench.taken.items and "cannot be written" in bench.status.device("own").last_error


def test_it_is_read_at_the_full_intervals_of_plant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 12:01, 12:02, …, once each, also when a sleep ends a moment early."""
    bench = Bench(own(("journal.position", "1")), speed=60.0)
    bench.hand.now = 0.4

    async def sleep(seconds: float) -> None:
        if len(bench.taken.items) == 4:
            raise asyncio.CancelledError
        bench.hand.now += seconds - (1e-6 if len(bench.taken.items) == 2 else 0.0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(bench.observers.run(bench.device))
    minutes = [round(item.time / MINUTE, 3) for item in bench.taken.items]
    assert minutes == [11.0, 12.0, 13.0, 14.0]


def test_every_field_of_the_catalogue_is_in_the_status() -> None:
    """A field that was renamed in one place only would be bad for ever."""
    bench = Bench(own())
    status = bench.status.plain()
    for section, fields in SECTIONS.items():
        entry = status["devices"]["meter"] if section == "devices" else status[section]
        assert set(fields) <= set(entry), section
        numbers = {name for name, value in entry.items() if isinstance(value, int | float)}
        assert numbers <= set(fields), section


def faults(described: Plant) -> list[tuple[int, str, str]]:
    """Line, message and hint of each fault; the line tells the key that it is at."""
    lines = {"read": 7, "unit": 9}
    found = check(described, Path("plant.yaml"), lambda where: lines[where[-1]])
    return [(fault.line or 0, fault.message, fault.hint) for fault in found]


@pytest.mark.parametrize(
    ("read", "unit", "line", "message", "hint"),
    [
        ("devices.meter.latency", "ms", 7, "no field 'latency'", "latency_ms"),
        ("devices.metre.latency_ms", "ms", 7, "no device 'metre'", "did you mean 'meter'"),
        ("device.meter.latency_ms", "ms", 7, "no 'device'", "did you mean 'devices'"),
        ("journal.sice", "1", 7, "no field 'sice'", "position"),
        ("journal", "1", 7, "no field ''", "position"),
        ("latency_ms", "1", 7, "no 'latency_ms'", "devices.NAME.FIELD"),
        ("devices.notes.errors", "1", 7, "nothing is read from 'notes'", "folder"),
        ("devices.meter.latency_ms", "kWh", 9, "is in kWh, but latency_ms is in ms", "unit: ms"),
        ("devices.meter.lag_s", "1", 9, "lag_s is in s", "unit: s"),
        ("devices.meter.error_rate", "s", 9, "error_rate is a mere number", "unit: 1"),
        ("journal.used_bytes", "1", 9, "used_bytes is in byte", "unit: byte"),
        ("journal.position", "kB", 9, "position is a mere number", "unit: 1"),
    ],
)
def test_a_wrong_read_is_refused(read: str, unit: str, line: int, message: str, hint: str) -> None:
    """Promise 8: before anything connects, with the line and what may have been meant."""
    ((at, text, help_),) = faults(own((read, unit), also={"notes": {"protocol": "manual"}}))
    assert at == line and message in text and hint in help_


def test_a_broker_s_field_needs_a_broker() -> None:
    """Promise 8."""
    described = plant({"own": OWN}, {"p": {"from": "own", "read": "broker.connected", "kind": "level", "unit": "1"}})
    ((at, text, _),) = faults(described)
    assert at == 7 and "no broker" in text


def test_every_field_can_be_read_in_its_own_unit() -> None:
    """The catalogue's units are units, and the check passes all of it."""
    reads = [
        (f"{section}.meter.{name}" if section == "devices" else f"{section}.{name}", field.unit)
        for section, fields in SECTIONS.items()
        for name, field in fields.items()
    ]
    described = own(*reads)
    assert faults(described) == []
    assert plan(described)[0].scales == (1.0,) * len(reads)


def test_a_unit_that_is_none_is_somebody_else_s_fault() -> None:
    """The plant description says so itself; twice would be once too often."""
    assert faults(own(("devices.meter.lag_s", "parsecond_"))) == []


@pytest.mark.parametrize("section", SECTIONS)
def test_the_documentation_has_every_field(section: str) -> None:
    """As it is, and no other."""
    documented = (ROOT / "docs/metrics.md").read_text(encoding="utf-8").splitlines()
    rows = field_rows(section)
    start = documented.index(rows[0])
    assert documented[start : start + len(rows)] == rows
    assert documented[start + len(rows) : start + len(rows) + 1] in ([], [""])


def test_the_example_of_the_documentation_is_sound() -> None:
    """It can be copied into a plant description."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    (example,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(devices:.*?)```", text, re.DOTALL))
    meter = modbus("127.0.0.1:1", "x")
    described = plant({**example["devices"], "mains_meter": meter}, example["points"])
    assert faults(described) == [] and len(plan(described)[0].points) == len(example["points"]) > 1


def field_rows(section: str) -> list[str]:
    """A table of fields in the documentation."""
    name = "devices.NAME" if section == "devices" else section
    rows = [f"| `{name}.…` | unit | what it says |", "|---|---|---|"]
    return [*rows, *(f"| `{key}` | {one.unit} | {one.about} |" for key, one in SECTIONS[section].items())]


def test_a_read_is_taken_apart() -> None:
    """The last step is the field, whatever the device is called."""
    assert split("devices.a.b.errors").device == "a.b"


@pytest.mark.server
def test_own_points_reach_the_journal(tmp_path: Path) -> None:
    """By the real process: a meter that nobody answers for is failing, and that is a point of the plant."""
    described = plant(
        {"own": {**OWN, "interval": "200 ms"}},
        {
            "position": {"from": "own", "read": "journal.commits", "kind": "level", "unit": "1"},
            "last": {"from": "own", "read": "devices.own.last_success", "kind": "level", "unit": "s"},
        },
    )

    async def run() -> None:
        stop = asyncio.Event()
        clock = PlantClock.real()
        task = asyncio.create_task(collect(described, tmp_path, tmp_path, clock, {}, None, stop))
        await until(lambda: len(stored(tmp_path)) >= 6 or task.done())
        stop.set()
        await task

    asyncio.run(run())
    values = stored(tmp_path)
    assert {name for name, *_ in values} == {"position", "last"}
    first, *later = [value for name, _, value in values if name == "last"]
    assert np.isnan(first) and all(0 <= value < 1 for value in later)
    commits = [value for name, _, value in values if name == "position"]
    assert commits == sorted(commits) and commits[0] < commits[-1]
    report = json.loads((tmp_path / "collect.json").read_text())
    assert report["devices"]["own"]["successes"] >= 3 and report["journal"]["budget_bytes"] > 0


def stored(data: Path) -> list[tuple[str, int, float]]:
    """Every reading in the journal: point, time, value."""
    journal = Journal(data / "journal")
    try:
        batches = [message.readings for message in journal.read(0, 1000) if message.kind == "readings"]
    finally:
        journal.close()
    return [
        (batch.points[point], time, value)
        for batch in batches
        for point, time, value in zip(batch.point.tolist(), batch.time.tolist(), batch.value.tolist(), strict=True)
    ]


def test_an_observation_knows_its_device() -> None:
    """Two own devices in one commit keep their points apart."""
    first = plan(own(("journal.position", "1")))[0]
    second = plan(plant({"b": OWN}, {"q": {"from": "b", "read": "journal.position", "kind": "level", "unit": "1"}}))[0]
    found = OwnSource().decode([Observed(first, 1, (1.0,)), Observed(second, 2, (2.0,))]).readings
    assert [found.points[point] for point in found.point] == ["p0", "q"]
    assert found.value.tolist() == [1.0, 2.0]
