"""What a register map is made of, and how values become the 16-bit words that a meter answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plant.errors import DeviceError

Words = NDArray[np.uint16]
Values = NDArray[np.float64]
DataType = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"]
WordOrder = Literal["high first", "low first"]


class IllegalAddressError(DeviceError):
    """The meter has no such register, or does not know the function code (Modbus exceptions 2 and 1)."""

    def __init__(self, message: str, *, illegal_function: bool = False) -> None:
        super().__init__(message, retryable=False)
        self.illegal_function = illegal_function


@dataclass(frozen=True)
class Register:
    """One value of a meter.

    `address` is 0-based as on the wire. The raw value is the field's value × `times`; counters are cut off, other
    values rounded. `limit` is the raw value at which the meter's counter returns to zero.
    """

    address: int
    field: str
    type: DataType
    times: float = 1.0
    order: WordOrder = "high first"
    limit: float | None = None

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return int(self.type[1:]) // 16

    def encode(self, values: Values, *, counter: bool) -> Words:
        """Words (n, `words`) of n values in the field's own unit."""
        raw = values * self.times
        if counter and self.limit is not None:
            raw = np.mod(raw, self.limit)
        if self.type[0] != "f":
            # a counter that shows 0.1 has not yet counted the tenth that is still filling
            raw = np.floor(raw + 1e-9) if counter else np.rint(raw)
        words = raw.astype(f">{self.type[0]}{int(self.type[1:]) // 8}").view(">u2").reshape(len(values), self.words)
        return (words[:, ::-1] if self.order == "low first" else words).astype(np.uint16)


@dataclass(frozen=True)
class Meter:
    """A make and model: the function codes it answers, the address ranges it has, and what stands in them."""

    make: str
    model: str
    functions: frozenset[int]
    ranges: tuple[tuple[int, int], ...]
    registers: tuple[Register, ...]

    def check(self, function_code: int, address: int, count: int) -> None:
        """Refuse what the meter would refuse; raises IllegalAddressError."""
        if function_code not in self.functions:
            raise IllegalAddressError(f"{self.model} does not know function {function_code}", illegal_function=True)
        if not 1 <= count <= 125:
            raise IllegalAddressError(f"{self.model}: {count} registers in one request")
        if not any(first <= address and address + count <= last + 1 for first, last in self.ranges):
            raise IllegalAddressError(f"{self.model} has no registers {address}..{address + count - 1}")

    def register(self, field: str) -> Register:
        """The register of a field; raises KeyError when the meter has none."""
        for register in self.registers:
            if register.field == field:
                return register
        raise KeyError(field)
