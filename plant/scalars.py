"""Numbers and dates as people write them where YAML wants them otherwise: 4,95, 2027/06/30, 10.03.2025, ２.４５."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_COMMA = re.compile(r"([+-]?\d+),(\d+)")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_BEGINS = re.compile(r"([+-]?\d+(?:\.\d+)?)\D+")
_YEAR_FIRST = re.compile(r"(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})\D?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def meant_scalar(text: str, kind: str) -> str:
    """The hint for a text that pydantic could not take as a number or a date (`kind` is its error); "" for none.

    >>> meant_scalar("4,95", "float_parsing"), meant_scalar("10.03.2025", "date_from_datetime_parsing")
    ('write 4.95 with a point', 'write 2025-03-10')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if kind.startswith("date_"):
        return _date(plain)
    if not kind.startswith(("float", "int")):
        return ""
    comma = _COMMA.fullmatch(plain)
    if comma is not None:
        return f"write {comma[1]}.{comma[2]} with a point"
    if _NUMBER.fullmatch(plain):
        return f"write {plain} with plain digits"
    begins = _BEGINS.fullmatch(plain)
    return f"write the number only: {begins[1]}" if begins is not None else ""


def _date(plain: str) -> str:
    found = _YEAR_FIRST.fullmatch(plain)
    parts = found.groups() if found is not None else ()
    if found is None and (turned := _DAY_FIRST.fullmatch(plain)) is not None:
        parts = turned.groups()[::-1]
    if not parts:
        return ""
    year, month, day = (int(part) for part in parts)
    try:
        return f"write {date(year, month, day).isoformat()}"
    except ValueError:
        return "there is no such day; write it as 2026-01-31"
