"""What programs ask of the console: is it well, its metrics, and tables as files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from prometheus_client.exposition import choose_encoder

from console.metrics import OwnMetrics
from console.sources import Context
from console.views_collect import troubles
from console.words import Words
from historian.tables import TABLES
from plant.clock import to_us
from plant.errors import KeepcleanError

Format = Literal["csv", "json", "parquet"]
MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}


def router(context: Context) -> APIRouter:
    """The routes /healthz, /metrics and /api/export."""
    routes = APIRouter()
    metrics, words = OwnMetrics(context.status), Words("en", context.plant)

    @routes.get("/healthz")
    def healthz() -> JSONResponse:
        """200 with positions while data are collected, stored, processed and can be read; else 503 with the reasons."""
        try:
            status = context.status()
            context.history.table("notices", context.clock.now_us())
        except KeepcleanError as error:
            return JSONResponse({"status": "failing", "reasons": [str(error)]}, 503)
        known = {key: status[key] for key in ("position", "served", "backlog", "report_age_s") if key in status}
        found = troubles(status, context.plant, context.demo is not None and context.demo.progress() is not None)
        said = {"status": "failing", "reasons": [one.text(words) for one in found]} if found else {"status": "ok"}
        return JSONResponse({**said, "plant_time_us": context.clock.now_us(), **known}, 503 if found else 200)

    @routes.get("/metrics")
    def metric_values(request: Request) -> Response:
        """The state of keepclean as Prometheus metrics, in the format that is asked for."""
        encode, media = choose_encoder(request.headers.get("accept", ""))
        try:
            return Response(encode(metrics), headers={"Content-Type": media})
        except KeepcleanError as error:
            raise HTTPException(503, str(error)) from error

    @routes.get("/api/export")
    def export(
        table: Annotated[str, Query(description="one of the tables: " + ", ".join(TABLES))],
        since: Annotated[str, Query(alias="from", description="first instant, ISO 8601")],
        until: Annotated[str | None, Query(alias="to", description="end, exclusive; now when left out")] = None,
        format: Annotated[Format, Query(description="csv, json or parquet")] = "csv",
    ) -> Response:
        """Rows of a table whose day column is in [from, to); a time without a zone is the plant's."""
        if table not in TABLES:
            raise HTTPException(404, f"no table '{table}': there are {', '.join(TABLES)}")
        start_us = _time(since, "from", context)
        end_us = context.clock.now_us() if until is None else _time(until, "to", context)
        if end_us <= start_us:
            raise HTTPException(422, "'to' is not later than 'from'")
        days = _days(context, table, start_us, end_us)
        headers = {"Content-Disposition": f'attachment; filename="{table}.{format}"'}
        if format == "parquet":
            buffer = io.BytesIO()
            pl.concat([TABLES[table].empty(), *days]).write_parquet(buffer)
            return Response(buffer.getvalue(), media_type=MEDIA[format], headers=headers)
        parts = _csv(table, days) if format == "csv" else _json(days)
        return StreamingResponse(parts, media_type=MEDIA[format], headers=headers)

    return routes


def _time(text: str, name: str, context: Context) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(422, f"'{name}': {text!r} is not a time; write 2026-04-06T08:00:00Z") from error
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=context.calendar.zone))


def _days(context: Context, table: str, start_us: int, end_us: int) -> Iterator[pl.DataFrame]:
    """The rows, one day of the plant at a time, so that a long export needs little memory."""
    schema = TABLES[table].schema
    while start_us < end_us:
        following = min(context.calendar.day(start_us).end, end_us)
        yield context.history.table(table, start_us, following).select(schema.keys())
        start_us = following


def _csv(table: str, days: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    yield TABLES[table].empty().write_csv().encode()
    for frame in days:
        yield frame.write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").encode()


def _json(days: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    yield b"["
    first = True
    for frame in days:
        rows = frame.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")).write_json()
        if frame.height:
            yield (b"" if first else b",") + rows[1:-1].encode()
            first = False
    yield b"]"
