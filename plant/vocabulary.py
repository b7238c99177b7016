"""Which keys a block of the description knows, found by walking the model's annotations."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


@cache
def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a block as they are written in the description."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def block_at(annotation: Any, steps: Iterable[str | int]) -> type[BaseModel] | None:
    """The block's class that pydantic's location leads to, from an annotation on; None when it is no block."""
    for step in steps:
        annotation = _descend(annotation, step)
    found = [one for one in _members(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    return found[0] if len(found) == 1 else None


def _descend(annotation: Any, step: str | int) -> Any:
    for member in _members(annotation):
        origin, arguments = get_origin(member), get_args(member)
        if origin is dict and isinstance(step, str):
            return arguments[1]
        if origin in (list, tuple) and isinstance(step, int):
            return arguments[min(step, len(arguments) - 1)]
        if isinstance(member, type) and issubclass(member, BaseModel):
            if _tag(member) == step:
                return member
            for name, field in member.model_fields.items():
                if (field.alias or name) == step and _tag(member) is None:
                    return field.annotation
    fields = {
        field.alias or name: field.annotation
        for member in _members(annotation)
        if isinstance(member, type) and issubclass(member, BaseModel)
        for name, field in member.model_fields.items()
    }
    return fields.get(str(step))


def _members(annotation: Any) -> list[Any]:
    """The alternatives of an annotation without Annotated and None."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [one for part in get_args(annotation) if part is not type(None) for one in _members(part)]
    return [annotation]


def _tag(model: type[BaseModel]) -> str | None:
    """The protocol that tells one kind of device from another."""
    field = model.model_fields.get("protocol")
    if field is None or get_origin(field.annotation) is not Literal:
        return None
    return str(get_args(field.annotation)[0])
