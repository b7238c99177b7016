"""Setting up the time-series server: how long minute facts are kept, and hourly ones for ever.

What is there is never made shorter, since that deletes; what differs from what the description asks for is told. A
second run changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import urllib3
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService

from historian.influx.client import TIMEOUT_MS
from historian.influx.hourly import HOURLY, continuous_queries, task_text
from plant.errors import DeviceError
from plant.model import Plant

Server = Literal["InfluxDB 1", "InfluxDB 2", "InfluxDB 3", "VictoriaMetrics"]


@dataclass(frozen=True)
class Step:
    """What was done to one thing, or in a dry run would be; `why` it was left as it is."""

    what: str
    done: Literal["created", "changed", "unchanged", "left alone"]
    why: str = ""


def set_up(plant: Plant, folder: Path, *, dry_run: bool = False) -> tuple[str, list[Step]]:
    """Sets up the server that the description names: what it is, and what was done.

    `folder` is what a relative `token_file` is relative to. Raises DeviceError when the server refuses or does not
    answer, OSError when the token's file cannot be read.
    """
    influx = plant.influx
    if influx is None:
        raise DeviceError("the description names no time-series server (influx:)", retryable=False)
    token = (folder / influx.token_file).read_text(encoding="utf-8").strip() if influx.token_file else ""
    keep_s = int(plant.storage.minute_facts)
    try:
        server, version = look(influx.url, token)
        if server == "InfluxDB 1":
            steps = list(_influxdb1(_Statements(influx.url, token, dry_run), influx.bucket, keep_s))
        elif server == "InfluxDB 2":
            with InfluxDBClient(influx.url, token, org=influx.org, timeout=TIMEOUT_MS, retries=False) as client:
                steps = list(_influxdb2(client, influx.org, influx.bucket, keep_s, dry_run))
        else:
            steps = [Step(_other(server, influx.bucket, keep_s), "left alone", "it is set up where it is started")]
    except ApiException as error:
        said = str(error.message or error.body or error.reason or "").strip()
        raise DeviceError(f"{influx.url} answers {error.status}: {said[:500]}", retryable=False) from error
    except InfluxDBError as error:
        # the library's own, where it does not find the organization
        raise DeviceError(f"{influx.url}: {error}", retryable=False) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise DeviceError(f"{influx.url}: {error}") from error
    return f"{server} ({version})" if version else server, steps


def look(url: str, token: str) -> tuple[Server, str]:
    """Which server answers at an address, and its version. Raises DeviceError for one that is none of them."""
    answer = _ask("GET", f"{url.rstrip('/')}/ping", token)
    version = str(answer.headers.get("X-Influxdb-Version", "")).lstrip("v")
    if not version and answer.data.startswith(b"{"):
        version = str(json.loads(answer.data).get("version", "")).lstrip("v")
    match version.partition(".")[0]:
        case "1":
            return "InfluxDB 1", version
        case "2":
            return "InfluxDB 2", version
        case "3":
            return "InfluxDB 3", version
    if "X-Server-Hostname" in answer.headers:
        return "VictoriaMetrics", ""
    raise DeviceError(f"{url} answers {answer.status} to /ping and does not say what it is", retryable=False)


def _ask(method: str, url: str, token: str, fields: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
    """InfluxDB 1 takes "user:password" as basic authentication, the others a token."""
    headers = {"Authorization": f"Token {token}"} if token else {}
    if ":" in token:
        headers = urllib3.make_headers(basic_auth=token)
    seconds = TIMEOUT_MS / 1000
    return urllib3.request(method, url, fields=fields, headers=headers, timeout=seconds, retries=False)


def _days(seconds: float) -> str:
    return f"{seconds / 86400:g} d"


def _longer(what: str, keeps_s: int) -> Step:
    kept = "for ever" if not keeps_s else f"for {_days(keeps_s)}"
    return Step(what, "left alone", f"it keeps {kept}; to shorten it deletes, so that is yours to do")


class _Statements:
    """InfluxQL statements, one a request; in a dry run only those that ask."""

    def __init__(self, url: str, token: str, dry_run: bool) -> None:
        self.url, self.token, self.dry_run = f"{url.rstrip('/')}/query", token, dry_run

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """The rows of all series of an answer, the series' name as "series". Raises DeviceError."""
        answer = _ask("POST", self.url, self.token, {"q": statement})
        found = json.loads(answer.data) if answer.data.startswith(b"{") else {}
        (result,) = found.get("results") or [found]
        if answer.status >= 300 or "error" in result:
            said = result.get("error", answer.reason)
            raise DeviceError(f"{self.url} answers {answer.status} to {statement!r}: {said}", retryable=False)
        return [
            {"series": series.get("name", ""), **dict(zip(series["columns"], values, strict=True))}
            for series in result.get("series", [])
            for values in series.get("values", [])
        ]

    def do(self, statement: str) -> None:
        """Changes something."""
        if not self.dry_run:
            self.rows(statement)


