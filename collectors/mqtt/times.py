"""Source times as devices write them: RFC 3339, epoch, or local time without a zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from zoneinfo import ZoneInfo

from plant.clock import to_us
from plant.reading import SECOND

Clockwork = Callable[[object], int | None]

LATEST_US = to_us(datetime(9999, 1, 1, tzinfo=UTC))


def clockwork(time_format: str, zone: ZoneInfo) -> Clockwork:
    """What turns a time as written into µs UTC; None stands for a time that cannot be understood.

    `time_format` is one of the plant description's: rfc3339, epoch_s, epoch_ms, local.
    """
    if time_format == "epoch_s":
        return lambda written: _epoch(written, SECOND)
    if time_format == "epoch_ms":
        return lambda written: _epoch(written, SECOND // 1000)
    if time_format == "local":
        return lambda written: _text(written, zone)
    return lambda written: _text(written, None)


def _epoch(written: object, factor: int) -> int | None:
    if isinstance(written, str):
        try:
            written = float(written)
        except ValueError:
            return None
    if isinstance(written, bool) or not isinstance(written, int | float):
        return None
    if not isfinite(written) or not 0 <= written <= LATEST_US // factor:
        return None
    return written * factor if isinstance(written, int) else round(written * factor)


def _text(written: object, zone: ZoneInfo | None) -> int | None:
    """A time with an offset is taken at its word; one without needs the plant's zone."""
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is None:
            if zone is None:
                return None
            moment = moment.replace(tzinfo=zone)
        time = to_us(moment)
    except (ValueError, OverflowError):
        return None
    return time if 0 <= time <= LATEST_US else None
