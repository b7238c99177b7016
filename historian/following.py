"""Rows in the order of their revisions: what the outbox has not sent yet."""

from __future__ import annotations

import sqlite3

import polars as pl

from historian.compact import CLOSING
from historian.keys import newest
from historian.rows import KEPT_IN_ROWS, from_sql
from historian.sources import Sources
from historian.tables import Table

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
            frames.append(place.load(table, wanted))
            following = places[number + 1].span.oldest if number + 1 < len(places) else _NEVER
            if sum(int((frame["revision"] < following).sum()) for frame in frames) >= limit:
                whole_below = min(whole_below, following - 1)
                break
        return pl.concat(frames), whole_below


def _from_rows(db: sqlite3.Connection, table: Table, revision: int, limit: int) -> tuple[pl.DataFrame, int]:
    if table.name not in KEPT_IN_ROWS:
        return table.empty(), _NEVER
    sql = f'SELECT * FROM "{table.name}" WHERE revision > ? ORDER BY revision LIMIT ?'
    found = from_sql(table, db.execute(sql, (revision, limit)).fetchall())
    return found, int(found["revision"][-1]) if len(found) == limit else _NEVER
