"""Source times as devices write them: RFC 3339, epoch, or local time without a zone.

A clock that was never set counts from 1970 (or, without a zone, from a little before it): a time before 2000 is no
time, and the reading that carries it is stamped on receipt, with a finding.

Local time without a zone is the plant's. The hour that a change of clocks leaves out does not exist: such a time cannot
be understood. Of the hour that it repeats, the one nearer to the receipt is meant: messages come seconds after they
were written, so that only a backlog of more than half an hour can be placed wrongly there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

from plant.clock import to_us
from plant.reading import SECOND

Clockwork = Callable[[object, int], int | None]

NOT_SET = -1
EARLIEST_US = to_us(datetime(2000, 1, 1, tzinfo=UTC))
LATEST_US = to_us(datetime(9999, 1, 1, tzinfo=UTC))
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
DATE_LENGTH = len("2000-01-01")
# how many of the unit make a second
EPOCHS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}


def clockwork(time_format: str, zone: ZoneInfo) -> Clockwork:
    """What turns a time as written, and the time of receipt [µs UTC], into µs UTC.

    NOT_SET stands for a clock that was never set, None for a time that cannot be understood. `time_format` is one of
    the plant description's: rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns, local.
    """
    if time_format in EPOCHS:
        return _counter(EPOCHS[time_format])
    if time_format == "local":
        return lambda written, received: _text(written, zone, received)
    return lambda written, received: _text(written, None, received)


def _counter(per_second: int) -> Clockwork:
    """A clock that counts since 1970; whole numbers, by far the most, take a short way."""
    factor, divisor = max(1, SECOND // per_second), max(1, per_second // SECOND)
    low, high = EARLIEST_US * divisor // factor, LATEST_US * divisor // factor

    def clock(written: object, _: int) -> int | None:
        if type(written) is int and low <= written <= high:
            return written * factor // divisor
        return _epoch(written, factor, divisor)

    return clock


def _epoch(written: object, factor: int, divisor: int) -> int | None:
    if isinstance(written, str):
        if "_" in written:
            return None  # 1_000 is a number to Python only
        try:
            written = int(written) if written.isascii() and written.isdecimal() else float(written.encode("ascii"))
        except ValueError:
            return None
    if isinstance(written, bool) or not isinstance(written, int | float):
        return None
    if isinstance(written, int):
        return _placed(written * factor // divisor) if written >= 0 else None
    counted = written * factor / divisor
    return _placed(round(counted)) if counted >= 0 and isfinite(counted) else None


def _text(written: object, zone: ZoneInfo | None, received: int) -> int | None:
    """A time with an offset is taken at its word; one without needs the plant's zone."""
    if not isinstance(written, str) or len(written) <= DATE_LENGTH:
        return None
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is not None:
            return _placed((moment - _EPOCH) // _MICROSECOND)
        return None if zone is None else _local(moment, zone, received)
    except (ValueError, OverflowError):
        return None


def _local(moment: datetime, zone: ZoneInfo, received: int) -> int | None:
    if moment.year < 2000:
        return NOT_SET
    first, second = moment.replace(tzinfo=zone), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return _placed(to_us(first))
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        return None
    return _placed(min(to_us(first), to_us(second), key=lambda time: abs(time - received)))


def _placed(time: int) -> int | None:
    if time < EARLIEST_US:
        return NOT_SET
    return time if time <= LATEST_US else None
