"""What is asked of a device and how its answer is laid out: plain data that planning and decoding share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from collectors.modbus.settings import Device, ValueType
from plant.reading import Values

Positions = NDArray[np.intp] | slice


@dataclass(frozen=True)
class Group:
    """Values of one request that share type, order and everything else that decides how they are decoded.

    `words` are the positions of the registers in the answer, value after value, each value's most significant first;
    `column` are the values' places among the request's points. `dtype` is a value (or one of its registers, where
    they don't make one number) once the registers are ordered, `wire` how a register's two bytes are ordered for it.
    `bits` (lowest, number of them) are cut out; `numerator`, `denominator` and `offset` are None where they change
    nothing; `scale_at` are the positions of scale-factor registers; `listed` maps raw values to numbers.
    """

    type: ValueType
    width: int
    dtype: np.dtype[Any]
    wire: np.dtype[Any]
    words: Positions
    column: Positions
    numerator: Values | None
    denominator: Values | None
    offset: Values | None
    not_available: tuple[int, ...]
    bits: tuple[int, int] | None = None
    scale_at: NDArray[np.intp] | None = None
    listed: Mapping[int | str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One read of `count` registers (function 3 or 4) or bits (1 or 2) from `address` on, and what it brings."""

    function: int
    address: int
    count: int
    points: tuple[str, ...]
    groups: tuple[Group, ...]


class Search(Protocol):
    """Finds out from a device itself where its values are.

    While `wanted` is a request, ask it and hand the answer's words to `take`, or None when the device refused the
    request; then `found` are the requests to poll. `take` raises DeviceError when the device does not hold what is
    sought.
    """

    @property
    def wanted(self) -> Request | None:
        """What to ask next; None once everything is found."""

    @property
    def found(self) -> tuple[Request, ...]:
        """The requests that bring the device's values; empty until everything is found."""

    def take(self, words: Sequence[int] | None) -> None:
        """Takes the answer to `wanted`. Raises DeviceError."""


@dataclass(frozen=True)
class DevicePlan:
    """A device and its requests.

    With `locate` the requests are not known beforehand: a search, begun anew for every connection, finds them.
    """

    device: Device
    requests: tuple[Request, ...]
    locate: Callable[[], Search] | None = None
