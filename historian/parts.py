"""Parquet files of the tables: `<table>/<day>.parquet`, and beside it `<table>/<day>/<number>.parquet` of busy days.

A file is sorted by natural key, holds each key once, is written beside and renamed, and says in its footer what it
spans, one of readings where each point's rows are as well (`historian.slices`). Numbers rise; a numbered file is never
written again, only merged into a later one. A reader that meets the same row in several files keeps one
(`historian.keys`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from historian import slices
from historian.keys import standing
from historian.tables import READINGS, Table
from plant import durable

PART_ROWS = 2_000_000
"""A numbered file takes in the ones before it up to this many rows."""
DAY_ROWS = 5_000_000
"""A closed day of fewer rows becomes one file."""
GROUP_ROWS = 65_536
_SPAN = "keepclean"
_EPOCH = date(1970, 1, 1)

_log = logging.getLogger("keepclean.historian")


@dataclass(frozen=True)
class Span:
    """What a file holds: the day column from first to last [µs], rows, and revisions (0 where there are none)."""

    first: int
    last: int
    rows: int
    oldest: int
    revision: int


def day_of(path: Path) -> str:
    """The day of a file, as it stands in its name."""
    return path.stem if "-" in path.stem else path.parent.name


def day_number(path: Path) -> int:
    """The day of a file [days since 1970]."""
    return (date.fromisoformat(day_of(path)) - _EPOCH).days


def day_name(day: int) -> str:
    """The day as it stands in names of files."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def list_files(folder: Path, name: str, first: int | None = None, last: int | None = None) -> list[Path]:
    """A table's files of days first..last, in the order in which their rows were written.

    Listed until two lists agree: a file that is merged meanwhile would else be missed together with what it became.
    """
    low = day_name(first) if first is not None else ""
    high = day_name(last) if last is not None else "~"
    before: list[Path] | None = None
    while True:
        found = sorted(
            _list(folder / name, low, high), key=lambda path: (day_of(path), "-" not in path.stem, path.stem)
        )
        if found == before:
            return found
        before = found


def _list(folder: Path, low: str, high: str) -> Iterable[Path]:
    for entry in folder.iterdir() if folder.exists() else ():
        if not low <= entry.stem <= high:
            continue
        if entry.suffix == ".parquet":
            yield entry
        elif entry.suffix == "":
            yield from entry.glob("*.parquet")


class Spans:
    """The spans of files, remembered until a file is replaced."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, Span]] = {}

    def of(self, table: Table, path: Path) -> Span:
        """A file's span. Raises FileNotFoundError, or a Polars error when it is damaged."""
        written = path.stat().st_mtime_ns
        known = self._known.get(path)
        if known is None or known[0] != written:
            known = self._known[path] = (written, read_span(table, path))
        return known[1]


def read_span(table: Table, path: Path) -> Span:
    """A file's span, from its footer if it has one of ours. Raises FileNotFoundError or a Polars error."""
    footer = pl.read_parquet_metadata(path).get(_SPAN)
    return Span(**json.loads(footer)) if footer else span_of(table, pl.read_parquet(path))


def span_of(table: Table, frame: pl.DataFrame) -> Span:
    """The span of rows."""
    time = pl.col(table.day).cast(pl.Int64)
    revision = pl.col("revision") if "revision" in table.schema else pl.lit(0)
    numbers = frame.select(
        time.min().alias("first"),
        time.max().alias("last"),
        pl.len().alias("rows"),
        revision.min().alias("oldest"),
        revision.max().alias("revision"),
    ).row(0, named=True)
    return Span(**{name: int(number or 0) for name, number in numbers.items()})


def store(folder: Path, table: Table, day: int, frame: pl.DataFrame, *, closed: bool) -> list[Path]:
    """Writes rows that are newer than all files of their day, together with such files as are not much larger.

    A closed day of moderate size becomes its one file. Returns the files that are to go, since another one holds them
    now. Raises OSError. One caller at a time.
    """
    files = list_files(folder, table.name, day, day)
    sizes = {path: _rows(table, path) for path in files}
    whole = _whole(folder, table, day)
    if closed and len(frame) + sum(sizes.values()) < DAY_ROWS:
        target, merged = whole, files
    else:
        target, merged, rows = _next(whole, files), [], len(frame)
        for path in reversed(files):
            # from the newest backwards only: what is merged keeps its place in the order
            if sizes[path] > 2 * rows or rows + sizes[path] > PART_ROWS or path == whole:
                break
            merged.insert(0, path)
            rows += sizes[path]
    if merged:
        frames = [pl.read_parquet(path).select(table.schema.keys()) for path in merged]
        frame = pl.concat([*frames, frame], rechunk=True)
    write(table, frame, target)
    return [path for path in merged if path != target]


def add(folder: Path, table: Table, day: int, frame: pl.DataFrame) -> None:
    """Writes rows of a closed day beside its files, if it has any. Raises OSError. One caller at a time."""
    files, whole = list_files(folder, table.name, day, day), _whole(folder, table, day)
    write(table, frame, _next(whole, files) if files or len(frame) >= DAY_ROWS else whole)


def _whole(folder: Path, table: Table, day: int) -> Path:
    return folder / table.name / f"{day_name(day)}.parquet"


def _next(whole: Path, files: Sequence[Path]) -> Path:
    last = max((int(path.stem) for path in files if path != whole), default=0)
    return whole.with_suffix("") / f"{last + 1:06d}.parquet"


def _rows(table: Table, path: Path) -> int:
    """How many rows a file has; a damaged one too many to be merged."""
    try:
        return read_span(table, path).rows
    except pl.exceptions.PolarsError as error:
        _log.error("%s cannot be read and is left as it is: %s", path, error)
        return DAY_ROWS


def write(table: Table, frame: pl.DataFrame, path: Path) -> None:
    """Puts rows, one a key, in a file's place; `frame` is best in one piece. Raises OSError."""
    rows = standing(table, frame)

    def groups(*_: object) -> Iterator[pl.DataFrame]:
        # gathered piece by piece: there is never a second copy of a large part
        return (frame[rows[at : at + GROUP_ROWS]] for at in range(0, len(rows), GROUP_ROWS))

    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob("*.new"):
        left.unlink()
    fresh = path.with_suffix(".new")
    said = {_SPAN: json.dumps(asdict(replace(span_of(table, frame), rows=len(rows))))}
    if table.name == READINGS.name:
        said |= slices.footer(frame, rows)
    register_io_source(groups, schema=frame.schema).sink_parquet(
        fresh,
        compression="zstd",
        compression_level=1,
        row_group_size=GROUP_ROWS,
        metadata=said,
    )
    durable.put(fresh, path)


def remove(paths: Sequence[Path]) -> None:
    """Deletes files, and the folder of a day with its last one. Raises OSError."""
    for path in paths:
        path.unlink(missing_ok=True)
        if "-" not in path.stem and not any(path.parent.iterdir()):
            path.parent.rmdir()
