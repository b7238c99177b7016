"""InfluxQL evaluated by ourselves over frames: what a query must answer, worked out apart from any server.

It knows the dialect that the boards and alert rules speak, as InfluxDB's reference describes it, and nothing beyond: a
text that it does not understand, or whose answer would hang on a chance (a LIMIT that cuts rows of one instant), is
refused with `Unjudged`, so that no query passes without having been judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import polars as pl
from influxql_text import Call, Compared, Field, Joined, Number, Operation, Select, Unjudged, parse

Row = list[Any]
Part = Number | Field | Call | Operation


@dataclass(frozen=True)
class Measurement:
    """Rows with a column `time` [ns since 1970], text columns `tags` ("" where a point has none) and fields (nulls)."""

    frame: pl.DataFrame
    tags: tuple[str, ...]

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """The values that each tag has."""
        return {tag: self.frame[tag].unique().to_list() for tag in self.tags}


@dataclass(frozen=True)
class Series:
    """A series of an answer: its tags, its columns (time first) and its rows, times in ns."""

    tags: dict[str, str]
    columns: list[str]
    rows: list[Row]


def answer(text: str, database: Mapping[str, Measurement]) -> list[Series]:
    """The series that a statement gives, in no particular order, none of them empty. Raises Unjudged."""
    return _select(parse(text), database)


def tag_values(text: str, database: Mapping[str, Measurement]) -> set[str]:
    """The values that a SHOW TAG VALUES statement gives."""
    found = re.fullmatch(r'SHOW TAG VALUES FROM "(\w+)" WITH KEY = "(\w+)"', text)
    if found is None:
        raise Unjudged(text)
    return set(database[found[1]].frame[found[2]]) - {""}


def _select(query: Select, database: Mapping[str, Measurement]) -> list[Series]:
    source = _table(query.source, database) if isinstance(query.source, Select) else database[query.source]
    keep = pl.lit(True) if query.where is None else _condition(query.where, source)
    if query.low is not None:
        keep &= pl.col("time") >= query.low
    if query.high is not None:
        keep &= pl.col("time") <= query.high
    narrowed = Measurement(source.frame.filter(keep), source.tags)
    if any(tag not in source.tags for tag in query.by):
        raise Unjudged(f"grouped by what is no tag: {query.by}")
    calls = list(dict.fromkeys(call for part, _ in query.items for call in _calls(part)))
    found = _aggregated(query, narrowed, calls) if calls else _raw(query, narrowed)
    return [_cut(query, series) for series in found if series.rows]


def _table(query: Select, database: Mapping[str, Measurement]) -> Measurement:
    """A subquery's answer as a measurement: what it groups by are tags, what it selects are fields."""
    rows = [
        {**series.tags, **dict(zip(series.columns, row, strict=True))}
        for series in _select(query, database)
        for row in series.rows
    ]
    kinds: dict[str, Any] = dict.fromkeys([name for _, name in query.items], pl.Float64)
    return Measurement(
        pl.DataFrame(rows, schema={"time": pl.Int64, **dict.fromkeys(query.by, pl.String), **kinds}), query.by
    )


def _condition(part: Compared | Joined, source: Measurement) -> pl.Expr:
    if isinstance(part, Joined):
        left, right = _condition(part.left, source), _condition(part.right, source)
        return left & right if part.word == "AND" else left | right
    if part.name not in source.frame.columns or part.name == "time":
        raise Unjudged(f"no column {part.name}")
    column, is_tag = pl.col(part.name), part.name in source.tags
    if part.sign == "=~":
        if not is_tag:
            raise Unjudged(f"a pattern for the field {part.name}")
        # matched by Python over the few values that a tag has, not by the engine that holds the frame
        values = source.values[part.name]
        fits = [value for value in values if re.search(str(part.value), value)]
        return pl.lit(len(fits) == len(values)) if len(fits) in (0, len(values)) else column.is_in(fits)
    kind, wanted = source.frame.schema[part.name], type(part.value)
    if (wanted is str) != (kind == pl.String) or (wanted is bool) != (kind == pl.Boolean):
        raise Unjudged(f"{part.name} is compared with {part.value!r}")
    return (column == part.value if part.sign == "=" else column >= part.value).fill_null(False)


