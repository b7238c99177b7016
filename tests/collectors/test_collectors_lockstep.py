"""The lock step: register words and payloads handed over in the process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from collectors_plant import modbus, mqtt, plant
from numpy.typing import NDArray

from collectors.lockstep import collect_delivery
from collectors.plan import plan
from plant.reading import Times

MINUTE = 60_000_000


class Source:
    """A device whose register r holds 100·poll + r, and that did not answer every poll."""

    def __init__(self, answered: list[bool]) -> None:
        self.times: Times = np.arange(len(answered), dtype=np.int64) * MINUTE
        self.answered = np.array(answered)
        self.asked: list[tuple[int, int, int]] = []

    def read(self, function_code: int, address: int, count: int) -> NDArray[np.uint16]:
        """The registers at every poll."""
        self.asked.append((function_code, address, count))
        polls = np.arange(len(self.times), dtype=np.uint16)[:, None]
        return polls * np.uint16(100) + np.arange(address, address + count, dtype=np.uint16)


PROFILE = """
{make: A, model: B, source: the test, fields: {
  level: {title: x, function: 3, address: 7, type: uint16, unit: m},
  flow: {title: x, function: 3, address: 8, type: uint16, scale: 0.1, unit: m3/h}}}
"""


def test_unanswered_polls_give_nothing(tmp_path: Path) -> None:
    """Promise 3: a poll without an answer, and a device that is not there, give no reading at all."""
    (tmp_path / "own.yaml").write_text(PROFILE)
    described = plant(
        {
            "tank": modbus("127.0.0.1:15001", "own.yaml", device_id=3),
            "gone": modbus("127.0.0.1:15002", "own.yaml"),
            "scale": mqtt("plant/weight", "number"),
        },
        {
            "level": ("tank", "level", "level", "m"),
            "flow": ("tank", "flow", "rate", "m3/h"),
            "lost": ("gone", "level", "level", "m"),
            "weight": ("scale", "weight", "level", "kg"),
        },
    )
    source = Source([True, False, True])
    messages = [(MINUTE // 2, "plant/weight", b"5"), (3 * MINUTE, "plant/weight", b"6")]
    readings = collect_delivery(plan(described, tmp_path), {(15001, 3): source}, messages)
    found = [
        (readings.points[point], time / MINUTE, value)
        for point, time, value in zip(readings.point, readings.time, readings.value, strict=True)
    ]
    assert found == [
        ("level", 0.0, 7.0),
        ("flow", 0.0, 0.8),
        ("weight", 0.5, 5.0),
        ("level", 2.0, 207.0),
        ("flow", 2.0, 20.8),
        ("weight", 3.0, 6.0),
    ]
    assert source.asked == [(3, 7, 2)]


def test_a_delivery_of_nothing_is_no_readings(tmp_path: Path) -> None:
    """A span in which nothing answered and nothing came is an empty batch."""
    (tmp_path / "own.yaml").write_text(PROFILE)
    described = plant({"tank": modbus("127.0.0.1:15001", "own.yaml")}, {"level": ("tank", "level", "level", "m")})
    assert len(collect_delivery(plan(described, tmp_path), {(15001, 1): Source([False])}, [])) == 0
