"""A file as small tables one after another, so that no file is ever held whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from collectors.files.disk import opened
from collectors.files.table import BEYOND, BROKEN, LINE, SAMPLE_CHARACTERS, Table, is_parquet, scan_lines, unreadable
from plant.errors import ConfigurationError, Fault

BLOCK_BYTES = 512 * 1024
LINE_BYTES_MAX = 4 * 1024 * 1024
BLOCK_CELLS = 60_000
"""A block of a Parquet file holds so many cells, a whole row at least."""
FETCHED_CELLS = 2_000_000


@dataclass(frozen=True)
class Block(Table):
    """Some rows of a file in their order, up to line `last`, which is at `share` (0..1) of it.

    `torn` are lines with a quote that is not closed: they are not among the rows.
    """

    last: int
    share: float
    torn: tuple[tuple[int, str], ...] = ()
    first: int = 1
    body: bytes = b""

    def text(self, lines: list[int]) -> list[str]:
        """The rows at some ascending lines, as text."""
        if is_parquet(self.path):
            kept = self.rows.drop(BEYOND)
            found = kept.filter(pl.col(LINE).is_in(lines)).drop(LINE).collect().rows()
            return [str(row)[:SAMPLE_CHARACTERS] for row in found]
        written = self.body.split(b"\n")
        return [_shown(written[line - self.first]) for line in lines]


def blocks(table: Table) -> Iterator[Block]:
    """The rows of an opened table. Raises ConfigurationError when they cannot be read."""
    try:
        if is_parquet(table.path):
            yield from _parquet(table)
        else:
            with opened(table.path) as file:
                yield from _csv(table, file, max(table.path.stat().st_size, 1))
    except BROKEN as error:
        raise unreadable(table.path, error) from error


def _csv(table: Table, file: BinaryIO, size: int) -> Iterator[Block]:
    file.readline()
    first, rest = 2, b""
    while True:
        read = file.read(BLOCK_BYTES)
        body = rest + read
        cut = body.rfind(b"\n") + 1 if read else len(body)
        body, rest = body[:cut], body[cut:]
        if len(rest) > LINE_BYTES_MAX:
            lines = body.count(b"\n")
            message = f"a line longer than {LINE_BYTES_MAX // 2**20} MiB"
            raise ConfigurationError([Fault(table.path, first + lines, message, "is this a CSV file?")])
        if body:
            yield _block(table, body, first, (file.tell() - len(rest)) / size)
            first += body.count(b"\n")
        if not read:
            return


def _block(table: Table, body: bytes, first: int, share: float) -> Block:
    """Every row is one line: a line with an odd number of quotes would take those below into itself."""
    torn: list[tuple[int, str]] = []
    whole = body
    if b'"' in body:
        lines = body.split(b"\n")
        for number, line in enumerate(lines):
            if line.count(b'"') % 2:
                torn.append((first + number, _shown(line)))
                lines[number] = b""
        whole = b"\n".join(lines)
    last = first + body.count(b"\n") - (1 if body.endswith(b"\n") else 0)
    rows = scan_lines(whole, table.schema, first)
    return Block(table.path, table.schema, rows, last, share, tuple(torn), first, body)


def _parquet(table: Table) -> Iterator[Block]:
    columns = max(len(table.schema), 1)
    fetched, rows = max(FETCHED_CELLS // columns, 1), max(BLOCK_CELLS // columns, 1)
    total = max(int(table.rows.select(pl.len()).collect().item()), 1)
    for start in range(0, total, fetched):
        frame = table.rows.slice(start, fetched).collect()
        for at in range(0, frame.height, rows):
            part = frame.slice(at, rows)
            last = start + at + part.height
            yield Block(table.path, table.schema, part.lazy(), last, last / total)


def _shown(line: bytes) -> str:
    return line.rstrip(b"\r\n")[:SAMPLE_CHARACTERS].decode("utf-8", "replace")
