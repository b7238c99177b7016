"""What collect says of its own health."""

from __future__ import annotations

import json
from pathlib import Path

from collectors_plant import Hand, hand_clock

from collectors.source import Rejected
from collectors.status import FILE, Status


def test_the_status_of_a_device_tells_success_errors_and_one_rejected_payload(tmp_path: Path) -> None:
    """Last success in plant time, latency, the share of recent failures, and a sample to look at."""
    hand = Hand()
    status = Status(hand_clock(hand, anchor_us=1_000_000, speed=60), {"meter": "modbus", "scale": "mqtt"}, "mqtt://b")
    status.success("meter", 0.004, 3)
    hand.now = 1.0
    for _ in range(3):
        status.failure("meter", "no answer within 1 s")
    status.rejected("scale", Rejected(2, "garbage", "not a number"))
    status.retained("scale")
    status.write(tmp_path)
    found = json.loads((tmp_path / FILE).read_text())
    meter, scale = found["devices"]["meter"], found["devices"]["scale"]
    assert (meter["last_success"], meter["latency_ms"], meter["readings"]) == (1_000_000, 4.0, 3)
    assert (meter["errors"], meter["error_rate"], meter["last_error_at"]) == (3, 0.75, 61_000_000)
    assert scale["rejected"] == {"count": 2, "sample": "garbage", "reason": "not a number"}
    assert (scale["last_success"], scale["retained"], scale["error_rate"]) == (None, 1, 1.0)
    assert found["time"] == 61_000_000
    assert found["broker"]["connected"] is False
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_only_recent_attempts_make_the_error_rate() -> None:
    """A device that has recovered is no longer said to fail."""
    status = Status(hand_clock(Hand()), {"meter": "modbus"})
    for _ in range(100):
        status.failure("meter", "no answer")
    for _ in range(60):
        status.success("meter", 0.001, 1)
    assert status.plain()["devices"]["meter"]["error_rate"] == 0.0
