"""Builds small plants for the tests of the collectors."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from plant.clock import PlantClock
from plant.model import Plant


def written(devices: dict[str, Any], points: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plant of devices and points in short form; a point is (device, read, kind, unit) or a dict."""
    keys = ("from", "read", "kind", "unit")
    full = {
        name: dict(zip(keys, point, strict=True)) if isinstance(point, tuple) else point
        for name, point in points.items()
    }
    return {
        "format": "keepclean/1",
        "site": {"id": "test", "name": "Test", "time_zone": more.pop("time_zone", "Asia/Shanghai")},
        "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
        "devices": {name: {"title": name, **device} for name, device in devices.items()},
        "points": {name: {"title": name, "in": "site", **point} for name, point in full.items()},
        **more,
    }


def plant(devices: dict[str, Any], points: dict[str, Any], **more: Any) -> Plant:
    """The same as a Plant."""
    return Plant.model_validate(written(devices, points, **more))


def modbus(address: str, profile: str, **more: Any) -> dict[str, Any]:
    """A Modbus device."""
    return {"protocol": "modbus", "address": address, "profile": profile, **more}


def mqtt(topic: str, payload: str, **more: Any) -> dict[str, Any]:
    """An MQTT device."""
    return {"protocol": "mqtt", "topic": topic, "payload": payload, **more}


class Hand:
    """A monotonic clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def hand_clock(hand: Hand, anchor_us: int = 0, speed: float = 1.0) -> PlantClock:
    """A plant clock on a hand-moved monotonic clock."""
    return PlantClock(anchor_us, hand.now, speed, hand)


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], object], deadline_s: float = 10.0) -> None:
    """Waits for a condition; fails the test when it does not come about in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        await asyncio.sleep(0.01)
