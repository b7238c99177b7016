"""How hours follow from minute facts on the time-series server: InfluxDB 1's continuous queries, InfluxDB 2's task."""

from __future__ import annotations

import json
from collections.abc import Iterator

HOURLY = "hourly"
AGAIN_DAYS = 4
"""So far back hours are worked out anew each day: rows come late, and after an outage of the server."""
SUMS = {"amount": "sum", "mean": "mean", "min": "min", "max": "max", "last": "last", "coverage": "mean"}
"""The fields of an hour, and how each follows from its minutes."""


def continuous_queries(database: str, default: str) -> Iterator[tuple[str, str]]:
    """The queries by name: values of what is known, and whether anything of an hour is."""
    fields = ", ".join(f'{function}("{name}") AS "{name}"' for name, function in SUMS.items())
    source = f'INTO "{database}"."{HOURLY}"."facts" FROM "{database}"."{default}"."facts"'
    for name, query in {
        "keepclean_hourly": f'SELECT {fields} {source} WHERE "valid" = 1',
        "keepclean_hourly_valid": f'SELECT max("valid") AS "valid" {source}',
    }.items():
        head = f'CREATE CONTINUOUS QUERY "{name}" ON "{database}" RESAMPLE EVERY 1d FOR {AGAIN_DAYS}d'
        yield name, f"{head} BEGIN {query} GROUP BY time(1h), * END"


def task_text(bucket: str, hourly: str) -> str:
    """The task: hours from the minutes that are known, and whether anything of an hour is.

    Each hour it takes a share of the last days (UTC), so that a day's runs take all of them: the server holds in memory
    what a run reads, a GiB or more for 100 points and all days at once.
    """
    names = " or ".join(f'r._field == "{name}"' for name in (*SUMS, "valid"))

    def hours(source: str, name: str, function: str) -> str:
        return f"""{source}
    |> aggregateWindow(every: 1h, fn: {function}, column: "{name}", timeSrc: "_start", createEmpty: false)
    |> rename(columns: {{{name}: "_value"}})
    |> set(key: "_field", value: "{name}")
    |> to(bucket: {json.dumps(hourly)})
    |> yield(name: "{name}")
"""

    known = "rows |> filter(fn: (r) => r.valid == 1 and exists r.{})"
    return f"""import "date"

option task = {{name: {json.dumps(f"keepclean {hourly}")}, every: 1h, offset: 15m}}

hour = 3600000000000
share = {AGAIN_DAYS} * hour
midnight = int(v: date.truncate(t: now(), unit: 1d))
begin = midnight - 24 * share + date.hour(t: now()) * share

rows = from(bucket: {json.dumps(bucket)})
    |> range(start: time(v: begin), stop: time(v: begin + share))
    |> filter(fn: (r) => r._measurement == "facts")
    |> filter(fn: (r) => {names})
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")

{"".join(hours(known.format(name), name, function) for name, function in SUMS.items())}\
{hours("rows |> filter(fn: (r) => exists r.valid)", "valid", "max")}"""
