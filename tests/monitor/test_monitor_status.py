"""What the page is told of the processes: how old the collectors' report is, whether serve keeps up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.status import Status
from historian.reader import Reader
from journal.journal import Journal
from journal.message import encode_body
from monitor.describe import describe
from monitor.status import PlantStatus
from plant.clock import PlantClock
from plant.reading import MINUTE, SECOND

PLANT = describe(Path(__file__).parents[2] / "examples/electroplating/plant.yaml").plant


class Hands:
    """A wall clock and a monotonic one that move when told to [s]."""

    wall = 1_775_000_000.0
    monotonic = 50.0


class Told:
    """A plant's status on a data folder."""

    def __init__(self, data: Path) -> None:
        self.data, self.hands, self.journal = data, Hands(), Journal(data / "journal")
        self.status = PlantStatus(
            PLANT,
            data,
            self.journal,
            Reader(data),
            wall=lambda: self.hands.wall,
            monotonic=lambda: self.hands.monotonic,
        )

    def tick(self) -> int:
        """Another message in the journal; its position."""
        return self.journal.append([("tick", encode_body({"time": MINUTE}))])


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """A plant without any report."""
    made = Told(tmp_path)
    yield made
    made.journal.close()


def test_without_a_report_nothing_is_made_up(told: Told) -> None:
    """No age, no broker, no devices."""
    found = told.status()
    assert found["devices"] == [] and "report_age_s" not in found and "journal" not in found


def test_a_half_written_report_is_none(told: Told) -> None:
    """The page goes on with what the files of serve say."""
    (told.data / "collect.json").write_text('{"time": 1')
    assert told.status()["devices"] == []


def test_the_report_s_age_is_real_time(told: Told) -> None:
    """Also where plant time is another; everything that collect wrote is handed on."""
    Status(PlantClock(0, 0.0, 60.0, lambda: 0.0), {"meter": "modbus"}, "mqtt://b").write(told.data)
    written = json.loads((told.data / "collect.json").read_text())
    told.hands.wall = written["real_time"] / SECOND + 12.5
    found = told.status()
    assert found["report_age_s"] == pytest.approx(12.5)
    assert [device["device"] for device in found["devices"]] == ["meter"]
    assert {key: found[key] for key in ("time", "real_time", "speed", "broker", "journal")} == {
        key: written[key] for key in ("time", "real_time", "speed", "broker", "journal")
    }


def test_a_standstill_is_that_of_messages_that_wait(told: Told) -> None:
    """It grows while none of those is processed, and is over as soon as one is or none waits."""
    told.tick()
    assert told.status()["standstill_s"] == 0.0
    told.hands.monotonic += 70.0
    told.tick()
    assert told.status()["standstill_s"] == 70.0
    told.journal.publish_served(1)
    assert (told.status()["standstill_s"], told.status()["backlog"]) == (0.0, 1)
    told.journal.publish_served(2)
    told.hands.monotonic += 500.0
    assert told.status()["standstill_s"] == 0.0
    told.tick()
    assert told.status()["standstill_s"] == 0.0