def _influxdb1(server: _Statements, bucket: str, keep_s: int) -> Iterator[Step]:
    """Database, default retention policy, policy `hourly`, and the continuous queries that fill it."""
    database = bucket.partition("/")[0]
    wanted = f"retention policy of {database}: {_days(keep_s)}"
    policies: dict[str, dict[str, Any]] = {}
    default = "keepclean"
    if database not in {row["name"] for row in server.rows("SHOW DATABASES")}:
        server.do(f'CREATE DATABASE "{database}" WITH DURATION {keep_s}s REPLICATION 1 NAME "{default}"')
        yield Step(f"database {database}", "created")
        yield Step(wanted, "created")
    else:
        yield Step(f"database {database}", "unchanged")
        policies = {row["name"]: row for row in server.rows(f'SHOW RETENTION POLICIES ON "{database}"')}
        default = next(name for name, row in policies.items() if row["default"])
        keeps_s = _seconds(policies[default]["duration"])
        if keeps_s == keep_s:
            yield Step(wanted, "unchanged")
        elif not 0 < keeps_s < keep_s:
            yield _longer(wanted, keeps_s)
        else:
            shard_s = max(_seconds(policies[default]["shardGroupDuration"]), _shard_s(keep_s))
            to = f"DURATION {keep_s}s SHARD DURATION {shard_s}s"
            server.do(f'ALTER RETENTION POLICY "{default}" ON "{database}" {to}')
            yield Step(wanted, "changed")
    if HOURLY not in policies:
        server.do(f'CREATE RETENTION POLICY "{HOURLY}" ON "{database}" DURATION INF REPLICATION 1')
    yield Step(f"retention policy {HOURLY}: for ever", "unchanged" if HOURLY in policies else "created")
    queries = {row["name"]: row["query"] for row in server.rows("SHOW CONTINUOUS QUERIES") if row["series"] == database}
    for name, statement in continuous_queries(database, default):
        what = f"continuous query {name}"
        if name in queries and _plain(queries[name]) == _plain(statement):
            yield Step(what, "unchanged")
            continue
        if name in queries:
            server.do(f'DROP CONTINUOUS QUERY "{name}" ON "{database}"')
        server.do(statement)
        yield Step(what, "changed" if name in queries else "created")


def _plain(statement: str) -> str:
    """A statement without what the server writes otherwise than we do."""
    return re.sub(r'["\s]', "", statement).lower()


