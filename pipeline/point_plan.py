"""What the step needs to know of one point, in its own units: times in µs, amounts in `minutes.STEP`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import Device, Exchange, Gap, Kind, Plant
from plant.reading import HOUR, MINUTE, SECOND
from plant.units import amount_unit, hourly_factor

HELD_BACK_BY = frozenset({Kind.COUNTER, Kind.NET, Kind.RATE, Kind.LEVEL})
FOREVER = 2**62


@dataclass(frozen=True)
class PointPlan:
    """One point, in the step's own units: times in µs, amounts in STEP.

    A reading speaks for `speaks_us`; what it stands for beyond, up to `reach_us`, is estimated, and then unknown.
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

    def settles(self) -> bool:
        """Whether the unit's minutes wait for this point."""
        return self.kind in HELD_BACK_BY


def _calibrated_until_us(device: Device, calendar: Calendar) -> int:
    """The end of the last day for which a meter's certificate holds; far away where none is named."""
    last = getattr(device, "calibrated_until", None)
    return calendar.midnight(last + timedelta(days=1)) if last is not None else FOREVER


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
        modulus=point.modulus,
        on_fall=point.on_fall,
        dip_limit=point.dip_limit,
        exchanges=tuple(sorted(point.exchanges, key=lambda exchange: to_us(exchange.at))),
        gap=point.gap,
        gap_limit_us=int((point.gap_limit or 0) * SECOND),
        witness=point.moves_with,
        flat_limit_us=int(point.flat_limit * SECOND),
        flat_after_us=int(point.flat_after * SECOND),
        calibrated_until_us=_calibrated_until_us(device, calendar),
        summable=summable,
    )
