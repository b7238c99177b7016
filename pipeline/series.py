"""Readings of one point, sorted by source time, each with what the step made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


class Status(IntEnum):
    """What the step made of a reading; USED and above RESOLVED count."""

    USED = 0
    RESOLVED = 1
    BROKEN = 2
    PENDING = 3
    DROPPED = 4
    FROZEN = 5
    BAD = 6


def counts(status: Codes) -> NDArray[np.bool_]:
    """Which readings are used. RESOLVED: accepted by looking ahead; BROKEN: likewise, what lay before is unknown."""
    return status <= Status.BROKEN


@dataclass
class Series:
    """Columns of equal length; `total` is a counter's running amount [STEP] at each used reading."""

    time: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    value: Floats = field(default_factory=lambda: np.empty(0, np.float64))
    status: Codes = field(default_factory=lambda: np.empty(0, np.uint8))
    suspect: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    total: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.time)
