"""Rows of the tables as InfluxDB line protocol, built as one Polars expression a table and checked by ourselves.

Tags are bounded: names from the plant description, states and findings, never an identifier. A result that became
unknown keeps its place with `valid=0i` and without its value, so that it overwrites what stood there; every query asks
for `valid=1`. VictoriaMetrics answers 204 to garbage, so nothing leaves that `is_line` would refuse.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

TEXT_MAX = 2000
_TAG = r"(?:[^\s,=\\]|\\[,= ])+"
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_FIELD = rf'[a-z_]+=(?:{_NUMBER}|-?\d+i|true|false|"(?:[^"\\\n]|\\["\\])*")'
LINE = rf"^[a-z_]+(?:,[a-z_]+={_TAG})* {_FIELD}(?:,{_FIELD})* -?\d{{1,19}}$"


@dataclass(frozen=True)
class Form:
    """How a table becomes lines: its time column, tags, fields by type, and what makes a row valid.

    `apart` names an identifier that two rows of one instant and the same tags may differ in: it is a text field, and
    its checksum goes into the nanoseconds, which our microseconds leave free.
    """

    time: str
    tags: tuple[str, ...]
    floats: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    instants: tuple[str, ...] = ()
    flags: tuple[tuple[str, pl.Expr], ...] = ()
    valid: Callable[[], pl.Expr] = lambda: pl.lit(True)
    apart: str | None = None


FORMS: dict[str, Form] = {
    "facts": Form(
        "minute",
        ("point",),
        floats=("amount", "mean", "min", "max", "last", "coverage", "estimated"),
        texts=("unit", "quality"),
        valid=lambda: _finite("amount") | _finite("mean"),
    ),
    "kpi": Form(
        "end",
        ("kpi", "scope", "product", "window"),
        floats=(
            "value",
            "low",
            "high",
            "numerator",
            "denominator",
            "coverage",
            "target",
            "distance",
            "expected",
        ),
        texts=("unit", "quality", "reason", "grade"),
        booleans=("settled",),
        instants=("start",),
        valid=lambda: _finite("value"),
    ),
    "drift": Form(
        "found",
        ("kpi", "scope"),
        floats=("size_per_hour", "size_low", "size_high", "cost_per_day"),
        texts=("drift", "unit", "direction", "state", "evidence"),
        instants=("onset", "onset_low", "onset_high", "cleared"),
        flags=(("open", pl.col("state").is_in(["open", "worse"])),),
        valid=lambda: pl.col("state") != "withdrawn",
        apart="drift",
    ),
    "alarms": Form(
        "time",
        ("scope", "priority", "to_state", "shift"),
        texts=("alarm", "drift", "from_state", "by", "note"),
        apart="alarm",
    ),
    "notices": Form("start", ("point", "finding"), texts=("evidence",), instants=("end",)),
}


def lines(table: str, frame: pl.DataFrame, site: str) -> pl.Series:
    """A line for each row of a table's frame, in order; `site` becomes the tag that keeps plants apart.

    >>> frame = pl.DataFrame({"point": ["a b"], "start": [1], "end": [2], "finding": ["flat"], "evidence": ["24 h"]})
    >>> frame = frame.with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC")))
    >>> lines("notices", frame, "works")[0]
    'notices,site=works,point=a\\\\ b,finding=flat evidence="24 h",end=2i,valid=1i 1000'
    """
    form = FORMS[table]
    frame = _nanoseconds(frame, form)
    tags = [_tag("site", pl.lit(site)), *(_tag(name, pl.col(name)) for name in form.tags)]
    fields = [
        *(_float(name) for name in form.floats),
        *(_text(name) for name in form.texts),
        *(_labelled(name, pl.col(name).cast(pl.String)) for name in form.booleans),
        *(_labelled(name, pl.format("{}i", pl.col(name).dt.timestamp("us"))) for name in form.instants),
        *(_flag(name, value) for name, value in form.flags),
        _flag("valid", form.valid()),
    ]
    line = pl.format(
        "{}{} {} {}",
        pl.lit(table),
        pl.concat_str(tags, ignore_nulls=True),
        pl.concat_str(fields, separator=",", ignore_nulls=True),
        pl.col("nanoseconds"),
    )
    return frame.select(line.alias("line"))["line"]


def is_line(found: pl.Series) -> pl.Series:
    """Whether each string is a line that every server reads as we mean it."""
    return found.str.contains(LINE).fill_null(False)


def _nanoseconds(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    time = pl.col(form.time).dt.timestamp("us") * 1000
    if form.apart is None:
        return frame.with_columns(time.alias("nanoseconds"))
    marks = [zlib.crc32(name.encode()) % 1000 for name in frame[form.apart].fill_null("").to_list()]
    return frame.with_columns((time + pl.Series("mark", marks, pl.Int64)).alias("nanoseconds"))


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(False)


def _labelled(name: str, value: pl.Expr) -> pl.Expr:
    return pl.format("{}={}", pl.lit(name), value)


def _flag(name: str, value: pl.Expr) -> pl.Expr:
    return pl.format("{}={}i", pl.lit(name), value.fill_null(False).cast(pl.Int8))


def _float(name: str) -> pl.Expr:
    return pl.when(_finite(name)).then(_labelled(name, pl.col(name).cast(pl.String)))


def _text(name: str) -> pl.Expr:
    value = pl.col(name).str.replace_all(r"[\r\n]+", " ").str.slice(0, TEXT_MAX)
    value = value.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return pl.when(pl.col(name) != "").then(pl.format('{}="{}"', pl.lit(name), value))


def _tag(name: str, value: pl.Expr) -> pl.Expr:
    """A tag cannot hold a line break, and a backslash at its end would swallow the comma: both are replaced."""
    clean = value.str.replace_all("\\", "/", literal=True).str.replace_all(r"\s+", " ").str.strip_chars()
    escaped = clean.str.replace_all(r"([,= ])", "\\${1}")
    return pl.when(clean != "").then(pl.format(",{}={}", pl.lit(name), escaped))
