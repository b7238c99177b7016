"""Blocks of which only some fields are sound: the sound ones are there, asking for another raises Unsound.

A check that works on such a block says what the sound fields have against each other, and ends where it would need
more: `tolerant` turns that into the end of the check instead of the end of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

TAG = "protocol"
Steps = tuple[str | int, ...]
Block = TypeVar("Block", bound=BaseModel)
Item = TypeVar("Item")


class Unsound(AttributeError):
    """A field was asked for that could not be read; `getattr` with a default gives the default."""


def tolerant(items: Iterable[Item]) -> Iterator[Item]:
    """The items up to the one that would need an unsound field."""
    try:
        yield from items
    except Unsound:
        return


def blank(block: type[Block]) -> Block:
    """A block without any sound field."""
    return _make(block, {}, set())


def sound_part(annotation: Any, data: Any, unsound: set[Steps]) -> Any:
    """What `data` holds as a value of an annotation, without what is at the `unsound` paths.

    Raises Unsound when nothing of it can be used: a wrong scalar, or a list of scalars of which one is wrong.
    """
    if not unsound:
        try:
            return _adapter(annotation).validate_python(data)
        except ValidationError as error:
            raise Unsound("cannot be read") from error
    if () in unsound:
        raise Unsound("is not sound")
    block, origin = block_of(annotation, data), get_origin(bare(annotation))
    if block is not None and isinstance(data, dict):
        return _block(block, data, unsound)
    arguments = get_args(bare(annotation))
    if origin is dict and isinstance(data, dict):
        found = {key: list(_try(arguments[1], data[key], below(unsound, key))) for key in data}
        return {key: values[0] for key, values in found.items() if values}
    if origin is list and isinstance(data, list) and (inner := block_of(arguments[0], {})) is not None:
        return [
            next(_try(arguments[0], item, below(unsound, index)), None) or blank(inner)
            for index, item in enumerate(data)
        ]
    raise Unsound("is not sound")


def below(paths: set[Steps], step: str | int) -> set[Steps]:
    """What the paths that lead through a step say of what is there."""
    return {path[1:] for path in paths if path and path[0] == step}


def bare(annotation: Any) -> Any:
    """An annotation without Annotated and None."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


def members(annotation: Any) -> list[Any]:
    """The alternatives of an annotation without Annotated and None."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [one for part in get_args(annotation) if part is not type(None) for one in members(part)]
    return [annotation]


def block_of(annotation: Any, data: Any) -> type[BaseModel] | None:
    """The kind of block that an annotation means for some data, a device's by its protocol; None when it is none."""
    blocks = [one for one in members(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    tagged = [one for one in blocks if tag(one) is not None]
    if tagged:
        return next((one for one in tagged if isinstance(data, dict) and tag(one) == data.get(TAG)), None)
    return blocks[0] if blocks else None


@cache
def tag(block: Any) -> str | None:
    """The protocol that tells one kind of device from another; None for everything else."""
    field = block.model_fields.get(TAG) if isinstance(block, type) and issubclass(block, BaseModel) else None
    if field is None or get_origin(field.annotation) is not Literal:
        return None
    return str(get_args(field.annotation)[0])


def _try(annotation: Any, data: Any, unsound: set[Steps]) -> Iterator[Any]:
    """The sound part, or nothing."""
    try:
        yield sound_part(annotation, data, unsound)
    except Unsound:
        return


def _block(block: type[BaseModel], data: dict[str, Any], unsound: set[Steps]) -> BaseModel:
    values: dict[str, Any] = {}
    defaults: set[str] = set()
    for name, field in block.model_fields.items():
        key = field.alias or name
        wrong = below(unsound, key)
        if key in data:
            values.update((name, value) for value in _try(_annotation(block, name), data[key], wrong))
        elif not wrong and not field.is_required():
            defaults.add(name)
    return _make(block, values, defaults)


def _make(block: type[Block], values: dict[str, Any], defaults: set[str]) -> Block:
    """A block of some fields; of the others only those in `defaults` have what they have by default."""
    made = cast(Block, _partial(block).model_construct(_fields_set=set(values)))
    taken = {name: block.model_fields[name].get_default(call_default_factory=True) for name in defaults}
    made.__dict__.clear()
    made.__dict__.update(taken | values)
    return made


@cache
def _partial(block: type[BaseModel]) -> type[BaseModel]:
    def asked(self: BaseModel, name: str) -> NoReturn:
        raise Unsound(f"'{name}' is not sound")

    return type(block.__name__, (block,), {"__getattr__": asked, "__module__": __name__})


@cache
def _annotation(block: type[BaseModel], name: str) -> Any:
    field = block.model_fields[name]
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)
