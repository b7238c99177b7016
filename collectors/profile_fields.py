"""What a meter profile may say: the fields of a device and the limits of its requests."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from plant.model import Block, Title

Order = Literal["big", "little"]
RegisterType = Literal[
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "bcd16",
    "bcd32",
    "bcd64",
    "m10k32",
    "m10k48",
    "m10k64",
    "bool",
    "string",
]
Ratio = Literal["none", "ct", "pt", "ct_pt"]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Bits = Annotated[str, Field(pattern=r"^(0x)?[0-9A-Fa-f]+$")]
Register = Annotated[int, Field(ge=0, le=0xFFFF)]

WHOLE = re.compile(r"-?[0-9]{1,20}|0x[0-9A-Fa-f]{1,16}")


def _bit(value: object) -> object:
    """3 or "4-7"; YAML gives the one as a number, the other as a text."""
    if not re.fullmatch(r"[0-9]{1,2}(-[0-9]{1,2})?", str(value)):
        raise ValueError(f"{value!r} is no bit: write its number, from 0, or several as 4-7")
    return str(value)


BitRange = Annotated[str, BeforeValidator(_bit)]

WIDTH: dict[RegisterType, int] = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
    "bcd16": 1,
    "bcd32": 2,
    "bcd64": 4,
    "m10k32": 2,
    "m10k48": 3,
    "m10k64": 4,
    "bool": 1,
}


class RegisterField(Block):
    """One value of a device.

    `address` is 0-based, as it goes over the wire. A value is `raw × scale + offset` in `unit`; `ratio` says which
    transformer ratios of the device in the plant description multiply it. `not_available` are the bit patterns (hex,
    most significant digit first, after byte and word order) by which the device says that it has no value.

    `bit` takes one bit of an unsigned register, or some ("4-7"); bit 0 is the least significant. `values` names the
    number that stands for each raw number, or for each text of a `string` of `length` registers; a raw value that it
    does not name is none. A `string` without `values` is shown by `probe` and can be no point. `m10k` is Schneider's
    modulo 10000: each register holds four decimal digits and the sign.
    """

    title: Title
    function: Literal[1, 2, 3, 4]
    address: Register
    type: RegisterType
    length: Annotated[int, Field(ge=1, le=125)] | None = None
    bit: BitRange | None = None
    word_order: Order | None = None
    byte_order: Order | None = None
    scale: float = 1.0
    offset: float = 0.0
    values: dict[int | str, float] = Field(default={})
    unit: str
    ratio: Ratio = "none"
    not_available: tuple[Bits, ...] = ()

    @property
    def width(self) -> int:
        """How many registers it takes; a coil or discrete input counts as one."""
        return (self.length or 1) if self.type == "string" else WIDTH[self.type]

    @property
    def bits(self) -> tuple[int, int] | None:
        """The lowest of its bits and how many they are; None when it is the whole register."""
        if self.bit is None:
            return None
        first, _, last = self.bit.partition("-")
        return int(first), int(last or first) - int(first) + 1

    @property
    def listed(self) -> tuple[tuple[int | str, float], ...]:
        """Raw values and the numbers that stand for them; texts for a string, whole numbers otherwise."""
        if self.type == "string":
            return tuple((str(key), number) for key, number in self.values.items())
        return tuple((int(str(key), 0), number) for key, number in self.values.items())

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.function in {1, 2}) != (self.type == "bool"):
            raise ValueError(f"function {self.function} does not read {self.type}: 1 and 2 read bool, 3 and 4 the rest")
        if (self.length is None) == (self.type == "string"):
            raise ValueError("a string has a 'length' in registers, other types have none")
        if self.address + self.width > 0x10000:
            raise ValueError("the value reaches beyond register 65535")
        for pattern in self.not_available:
            if self.type in {"bool", "string"}:
                raise ValueError(f"a {self.type} has no not_available patterns")
            if len(pattern.removeprefix("0x")) != 4 * self.width:
                raise ValueError(f"not_available '{pattern}' needs {4 * self.width} hex digits for {self.type}")
        self._bits_fit()
        self._values_fit()
        return self

    def _bits_fit(self) -> None:
        if self.bits is None:
            return
        first, count = self.bits
        if not self.type.startswith("uint") or count < 1 or first + count > 16 * self.width:
            raise ValueError(f"bit '{self.bit}' is none of {self.type}: bits are those of uint16, uint32 or uint64")

    def _values_fit(self) -> None:
        if not self.values:
            return
        if self.type.startswith("float"):
            raise ValueError("'values' belong to whole numbers and strings")
        if self.type != "string" and not all(WHOLE.fullmatch(str(key)) for key in self.values):
            raise ValueError("'values' of a number begin with whole numbers, as {1: 0, 0x02: 1}")
        if self.scale != 1 or self.offset != 0:
            raise ValueError("'values' name the numbers themselves: leave 'scale' and 'offset' out")


class Forbidden(Block):
    """Registers that must not be read, not even on the way to others; of one `function`, or of all."""

    first: Register
    last: Register
    function: Literal[1, 2, 3, 4] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last < self.first:
            raise ValueError("'last' lies before 'first'")
        return self


class Profile(Block):
    """A make and model, and the fields that can be read from it.

    `max_registers` bounds one request for registers, `max_bits` one for coils or discrete inputs, `max_gap` how many
    of them that nobody asked for may be read on the way; `one_request_per_field` is for devices that answer nothing
    else.
    """

    make: str
    model: str
    source: str
    byte_order: Order = "big"
    word_order: Order = "big"
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    max_gap: Annotated[int, Field(ge=0, le=1999)] = 0
    forbidden: list[Forbidden] = Field(default=[])
    one_request_per_field: bool = False
    fields: dict[FieldName, RegisterField]


class SunspecField(Block):
    """A point of a SunSpec model; the device says where it is, its type and its scale factor.

    `unit` is the one that the field is given in, which the model's own unit converts to.
    """

    title: Title
    point: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    unit: str


class SunspecProfile(Block):
    """Any device that holds one of some SunSpec models; the first of them in its chain is read."""

    make: str
    model: str
    source: str
    sunspec: Annotated[tuple[Annotated[int, Field(ge=1, le=0xFFFE)], ...], Field(min_length=1)]
    max_registers: Annotated[int, Field(ge=2, le=125)] = 125
    fields: dict[FieldName, SunspecField]


def crosses(forbidden: Forbidden, function: int, first: int, end: int) -> bool:
    """Whether a read of `first` to `end` (excluded) touches what is forbidden."""
    return forbidden.function in {None, function} and forbidden.first < end and first <= forbidden.last
