"""How good the data are: every point's last reading and coverage, notices, devices, the journal and the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from console.figures import us
from console.views_collect import is_stale
from plant.clock import to_datetime
from plant.model import Device, Hj212, Kind, Manual, Modbus, Mqtt, Plant, Text
from plant.reading import HOUR, MINUTE, SECOND

LATE_AFTER = 3
SLACK_REAL_S = 10.0
FAILING_SHARE = 0.1
CALM = ("ok", "waiting", "unknown")
SLOW_KINDS = (Kind.SAMPLE, Kind.INTERVAL)


@dataclass(frozen=True)
class PointHealth:
    """A point's last reading; times in µs UTC. `coverage` is that of the last hour, None where minutes say little."""

    name: str
    title: Text
    scope: str
    device: str
    unit: str
    time: int | None
    value: float | None
    quality: str
    finding: str
    coverage: float | None
    every: int
    late: bool

    @property
    def poor(self) -> bool:
        """Whether somebody should look at it."""
        return self.late or self.quality == "bad" or (self.coverage is not None and self.coverage < 0.9)


@dataclass(frozen=True)
class Notice:
    """Something found out about the data of one or more points at a time; `end` is None while it lasts."""

    points: tuple[str, ...]
    start: int
    end: int | None
    finding: str
    evidence: str


@dataclass(frozen=True)
class DeviceHealth:
    """A device as the collectors see it; `failed` is the share of its recent attempts that failed.

    `latency_ms` is the median of its recent answers, `rate` its readings a second, `lag_s` how long its newest reading
    was on the way. `rejected` counts messages that could not be used, `sample` is one of them, `reason` why not.
    """

    name: str
    title: Text
    protocol: str
    address: str
    state: str
    age: int | None
    latency_ms: float | None
    failed: float | None
    rate: float | None
    lag_s: float | None
    rejected: int
    reason: str
    sample: str
    error: str
    points: int


def points(
    readings: pl.DataFrame, facts: pl.DataFrame, plant: Plant, now_us: int, speed: float = 1.0
) -> list[PointHealth]:
    """Every point of the plant; `readings` holds the newest of each, `facts` minutes that include the last hour.

    A reading is late after three of its intervals and some real seconds for its way to the page, at `speed`.
    """
    last = {row["point"]: row for row in readings.iter_rows(named=True)}
    coverage = _coverage(facts)
    return [_point(name, plant, last.get(name), coverage.get(name), now_us, speed) for name in plant.points]


def notices(frame: pl.DataFrame) -> list[Notice]:
    """The rows of table `notices`, the newest first; what befell several points alike is one notice."""
    alike: dict[tuple[int, int | None, str, str], list[str]] = {}
    for row in frame.iter_rows(named=True):
        key = (us(row["start"]) or 0, us(row["end"]), row["finding"], row["evidence"] or "")
        alike.setdefault(key, []).append(row["point"])
    found = [Notice(tuple(points), *key) for key, points in alike.items()]
    return sorted(found, key=lambda notice: (-notice.start, notice.points))


def counted(facts: pl.DataFrame) -> int:
    """Of how long the coverages of points are: an hour, or of a young plant the time since its first minute [µs]."""
    if facts.is_empty():
        return HOUR
    return min((us(facts["minute"].max()) or 0) - (us(facts["minute"].min()) or 0), HOUR)


def _coverage(facts: pl.DataFrame) -> dict[str, float]:
    """Mean coverage of the 60 minutes that end with the newest settled one; a minute without a fact counts as 0.

    What lies before a plant's very first minutes, and the first itself, which had begun already, count for nothing.
    """
    if facts.is_empty():
        return {}
    newest, span = us(facts["minute"].max()) or 0, counted(facts)
    begin = newest - span
    hour = facts.filter(pl.col("minute") > to_datetime(begin))
    sums = hour.group_by("point").agg(pl.col("coverage").cast(pl.Float64).sum())
    minutes = max(span // MINUTE, 1)
    return {point: min(total / minutes, 1.0) for point, total in sums.iter_rows()}


def _point(
    name: str, plant: Plant, row: Mapping[str, Any] | None, coverage: float | None, now_us: int, speed: float
) -> PointHealth:
    point = plant.points[name]
    every = point.span or point.heartbeat or plant.devices[point.device].interval
    if point.kind is Kind.SAMPLE and point.valid:
        every = point.valid
    time = us(row["time"]) if row else None
    slow = point.kind in SLOW_KINDS or every > 60
    late = time is None or now_us - time > (LATE_AFTER * every + SLACK_REAL_S * speed) * SECOND
    return PointHealth(
        name=name,
        title=point.title,
        scope=point.unit_of,
        device=point.device,
        unit=point.unit,
        time=time,
        value=row["value"] if row else None,
        quality=(row["quality"] or "") if row else "",
        finding=(row["finding"] or "") if row else "",
        coverage=None if slow else (coverage or 0.0),
        every=int(every * SECOND),
        late=late,
    )


def devices(status: Mapping[str, Any], plant: Plant, now_us: int) -> list[DeviceHealth]:
    """Every device of the plant but manual ones that nobody watches, those first that need a look.

    Ages are as of `time`, when the collectors reported. A report that is too old says nothing of how a device does
    now: its state is unknown, and its age as of `now_us`.
    """
    stale = is_stale(status)
    seen_us = now_us if stale else status.get("time") or now_us
    states = {str(entry["device"]): entry for entry in status.get("devices") or ()}
    found = [
        _device(name, device, plant, states.get(name), seen_us, stale)
        for name, device in plant.devices.items()
        if name in states or not isinstance(device, Manual)
    ]
    return sorted(found, key=lambda one: one.state in CALM)


def _address(device: Device) -> str:
    if isinstance(device, Modbus):
        return f"{device.address} #{device.device_id}"
    if isinstance(device, Mqtt):
        return device.topic
    return f"{device.listen} {device.mn}" if isinstance(device, Hj212) else ""


def _device(
    name: str, device: Device, plant: Plant, entry: Mapping[str, Any] | None, seen_us: int, stale: bool
) -> DeviceHealth:
    """A device is silent after three of its intervals, failing while more than a tenth of its answers fail."""
    entry = entry or {}
    last, failed = entry.get("last_success"), entry.get("error_rate")
    rejected = entry.get("rejected") or {}
    if not entry or stale:
        state = "unknown"
    elif last is None:
        state = "silent" if entry.get("errors") else "waiting"
    elif seen_us - last > LATE_AFTER * device.interval * SECOND:
        state = "silent"
    else:
        state = "failing" if (failed or 0.0) > FAILING_SHARE else "ok"
    return DeviceHealth(
        name=name,
        title=device.title,
        protocol=device.protocol,
        address=_address(device),
        state=state,
        age=None if last is None else seen_us - last,
        latency_ms=None if stale else entry.get("latency_median_ms"),
        failed=None if stale else failed,
        rate=None if stale else entry.get("readings_per_s"),
        lag_s=None if stale else entry.get("lag_s"),
        rejected=rejected.get("count", 0),
        reason=rejected.get("reason", ""),
        sample=rejected.get("sample", ""),
        error=entry.get("last_error", "") if state != "ok" else "",
        points=sum(point.device == name for point in plant.points.values()),
    )
