"""The console's corrections: a form's texts become a body or are named as unreadable; the list forgets nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fake_frames import example_plant

from console.draw_corrections import corrections
from console.views_corrections import KINDS, NUMBERS, Unreadable, body_of, made
from console.words import LANGUAGES, Words

SHANGHAI = ZoneInfo("Asia/Shanghai")
FORM = {"points": ["a"], "from": "2026-04-03 08:00", "to": "2026-04-04 08:00", "by": " li ", "why": "w"}
VALUES = {"ratio_was": "100", "ratio_is": "80,5", "amount": "3", "value": "-1.5", "closing": "9", "opening": "0"}


def us(*parts: int) -> int:
    """An instant [µs UTC]."""
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_becomes_a_body(kind: str) -> None:
    """Times are the plant's, a comma may part decimals, and only the kind's own numbers go along."""
    body = body_of({**FORM, **VALUES, "kind": kind}, SHANGHAI)
    assert body["from"] == us(2026, 4, 3)
    assert body["to"] == (us(2026, 4, 3) + 1 if kind in ("reading", "exchange") else us(2026, 4, 4))
    assert (body["by"], body["points"]) == ("li", ["a"])
    if kind == "scale":
        assert (body["times"], body["over"], body["in_meter"]) == (80.5, 100.0, False)
    elif kind == "exchange":
        assert body["joins"] == [[us(2026, 4, 3), 9.0, 0.0]]
    else:
        assert set(body) & set(VALUES) == set(NUMBERS[kind])


def test_a_laboratory_value_may_have_no_end() -> None:
    """It then speaks as long as its point declares; every other span needs one."""
    assert body_of({**FORM, "kind": "sample", "to": "", "value": "3"}, SHANGHAI)["to"] == 0
    with pytest.raises(Unreadable):
        body_of({**FORM, "kind": "exclude", "to": ""}, SHANGHAI)


@pytest.mark.parametrize("change", [{"from": "yesterday"}, {"to": "13:00"}, {"amount": "three"}, {"amount": None}])
def test_what_cannot_be_read_is_named(change: dict[str, Any]) -> None:
    """The field is told, nothing is guessed."""
    with pytest.raises(Unreadable) as caught:
        body_of({**FORM, "kind": "amount", "amount": "3", **change}, SHANGHAI)
    assert caught.value.field in change


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_list_keeps_what_was_withdrawn(lang: str) -> None:
    """Who, why and evidence of all, and a mark on those taken back; texts are escaped."""
    row = {"correction": 7, "points": ["a", "b"], "from": "2026-04-03T08:00+08:00", "to": "2026-04-04T08:00+08:00"}
    row |= {"says": "values × 2", "by": "li", "why": "<plate>", "evidence": "photo 3", "withdrawn": ""}
    shown = corrections(made([{**row, "correction": 9, "withdrawn": "wang: no"}, row]), Words(lang, example_plant()))
    for part in ("values × 2", "li", "&lt;plate&gt;", "photo 3", "wang: no", "a, b"):
        assert part in shown
    assert corrections([], Words(lang, example_plant()))
