"""What the step needs to know of one point, in its own units: times in µs, amounts in `minutes.STEP`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import Device, Exchange, Gap, Kind, Plant, Point
from plant.reading import HOUR, MINUTE, SECOND
from plant.units import amount_unit, hourly_factor

FINE_STEPS, LEAST_SHARE = 5, 0.05
LONGEST_FLAT_US = 12 * HOUR
HELD_BACK_BY = frozenset({Kind.COUNTER, Kind.NET, Kind.RATE, Kind.LEVEL})
KEEP_NO_CLOCK = ("manual", "keepclean")
FOREVER = 2**62


@dataclass(frozen=True)
class PointPlan:
    """One point, in the step's own units: times in µs, amounts in STEP.

    A reading speaks for `speaks_us`; what it stands for beyond, up to `reach_us`, is estimated, and then unknown.
    `clocked` says that a device stamps it, `streams` that its readings come as they are taken, at the latest every
    `silent_us` unless the device is silent.
    """

    name: str
    kind: Kind
    unit: str
    amount_unit: str
    device: str
    resolution: float
    interval_us: int
    reach_us: int
    speaks_us: int
    span_us: int
    begins: bool
    per_us: float
    low: float
    high: float
    range: tuple[float, float] | None
    rise_per_us: float
    change_per_us: float
    modulus: float | None
    on_fall: str
    dip_limit: float
    exchanges: tuple[Exchange, ...]
    gap: Gap
    gap_limit_us: int
    witness: str | None
    flat_limit_us: int
    flat_after_us: int
    calibrated_until_us: int
    summable: bool
    clocked: bool
    streams: bool
    silent_us: int
    zone: ZoneInfo

    def settles(self) -> bool:
        """Whether the unit's minutes wait for this point."""
        return self.kind in HELD_BACK_BY


def _calibrated_until_us(device: Device, calendar: Calendar) -> int:
    """The end of the last day for which a meter's certificate holds; far away where none is named."""
    last = getattr(device, "calibrated_until", None)
    return calendar.midnight(last + timedelta(days=1)) if last is not None else FOREVER


def _flat_limit_us(point: Point) -> int:
    """How long a point may stand still while its witness moves.

    What is declared; else at least the time that a few steps of its display take at its least normal rate: the lowest
    that it declares, or a twentieth of its highest. A coarse meter that shows nothing for long says nothing either.
    """
    limit = int(point.flat_limit * SECOND)
    if "flat_limit" in point.model_fields_set or point.per_hour is None or point.kind not in (Kind.COUNTER, Kind.NET):
        return limit
    low, high = point.per_hour
    least = low if low > 0 else max(abs(low), abs(high)) * LEAST_SHARE
    # the witness's minutes are remembered for little longer than a day
    return max(limit, min(round(FINE_STEPS * point.resolution / least * HOUR), LONGEST_FLAT_US))


def point_plan(plant: Plant, name: str, calendar: Calendar) -> PointPlan:
    """What the step needs to know of a point."""
    point = plant.points[name]
    device = plant.devices[point.device]
    interval_us = int(device.interval * SECOND)
    summable = point.kind in (Kind.COUNTER, Kind.NET, Kind.INTERVAL, Kind.COUNT, Kind.RATE)
    per_us = hourly_factor(point.unit) / HOUR if point.kind is Kind.RATE else 0.0
    low, high = -np.inf, np.inf
    if point.kind in (Kind.LEVEL, Kind.SAMPLE):
        low, high = point.range or (low, high)
    elif point.per_hour:
        low, high = (bound / 60 for bound in point.per_hour)
    elif point.kind is Kind.RATE and point.range:
        low, high = (bound * per_us * MINUTE for bound in point.range)
    reach = {Kind.SAMPLE: point.valid, Kind.COUNT: point.heartbeat}.get(point.kind)
    reach_us = int(reach * SECOND) if reach else 3 * interval_us
    return PointPlan(
        name=name,
        kind=point.kind,
        unit=point.unit,
        amount_unit=amount_unit(point.kind, point.unit),
        device=point.device,
        resolution=point.resolution,
        interval_us=interval_us,
        reach_us=reach_us,
        speaks_us=3 * interval_us // 2 if point.kind in HELD_BACK_BY else reach_us,
        span_us=int((point.span or 0) * SECOND),
        begins=point.stamp == "begin",
        per_us=per_us,
        low=low,
        high=high,
        range=point.range,
        rise_per_us=point.per_hour[1] / HOUR if point.per_hour else np.inf,
        change_per_us=point.change_per_hour / HOUR if point.change_per_hour else np.inf,
        modulus=point.modulus,
        on_fall=point.on_fall,
        dip_limit=point.dip_limit,
        exchanges=tuple(sorted(point.exchanges, key=lambda exchange: to_us(exchange.at))),
        gap=point.gap,
        gap_limit_us=int((point.gap_limit or 0) * SECOND),
        witness=point.moves_with,
        flat_limit_us=_flat_limit_us(point),
        flat_after_us=int(point.flat_after * SECOND),
        calibrated_until_us=_calibrated_until_us(device, calendar),
        summable=summable,
        clocked=device.protocol not in KEEP_NO_CLOCK,
        streams=device.protocol not in KEEP_NO_CLOCK and point.kind not in (Kind.SAMPLE, Kind.INTERVAL),
        silent_us=max(3 * interval_us, 3 * MINUTE),
        zone=calendar.zone,
    )
