"""Keys that no block knows: reported, and read as the key that was meant so that nothing else is reported for them."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from plant.document import Document, Where
from plant.draft import suggestion
from plant.model import Plant
from plant.partial import TAG, members, tag


def correct(document: Document, root: type[BaseModel] = Plant) -> None:
    """Report every unknown key of a document; rename it to what was plainly meant, else leave it out."""
    _walk(document, root, document.data, ())


def _walk(document: Document, annotation: Any, data: Any, where: Where) -> None:
    members = members(annotation)
    if isinstance(data, dict) and TAG not in data and any(tag(member) for member in members):
        for key in get_close_matches(TAG, data, n=1, cutoff=0.6):
            _report(document, where, key, [TAG])
            document.rename(where, data, key, TAG)
    for member in members:
        origin, arguments = get_origin(member), get_args(member)
        if isinstance(member, type) and issubclass(member, BaseModel):
            if isinstance(data, dict) and tag(member) in (None, data.get(TAG)):
                _keys(document, member, data, where)
        elif origin is dict and isinstance(data, dict):
            for key in list(data):
                _walk(document, arguments[1], data[key], (*where, key))
        elif origin in (list, tuple) and isinstance(data, list):
            for index, item in enumerate(data):
                _walk(document, arguments[0], item, (*where, index))


def _keys(document: Document, block: type[BaseModel], data: dict[str, Any], where: Where) -> None:
    fields = _fields(block)
    for key in [key for key in data if key not in fields]:
        free = [one for one in fields if one not in data]
        _report(document, where, key, free)
        meant = get_close_matches(key, free, n=1, cutoff=0.6)
        document.rename(where, data, key, meant[0] if meant else None)
    for key, value in data.items():
        _walk(document, fields[key], value, (*where, key))


def _report(document: Document, where: Where, key: str, free: list[str]) -> None:
    label = f"{'.'.join(map(str, where))}: " if where else ""
    document.faults.append(document.fault((*where, key), f"{label}unknown key '{key}'", suggestion(key, free)))


@cache
def _fields(block: type[BaseModel]) -> dict[str, Any]:
    """The keys of a block as they are written, with their annotations."""
    return {field.alias or name: field.annotation for name, field in block.model_fields.items()}