def _raw(query: Select, source: Measurement) -> list[Series]:
    """Rows as they are: those in which at least one of the fields asked for is there."""
    if query.every is not None or query.fill is not None:
        raise Unjudged("buckets without an aggregate")
    fields = {name for part, _ in query.items for name in _fields(part) if name not in source.tags}
    missing = fields - set(source.frame.columns)
    if missing or not fields:
        raise Unjudged(f"no field among {fields}")
    there = source.frame.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in sorted(fields)))
    there = there.sort("time")
    if query.newest_first and query.limit is not None and not query.by:
        # as many as are asked for, and one to see whether the limit cuts between equals
        there = there.tail(query.limit + 1)
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in there.iter_rows(named=True):
        values = [_value(part, row.__getitem__) for part, _ in query.items]
        # an absent tag that is selected reads null
        values = [None if value == "" else value for value in values]
        grouped.setdefault(tuple(row[tag] for tag in query.by), []).append([row["time"], *values])
    return [_series(query, key, rows) for key, rows in grouped.items()]


def _aggregated(query: Select, source: Measurement, calls: list[Call]) -> list[Series]:
    bare = [part for part, _ in query.items if not _calls(part)]
    chosen = len(calls) == 1 and calls[0].name in SELECTORS and query.every is None
    if bare:
        if not chosen or not all(isinstance(part, Field) for part in bare):
            raise Unjudged("a bare field beside what is no selector")
        return _picked(query, source, calls[0])
    keys = list(query.by)
    frame = source.frame
    if query.every is not None:
        if query.low is None or query.high is None:
            raise Unjudged("buckets without bounds")
        bucket = pl.col("time") - (pl.col("time") - _ahead(query)) % query.every
        frame = frame.with_columns(bucket.alias("bucket"))
        keys.append("bucket")
    by_call = {call: _of_call(frame, keys, call) for call in calls}
    groups = list(dict.fromkeys(key[: len(query.by)] for found in by_call.values() for key in found))
    found = []
    for group in groups:
        rows = []
        for stamp, key in _stamps(query, group, by_call):
            values = {call: by_call[call].get(key) for call in calls}
            if query.every is not None and query.fill == "0":
                values = {call: (0, 0) if value is None else value for call, value in values.items()}
            when = stamp
            if chosen:
                # a selector alone tells when its point was
                (value,) = values.values()
                when = stamp if value is None else value[1]
            numbers = {call: None if value is None else value[0] for call, value in values.items()}
            rows.append([when, *(_value(part, _nothing, numbers) for part, _ in query.items)])
        found.append(_series(query, group, rows))
    return found


def _ahead(query: Select) -> int:
    """By how much buckets begin later than multiples of their length since 1970 UTC."""
    if query.zone is None:
        return query.offset
    assert query.low is not None
    assert query.high is not None
    zone = ZoneInfo(query.zone)
    offsets = {datetime.fromtimestamp(moment / 1e9, zone).utcoffset() for moment in (query.low, query.high)}
    (offset, *others) = offsets
    if others or offset is None:
        raise Unjudged("clocks are put forward or back within the span")
    return query.offset - round(offset.total_seconds()) * 10**9


def _stamps(
    query: Select, group: tuple[str, ...], by_call: Mapping[Call, Mapping[tuple[Any, ...], Any]]
) -> list[tuple[int, tuple[Any, ...]]]:
    """The rows of a group: when each is, and under which key its values are found."""
    if query.every is None:
        return [(query.low or 0, group)]
    if query.fill == "none":
        there = {key for found in by_call.values() for key in found if key[:-1] == group}
        return [(key[-1], key) for key in sorted(there, key=lambda key: key[-1])]
    if query.fill not in ("null", "0"):
        raise Unjudged(f"fill({query.fill})")
    assert query.low is not None
    assert query.high is not None
    first = query.low - (query.low - _ahead(query)) % query.every
    return [(stamp, (*group, stamp)) for stamp in range(first, query.high + 1, query.every)]


