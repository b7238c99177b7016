"""What keepclean can tell of itself as points: the fields of `collect.json` that are numbers, each with its unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plant.reading import SECOND

Take = Callable[[Any, int], float]


def _number(found: Any, now_us: int) -> float:
    return float(found)


def _flag(found: Any, now_us: int) -> float:
    return float(bool(found))


def _age(found: Any, now_us: int) -> float:
    return (now_us - int(found)) / SECOND


def _count(found: Any, now_us: int) -> float:
    return float(found["count"])


def _length(found: Any, now_us: int) -> float:
    return float(len(found))


@dataclass(frozen=True)
class Field:
    """A field: its unit, what it says, and how its number is made of what `collect.json` holds."""

    unit: str
    about: str
    take: Take = _number


DEVICE: dict[str, Field] = {
    "last_success": Field("s", "how long ago the device last answered, or last sent something usable", _age),
    "latency_ms": Field("ms", "time that the last answer took"),
    "latency_median_ms": Field("ms", "median time of the last 60 answers"),
    "readings": Field("1", "readings since the start of collect"),
    "readings_per_s": Field("1/s", "readings a second over the last minute, or the whole intervals that make one"),
    "lag_s": Field("s", "time of receipt less source time, of the newest good reading"),
    "successes": Field("1", "answers, or batches of messages, since the start"),
    "errors": Field("1", "failed requests and rejected messages since the start"),
    "error_rate": Field("1", "share of failures among the last 60 attempts"),
    "last_error_at": Field("s", "how long ago the last failure was", _age),
    "retained": Field("1", "retained messages passed over since the start"),
    "rejected": Field("1", "messages that could not be used since the start", _count),
}
BROKER: dict[str, Field] = {
    "connected": Field("1", "1 while connected, else 0", _flag),
    "session_present": Field("1", "1 when the broker still had the session at the last connection, else 0", _flag),
    "connections": Field("1", "connections since the start"),
    "dropped": Field("1", "QoS 0 messages dropped since the start because the disk was too slow"),
    "doubts": Field("1", "how many reasons there are to doubt that the broker keeps what it acknowledged", _length),
}
JOURNAL: dict[str, Field] = {
    "position": Field("1", "position of the newest message"),
    "commits": Field("1", "commits since the start"),
    "readings": Field("1", "readings committed since the start"),
    "messages": Field("1", "answers and messages of devices committed since the start"),
    "last_commit": Field("s", "how long ago the last commit was", _age),
    "commit_ms": Field("ms", "time that the last commit took"),
    "waiting": Field("1", "answers and messages that wait for the disk"),
    "used_bytes": Field("byte", "what the journal's contents take"),
    "budget_bytes": Field("byte", "what they may take"),
    "paused": Field("1", "1 while reading pauses because the budget is reached, else 0", _flag),
    "storage_error": Field("1", "1 while the journal cannot be written, else 0", _flag),
    "trim_error": Field("1", "1 while the journal cannot be trimmed, else 0", _flag),
    "damage": Field("1", "1 when a damaged journal was put aside at the start, else 0", _flag),
}
SECTIONS: dict[str, dict[str, Field]] = {"devices": DEVICE, "broker": BROKER, "journal": JOURNAL}


@dataclass(frozen=True)
class Read:
    """A point's `read` taken apart; `device` is empty but for a device's field."""

    section: str
    device: str
    field: str

    def value(self, status: Mapping[str, Any]) -> float | None:
        """Its number in a status as `Status.plain` gives it; None when it is not known."""
        entry = status.get(self.section)
        if self.device and entry is not None:
            entry = entry.get(self.device)
        found = None if entry is None else entry.get(self.field)
        return None if found is None else SECTIONS[self.section][self.field].take(found, status["time"])


def split(read: str) -> Read:
    """A point's `read` as section, device and field, whether they exist or not.

    >>> split("devices.mains.latency_ms")
    Read(section='devices', device='mains', field='latency_ms')
    >>> split("journal.position")
    Read(section='journal', device='', field='position')
    """
    section, _, rest = read.partition(".")
    device, _, field = rest.rpartition(".") if section == "devices" else ("", "", rest)
    return Read(section, device, field)
