"""SunSpec information models as the SunSpec Alliance publishes them (package pysunspec2): where their points are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any

from sunspec2 import mb, mdef

from collectors.profile_fields import RegisterType

TYPES: dict[str, RegisterType] = {
    "int16": "int16",
    "uint16": "uint16",
    "count": "uint16",
    "acc16": "uint16",
    "enum16": "uint16",
    "bitfield16": "uint16",
    "int32": "int32",
    "uint32": "uint32",
    "acc32": "uint32",
    "enum32": "uint32",
    "bitfield32": "uint32",
    "int64": "int64",
    "uint64": "uint64",
    "acc64": "uint64",
    "float32": "float32",
    "float64": "float64",
}
UNITS = {"Pct": "%", "PF": "1", "": "1"}


@dataclass(frozen=True)
class Place:
    """A point of a model.

    `offset` and `scale_at` count from the model's first register (its ID). `scale` is a scale factor that the model
    itself fixes, `scale_at` the place of one that the device holds. `not_implemented` are the patterns by which a
    device says that it does not have the point.
    """

    offset: int
    type: RegisterType
    width: int
    unit: str
    scale: Fraction
    scale_at: int | None
    not_implemented: tuple[int, ...]

    @property
    def span(self) -> int:
        """How many registers must be read together for it."""
        first, last = self.offset, self.offset + self.width - 1
        places = (first, last) if self.scale_at is None else (first, last, self.scale_at)
        return max(places) - min(places) + 1


@cache
def places(model: int) -> Mapping[str, Place]:
    """The numeric points outside repeating groups of a model, by name. Raises KeyError when there is no such model."""
    offset = 0
    offsets: dict[str, int] = {}
    points: list[dict[str, Any]] = _definition(model)[mdef.GROUP][mdef.POINTS]
    for point in points:
        offsets[point[mdef.NAME]] = offset
        offset += int(point[mdef.SIZE])
    return {point[mdef.NAME]: _place(point, offsets) for point in points if point[mdef.TYPE] in TYPES}


def _place(point: Mapping[str, Any], offsets: Mapping[str, int]) -> Place:
    width = int(point[mdef.SIZE])
    scale = point.get(mdef.SF)
    unit = str(point.get(mdef.UNITS, ""))
    return Place(
        offsets[point[mdef.NAME]],
        TYPES[point[mdef.TYPE]],
        width,
        UNITS.get(unit, unit),
        Fraction(10) ** scale if isinstance(scale, int) else Fraction(1),
        offsets[scale] if isinstance(scale, str) else None,
        (mb.unimpl_value[point[mdef.TYPE]] & (1 << 16 * width) - 1,),
    )


def _definition(model: int) -> dict[str, Any]:
    # not sunspec2.device.get_model_def: it would prefer a file of that name in the working directory
    file = resources.files("sunspec2") / "models" / "json" / f"model_{model}.json"
    if not file.is_file():
        raise KeyError(model)
    with resources.as_file(file) as path:
        return dict(mdef.from_json_file(str(path)))
