"""What persons put right: the list, and a form's texts turned into a correction's body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from plant.clock import to_us

KINDS = ("scale", "exclude", "amount", "reading", "sample", "exchange")
NUMBERS: dict[str, tuple[str, ...]] = {
    "scale": ("ratio_was", "ratio_is"),
    "exclude": (),
    "amount": ("amount",),
    "reading": ("value",),
    "sample": ("value",),
    "exchange": ("closing", "opening"),
}
"""The numbers that each kind asks for."""
MOMENTS = frozenset({"reading", "exchange"})
"""Kinds that are about an instant."""


@dataclass(frozen=True)
class Made:
    """A correction as it is listed; times in RFC 3339 of the plant."""

    number: int
    points: tuple[str, ...]
    since: str
    until: str
    says: str
    by: str
    why: str
    evidence: str
    withdrawn: str


def made(rows: Sequence[Mapping[str, Any]]) -> list[Made]:
    """The list, the newest first, as `Corrections.listed` of `console.sources` gives it."""
    return [
        Made(
            int(row["correction"]),
            tuple(row["points"]),
            *(str(row[key]) for key in ("from", "to", "says", "by", "why", "evidence", "withdrawn")),
        )
        for row in rows
    ]


class Unreadable(ValueError):
    """A field of the form that is no time or no number; `field` names it."""

    def __init__(self, field: str, text: str) -> None:
        self.field, self.text = field, text
        super().__init__(f"{field}: {text!r}")


def body_of(form: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """A correction's body from the form's fields. Raises Unreadable.

    >>> form = {"kind": "amount", "points": ["kwh"], "from": "2026-04-03 08:00", "to": "2026-04-03 09:00"}
    >>> body = body_of({**form, "amount": "12,5", "by": "li", "why": "read by hand"}, ZoneInfo("UTC"))
    >>> body["amount"], body["to"] - body["from"]
    (12.5, 3600000000)
    """
    kind = str(form["kind"])
    start = _moment(form, "from", zone)
    # a sample without an end speaks as long as its point declares
    end = 0 if kind == "sample" else start + 1
    if str(form.get("to") or "").strip() and kind not in MOMENTS:
        end = _moment(form, "to", zone)
    elif kind not in (*MOMENTS, "sample"):
        raise Unreadable("to", "")
    body: dict[str, Any] = {"kind": kind, "points": list(form["points"]), "from": start, "to": end}
    body |= {key: str(form.get(key) or "").strip() for key in ("by", "why", "evidence")}
    numbers = {name: _number(form, name) for name in NUMBERS[kind]}
    if kind == "scale":
        body |= {"times": numbers["ratio_is"], "over": numbers["ratio_was"]}
        body["in_meter"] = bool(form.get("in_meter"))
    elif kind == "exchange":
        body["joins"] = [[start, numbers["closing"], numbers["opening"]]]
    else:
        body |= numbers
    return body


def _moment(form: Mapping[str, Any], field: str, zone: ZoneInfo) -> int:
    text = str(form.get(field) or "").strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unreadable(field, text) from error
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _number(form: Mapping[str, Any], field: str) -> float:
    text = str(form.get(field) if form.get(field) is not None else "").strip()
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise Unreadable(field, text) from error
