"""A file as a lazy frame: a CSV with every column as text, or a Parquet file as it is typed, with line numbers."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import polars as pl

from collectors.files.disk import opened, size_and_time
from plant.errors import ConfigurationError, Fault, shown

LINE, BEYOND = "__line", "__beyond"
SAMPLE_CHARACTERS = 200
BROKEN = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What reading a file raises when the disk or its form is at fault; a cut Parquet file makes polars panic."""


@dataclass(frozen=True)
class Table:
    """A file's rows: its own columns, `__line` (1 is the first line or row) and `__beyond`, not null where a row of a
    CSV has more fields than the header."""

    path: Path
    schema: dict[str, pl.DataType]
    rows: pl.LazyFrame

    def text(self, lines: list[int]) -> list[str]:
        """The rows at some ascending lines, as text."""
        if is_parquet(self.path):
            found = [str(self.rows.slice(line - 1, 1).drop(LINE, BEYOND).collect().row(0)) for line in lines]
        else:
            found, at = [], 0
            with TextIOWrapper(opened(self.path), encoding="utf-8", errors="replace", newline="") as file:
                for line in lines:
                    found += [text.rstrip("\r\n") for text in islice(file, line - at - 1, line - at)]
                    at = line
        return [text[:SAMPLE_CHARACTERS] for text in found]


def is_parquet(path: Path) -> bool:
    """Whether a file's name says that it is Parquet; all others are taken for CSV."""
    return path.suffix.lower() == ".parquet"


def open_table(path: Path) -> Table:
    """The table of a `.csv` or `.parquet` file. Raises ConfigurationError when it cannot be one."""
    try:
        if is_parquet(path):
            size_and_time(path)
            rows = _scanned(path, lambda source: pl.scan_parquet(source, glob=False))
            schema = dict(rows.collect_schema())
            rows = rows.with_row_index(LINE, offset=1).with_columns(pl.lit(None, pl.String).alias(BEYOND))
        else:
            with TextIOWrapper(opened(path), encoding="utf-8-sig", newline="") as file:
                header = [name.strip() for name in next(csv.reader(file), [])]
            if len(set(header)) != len(header) or not all(header):
                raise ConfigurationError([Fault(path, 1, "the header has an empty name, or a name twice")])
            schema = dict.fromkeys(header, pl.String())
            rows = _scanned(path, lambda source: scan_lines(source, schema, 2, skip=1))
    except UnicodeDecodeError as error:
        raise ConfigurationError([Fault(path, 1, "the header is not UTF-8 text", "save the file as UTF-8")]) from error
    except (*BROKEN, csv.Error) as error:
        raise unreadable(path, error) from error
    return Table(path, schema, rows)


def unreadable(path: Path, error: BaseException) -> ConfigurationError:
    """What is raised from an error of the disk, or of the file's own form."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else shown(str(error))
    return ConfigurationError([Fault(path, 1, f"cannot be read: {why}")])


def _scanned(path: Path, scan: Callable[[Path | BinaryIO], pl.LazyFrame]) -> pl.LazyFrame:
    """A file that polars is to read: it takes names as UTF-8 text only, so one that is none is handed over open."""
    if shown(path) == str(path):
        return scan(path)
    with opened(path) as file:
        return scan(file)


def scan_lines(
    source: Path | BinaryIO | bytes, schema: dict[str, pl.DataType], first: int, skip: int = 0
) -> pl.LazyFrame:
    """Lines of a CSV as text in the header's columns, the first of them numbered `first`; empty lines are left out."""
    return pl.scan_csv(
        source,
        has_header=False,
        skip_lines=skip,
        schema={**schema, BEYOND: pl.String()},
        truncate_ragged_lines=True,
        missing_columns="insert",
        extra_columns="ignore",
        encoding="utf8-lossy",
        glob=False,
        row_index_name=LINE,
        row_index_offset=first,
    ).filter(pl.any_horizontal(pl.col(*schema, BEYOND).is_not_null()))
