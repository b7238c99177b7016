"""Meter profiles: which register of a make and model holds what, as data files with their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from collectors.modbus.sunspec_models import Place, places
from collectors.profile_fields import Profile, RegisterField, SunspecField, SunspecProfile, crosses
from plant.document import Document, read
from plant.draft import suggestion
from plant.errors import ConfigurationError, Fault
from plant.load import read_text
from plant.partial import tolerant
from plant.spelling import correct
from plant.unit_hints import suggest
from plant.units import conversion
from plant.units import parse as parse_unit
from plant.validate import Validation


@dataclass(frozen=True)
class Examined:
    """What is sound of a profile, and all that is wrong with it.

    `profile` is None when anything is wrong; `fields` that are sound in part lack the rest (`plant.partial`).
    `declared` are the names of all fields, None when some of them may stand in lines that could not be read.
    """

    title: str
    profile: Profile | SunspecProfile | None
    fields: Mapping[str, RegisterField | SunspecField]
    declared: frozenset[str] | None
    faults: list[Fault]


def builtin() -> list[str]:
    """The names of the profiles that come with keepclean."""
    folder = resources.files("collectors") / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name: str, folder: Path) -> Profile | SunspecProfile:
    """The profile called `name`: one that comes with keepclean, or a `.yaml` file relative to `folder`.

    Raises ConfigurationError when there is none, or when it is not a profile.
    """
    return _sound(examine(name, folder))


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


def parse(text: str, path: Path) -> Profile | SunspecProfile:
    """The profile that a text describes; `path` names it in faults. Raises ConfigurationError with every fault."""
    return _sound(inspect(text, path))


def inspect(text: str, path: Path) -> Examined:
    """What is sound of the profile that a text describes, and every fault with its line."""
    document = read(text, path)
    kind = SunspecProfile if isinstance(document.data, dict) and "sunspec" in document.data else Profile
    correct(document, kind)
    validation = Validation(document, kind, "meter profile")
    document.faults.extend(validation.faults)
    fields: dict[str, RegisterField | SunspecField] = validation.sound.get("fields", {})
    for name, one in fields.items():
        document.faults.extend(tolerant(_unit(document, name, one)))
        if isinstance(one, SunspecField):
            document.faults.extend(tolerant(_point(document, name, one, validation.sound)))
        else:
            document.faults.extend(tolerant(_registers(document, name, one, validation.sound)))
    document.faults.extend(_models(document, validation.sound))
    faults = sorted(set(document.faults))
    title = " ".join(str(validation.sound.get(key, "")) for key in ("make", "model")).strip() or path.name
    declared = None if document.left_out or "fields" in validation.unreadable else validation.declared["fields"]
    return Examined(title, None if faults else kind.model_validate(document.data), fields, declared, faults)


def _sound(examined: Examined) -> Profile | SunspecProfile:
    if examined.profile is None:
        raise ConfigurationError(examined.faults)
    return examined.profile


def _unit(document: Document, name: str, one: RegisterField | SunspecField) -> Iterator[Fault]:
    where = ("fields", name, "unit")
    try:
        parse_unit(one.unit)
    except ValueError as error:
        yield document.fault(where, f"{'.'.join(where)}: {error}", suggest(one.unit))


def _registers(document: Document, name: str, one: RegisterField, sound: Mapping[str, Any]) -> Iterator[Fault]:
    """A value that no request may ask for."""
    where = ("fields", name)
    limit = sound.get("max_registers", 125)
    if one.width > limit:
        message = f"fields.{name}: needs {one.width} registers, max_registers is {limit}"
        yield document.fault(where, message, f"write 'max_registers: {one.width}' or more")
    for forbidden in sound.get("forbidden", []):
        if crosses(forbidden, one.function, one.address, one.address + one.width):
            message = f"fields.{name}: lies in the forbidden registers {forbidden.first} to {forbidden.last}"
            yield document.fault(where, message, "correct the address or the range")


def _models(document: Document, sound: Mapping[str, Any]) -> Iterator[Fault]:
    """SunSpec models that nobody knows."""
    for index, model in enumerate(sound.get("sunspec", ())):
        if _places(model) is None:
            message = f"sunspec: there is no SunSpec model {model}"
            yield document.fault(("sunspec", index), message, "meters are 201 to 204 and 211 to 214")


def _point(document: Document, name: str, one: SunspecField, sound: Mapping[str, Any]) -> Iterator[Fault]:
    """A point that one of the models does not have, cannot be read at once, or is in another kind of unit."""
    where = ("fields", name, "point")
    for model in sound.get("sunspec", ()):
        known = _places(model)
        if known is None:
            continue
        place = known.get(one.point)
        if place is None:
            message = f"fields.{name}.point: SunSpec model {model} has no numeric point '{one.point}'"
            yield document.fault(where, message, suggestion(one.point, known))
            return
        limit = sound.get("max_registers", 125)
        if place.span > limit:
            message = f"fields.{name}: needs {place.span} registers with its scale factor, max_registers is {limit}"
            yield document.fault(where, message, f"write 'max_registers: {place.span}' or more")
            return
        try:
            conversion(place.unit, one.unit)
        except ValueError as error:
            message = f"fields.{name}.unit: SunSpec model {model} gives '{one.point}' in {place.unit}: {error}"
            yield document.fault(("fields", name, "unit"), message, f"write 'unit: {place.unit}'")
            return


def _places(model: int) -> Mapping[str, Place] | None:
    try:
        return places(model)
    except KeyError:
        return None
