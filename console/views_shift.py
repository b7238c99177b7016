"""The shift supervisor's list: alarms that stand, ranked, and what happened to alarms on this shift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from alerts.lifecycle import ACKNOWLEDGED, NORMAL, RETURNED, REVISED, UNACKNOWLEDGED
from alerts.priority import PRIORITIES
from console.figures import us
from console.views_drifts import Drift
from plant.calendar import Calendar, Period
from plant.model import Plant, Shift
from plant.reading import SECOND

SILENT = ("shelved", "suppressed", "out_of_service")
OVER = (NORMAL, REVISED)
ORDER = {UNACKNOWLEDGED: 0, RETURNED: 0, ACKNOWLEDGED: 1}


@dataclass(frozen=True)
class Alarm:
    """An alarm as it stands; times in µs UTC. `raised` is the last time it sounded."""

    name: str
    drift: Drift | None
    scope: str
    priority: str
    state: str
    raised: int
    changed: int
    acknowledged: int | None
    by: str
    note: str
    respond_by: int | None
    overdue: bool

    @property
    def asks(self) -> bool:
        """Whether somebody has still to acknowledge it."""
        return self.state in (UNACKNOWLEDGED, RETURNED)


@dataclass(frozen=True)
class Duty:
    """Who is on duty, and for how long."""

    shift: Shift | None
    period: Period | None


def duty(plant: Plant, calendar: Calendar, now_us: int) -> Duty:
    """The shift on duty now; both fields are None between shifts."""
    period = calendar.shift(now_us)
    return Duty(plant.shifts[period.name] if period else None, period)


def alarms(frame: pl.DataFrame, found: Iterable[Drift], plant: Plant, now_us: int) -> list[Alarm]:
    """Every alarm of table `alarms` in its present state."""
    drifts = {drift.name: drift for drift in found}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in frame.sort("time", "revision").iter_rows(named=True):
        groups.setdefault(row["alarm"], []).append(row)
    return [_alarm(name, rows, drifts.get(rows[-1]["drift"]), plant, now_us) for name, rows in groups.items()]


def standing(found: Iterable[Alarm]) -> list[Alarm]:
    """The alarms that ask for a person: those not acknowledged first, then by priority, then by cost a day."""
    return _ranked(alarm for alarm in found if alarm.state not in (*OVER, *SILENT))


def silent(found: Iterable[Alarm]) -> list[Alarm]:
    """The alarms that are shelved, suppressed or out of service, ranked alike."""
    return _ranked(alarm for alarm in found if alarm.state in SILENT)


def past(found: Iterable[Alarm], period: Period | None) -> list[Alarm]:
    """The alarms that came to an end in a period, the newest first."""
    if period is None:
        return []
    over = [alarm for alarm in found if alarm.state in OVER and period.start <= alarm.changed < period.end]
    return sorted(over, key=lambda alarm: -alarm.changed)


def loss_per_day(found: Sequence[Alarm]) -> float | None:
    """What the alarms that stand cost a day [currency]; None when no cost is known."""
    costs = [alarm.drift.cost_per_day for alarm in found if alarm.drift and alarm.drift.cost_per_day is not None]
    return sum(costs) if costs else None


def _alarm(name: str, rows: list[dict[str, Any]], drift: Drift | None, plant: Plant, now_us: int) -> Alarm:
    last = rows[-1]
    sounded = [us(row["time"]) or 0 for row in rows if row["to_state"] == UNACKNOWLEDGED]
    raised = sounded[-1] if sounded else us(rows[0]["time"]) or 0
    by_person = [row for row in rows if row["by"]]
    respond_by = raised + int(plant.alarms.respond_within * SECOND) if plant.alarms else None
    return Alarm(
        name=name,
        drift=drift,
        scope=last["scope"],
        priority=last["priority"] or "low",
        state=last["to_state"],
        raised=raised,
        changed=us(last["time"]) or 0,
        acknowledged=us(by_person[-1]["time"]) if by_person else None,
        by=by_person[-1]["by"] if by_person else "",
        note=by_person[-1]["note"] or "" if by_person else "",
        respond_by=respond_by,
        overdue=respond_by is not None and last["to_state"] == UNACKNOWLEDGED and now_us > respond_by,
    )


def _ranked(found: Iterable[Alarm]) -> list[Alarm]:
    def rank(alarm: Alarm) -> tuple[int, int, float, int]:
        level = PRIORITIES.index(alarm.priority) if alarm.priority in PRIORITIES else 0
        cost = alarm.drift.cost_per_day if alarm.drift and alarm.drift.cost_per_day else 0.0
        return ORDER.get(alarm.state, 2), -level, -cost, alarm.raised

    return sorted(found, key=rank)
