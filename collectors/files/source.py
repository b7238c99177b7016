"""Parts of files as the commit thread sees them: read before, with the marks that must go to disk with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.source import Decoded, Rejected
from collectors.status import Status
from plant.reading import Quality, Readings


@dataclass(frozen=True)
class Brought:
    """What one part of a device's file brought; `notices` are written when it ends."""

    device: str
    readings: Readings
    marks: Mapping[str, bytes]
    rejected: Rejected | None = None
    notices: Sequence[Mapping[str, Any]] = field(default=())


class FilesSource:
    """Hands over what the folders' thread has read; `committed` hears how many parts are on disk."""

    enough = 1

    def __init__(self, status: Status, committed: Callable[[int], None]) -> None:
        self._status, self._committed = status, committed

    def decode(self, items: Sequence[Brought]) -> Decoded:
        """The readings of parts, in their order."""
        marks: dict[str, bytes] = {}
        rejected: dict[str, Rejected] = {}
        notices: list[Mapping[str, Any]] = []
        for item in items:
            marks.update(item.marks)
            notices += item.notices
            good = int((item.readings.quality < Quality.BAD).sum())
            if good:
                self._status.success(item.device, None, good)
            if item.rejected is not None and item.rejected.count:
                known = rejected.setdefault(item.device, Rejected())
                known.count += item.rejected.count
                known.reason, known.sample = item.rejected.reason, item.rejected.sample
        return Decoded(Readings.join([item.readings for item in items]), rejected, marks, notices)

    def committed(self, items: Sequence[Brought]) -> None:
        """Makes room for the next parts."""
        self._committed(len(items))
