"""The one read interface: console, boards, audit, explain and export ask here and nowhere else.

A reader opens its own read-only connection, so any process may read while serve writes.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from historian import rows, slices
from historian.compact import CLOSING, fold, read_latest
from historian.following import after, part
from historian.keys import newest, ordered
from historian.parts import day_number
from historian.rows import KEPT_IN_ROWS, from_sql
from historian.sources import Sources
from historian.tables import KPI, READINGS, TABLES, Table
from plant.clock import to_datetime
from plant.reading import DAY, HOUR

Where = Mapping[str, str | Sequence[str]]

BACK_US = 40 * DAY
USED = pl.col("quality") != "bad"

_log = logging.getLogger("keepclean.historian")


class Reader:
    """Tables as frames; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sources = Sources(folder)
        self._lock = Lock()
        self._latest = READINGS.empty()
        self._seen, self._version = 0, -1

    def head(self, key: str) -> int:
        """A number of the head ("position", "settled" in µs, "closed" in days since 1970); 0 when never written."""
        with self._sources.connected() as db:
            row = db.execute("SELECT value FROM head WHERE key = ?", (key,)).fetchone()
            return int(row[0]) if row else 0

    def table(
        self,
        name: str,
        start_us: int | None = None,
        end_us: int | None = None,
        where: Where | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of a table of `historian.tables`, start_us <= day column < end_us, sorted by natural key.

        `where` keeps rows whose column has one of the values; `columns` are those wanted besides the key's.
        """
        whole = TABLES[name]
        wanted = {key: [value] if isinstance(value, str) else list(value) for key, value in (where or {}).items()}
        shown = {*whole.key, whole.day, "revision", *(columns or whole.schema)}
        # which row of a key stands is known before rows are chosen by anything but their key
        needed = {*shown, *wanted, *(["quality"] if whole is READINGS else [])}
        schema = {column: kind for column, kind in whole.schema.items() if column in needed}
        table = Table(name, schema, whole.key, whole.day)
        by_key = {key: values for key, values in wanted.items() if key in whole.key}
        found = self._sources.steady(lambda: self._rows(table, start_us, end_us, by_key))
        others = [pl.col(key).is_in(values) for key, values in wanted.items() if key not in whole.key]
        return (found.filter(others) if others else found).select(c for c in schema if c in shown)

    def _rows(
        self, table: Table, start_us: int | None, end_us: int | None, wanted: Mapping[str, Sequence[str]]
    ) -> pl.DataFrame:
        condition = pl.lit(True)
        clauses, values = ["1"], list[int]()
        if start_us is not None:
            condition &= pl.col(table.day) >= to_datetime(start_us)
            clauses.append("last >= ?")
            values.append(start_us)
        if end_us is not None:
            condition &= pl.col(table.day) < to_datetime(end_us)
            clauses.append("first < ?")
            values.append(end_us)
        for key, choices in wanted.items():
            condition &= pl.col(key).is_in(choices)
        loose, days = list[pl.DataFrame](), set[int]()
        with self._sources.connected() as db:
            if table.name in KEPT_IN_ROWS:
                loose.append(rows.select(db, table, start_us, end_us, wanted))
                days.update((loose[0][table.day].cast(pl.Int64) // DAY).unique())
            if table.name not in CLOSING:
                return ordered(table, loose[0])
            for chunk in self._sources.chunks_of(db, table, " AND ".join(clauses), values):
                loose.append(chunk.load(table, condition))
                days.add(chunk.day)
        first = start_us // DAY if start_us is not None else None
        last = (end_us - 1) // DAY if end_us is not None else None
        files = self._sources.files_of(table, first, last)
        many = Counter([*(day_number(path) for path in files), *days])
        alone = [path for path in files if many[day_number(path)] == 1]
        shared = [
            place.path
            for place in self._sources.spanned(table, [path for path in files if many[day_number(path)] > 1])
            if (start_us is None or place.span.last >= start_us) and (end_us is None or place.span.first < end_us)
        ]
        mixed = newest(table, pl.concat([self._sources.scan(table, shared, condition), *loose]))
        closed = self._sources.scan(table, alone, condition)
        if len(alone) == 1 and not len(mixed):
            return closed  # a file is sorted by key
        return ordered(table, pl.concat([closed, mixed])) if len(closed) else mixed

    def readings_of(self, points: Sequence[str], start_us: int, end_us: int) -> pl.DataFrame:
        """Readings of points, start_us <= time < end_us, sorted by natural key; quick for few points and a day."""
        return self.table("readings", start_us, end_us, {"point": points})

    def batch(self, points: Sequence[str], start_us: int, end_us: int, columns: Sequence[str]) -> list[pl.DataFrame]:
        """Readings of points, start_us <= time < end_us, each once: quick for many rows of whole days.

        Frames of the key's and the wanted columns, sorted by point and time. Without the columns `quality` and
        `finding`, and with `point` as an Enum, those that are good and of which nothing was found out.
        """
        points = list(dict.fromkeys(points))
        found = self._sources.steady(lambda: self._plain(points, start_us, end_us))
        if found is None:
            return [self.table("readings", start_us, end_us, {"point": points}, columns)]
        plain, odd = found
        return [*plain, self.table("readings", start_us, end_us, {"point": odd}, columns)] if odd else plain

    def _plain(self, points: Sequence[str], start_us: int, end_us: int) -> tuple[list[pl.DataFrame], list[str]] | None:
        """Rows of the points that have no odd ones, and the other points; None where files do not tell them apart."""
        with self._sources.connected() as db:
            if self._sources.chunks_of(db, READINGS, "last >= ? AND first < ?", (start_us, end_us)):
                return None
        files = self._sources.files_of(READINGS, start_us // DAY, (end_us - 1) // DAY)
        written = [_written(path) for path in files]
        spanned = sorted(self._sources.spanned(READINGS, files), key=lambda place: place.span.first)
        inside = [place for place in spanned if place.span.last >= start_us and place.span.first < end_us]
        if any(before.span.last >= place.span.first for before, place in pairwise(inside)):
            return None
        try:
            known = [slices.places(place.path) for place in inside]
            told = [each for each in known if each is not None]
            if len(told) < len(known):
                return None
            odd = {name for each in told for name in points if name in each and each[name].odd}
            plain = [name for name in points if name not in odd]
            chosen = [[each[name] for name in plain if name in each] for each in told]
            frames = [slices.read(place.path, each, points) for place, each in zip(inside, chosen, strict=True)]
        except pl.exceptions.PolarsError as error:
            # told where its rows are asked for by name
            _log.debug("a damaged file: %s", error)
            return None
        if [_written(path) for path in files] != written:
            # replaced meanwhile by what compaction made: numbers of rows of one file are not those of another
            return None
        low, high = to_datetime(start_us), to_datetime(end_us)
        for number, place in enumerate(inside):
            if place.span.first < start_us or place.span.last >= end_us:
                frames[number] = frames[number].filter(pl.col("time").is_between(low, high, closed="left"))
        return frames, sorted(odd)

    def first_day(self, name: str) -> int | None:
        """The first day of which a table that closes holds something [days since 1970]; None when it is empty."""
        with self._sources.connected() as db:
            day = db.execute("SELECT min(day) FROM chunk WHERE name = ?", (name,)).fetchone()[0]
        files = self._sources.files_of(TABLES[name])
        return min([*([day] if day is not None else []), *(day_number(path) for path in files)], default=None)

    def last_before(self, points: Sequence[str], time_us: int, back_us: int = BACK_US) -> pl.DataFrame:
        """The newest reading before a time of each point that is not bad, sorted by point.

        Points without one within `back_us` are left out. Of two readings of one instant that with the higher value.
        """
        return self._sources.steady(lambda: self._last_before(points, time_us, back_us))

    def _last_before(self, points: Sequence[str], time_us: int, back_us: int) -> pl.DataFrame:
        first_us = time_us - back_us
        found = READINGS.empty()
        searched = set(points)
        with self._sources.connected() as db:
            span = (first_us, time_us)
            stored = self._sources.chunks_of(db, READINGS, "last >= ? AND first < ?", span)
            for day in range((time_us - 1) // DAY, first_us // DAY - 1, -1):
                files = self._sources.spanned(READINGS, self._sources.files_of(READINGS, day, day))
                places = [*files, *(chunk for chunk in stored if chunk.day == day)]
                parts = [found] + [READINGS.empty()] * len(places)
                for written, place in sorted(enumerate(places, 1), key=lambda one: -one[1].span.last):
                    last = min(place.span.last, time_us - 1)
                    missing = searched - set(found.filter(pl.col("time") > to_datetime(last))["point"])
                    if not missing:
                        break
                    condition = USED & pl.col("point").is_in(sorted(missing))
                    condition &= (pl.col("time") >= to_datetime(first_us)) & (pl.col("time") < to_datetime(time_us))
                    parts[written] = place.load(READINGS, condition)
                    if len(parts[written]):
                        # of one row written twice the later stands: in the order of writing, not of looking
                        found = fold(READINGS.empty(), pl.concat(parts))
                searched -= set(found["point"])
                if not searched:
                    break
        return found

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """Up to `limit` rows of a table written after a revision, in the order of their revisions.

        Fewer than `limit` are all there are; else all rows of the revisions below the last row's are among them.
        """
        return after(self._sources, TABLES[name], revision, limit)

    def part(self, name: str, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
        """About `limit` rows of one revision from a time on, oldest first, and from when on there may be more."""
        return part(self._sources, TABLES[name], revision, since_us, limit)

    def damaged(self) -> list[str]:
        """What this reader met that cannot be read any more and was left out, in words."""
        return self._sources.damaged()

    def latest_kpis(self) -> pl.DataFrame:
        """The newest row of each KPI, scope, product and window."""
        settled = self.head("settled")
        with self._sources.connected() as db:
            found = db.execute(
                'SELECT * FROM kpi WHERE "end" > ? OR ("end" > ? AND "window" = ?)',
                (settled - 2 * HOUR, settled - 26 * HOUR, "12mo"),
            ).fetchall()
        newest_first = from_sql(KPI, found).sort("end", "start", descending=True)
        return newest_first.unique(subset=["kpi", "scope", "product", "window"], keep="first").sort(KPI.key)

    def latest_readings(self) -> pl.DataFrame:
        """The newest reading of each point among the open days'.

        Remembered: asked again, only what was stored since is read.
        """
        with self._lock, self._sources.connected() as db:
            version, moved = read_latest(db, self._version)
            fresh = self._sources.chunks_of(db, READINGS, "id > ?", (self._seen,))
            closed = db.execute("SELECT value FROM head WHERE key = 'closed'").fetchone()
            opened = pl.col("time") >= to_datetime(int(closed[0]) * DAY if closed else 0)
            frames = [moved, *(chunk.load(READINGS, opened) for chunk in fresh)]
            self._latest = fold(self._latest, pl.concat(frames)).filter(opened)
            newest_chunk = db.execute("SELECT max(id) FROM chunk").fetchone()[0]
            self._seen, self._version = max(self._seen, newest_chunk or 0), version
            return self._latest

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        """Entries of a ledger, oldest first: {"name", "time" (µs), "by", "why", "position", **body}."""
        with self._sources.connected() as db:
            found = db.execute(
                "SELECT name, time, by, why, position, body FROM ledger WHERE kind = ? ORDER BY entry",
                (kind,),
            ).fetchall()
        return [
            {"name": name, "time": time, "by": by, "why": why, "position": position, **json.loads(body)}
            for name, time, by, why, position, body in found
        ]

    def baselines(self) -> list[dict[str, Any]]:
        """The baseline in force for each chart (the last accepted one)."""
        return list({entry["name"]: entry for entry in self.ledger("baseline")}.values())


def _written(path: Path) -> tuple[int, int, int]:
    """What tells a file from another in its place. Raises FileNotFoundError."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
