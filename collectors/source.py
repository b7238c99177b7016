"""What the commit thread needs of whoever brings readings: a source that decodes in bulk and hears what is on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from plant.reading import Readings

SAMPLE_BYTES = 200


@dataclass
class Rejected:
    """What of a device's messages could not be used: how many, and one of them."""

    count: int = 0
    sample: str = ""
    reason: str = ""

    def add(self, reason: str, payload: bytes) -> None:
        """Counts one and keeps it as the sample."""
        self.count += 1
        self.reason = reason
        self.sample = payload[:SAMPLE_BYTES].decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Decoded:
    """What items brought.

    `rejected` is by device. `marks` is what the source must remember exactly as long as these readings are on disk: it
    is written in their transaction and handed back by `Journal.marks` after a restart; an empty mark is forgotten.
    `notices` (bodies of the journal's) are written with them too.
    """

    readings: Readings
    rejected: Mapping[str, Rejected] = field(default_factory=dict)
    marks: Mapping[str, bytes] = field(default_factory=dict)
    notices: Sequence[Mapping[str, Any]] = ()


Item_contra = TypeVar("Item_contra", contravariant=True)


class Source(Protocol[Item_contra]):
    """Called by the commit thread only."""

    @property
    def enough(self) -> int:
        """So many waiting items are worth a commit before its time."""

    def decode(self, items: Sequence[Item_contra]) -> Decoded:
        """The readings of items, in the order in which they came. Never raises for what a device sent."""

    def committed(self, items: Sequence[Item_contra]) -> None:
        """These items are on disk: whoever waits for it may be told."""
