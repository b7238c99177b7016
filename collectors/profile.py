"""Meter profiles: which register of a make and model holds what, as data files with their source."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from plant.errors import ConfigurationError, Fault
from plant.model import Block, Title

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

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        for name, one in self.fields.items():
            if one.width > self.max_registers:
                raise ValueError(f"field '{name}' needs {one.width} registers, max_registers is {self.max_registers}")
        return self


def builtin() -> list[str]:
    """The names of the profiles that come with keepclean."""
    folder = resources.files("collectors") / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name: str, folder: Path) -> Profile:
    """The profile called `name`: one that comes with keepclean, or a `.yaml` file relative to `folder`.

    Raises ConfigurationError when there is none, or when it is not a profile.
    """
    if name.endswith((".yaml", ".yml")):
        path = folder / name
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError([Fault(path, 0, f"profile '{name}' cannot be read: {error}")]) from error
    else:
        if name not in builtin():
            hint = f"one of {', '.join(builtin())}, or a .yaml file beside the plant description"
            raise ConfigurationError([Fault(folder, 0, f"there is no meter profile '{name}'", hint)])
        path = Path("profiles") / f"{name}.yaml"
        text = (resources.files("collectors") / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse(text, path)


def parse(text: str, path: Path) -> Profile:
    """The profile that a text describes; `path` names it in faults. Raises ConfigurationError."""
    try:
        return Profile.model_validate(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigurationError([Fault(path, line, f"not YAML: {error.problem}")]) from error
    except ValidationError as error:
        faults = [
            Fault(path, 0, f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}") for one in error.errors()
        ]
        raise ConfigurationError(faults) from error
