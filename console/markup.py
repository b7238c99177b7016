"""HTML from values: everything that is put in is escaped, and a table can be read on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element; `class_` and `for_` lose their underscore, other ones become hyphens, None is left out.

    >>> tag("b", "1 < 2", class_="x", data_label="a&b")
    Markup('<b class="x" data-label="a&amp;b">1 &lt; 2</b>')
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{}{}>{}</{}>").format(name, written, join(children), name)


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Parts one after another, escaped; None is left out."""
    return escape(between).join(escape(part) for part in parts if part is not None)


def div(class_: str, *children: object, **attributes: object) -> Markup:
    """A <div> of a class."""
    return tag("div", *children, class_=class_, **attributes)


def span(class_: str, *children: object, **attributes: object) -> Markup:
    """A <span> of a class."""
    return tag("span", *children, class_=class_, **attributes)


def chip(kind: str, *children: object, **attributes: object) -> Markup:
    """A small label; kinds: plain, good, warn, bad, info."""
    return span(f"kc-chip kc-{kind}", *children, **attributes)


@dataclass(frozen=True)
class Column:
    """A column: its heading; on a phone a `minor` one is left out, a `wide` one gets a line of its own, and a `lead`
    stands beside the row's title.
    """

    title: str
    number: bool = False
    minor: bool = False
    wide: bool = False
    lead: bool = False

    def classes(self) -> str | None:
        """The classes of its cells."""
        marks = {"num": self.number, "minor": self.minor, "wide": self.wide, "lead": self.lead}
        return " ".join(name for name, is_so in marks.items() if is_so) or None


Row = Sequence[object]


def table(columns: Sequence[Column], rows: Iterable[Row | str], class_: str = "") -> Markup:
    """A table; a row that is a text is a heading over the rows that follow. On a phone each row becomes a card."""
    head = tag("tr", *(tag("th", column.title, class_=column.classes()) for column in columns))
    body = [
        tag("tr", tag("th", row, colspan=len(columns), scope="colgroup"), class_="group")
        if isinstance(row, str)
        else tag(
            "tr",
            *(
                tag("td", cell, class_=column.classes(), data_label=column.title)
                for column, cell in zip(columns, row, strict=True)
            ),
        )
        for row in rows
    ]
    return tag("table", tag("thead", head), tag("tbody", *body), class_=f"kc-table {class_}".strip())


def spark(values: Sequence[float | None], target: float | None = None, width: int = 160, height: int = 36) -> Markup:
    """A trend line without axes; unknown values break it. A dashed line stands for the target when it is in reach."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup("")
    low, high = min(known), max(known)
    if target is not None and low - (high - low) <= target <= high + (high - low):
        low, high = min(low, target), max(high, target)
    reach = (high - low) or abs(high) or 1.0
    low, pad = low - (0 if high > low else reach / 2), 3

    def place(index: int, value: float) -> str:
        x = index / (len(values) - 1) * (width - 2 * pad) + pad
        y = height - pad - (value - low) / reach * (height - 2 * pad)
        return f"{x:.1f},{y:.1f}"

    lines: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(place(index, value))
    drawn = [
        Markup('<polyline points="{}"/>').format(" ".join(line if len(line) > 1 else line * 2))
        for line in lines
        if line
    ]
    if target is not None and low <= target <= low + reach:
        _, _, y = place(0, target).partition(",")
        drawn.insert(0, Markup('<line class="target" x1="0" x2="{}" y1="{}" y2="{}"/>').format(width, y, y))
    if values[-1] is not None:
        x, _, y = place(len(values) - 1, values[-1]).partition(",")
        drawn.append(Markup('<path class="end" d="M{} {}h0.01"/>').format(x, y))
    return Markup(
        '<svg class="kc-spark" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(width, height, Markup("").join(drawn))


def bar(share: float, kind: str = "info") -> Markup:
    """A bar filled to a share of its length (0..1)."""
    filled = tag("span", style=f"width:{min(max(share, 0.0), 1.0) * 100:.1f}%")
    return span(f"kc-bar kc-{kind}", filled)
