"""The one read interface: console, boards, audit, explain and export ask here and nowhere else.

A reader opens its own read-only connection, so any process may read while serve writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from historian.store import CLOSING, from_sql, newest
from historian.tables import KPI, READINGS, TABLES, Table
from plant.clock import to_datetime
from plant.errors import StorageError
from plant.reading import HOUR

Where = Mapping[str, str | Sequence[str]]

# one step of the primary key a point, instead of a scan
LATEST_READINGS = """
WITH RECURSIVE name(point) AS (
    SELECT MIN(point) FROM readings
    UNION ALL
    SELECT (SELECT MIN(point) FROM readings WHERE point > name.point) FROM name WHERE name.point IS NOT NULL
)
SELECT readings.* FROM name JOIN readings ON readings.point = name.point
WHERE readings.time = (SELECT MAX(time) FROM readings AS newer WHERE newer.point = name.point)
"""


class Reader:
    """Tables as frames; safe to use from several threads, one call at a time each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "historian.sqlite"
        self._revisions: dict[Path, tuple[int, int]] = {}

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise StorageError(f"{self.folder}: no results here yet")
        return sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30)

    def head(self, key: str) -> int:
        """A number of the head ("position", "settled" in µs, "closed" in days since 1970); 0 when never written."""
        db = self._connect()
        try:
            row = db.execute("SELECT value FROM head WHERE key = ?", (key,)).fetchone()
            return int(row[0]) if row else 0
        finally:
            db.close()

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
        wanted_columns = {*whole.key, whole.day, "revision", *(columns or whole.schema)}
        schema = {column: kind for column, kind in whole.schema.items() if column in wanted_columns}
        table = Table(name, schema, whole.key, whole.day)
        wanted = {key: [value] if isinstance(value, str) else list(value) for key, value in (where or {}).items()}
        opened = self._open(table, start_us, end_us, wanted)
        files = self._files(table, start_us, end_us)
        if not files:
            return opened.sort(table.key)
        condition = pl.lit(True)
        if start_us is not None:
            condition &= pl.col(table.day) >= to_datetime(start_us)
        if end_us is not None:
            condition &= pl.col(table.day) < to_datetime(end_us)
        for key, values in wanted.items():
            condition &= pl.col(key).is_in(values)
        closed = pl.scan_parquet(files).filter(condition).select(table.schema.keys()).collect()
        return newest(table, pl.concat([opened, closed])).sort(table.key)

    def _open(
        self, table: Table, start_us: int | None, end_us: int | None, wanted: Mapping[str, Sequence[str]]
    ) -> pl.DataFrame:
        clauses, values = ["1"], list[Any]()
        if start_us is not None:
            clauses.append(f'"{table.day}" >= ?')
            values.append(start_us)
        if end_us is not None:
            clauses.append(f'"{table.day}" < ?')
            values.append(end_us)
        for key, choices in wanted.items():
            clauses.append(f'"{key}" IN ({",".join("?" * len(choices))})')
            values.extend(choices)
        names = ", ".join(f'"{column}"' for column in table.schema)
        db = self._connect()
        try:
            rows = db.execute(f'SELECT {names} FROM "{table.name}" WHERE {" AND ".join(clauses)}', values).fetchall()
        finally:
            db.close()
        return from_sql(table, rows)

    def _files(self, table: Table, start_us: int | None, end_us: int | None) -> list[Path]:
        if table.name not in CLOSING:
            return []
        first = to_datetime(start_us).date() if start_us is not None else date.min
        last = to_datetime(end_us).date() + timedelta(days=1) if end_us is not None else date.max
        return [
            path
            for path in sorted((self.folder / table.name).glob("*.parquet"))
            if first <= date.fromisoformat(path.stem) <= last
        ]

    def after(self, name: str, revision: int, limit: int) -> pl.DataFrame:
        """Up to `limit` rows of a table written after a revision, in the order of their revisions."""
        table = TABLES[name]
        db = self._connect()
        try:
            rows = db.execute(
                f'SELECT * FROM "{name}" WHERE revision > ? ORDER BY revision LIMIT ?', (revision, limit)
            ).fetchall()
        finally:
            db.close()
        parts = [from_sql(table, rows)]
        files = [path for path in self._files(table, None, None) if self._newest_revision(path) > revision]
        if files:
            scan = pl.scan_parquet(files).filter(pl.col("revision") > revision).select(table.schema.keys())
            parts.append(scan.sort("revision").head(limit).collect())
        return newest(table, pl.concat(parts)).sort("revision", maintain_order=True).head(limit)

    def _newest_revision(self, path: Path) -> int:
        """The highest revision in a closed day's file, remembered until the file is replaced."""
        written = path.stat().st_mtime_ns
        known = self._revisions.get(path)
        if known is None or known[0] != written:
            found = pl.scan_parquet(path).select(pl.col("revision").max()).collect().item()
            known = self._revisions[path] = (written, int(found or 0))
        return known[1]

    def latest_kpis(self) -> pl.DataFrame:
        """The newest row of each KPI, scope, product and window."""
        settled = self.head("settled")
        db = self._connect()
        try:
            rows = db.execute(
                'SELECT * FROM kpi WHERE "end" > ? OR ("end" > ? AND "window" = ?)',
                (settled - 2 * HOUR, settled - 26 * HOUR, "12mo"),
            ).fetchall()
        finally:
            db.close()
        newest_first = from_sql(KPI, rows).sort("end", "start", descending=True)
        return newest_first.unique(subset=["kpi", "scope", "product", "window"], keep="first").sort(KPI.key)

    def latest_readings(self) -> pl.DataFrame:
        """The newest reading of each point among the open days'."""
        db = self._connect()
        try:
            rows = db.execute(LATEST_READINGS).fetchall()
        finally:
            db.close()
        return from_sql(READINGS, rows).unique(subset=["point"], keep="last").sort("point")

    def ledger(self, kind: str) -> list[dict[str, Any]]:
        """Entries of a ledger, oldest first: {"name", "time" (µs), "by", "why", "position", **body}."""
        db = self._connect()
        try:
            rows = db.execute(
                "SELECT name, time, by, why, position, body FROM ledger WHERE kind = ? ORDER BY entry",
                (kind,),
            ).fetchall()
        finally:
            db.close()
        return [
            {"name": name, "time": time, "by": by, "why": why, "position": position, **json.loads(body)}
            for name, time, by, why, position, body in rows
        ]

    def baselines(self) -> list[dict[str, Any]]:
        """The baseline in force for each chart (the last accepted one)."""
        return list({entry["name"]: entry for entry in self.ledger("baseline")}.values())
