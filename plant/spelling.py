"""Keys that no block knows: reported, and read as the key that was meant so that nothing else is reported for them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from plant.document import Document, Where
from plant.draft import suggestion
from plant.model import Plant
from plant.partial import TAG, members, tag

_PLAIN = re.compile(r"[\w.+-]+")


def correct(document: Document, root: type[BaseModel] = Plant) -> None:
    """Report every unknown key of a document; rename it to what was plainly meant, else leave it out."""
    _walk(document, root, document.data, ())


def _walk(document: Document, annotation: Any, data: Any, where: Where) -> None:
    alternatives = members(annotation)
    if isinstance(data, dict) and TAG not in data and any(tag(one) for one in alternatives):
        for key in get_close_matches(TAG, data, n=1, cutoff=0.6):
            _report(document, where, key, [TAG])
            document.rename(where, data, key, TAG)
    for member in alternatives:
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
    _commas(document, data, where, fields)
    _colons(document, data, where, fields)
    for key in [key for key in data if key not in fields]:
        free = [one for one in fields if one not in data]
        _report(document, where, key, free)
        meant = get_close_matches(key, free, n=1, cutoff=0.6)
        document.rename(where, data, key, meant[0] if meant else None)
    for key, value in data.items():
        _walk(document, fields[key], value, (*where, key))


def _commas(document: Document, data: dict[str, Any], where: Where, fields: dict[str, Any]) -> None:
    """In `{resolution: 0,001}` YAML reads 0 and a key '001'."""
    for before, key in list(pairwise(data)):
        whole = data.get(before)
        if before in fields and key.isdecimal() and data[key] is None and isinstance(whole, int):
            right = f"{whole}.{key}"
            message = f"{_label((*where, before))}'{whole},{key}' is not one number"
            document.faults.append(document.fault((*where, before), message, f"write {right} with a point"))
            document.rename(where, data, key, None)
            data[before] = float(right)


def _colons(document: Document, data: dict[str, Any], where: Where, fields: dict[str, Any]) -> None:
    """In `{unit:kW}` YAML reads a key 'unit:kW' without a value."""
    for key in list(data):
        name, colon, value = key.partition(":")
        if colon and value and data[key] is None and name in fields and name not in data:
            hint = f"write '{name}: {value}' with a space after the colon"
            document.faults.append(document.fault((*where, key), f"{_label(where)}unknown key '{key}'", hint))
            document.rename(where, data, key, name)
            data[name] = yaml.safe_load(value) if _PLAIN.fullmatch(value) else value


def _report(document: Document, where: Where, key: str, free: list[str]) -> None:
    document.faults.append(document.fault((*where, key), f"{_label(where)}unknown key '{key}'", suggestion(key, free)))


def _label(where: Where) -> str:
    return f"{'.'.join(map(str, where))}: " if where else ""


@cache
def _fields(block: type[BaseModel]) -> dict[str, Any]:
    """The keys of a block as they are written, with their annotations."""
    return {field.alias or name: field.annotation for name, field in block.model_fields.items()}
