"""Rows in the order of their revisions: what the outbox has not sent yet."""

from __future__ import annotations

import sqlite3

import polars as pl

from historian.compact import CLOSING
from historian.keys import newest
from historian.rows import KEPT_IN_ROWS, from_sql
from historian.sources import Sources
from historian.tables import Table
from plant.clock import to_datetime
from plant.reading import DAY

_NEVER = 2**63 - 1


def after(sources: Sources, table: Table, revision: int, limit: int) -> pl.DataFrame:
    """Up to `limit` rows written after a revision, the lowest revisions first.

    Fewer than `limit` are all there are; else every row of a revision below the last one's is among them.
    """
    at_once = limit
    while True:
        found, whole_below = sources.steady(lambda size=at_once: _gather(sources, table, revision, size))  # type: ignore[misc]
        found = newest(table, found).sort("revision", maintain_order=True)
        # of the first revision that may not be whole some rows may be told: the last one told is asked again
        sure = found.filter(pl.col("revision") <= whole_below)
        if len(sure) >= limit or whole_below == _NEVER:
            return sure.head(limit)
        at_once *= 4


def _gather(sources: Sources, table: Table, revision: int, limit: int) -> tuple[pl.DataFrame, int]:
    """Rows after a revision, from as many places as `limit` needs, and the revision below which none is missing."""
    with sources.connected() as db:
        found, whole_below = _from_rows(db, table, revision, limit)
        if table.name not in CLOSING:
            return found, whole_below
        places = sources.chunks_of(db, table, "revision > ?", (revision,))
        places += [one for one in sources.spanned(table, sources.files_of(table)) if one.span.revision > revision]
        places.sort(key=lambda place: place.span.oldest)
        only = Table(table.name, {"revision": pl.Int64}, table.key, table.day)
        frames = [found]
        for number, place in enumerate(places):
            if place.span.oldest > whole_below:
                break
            wanted = pl.col("revision") > revision
            if place.span.rows > limit:
                revisions = place.load(only, wanted)["revision"].bottom_k(limit)
                if len(revisions) == limit:
                    whole_below = min(whole_below, int(str(revisions.max())))
                    wanted &= pl.col("revision") <= whole_below
            found_here = place.load(table, wanted)
            if len(found_here) > limit and whole_below != _NEVER:
                # of a revision of very many rows no more are held than are told
                found_here = found_here.sort("revision", maintain_order=True).head(limit)
            frames.append(found_here)
            following = places[number + 1].span.oldest if number + 1 < len(places) else _NEVER
            if sum(int((frame["revision"] < following).sum()) for frame in frames) >= limit:
                whole_below = min(whole_below, following - 1)
                break
        return pl.concat(frames), whole_below


def part(sources: Sources, table: Table, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
    """About `limit` rows of one revision from a time on, oldest first, and from when on there may be more.

    A revision of any size can be read like this: no more than a slice of a day is in memory. Rows of the small tables
    come all at once.
    """
    return sources.steady(lambda: _part(sources, table, revision, since_us, limit))


def _part(sources: Sources, table: Table, revision: int, since_us: int, limit: int) -> tuple[pl.DataFrame, int | None]:
    with sources.connected() as db:
        kept = table.empty()
        if table.name in KEPT_IN_ROWS:
            found = db.execute(f'SELECT * FROM "{table.name}" WHERE revision = ?', (revision,)).fetchall()
            kept = from_sql(table, found)
        if table.name not in CLOSING:
            return kept, None
        span = (revision, revision, since_us)
        places = sources.chunks_of(db, table, "oldest <= ? AND revision >= ? AND last >= ?", span)
        places += [
            one
            for one in sources.spanned(table, sources.files_of(table, since_us // DAY))
            if one.span.oldest <= revision <= one.span.revision and one.span.last >= since_us
        ]
        kept = kept.filter(pl.col(table.day) >= to_datetime(since_us))
        times = [*(place.span.first for place in places), *kept[table.day].cast(pl.Int64).bottom_k(1)]
        if not times:
            return table.empty(), None
        first = max(since_us, min(times))
        midnight = (first // DAY + 1) * DAY
        rows = sum(place.span.rows for place in places if place.span.first < midnight)
        until = min(midnight, first + max(DAY * limit // max(rows, limit), 1))
        slice_of = (pl.col(table.day) >= to_datetime(first)) & (pl.col(table.day) < to_datetime(until))
        wanted = slice_of & (pl.col("revision") == revision)
        frames = [kept.filter(slice_of), *(place.load(table, wanted) for place in places if place.span.first < until)]
        more = any(place.span.last >= until for place in places) or bool(
            len(kept.filter(pl.col(table.day) >= to_datetime(until)))
        )
        return newest(table, pl.concat(frames)).sort(table.day, maintain_order=True), until if more else None


def _from_rows(db: sqlite3.Connection, table: Table, revision: int, limit: int) -> tuple[pl.DataFrame, int]:
    if table.name not in KEPT_IN_ROWS:
        return table.empty(), _NEVER
    sql = f'SELECT * FROM "{table.name}" WHERE revision > ? ORDER BY revision LIMIT ?'
    found = from_sql(table, db.execute(sql, (revision, limit)).fetchall())
    return found, int(found["revision"][-1]) if len(found) == limit else _NEVER
