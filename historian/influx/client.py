"""Writing to an InfluxDB v2 address (InfluxDB 2 and 3, VictoriaMetrics), one synchronous request a call."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from plant.errors import DeviceError
from plant.model import Influx

TIMEOUT_MS = 10_000
WAIT_MAX_S = 3600.0
"""However long a server asks to be left alone."""
TOO_OLD = re.compile(r"partial write: (dropped \d+ points outside|points beyond) retention policy")
"""What InfluxDB 1 and 2 say when all is stored but what they no longer keep: no line is at fault, nor taken later."""

_log = logging.getLogger("keepclean.outbox")


class ServerError(DeviceError):
    """The time-series server did not take a batch.

    `status` is its HTTP status, 0 when it did not answer; `retry_after_s` what it asked for in Retry-After [s].
    """

    def __init__(self, message: str, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message, retryable=status not in (400, 401, 403, 404, 413, 422))
        self.status = status
        self.retry_after_s = retry_after_s


def influx_writer(influx: Influx, folder: Path = Path()) -> Callable[[str], None]:
    """A function that writes lines (with nanosecond times) and raises ServerError when the server refuses them.

    Lines older than what the server keeps count as written, with a line in the log, once. `folder` is what a relative
    `token_file` is relative to. The token is read once and never logged. Raises OSError when its file cannot be read.
    """
    token = (folder / influx.token_file).read_text(encoding="utf-8").strip() if influx.token_file else ""
    local = urlsplit(influx.url).hostname in ("localhost", "127.0.0.1", "::1")
    client = InfluxDBClient(
        url=influx.url, token=token, org=influx.org, timeout=TIMEOUT_MS, enable_gzip=not local, retries=False
    )
    writer = client.write_api(write_options=SYNCHRONOUS)
    told = False

    def write(lines: str) -> None:
        nonlocal told
        try:
            writer.write(bucket=influx.bucket, org=influx.org, record=lines)
        except ApiException as error:
            status = int(error.status or 0)
            said = str(error.message or error.body or error.reason or "").strip()
            if status in (400, 422) and TOO_OLD.search(said):
                if not told:
                    _log.info("%s leaves out lines older than it keeps: %s", influx.url, said[:200])
                told = True
                return
            headers = {str(name).lower(): str(value) for name, value in (error.headers or {}).items()}
            raise ServerError(
                f"{influx.url} answers {status}: {said[:500]}", status, retry_after(headers.get("retry-after"))
            ) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ServerError(f"{influx.url}: {error}") from error

    return write


def retry_after(header: str | None, now_s: float | None = None) -> float | None:
    """The pause a Retry-After header asks for, given in seconds or as a date [s]; None when it says nothing.

    >>> retry_after("12"), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now_s=20.0), retry_after("soon")
    (12.0, 40.0, None)
    >>> retry_after("inf"), retry_after("Fri, 31 Dec 99999 23:59:59 GMT")
    (3600.0, None)
    """
    if header is None:
        return None
    try:
        return min(max(0.0, float(header)), WAIT_MAX_S)
    except ValueError:
        pass
    try:
        seconds = parsedate_to_datetime(header).timestamp() - (time.time() if now_s is None else now_s)
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), WAIT_MAX_S)
