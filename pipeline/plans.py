"""What the step needs to know of a plant, worked out once from its description.

Two kinds of partition, both stepped alike: a *process unit* turns readings of its points into minute facts, a *scope*
(process unit or site) turns minute facts into KPIs and drifts. Amounts are int64 multiples of `minutes.STEP` of the
point's own amount unit; a counter's readings are rounded to the point's resolution first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.editions import Editions
from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import Baseline, Exchange, Gap, Kind, Kpi, Plant
from plant.reading import HOUR, MINUTE, SECOND
from plant.units import amount_unit, hourly_factor

HORIZON = 24 * HOUR
POLLED_DISORDER_US = 5 * SECOND
FUTURE_US = 60 * SECOND
HELD_BACK_BY = frozenset({Kind.COUNTER, Kind.NET, Kind.RATE, Kind.LEVEL})


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
    summable: bool

    def settles(self) -> bool:
        """Whether the unit's minutes wait for this point."""
        return self.kind in HELD_BACK_BY


@dataclass(frozen=True)
class UnitPlan:
    """A process unit: its own points, and those it only watches as witnesses."""

    name: str
    points: dict[str, PointPlan]
    owned: frozenset[str]
    disorder_us: dict[str, int]
    silent_us: dict[str, int]


@dataclass(frozen=True)
class ScopePlan:
    """A process unit or the site: its KPIs, its baselines and the points whose facts they read."""

    name: str
    kpis: dict[str, Kpi]
    baselines: dict[str, Baseline]
    points: tuple[str, ...]
    units: frozenset[str]
    editions: dict[str, Editions]


@dataclass(frozen=True)
class PlantPlan:
    """Everything the step reads of a plant description."""

    plant: Plant
    config: str
    calendar: Calendar
    zone: ZoneInfo
    units: dict[str, UnitPlan]
    scopes: dict[str, ScopePlan]
    points: dict[str, PointPlan]


def _point_plan(plant: Plant, name: str) -> PointPlan:
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
        summable=summable,
    )


def _with_witnesses(points: dict[str, PointPlan], names: Iterable[str]) -> dict[str, PointPlan]:
    """The points named and their witnesses, witnesses first."""
    ordered: dict[str, PointPlan] = {}

    def add(name: str) -> None:
        witness = points[name].witness
        if witness and witness not in ordered:
            add(witness)
        ordered.setdefault(name, points[name])

    for name in names:
        add(name)
    return ordered


def _disorder_us(plant: Plant, device: str) -> int:
    declared = plant.devices[device]
    return POLLED_DISORDER_US if declared.protocol == "modbus" else int(declared.disorder * SECOND)


def compile_plant(plant: Plant, config: str) -> PlantPlan:
    """The plans of every process unit and scope; `config` is the description's hash, carried by every KPI row."""
    points = {name: _point_plan(plant, name) for name in plant.points}
    calendar = Calendar(plant)
    units = {}
    for unit in plant.scopes():
        owned = plant.points_of(unit)
        if not owned:
            continue
        known = _with_witnesses(points, owned)
        devices = {point.device for point in known.values()}
        silent = {device: max(3 * int(plant.devices[device].interval * SECOND), 3 * MINUTE) for device in devices}
        for name in owned:
            if beat := plant.points[name].heartbeat:
                silent[points[name].device] = max(silent[points[name].device], int(beat * SECOND))
        units[unit] = UnitPlan(
            unit, known, frozenset(owned), {device: _disorder_us(plant, device) for device in devices}, silent
        )
    scopes = {}
    for scope in plant.scopes():
        kpis = {name: kpi for name, kpi in plant.kpis.items() if kpi.scope == scope}
        baselines = {name: baseline for name, baseline in plant.baselines.items() if baseline.scope == scope}
        names = {name for kpi in kpis.values() for term in kpi.terms() for name in term.names()}
        for baseline in baselines.values():
            names |= {baseline.response, *(driver.point for driver in baseline.drivers)}
        if names:
            used = {name: Editions.of(plant, kpi, calendar) for name, kpi in kpis.items()}
            owners = frozenset(plant.points[name].unit_of for name in names)
            scopes[scope] = ScopePlan(scope, kpis, baselines, tuple(sorted(names)), owners, used)
    return PlantPlan(plant, config, calendar, ZoneInfo(plant.site.time_zone), units, scopes, points)
