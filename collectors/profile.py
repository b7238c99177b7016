"""Meter profiles: which register of a make and model holds what, as data files with their source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from plant.document import Document, read
from plant.errors import ConfigurationError, Fault
from plant.load import read_text
from plant.model import Block, Title
from plant.partial import tolerant
from plant.spelling import correct
from plant.unit_hints import suggest
from plant.units import parse as parse_unit
from plant.validate import Validation

Order = Literal["big", "little"]
RegisterType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
Ratio = Literal["none", "ct", "pt", "ct_pt"]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Bits = Annotated[str, Field(pattern=r"^(0x)?[0-9A-Fa-f]+$")]

WIDTH: dict[RegisterType, int] = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}


class RegisterField(Block):
    """One value of a device.

    `address` is 0-based, as it goes over the wire. A value is `raw × scale + offset` in `unit`; `ratio` says which
    transformer ratios of the device in the plant description multiply it. `not_available` are the bit patterns (hex,
    most significant digit first, after byte and word order) by which the device says that it has no value.
    """

    title: Title
    function: Literal[3, 4]
    address: Annotated[int, Field(ge=0, le=0xFFFF)]
    type: RegisterType
    word_order: Order | None = None
    byte_order: Order | None = None
    scale: float = 1.0
    offset: float = 0.0
    unit: str
    ratio: Ratio = "none"
    not_available: tuple[Bits, ...] = ()

    @property
    def width(self) -> int:
        """How many registers it takes."""
        return WIDTH[self.type]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.address + self.width > 0x10000:
            raise ValueError("the value reaches beyond register 65535")
        for pattern in self.not_available:
            if len(pattern.removeprefix("0x")) != 4 * self.width:
                raise ValueError(f"not_available '{pattern}' needs {4 * self.width} hex digits for {self.type}")
        return self


class Profile(Block):
    """A make and model, and the fields that can be read from it.

    `max_registers` bounds one request, `max_gap` how many registers nobody asked for may be read on the way.
    """

    make: str
    model: str
    source: str
    byte_order: Order = "big"
    word_order: Order = "big"
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    max_gap: Annotated[int, Field(ge=0, le=124)] = 0
    fields: dict[FieldName, RegisterField]


@dataclass(frozen=True)
class Examined:
    """What is sound of a profile, and all that is wrong with it.

    `profile` is None when anything is wrong; `fields` that are sound in part lack the rest (`plant.partial`).
    `declared` are the names of all fields, None when some of them may stand in lines that could not be read.
    """

    title: str
    profile: Profile | None
    fields: dict[str, RegisterField]
    declared: frozenset[str] | None
    faults: list[Fault]


def builtin() -> list[str]:
    """The names of the profiles that come with keepclean."""
    folder = resources.files("collectors") / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name: str, folder: Path) -> Profile:
    """The profile called `name`: one that comes with keepclean, or a `.yaml` file relative to `folder`.

    Raises ConfigurationError when there is none, or when it is not a profile.
    """
    examined = examine(name, folder)
    if examined.profile is None:
        raise ConfigurationError(examined.faults)
    return examined.profile


def examine(name: str, folder: Path) -> Examined:
    """What is sound of the profile called `name`. Raises ConfigurationError when there is none."""
    if name.endswith((".yaml", ".yml")):
        path = folder / name
        return inspect(read_text(path), path)
    if name not in builtin():
        hint = f"one of {', '.join(builtin())}, or a .yaml file beside the plant description"
        raise ConfigurationError([Fault(folder, 1, f"there is no meter profile '{name}'", hint)])
    text = (resources.files("collectors") / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    return inspect(text, Path("profiles") / f"{name}.yaml")


def parse(text: str, path: Path) -> Profile:
    """The profile that a text describes; `path` names it in faults. Raises ConfigurationError with every fault."""
    examined = inspect(text, path)
    if examined.profile is None:
        raise ConfigurationError(examined.faults)
    return examined.profile


def inspect(text: str, path: Path) -> Examined:
    """What is sound of the profile that a text describes, and every fault with its line."""
    document = read(text, path)
    correct(document, Profile)
    validation = Validation(document, Profile, "meter profile")
    document.faults.extend(validation.faults)
    fields: dict[str, RegisterField] = validation.sound.get("fields", {})
    limit = validation.sound.get("max_registers", 125)
    for name, one in fields.items():
        document.faults.extend(tolerant(_field(document, name, one, limit)))
    faults = sorted(set(document.faults))
    title = " ".join(str(validation.sound.get(key, "")) for key in ("make", "model")).strip() or path.name
    declared = None if document.left_out or "fields" in validation.unreadable else validation.declared["fields"]
    return Examined(title, None if faults else Profile.model_validate(document.data), fields, declared, faults)


def _field(document: Document, name: str, one: RegisterField, limit: int) -> Iterator[Fault]:
    where = ("fields", name, "unit")
    try:
        parse_unit(one.unit)
    except ValueError as error:
        yield document.fault(where, f"{'.'.join(where)}: {error}", suggest(one.unit))
    if one.width > limit:
        message = f"fields.{name}: needs {one.width} registers, max_registers is {limit}"
        yield document.fault(("fields", name), message, f"write 'max_registers: {one.width}' or more")
