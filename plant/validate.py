"""Every block of a description held against the model by itself, so that one wrong block hides nothing in another."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from plant.document import Document, Where
from plant.draft import Draft, folded
from plant.errors import Fault
from plant.explain_error import explain
from plant.model import Audit, Block, Plant, Site
from plant.partial import Unsound, blank, sound_part

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FIRST = {"format": "format: keepclean/1"}


class Validation:
    """The sound blocks of a document (by the model's field names) and the faults of the others.

    `unreadable` are the blocks that are there, or ought to be, but hold nothing that can be read.
    """

    def __init__(self, document: Document, root: type[BaseModel] = Plant, kind: str = "plant description") -> None:
        self.document = document
        self.sound: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.declared: dict[str, frozenset[str]] = {}
        self.rows: dict[str, list[int]] = {}
        self.unreadable: set[str] = set()
        data = document.data if isinstance(document.data, dict) else {}
        if not isinstance(document.data, dict) and not document.left_out:
            first = next(iter(root.model_fields))
            self.faults.append(document.fault((), f"this is not a {kind}", f"begin with '{_FIRST.get(first, first)}'"))
        for name, field in root.model_fields.items():
            key = field.alias or name
            if get_origin(field.annotation) is dict:
                self.declared[name] = frozenset(data[key]) if isinstance(data.get(key), dict) else frozenset()
                if not isinstance(data.get(key, None if field.is_required() else {}), dict):
                    self.unreadable |= {name, *(["scopes"] if name == "process_units" else [])}
            if key in data:
                annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
                self._block(name, key, annotation, data[key])
            elif field.is_required() and isinstance(document.data, dict) and not document.may_hold(key):
                word, _, what = ("block" if root is Plant else "key"), *kind.partition(" ")[1:]
                self.faults.append(document.fault((), f"the {word} '{key}' is missing", f"every {what} needs it"))

    def _block(self, name: str, key: str, annotation: Any, data: Any) -> None:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is dict and isinstance(data, dict):
            entries = {entry: self._one(arguments[1], data[entry], (key, entry)) for entry in data}
            for entry in entries:
                if not NAME.fullmatch(entry):
                    right = folded(entry)
                    hint = "begin with a small letter; then small letters, digits and _, at most 64"
                    if NAME.fullmatch(right) and right not in data:
                        hint = f"write '{right}': small letters, digits and _"
                    self._fault((key, entry), f"'{entry}' is not a name", hint)
            self.sound[name] = {entry: value for entry, value in entries.items() if value is not None}
        elif origin is dict and data is None and not self.document.damaged((key,)):
            self._fault((key,), "is empty", "write each below it, indented, under a name of its own")
        elif origin is list and isinstance(data, list):
            values = [self._one(arguments[0], item, (key, index)) for index, item in enumerate(data)]
            self.rows[name] = [index for index, value in enumerate(values) if value is not None]
            self.sound[name] = [values[index] for index in self.rows[name]]
        else:
            value = self._one(annotation, data, (key,))
            if value is not None:
                self.sound[name] = value

    def plant(self) -> Plant:
        """A plant of the sound blocks; a site or an audit that is not there is one without sound fields."""
        bare: dict[str, Any] = {"site": blank(Site), "audit": blank(Audit), "devices": {}, "points": {}}
        return Plant.model_construct(**{"format": "keepclean/1"} | bare | self.sound)

    def draft(self) -> Draft:
        """What the cross checks work on."""
        return Draft(self.plant(), self.document, self.declared, self.rows, frozenset(self.unreadable))

    def _one(self, annotation: Any, data: Any, where: Where) -> Any:
        """The validated value, or what is sound of it; None when nothing is, or when lines of it were left out."""
        if self.document.damaged(where):
            return None
        unsound: set[Where] = set()
        reported: set[Where] = set()
        value = None
        try:
            value = _adapter(annotation).validate_python(data)
        except ValidationError as error:
            for one in error.errors():
                fault_at, message, hint = explain(data, one)
                reported.add(fault_at)
                lacks = one["loc"][-1] if one["type"] == "missing" else None
                unsound.add(fault_at if lacks is None else (*fault_at, lacks))
                if lacks is None or not self.document.may_hold(str(lacks), where):
                    self._fault((*where, *fault_at), message, hint)
        for path, leaf in _leaves(data, ()):
            if path in reported:
                continue
            if isinstance(leaf, bool) and (path or where)[-1] not in _truths():
                unsound.add(path)
                hint = "YAML reads yes, no, on and off as true and false: write a number, or a text in quotes"
                self._fault((*where, *path), "this is true or false", hint)
            elif isinstance(leaf, float) and not math.isfinite(leaf):
                unsound.add(path)
                self._fault((*where, *path), f"{leaf} is not a finite number", "write a number")
        if not unsound:
            return value
        try:
            return sound_part(annotation, data, unsound)
        except Unsound:
            return None

    def _fault(self, where: Where, message: str, hint: str) -> None:
        label = ".".join(str(step) for step in where)
        self.faults.append(self.document.fault(where, f"{label}: {message}", hint))


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


@cache
def _truths() -> frozenset[str]:
    """The keys whose values are true or false."""
    return frozenset(
        field.alias or name
        for block in Block.__subclasses__()
        for name, field in block.model_fields.items()
        if field.annotation is bool
    )


def _leaves(data: Any, where: Where) -> Iterator[tuple[Where, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*where, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _leaves(value, (*where, index))
    else:
        yield where, data
