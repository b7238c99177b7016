"""The list of what persons put right, as an HTML table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from console.markup import Column, Row, chip, div, join, span, table
from console.views_corrections import Made
from console.words import Words


def corrections(found: Sequence[Made], words: Words) -> Markup:
    """Every correction with who, why and evidence; withdrawn ones stay on the list."""
    if not found:
        return div("kc-empty", words("no_corrections"))
    columns = [
        Column(words("correction")),
        Column(words("corrected_points"), wide=True),
        Column(words("corrected_span")),
        Column(words("put_right"), lead=True),
        Column(words("corrected_by"), wide=True),
    ]
    return table(columns, (_row(one, words) for one in found))


def _row(one: Made, words: Words) -> Row:
    gone = chip("plain", words("withdrawn_mark"), title=one.withdrawn) if one.withdrawn else None
    reasons = [one.why, *([f"{words('corrected_evidence')}: {one.evidence}"] if one.evidence else [])]
    return (
        join((span("kc-strong", one.number), gone), between=" "),
        ", ".join(one.points),
        join((span("kc-whole", one.since), span("kc-whole", one.until)), between=" – "),
        one.says,
        join((one.by, span("kc-small kc-block", " · ".join(reasons)))),
    )
