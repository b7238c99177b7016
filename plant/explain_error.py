"""What pydantic found, said as a plant engineer would: where, what is wrong, what to write instead."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import ErrorDetails

from plant.document import Where
from plant.draft import suggestion
from plant.vocabulary import block_at, keys_of

_BY_TYPE = {
    "float_parsing": "write a number",
    "float_type": "write a number",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "list_type": "write a list: [a, b]",
    "tuple_type": "write a list: [a, b]",
    "too_short": "a list of fixed length: two bounds, or grades I, II and III",
    "too_long": "a list of fixed length: two bounds, or grades I, II and III",
    "dict_type": "write keys and values below it",
    "model_type": "write keys and values below it",
    "model_attributes_type": "write keys and values below it",
    "date_from_datetime_parsing": "write a date as 2026-01-31",
    "date_from_datetime_inexact": "write a date as 2026-01-31",
    "date_type": "write a date as 2026-01-31",
    "datetime_from_date_parsing": "write a time with its zone as 2026-01-31T06:00:00+08:00",
    "time_parsing": 'write a time of day as "06:00"',
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "union_tag_not_found": "every device says its protocol: modbus, mqtt or manual",
}
_BY_KEY = {
    "address": 'write host and port: "192.168.1.20:502"',
    "id": "small letters, digits and -, beginning with a letter",
}


def explain(annotation: Any, data: Any, error: ErrorDetails) -> tuple[Where, str, str]:
    """The place within `data`, the message and the hint of one of pydantic's errors."""
    where = existing(data, error["loc"])
    kind, given = error["type"], error["input"]
    label = "".join(f".{step}" for step in where)
    context = error.get("ctx", {})
    if kind == "missing":
        key = str(error["loc"][-1])
        return where, f"{label}{': ' if label else ''}'{key}' is missing", f"add the key '{key}'"
    if kind == "extra_forbidden":
        block = block_at(annotation, error["loc"][:-1])
        known = keys_of(block) if block else ()
        parent = "".join(f".{step}" for step in where[:-1])
        message = f"{parent}{': ' if parent else ''}unknown key '{where[-1]}'"
        return where, message, suggestion(str(where[-1]), [key for key in known if key not in _given(data, where)])
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        expected = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags", "")))
        shown = context.get("tag", given)
        return where, f"{label}: '{shown}' is not allowed", suggestion(str(shown), expected)
    if kind == "value_error":
        message, _, hint = str(context.get("error", error["msg"])).partition(": ")
        return where, f"{label}: {message}", hint
    if kind == "string_type" and not isinstance(given, dict | list):
        return where, f"{label}: {given!r} is not a text", f'put it in quotes: "{given}"'
    message = error["msg"].replace("Input should be", "must be", 1)
    said = "" if isinstance(given, dict | list) else f", not {given!r}"
    hint = _BY_TYPE.get(kind, "")
    if kind == "string_pattern_mismatch":
        message = "does not have the right form"
        hint = _BY_KEY.get(str(where[-1]) if where else "", "")
        said = f": {given!r}"
    return where, f"{label}: {message}{said}", hint


def existing(data: Any, location: tuple[int | str, ...]) -> Where:
    """pydantic's location as a path of the data: steps that the data lacks (tags of a union) are left out."""
    where: list[int | str] = []
    for step in location:
        inside = (isinstance(data, dict) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        )
        if inside:
            data = data[step]
            where.append(step)
    return tuple(where)


def _given(data: Any, where: Where) -> list[str]:
    """The keys that stand beside the last step of a path."""
    for step in where[:-1]:
        data = data[step]
    return list(data)
