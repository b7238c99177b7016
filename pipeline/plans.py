"""What the step needs to know of a plant, worked out once from its description.

Two kinds of partition, both stepped alike: a *process unit* turns readings of its points into minute facts, a *scope*
(process unit or site) turns minute facts into KPIs and drifts. Amounts are int64 multiples of `minutes.STEP` of the
point's own amount unit; a counter's readings are rounded to the point's resolution first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from pipeline.formulas import Formulas
from pipeline.point_plan import PointPlan, point_plan
from pipeline.point_table import PointTable
from plant.calendar import Calendar
from plant.model import Baseline, Kpi, Plant
from plant.reading import HOUR, MINUTE, SECOND

HORIZON = 24 * HOUR
POLLED_DISORDER_US = 5 * SECOND
FUTURE_US = 60 * SECOND


@dataclass(frozen=True)
class UnitPlan:
    """A process unit: its own points, and those it only watches as witnesses."""

    name: str
    points: dict[str, PointPlan]
    owned: frozenset[str]
    disorder_us: dict[str, int]
    silent_us: dict[str, int]

    @cached_property
    def table(self) -> PointTable:
        """The points as columns."""
        return PointTable.of(self.points, self.owned)


@dataclass(frozen=True)
class ScopePlan:
    """A process unit or the site: its KPIs, its baselines and the points whose facts they read."""

    name: str
    kpis: dict[str, Kpi]
    baselines: dict[str, Baseline]
    points: tuple[str, ...]
    units: frozenset[str]
    formulas: Formulas


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
    calendar = Calendar(plant)
    points = {name: point_plan(plant, name, calendar) for name in plant.points}
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
        names = {name for kpi in kpis.values() for name in kpi.names()}
        for baseline in baselines.values():
            names |= {baseline.response, *(driver.point for driver in baseline.drivers)}
        if names:
            formulas = Formulas(plant, points, calendar, kpis)
            owners = frozenset(plant.points[name].unit_of for name in names)
            scopes[scope] = ScopePlan(scope, kpis, baselines, tuple(sorted(names)), owners, formulas)
    return PlantPlan(plant, config, calendar, ZoneInfo(plant.site.time_zone), units, scopes, points)
