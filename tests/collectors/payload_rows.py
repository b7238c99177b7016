"""What decoded messages come to, in a form that tests compare at a glance."""

from __future__ import annotations

import json
import math
from typing import Any

from collectors.mqtt.payload import Decoder, Received
from collectors.source import Decoded
from plant.reading import Readings

Row = tuple[str, float, float | None, str]


def message(topic: str, body: Any, received: int) -> Received:
    """A message; a body that is not bytes is written as JSON."""
    return received, topic, body if isinstance(body, bytes) else json.dumps(body).encode()


def rows(readings: Readings, since: int) -> list[Row]:
    """Readings as (point, time after `since` [s], value or None, finding)."""
    return [
        (readings.points[point], (time - since) / 1_000_000, None if math.isnan(value) else value, finding)
        for point, time, value, finding in zip(
            readings.point.tolist(),
            readings.time.tolist(),
            readings.value.tolist(),
            [readings.findings[one] for one in readings.finding],
            strict=True,
        )
    ]


def reasons(decoded: Decoded) -> dict[str, str]:
    """Why messages were rejected, by device."""
    return {device: rejected.reason for device, rejected in decoded.rejected.items()}


def take(decoder: Decoder, since: int, *messages: tuple[str, Any]) -> tuple[list[Row], dict[str, str]]:
    """The rows and rejections of messages that all come at `since`."""
    decoded = decoder.decode([message(topic, body, since) for topic, body in messages])
    return rows(decoded.readings, since), reasons(decoded)
