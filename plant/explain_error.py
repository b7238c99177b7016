"""What pydantic found, said as a plant engineer would: where, what is wrong, what to write instead."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import ErrorDetails

from plant.document import Where
from plant.draft import suggestion
from plant.scalars import meant_scalar

_NUMBER = ("a number", "write a number")
_WHOLE = ("a whole number", "write a whole number")
_LIST = ("a list", "write [a, b]")
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
    "union_tag_not_found": ("of a known protocol", "write 'protocol: modbus', 'mqtt', 'hj212' or 'manual'"),
}
_LENGTHS = {
    "grades": "grades need three values, I, II and III, as [8, 24, 40]",
    "period": "a period needs two dates, as [2026-01-01, 2026-12-31]",
    "range": "write the lowest and the highest value, as [0, 100]",
    "per_hour": "write the lowest and the highest amount of an hour, as [0, 100]",
    "in": "name at least one point, as [{point: city_water}]",
    "out": "name at least one point, as [{point: wastewater}]",
}
_LIMITS = {
    "greater_than": "a number above {:g}",
    "greater_than_equal": "{:g} or more",
    "less_than": "a number below {:g}",
    "less_than_equal": "{:g} or less",
}
_BY_KEY = {
    "address": 'write host and port: "192.168.1.20:502"',
    "listen": 'write host and port to listen on: "0.0.0.0:9002"',
    "mn": "at most 24 letters and digits, as the station is set",
    "id": "small letters, digits and -, beginning with a letter",
}


def explain(data: Any, error: ErrorDetails) -> tuple[Where, str, str]:
    """The place within `data`, the message and the hint of one of pydantic's errors."""
    where = existing(data, error["loc"])
    kind, given = error["type"], error["input"]
    context = error.get("ctx", {})
    if kind == "missing":
        key = str(error["loc"][-1])
        if isinstance(error["loc"][-1], int):
            return _wrong_length(where, _at(data, where))
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
    if kind in ("too_short", "too_long"):
        return _wrong_length(where, given)
    if kind in _EXPECTED:
        expected_text, hint = _EXPECTED[kind]
        if isinstance(given, str):
            hint = meant_scalar(given, kind) or hint
        elif kind in ("list_type", "tuple_type") and where:
            hint = _LENGTHS.get(str(where[-1]), hint)
        said = " here" if isinstance(given, dict | list) else f", not {'nothing' if given is None else repr(given)}"
        return where, f"must be {expected_text}{said}", hint
    limit = _LIMITS.get(kind)
    hint = "" if limit is None else "write " + limit.format(float(next(iter(context.values()))))
    return where, f"{error['msg'].replace('Input should be', 'must be', 1)}, not {given!r}", hint


def _wrong_length(where: Where, given: Any) -> tuple[Where, str, str]:
    number = len(given) if isinstance(given, list | tuple) else 0
    hint = _LENGTHS.get(str(where[-1]) if where else "", "write as many values as belong to it")
    return where, f"must be a list of the right length, not of {number}", hint


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


def _at(data: Any, where: Where) -> Any:
    for step in where:
        data = data[step]
    return data
