"""Rows of the tables as InfluxDB line protocol, built as one Polars expression a table and checked by ourselves.

Tags are bounded: names from the plant description, states and findings, never an identifier. A result that became
unknown keeps its place with `valid=0i` and without its value, so that it overwrites what stood there; every query asks
for `valid=1`. VictoriaMetrics answers 204 to garbage, so nothing leaves that `is_line` would refuse: each value of a
tag or text is worked out and checked once, within a line of its own; numbers and times are right by construction.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import WEEKDAYS, Plant

TEXT_MAX = 2000
LAST_US = 2**63 // 1000 - 1
_TAG = r"(?:[^\s,=\\]|\\[,= ])+"
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_FIELD = rf'[a-z][a-z0-9_]*=(?:{_NUMBER}|-?\d+i|true|false|"(?:[^"\\\n]|\\["\\])*")'
LINE = rf"^[a-z_]+(?:,[a-z_]+={_TAG})* {_FIELD}(?:,{_FIELD})* -?\d{{1,19}}$"

_IN_TAGS = "_{} valid=1i 0"
_IN_FIELDS = "_ {}valid=1i 0"


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
        ("point", "scope"),
        floats=("amount", "mean", "min", "max", "last", "coverage", "estimated"),
        texts=("unit", "quality"),
        valid=lambda: _finite("amount") | _finite("mean"),
    ),
    "kpi": Form(
        "end",
        ("kpi", "scope", "product", "window", "shift", "weekday"),
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
    "blocks": Form(
        "end",
        ("baseline", "scope"),
        floats=("actual", "expected", "residual", "cost", "co2", "z", "chart", "limit", "cumulative", "coverage"),
        texts=("unit", "state"),
        instants=("start",),
        valid=lambda: _finite("residual"),
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
    "notices": Form(
        "start", ("point", "scope", "finding"), texts=("name", "evidence"), instants=("end",), apart="name"
    ),
}
SPOOLED: dict[str, Form] = {
    "readings": Form(
        "time",
        ("point", "scope"),
        floats=("value",),
        texts=("quality", "finding"),
        valid=lambda: _finite("value") & (pl.col("quality") != "bad"),
    )
}
"""What is sent from the spool, where the description asks for it."""
DESCRIBED: dict[str, Form] = {
    "options": Form("time", ("option", "scope"), floats=("promised",), texts=("title", "title_zh", "unit")),
    "maintenance": Form("time", ("maintenance", "scope"), texts=("title", "title_zh", "note"), instants=("end",)),
}
"""What is sent of the description itself, whole, whenever it reads otherwise; `described` makes the rows."""


def form_of(measurement: str) -> Form:
    """The form of any measurement."""
    return {**FORMS, **SPOOLED, **DESCRIBED}[measurement]


def lines(table: str, frame: pl.DataFrame, plant: Plant) -> pl.Series:
    """A line for each row of a measurement's frame, in order; null where a row cannot be one, as without a time.

    The site's id is the tag that keeps plants apart. A point's process unit, and the name and weekday of the shift that
    a row of window `shift` is of, become tags too.

    >>> from pathlib import Path
    >>> from plant.load import load
    >>> row = {"point": "city_water", "start": 1, "end": 2, "finding": "flat", "evidence": "1 h"}
    >>> frame = pl.DataFrame([row]).with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC")))
    >>> lines("notices", frame, load(Path("examples/electroplating/plant.yaml")))[0]
    'notices,site=haining-plating,point=city_water,scope=site,finding=flat evidence="1 h",end=2i,valid=1i 1000'
    """
    form = form_of(table)
    return _lines(table, form, _placed(frame, form, plant), plant)


def withdrawn(line: str) -> str:
    """The line that takes the place of one whose row is gone.

    >>> withdrawn('options,site=works,option=lids title="Lids",valid=1i 1000')
    'options,site=works,option=lids valid=0i 1000'
    """
    series = re.split(r"(?<!\\) ", line, maxsplit=1)[0]
    return f"{series} valid=0i {line.rsplit(' ', 1)[1]}"


def is_line(found: pl.Series) -> pl.Series:
    """Whether each string is a line that every server reads as we mean it."""
    return found.str.contains(LINE).fill_null(False)


def _lines(measurement: str, form: Form, frame: pl.DataFrame, plant: Plant) -> pl.Series:
    """Rows as lines; null where a piece is: an absent tag or field is an empty piece."""
    pieces = [
        measurement,
        _by_value(pl.Series("site", [plant.site.id]), _tag, _IN_TAGS),
        *(_tags(frame, name, plant) for name in form.tags if name in frame.columns),
        " ",
        *(piece for name in form.floats for piece in _float(frame[name])),
        *(_by_value(frame[name], _text, _IN_FIELDS) for name in form.texts),
        *(_boolean(name) for name in form.booleans),
        *(_instant(name) for name in form.instants),
        *(_flag(name, value) for name, value in form.flags),
        _flag("valid", form.valid()).str.head(-1),
        " ",
        _nanoseconds(frame, form).cast(pl.String),
    ]
    joined = list[str | pl.Expr]()
    for piece in pieces:
        # fewer pieces are quicker put together
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    line = pl.concat_str(pl.lit(piece) if isinstance(piece, str) else piece for piece in joined)
    return frame.select(line.alias("line"))["line"]


def _by_value(column: pl.Series, piece: Callable[[pl.Series], pl.Series], line: str) -> str | pl.Expr:
    """A piece of each row's line; null where `line` would be none with it.

    Worked out and checked once for each value of the column: there are far fewer of them than rows.
    """
    column = column.fill_null("")
    values = column.unique()
    pieces = piece(values)
    pieces = pieces.set(~is_line(pl.select(pl.format(line, pieces)).to_series()), None)
    if len(pieces) == 1 and pieces[0] is not None:
        return str(pieces[0])
    return pl.lit(pieces.gather(column.cast(pl.Enum(values)).to_physical()))


def _tags(frame: pl.DataFrame, name: str, plant: Plant) -> str | pl.Expr:
    if name != "point":
        return _by_value(frame[name], _tag, _IN_TAGS)

    def placed(points: pl.Series) -> pl.Series:
        scopes = [plant.points[point].unit_of if point in plant.points else "" for point in points.to_list()]
        return _tag(points) + _tag(pl.Series("scope", scopes, pl.String))

    return _by_value(frame[name], placed, _IN_TAGS)


def _placed(frame: pl.DataFrame, form: Form, plant: Plant) -> pl.DataFrame:
    """With the tags that follow from the description."""
    if "finding" in form.tags:
        # a correction's name is no tag: there may be any number
        name = pl.col("finding").str.extract("^correction (.+)$")
        finding = pl.when(name.is_null()).then("finding").otherwise(pl.lit("correction"))
        frame = frame.with_columns(name.alias("name"), finding.alias("finding"))
    if "weekday" in form.tags:
        frame = frame.with_columns(pl.lit("").alias("shift"), pl.lit("").alias("weekday"))
        of_shift = frame.filter(pl.col("window") == "shift")["start"].drop_nulls().unique()
        if len(of_shift):
            calendar = Calendar(plant)
            starts = [to_us(start) for start in of_shift]
            found = pl.DataFrame(
                {
                    "start": of_shift,
                    "shift": [period.name if (period := calendar.shift(start)) else "" for start in starts],
                    "weekday": [WEEKDAYS[calendar.local(start).weekday()] for start in starts],
                }
            ).with_columns(pl.lit("shift").alias("window"))
            frame = frame.drop("shift", "weekday").join(
                found, on=["window", "start"], how="left", maintain_order="left"
            )
            frame = frame.with_columns(pl.col("shift", "weekday").fill_null(""))
    return frame


def _nanoseconds(frame: pl.DataFrame, form: Form) -> pl.Expr:
    us = pl.col(form.time).dt.timestamp("us")
    # what no nanosecond of a server can say would come out as another time
    time = pl.when(us.abs() < LAST_US).then(us * 1000)
    if form.apart is None:
        return time
    marks = [zlib.crc32(name.encode()) % 1000 for name in frame[form.apart].fill_null("").to_list()]
    return time + pl.lit(pl.Series("mark", marks, pl.Int64))


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(False)


def _float(column: pl.Series) -> list[str | pl.Expr]:
    number = pl.col(column.name).cast(pl.String)
    if column.is_finite().all(ignore_nulls=False):
        return [f"{column.name}=", number, ","]
    finite = _finite(column.name)
    return [
        pl.when(finite).then(piece).otherwise(pl.lit("")) for piece in (pl.lit(f"{column.name}="), number, pl.lit(","))
    ]


def _boolean(name: str) -> pl.Expr:
    return pl.format("{}={},", pl.lit(name), pl.col(name).cast(pl.String)).fill_null("")


def _instant(name: str) -> pl.Expr:
    return pl.format("{}={}i,", pl.lit(name), pl.col(name).dt.timestamp("us")).fill_null("")


def _flag(name: str, value: pl.Expr) -> pl.Expr:
    return pl.when(value).then(pl.lit(f"{name}=1i,")).otherwise(pl.lit(f"{name}=0i,"))


def _text(values: pl.Series) -> pl.Series:
    clean = values.str.replace_all(r"[\x00-\x1f\x7f]+", " ").str.slice(0, TEXT_MAX)
    clean = clean.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return _unless_empty(clean, values.name + '="{}",')


def _tag(values: pl.Series) -> pl.Series:
    """A tag cannot hold a line break, and a backslash at its end would swallow the comma: both are replaced."""
    clean = (
        values.str.replace_all("\\", "/", literal=True).str.replace_all(r"[\s\x00-\x1f\x7f]+", " ").str.strip_chars()
    )
    return _unless_empty(clean.str.replace_all(r"([,= ])", "\\${1}"), f",{values.name}={{}}")


def _unless_empty(values: pl.Series, form: str) -> pl.Series:
    return pl.select(pl.when(values != "").then(pl.format(form, values)).otherwise(pl.lit(""))).to_series()