def _seconds(duration: str) -> int:
    """A duration as InfluxDB 1 shows it.

    >>> _seconds("18240h0m0s"), _seconds("0s")
    (65664000, 0)
    """
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def _influxdb2(client: Any, org: str, bucket: str, keep_s: int, dry_run: bool) -> Iterator[Step]:
    """The bucket and its hourly one, the task that fills that, and the mappings by which InfluxQL finds both."""
    buckets, hourly = client.buckets_api(), f"{bucket}_{HOURLY}"
    found: dict[str, Any] = {}
    for name, seconds in {bucket: keep_s, hourly: 0}.items():
        what = f"bucket {name}: {_days(seconds) if seconds else 'for ever'}"
        one = found[name] = buckets.find_bucket_by_name(name)
        rule = next(iter(one.retention_rules or ()), None) if one else None
        keeps_s = rule.every_seconds if rule else 0
        rules = [{"type": "expire", "everySeconds": seconds}]
        if one is None:
            if not dry_run:
                found[name] = buckets.create_bucket(bucket_name=name, retention_rules=rules, org=org)
            yield Step(what, "created")
        elif keeps_s == seconds:
            yield Step(what, "unchanged")
        elif seconds and not 0 < keeps_s < seconds:
            yield _longer(what, keeps_s)
        else:
            shard_s = max((rule.shard_group_duration_seconds or 0) if rule else 0, _shard_s(seconds))
            one.retention_rules = [{**rules[0], "shardGroupDurationSeconds": shard_s}]
            if not dry_run:
                buckets.update_bucket(bucket=one)
            yield Step(what, "changed")
    yield _task(client, org, bucket, hourly, dry_run)
    yield from _mappings(DBRPsService(client.api_client), org, bucket, found, dry_run)  # type: ignore[no-untyped-call]


def _mappings(service: Any, org: str, bucket: str, found: dict[str, Any], dry_run: bool) -> Iterator[Step]:
    """Both mappings in full; that of the minutes is the database's default.

    The server answers for a bucket of the database's name by itself ("virtual"), but no longer as the default once
    there is any other mapping, and the first one made becomes the default whatever was asked for.
    """
    known = (service.get_dbr_ps(org=org, db=bucket).content or []) if found[bucket] is not None else []
    for (name, one), (policy, default) in zip(found.items(), (("autogen", True), (HOURLY, False)), strict=True):
        what = f"InfluxQL: {bucket}.{policy} is bucket {name}"
        row = next((row for row in known if row.retention_policy == policy), None)
        if row is not None and (one is None or row.bucket_id != one.id):
            yield Step(what, "left alone", "it is mapped to another bucket")
        elif row is None or row.virtual:
            if not dry_run:
                mapping = {"bucketID": one.id, "orgID": one.org_id, "database": bucket}
                service.post_dbrp({**mapping, "retention_policy": policy, "default": default})
            yield Step(what, "created")
        elif default and not row.default:
            if not dry_run:
                service.patch_dbrpid(row.id, {"default": True}, org=org)
            yield Step(what, "changed")
        else:
            yield Step(what, "unchanged")


def _shard_s(keep_s: int) -> int:
    """How long a shard is that InfluxDB chooses for what it keeps so long, 0 for ever [s].

    Only when it is made: what kept a day has shards of an hour ever after, thousands of them in two years.
    """
    if 0 < keep_s < 2 * 86400:
        return 3600
    return 86400 if 0 < keep_s < 180 * 86400 else 7 * 86400


def _task(client: Any, org: str, bucket: str, hourly: str, dry_run: bool) -> Step:
    tasks, name, flux = client.tasks_api(), f"keepclean {hourly}", task_text(bucket, hourly)
    what = f"task {name}"
    task = next((one for one in tasks.find_tasks(name=name) if one.name == name), None)
    if task is None:
        if not dry_run:
            tasks.create_task(task_create_request={"org": org, "flux": flux, "status": "active"})
        return Step(what, "created")
    if task.flux.strip() == flux.strip():
        return Step(what, "unchanged")
    if not dry_run:
        # the text alone: how often it runs stands in it, and would be written over by what is sent beside it
        tasks.update_task_request(task.id, {"flux": flux})
    return Step(what, "changed")


def _other(server: Server, bucket: str, keep_s: int) -> str:
    if server == "InfluxDB 3":
        return f"influxdb3 create database --retention-period {keep_s // 86400}d {bucket}"
    return f"victoria-metrics -retentionPeriod={keep_s // 86400}d"
