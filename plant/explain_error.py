"""What pydantic found, said as a plant engineer would: where, what is wrong, what to write instead."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import ErrorDetails

from plant.document import Where
from plant.draft import suggestion

_NUMBER = ("a number", "write a number")
_WHOLE = ("a whole number", "write a whole number")
_LIST = ("a list", "write [a, b]")
_PAIR = ("a list of the right length", "two bounds as [0, 100], or three grades as [8, 24, 40]")
_BLOCK = ("a block of keys and values", "write the keys below it, indented")
_DATE = ("a date", "write it as 2026-01-31")
_TIME = ("a time with its zone", "write it as 2026-01-31T06:00:00+08:00")
_CLOCK = ("a time of day", 'write it as "06:00"')
_TRUTH = ("true or false", "write true or false")
_TEXT = ("a text", "write a text")
_EXPECTED = {
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": _PAIR,
    "too_long": _PAIR,
    "dict_type": _BLOCK,
    "model_type": _BLOCK,
    "model_attributes_type": _BLOCK,
    "date_parsing": _DATE,
    "date_type": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "datetime_from_date_parsing": _TIME,
    "time_parsing": _CLOCK,
    "time_type": _CLOCK,
    "bool_parsing": _TRUTH,
    "bool_type": _TRUTH,
    "string_type": _TEXT,
    "union_tag_not_found": ("of a known protocol", "write 'protocol: modbus', 'mqtt' or 'manual'"),
}
_BY_KEY = {
    "address": 'write host and port: "192.168.1.20:502"',
    "id": "small letters, digits and -, beginning with a letter",
}


def explain(data: Any, error: ErrorDetails) -> tuple[Where, str, str]:
    """The place within `data`, the message and the hint of one of pydantic's errors."""
    where = existing(data, error["loc"])
    kind, given = error["type"], error["input"]
    context = error.get("ctx", {})
    if kind == "missing":
        key = str(error["loc"][-1])
        return where, f"'{key}' is missing", f"add the key '{key}'"
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        expected = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags", "")))
        shown = context.get("tag", given)
        return where, f"'{shown}' is not allowed", suggestion(str(shown), expected)
    if kind == "value_error":
        message, _, hint = str(context.get("error", error["msg"])).partition(": ")
        return where, message, hint
    if kind == "string_type" and not isinstance(given, dict | list | None):
        return where, f"{given!r} is not a text", f'put it in quotes: "{given}"'
    if kind == "string_pattern_mismatch":
        return where, f"'{given}' does not have the right form", _BY_KEY.get(str(where[-1]) if where else "", "")
    if kind in _EXPECTED:
        expected_text, hint = _EXPECTED[kind]
        said = " here" if isinstance(given, dict | list) else f", not {'nothing' if given is None else repr(given)}"
        return where, f"must be {expected_text}{said}", hint
    return where, f"{error['msg'].replace('Input should be', 'must be', 1)}, not {given!r}", ""


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