def _of_call(frame: pl.DataFrame, keys: list[str], call: Call) -> dict[tuple[Any, ...], tuple[Any, int]]:
    """A call's value, and the time of the row that gave it, by the columns grouped by."""
    inner = call.of if isinstance(call.of, Call) else call
    if (call.name == "cumulative_sum") != isinstance(call.of, Call):
        raise Unjudged(f"{call}")
    assert isinstance(inner.of, Field)
    name = inner.of.name
    if name not in frame.columns or (inner.name != "count" and not frame.schema[name].is_numeric()):
        raise Unjudged(f"{inner.name}({name})")
    there = frame.filter(pl.col(name).is_not_null())
    one = pl.lit(0) if not keys else None
    grouped = (there.with_columns(one.alias("all")) if one is not None else there).group_by(
        keys or ["all"], maintain_order=True
    )
    if inner.name in SELECTORS:
        # of several points of one instant the greatest value is taken
        order, descending = SELECTORS[inner.name]
        sort = pl.struct("time", name).sort_by(*(name if o == "value" else o for o in order), descending=descending)
        table = grouped.agg(sort.first().alias("picked")).unnest("picked")
    elif inner.name in AGGREGATES:
        table = grouped.agg(AGGREGATES[inner.name](pl.col(name)).alias(name), pl.lit(0).alias("time"))
    else:
        raise Unjudged(inner.name)
    found = {
        tuple(row[key] for key in keys): (row[name], row["time"])
        for row in (table.sort(keys) if keys else table).iter_rows(named=True)
    }
    if call is inner:
        return found
    if keys[-1:] != ["bucket"]:
        raise Unjudged("a running sum without buckets")
    total: dict[tuple[Any, ...], Any] = {}
    running = dict[tuple[Any, ...], tuple[Any, int]]()
    for key, (value, _) in found.items():
        total[key[:-1]] = total.get(key[:-1], 0) + value
        running[key] = (total[key[:-1]], 0)
    return running


SELECTORS: dict[str, tuple[tuple[str, str], list[bool]]] = {
    "last": (("time", "value"), [True, True]),
    "first": (("time", "value"), [False, True]),
    "min": (("value", "time"), [False, False]),
    "max": (("value", "time"), [True, False]),
}
AGGREGATES: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "sum": lambda column: column.sum(),
    "mean": lambda column: column.mean(),
    "count": lambda column: column.count(),
}


def _picked(query: Select, source: Measurement, call: Call) -> list[Series]:
    """One selector with other fields of the row that it selects."""
    assert isinstance(call.of, Field)
    if call.name != "last":
        raise Unjudged(f"{call.name} with other fields")
    name, found = call.of.name, []
    there = source.frame.filter(pl.col(name).is_not_null())
    there = there.sort("time", name, descending=True)
    rows = there.unique(list(query.by), keep="first", maintain_order=True) if query.by else there.head(1)
    for row in rows.iter_rows(named=True):
        values = [_value(part, row.__getitem__, {call: row[name]}) for part, _ in query.items]
        found.append(_series(query, tuple(row[tag] for tag in query.by), [[row["time"], *values]]))
    return found


def _series(query: Select, key: tuple[str, ...], rows: list[Row]) -> Series:
    return Series(dict(zip(query.by, key, strict=True)), ["time", *(name for _, name in query.items)], rows)


def _cut(query: Select, series: Series) -> Series:
    rows = series.rows[::-1] if query.newest_first else series.rows
    if query.limit is not None and len(rows) > query.limit:
        if rows[query.limit - 1][0] == rows[query.limit][0]:
            raise Unjudged("the limit cuts rows of one instant")
        rows = rows[: query.limit]
    return Series(series.tags, series.columns, rows)


def _calls(part: Part) -> list[Call]:
    if isinstance(part, Call):
        return [part]
    return [*_calls(part.left), *_calls(part.right)] if isinstance(part, Operation) else []


def _fields(part: Part) -> list[str]:
    if isinstance(part, Operation):
        return [*_fields(part.left), *_fields(part.right)]
    return [part.name] if isinstance(part, Field) else []


def _nothing(name: str) -> NoReturn:
    raise Unjudged(f"a bare field {name}")


def _value(part: Part, field: Callable[[str], Any], calls: Mapping[Call, Any] | None = None) -> Any:
    """What an expression gives; null where any part of it is."""
    match part:
        case Number(value):
            return value
        case Field(name):
            return field(name)
        case Call():
            return (calls or {})[part]
        case Operation(sign, left, right):
            a, b = _value(left, field, calls), _value(right, field, calls)
            if a is None or b is None:
                return None
            if isinstance(a, str) or isinstance(b, str) or (sign == "/" and b == 0):
                raise Unjudged(f"{a!r} {sign} {b!r}")
            # integers divided give a float
            return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[sign]()
