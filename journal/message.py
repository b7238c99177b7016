"""The messages of the journal and their form as bytes.

A message is a kind and a body. Bodies are msgpack: readings as columns (each column the raw bytes of its array),
everything else as a plain map. `position` is the journal's row number; it orders everything that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from plant.errors import StorageError
from plant.reading import Quality, Readings

Kind = Literal["readings", "tick", "plant", "baseline", "act", "correction", "notice"]

FORMAT = 1
_COLUMNS = (
    ("point", np.int32),
    ("time", np.int64),
    ("received", np.int64),
    ("value", np.float64),
    ("quality", np.uint8),
    ("finding", np.uint8),
)


@dataclass(frozen=True)
class Message:
    """One row of the journal.

    `readings` for kind "readings"; `body` for the others: tick {"time": µs}; plant {"hash", "text", "time"};
    baseline (see `pipeline.fitting`); act (a person's: {"act", "by", "time", ...}); correction (a person's: see
    `pipeline.corrections`); notice {"point", "start", "end",
    "finding", "evidence"}.
    """

    position: int
    kind: Kind
    body: dict[str, Any]
    readings: Readings | None = None


def encode_readings(readings: Readings) -> bytes:
    """A batch of readings as bytes."""
    columns = {name: np.ascontiguousarray(getattr(readings, name), kind).tobytes() for name, kind in _COLUMNS}
    return msgspec.msgpack.encode(
        {"v": FORMAT, "points": readings.points, "findings": readings.findings, "columns": columns}
    )


def encode_body(body: dict[str, Any]) -> bytes:
    """Any other message's body as bytes."""
    return msgspec.msgpack.encode({"v": FORMAT, **body})


def damaged(position: int, time: int, evidence: str) -> Message:
    """The notice that stands in the place of what could not be read; `time` [µs UTC] is as near as is known."""
    body = {"point": "", "start": time, "end": time, "finding": "journal damaged", "evidence": evidence}
    return Message(position, "notice", body)


def tick_time(data: bytes) -> int:
    """The time of a tick's body [µs UTC]; 0 when it is none."""
    try:
        return int(msgspec.msgpack.decode(data)["time"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, RecursionError):
        return 0


def decode(position: int, kind: Kind, data: bytes) -> Message:
    """The message of a row. Raises StorageError when its bytes are damaged or of another version."""
    try:
        body = msgspec.msgpack.decode(data)
        if body.pop("v") != FORMAT:
            raise StorageError(f"journal row {position} has another format than {FORMAT}")
        if kind != "readings":
            return Message(position, kind, body)
        return Message(position, kind, {}, _readings(body, position))
    except (msgspec.DecodeError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(f"journal row {position} is damaged: {error}") from error


def _readings(body: dict[str, Any], position: int) -> Readings:
    """A batch of readings out of its row, whose every index leads somewhere."""
    columns: dict[str, Any] = {name: np.frombuffer(body["columns"][name], dtype) for name, dtype in _COLUMNS}
    if len({len(column) for column in columns.values()}) != 1:
        raise StorageError(f"journal row {position} is damaged: its columns differ in length")
    readings = Readings(_names(body["points"]), findings=_names(body["findings"]), **columns)
    if len(readings) and (
        readings.point.min() < 0
        or readings.point.max() >= len(readings.points)
        or readings.finding.max() >= len(readings.findings)
        or readings.quality.max() > Quality.BAD
    ):
        raise StorageError(f"journal row {position} is damaged: it names a point, finding or quality that is none")
    return readings


def _names(written: Any) -> tuple[str, ...]:
    if not isinstance(written, list) or not set(map(type, written)) <= {str}:
        raise TypeError("its names are none")
    return tuple(written)
