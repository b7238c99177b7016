"""Rows of the tables as InfluxDB line protocol, built as one Polars expression a table and checked by ourselves.

Tags are bounded: names from the plant description, states and findings, never an identifier. A result that became
unknown keeps its place with `valid=0i` and without its value, so that it overwrites what stood there; every query asks
for `valid=1`. VictoriaMetrics answers 204 to garbage, so nothing leaves that `is_line` would refuse.
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
_TAG = r"(?:[^\s,=\\]|\\[,= ])+"
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_FIELD = rf'[a-z][a-z0-9_]*=(?:{_NUMBER}|-?\d+i|true|false|"(?:[^"\\\n]|\\["\\])*")'
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


def lines(table: str, frame: pl.DataFrame, plant: Plant) -> pl.Series:
    """A line for each row of a table's frame, in order; the site's id is the tag that keeps plants apart.

    A point's process unit, and the name and weekday of the shift that a row of window `shift` is of, become tags too.

    >>> from pathlib import Path
    >>> from plant.load import load
    >>> row = {"point": "city_water", "start": 1, "end": 2, "finding": "flat", "evidence": "1 h"}
    >>> frame = pl.DataFrame([row]).with_columns(pl.col("start", "end").cast(pl.Datetime("us", "UTC")))
    >>> lines("notices", frame, load(Path("examples/electroplating/plant.yaml")))[0]
    'notices,site=haining-plating,point=city_water,scope=site,finding=flat evidence="1 h",end=2i,valid=1i 1000'
    """
    form = FORMS[table]
    frame = _nanoseconds(_placed(frame, form, plant), form)
    tags = [_tag("site", pl.lit(plant.site.id)), *(_tag(name, pl.col(name)) for name in form.tags)]
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


def option_lines(plant: Plant) -> list[str]:
    """A line of measurement `options` for each option of the audit, at the local midnight of its commissioning.

    What boards mark: tags option and scope, fields title, title_zh, promised and unit.
    """
    if not plant.options:
        return []
    calendar = Calendar(plant)
    rows = [
        (
            name,
            one.scope,
            one.title.en,
            one.title.zh,
            one.promised,
            one.promised_unit,
            calendar.midnight(one.commissioned),
        )
        for name, one in plant.options.items()
    ]
    columns = ["option", "scope", "title", "title_zh", "promised", "unit", "time"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.lit(plant.site.id).alias("site"))
    tags = [_tag(name, pl.col(name)) for name in ("site", "option", "scope")]
    fields = [_text("title"), _text("title_zh"), _float("promised"), _text("unit"), _flag("valid", pl.lit(True))]
    line = pl.format(
        "options{} {} {}",
        pl.concat_str(tags, ignore_nulls=True),
        pl.concat_str(fields, separator=",", ignore_nulls=True),
        pl.col("time") * 1000,
    )
    return frame.select(line.alias("line"))["line"].to_list()


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


def _placed(frame: pl.DataFrame, form: Form, plant: Plant) -> pl.DataFrame:
    """With the tags that follow from the description."""
    if "scope" in form.tags and "scope" not in frame.columns:
        scopes = {name: point.unit_of for name, point in plant.points.items()}
        frame = frame.with_columns(
            pl.col("point").replace_strict(scopes, default="", return_dtype=pl.String).alias("scope")
        )
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
