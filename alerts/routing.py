"""Who is told: the shift on duty, at most so many alarms in a shift, the others in one message; and the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from alerts.lifecycle import OPEN_STATES
from alerts.priority import PRIORITIES
from historian.tables import ALARMS, DRIFT
from plant.calendar import Calendar
from plant.model import Plant, Route
from plant.reading import DAY, MINUTE

GROUP_AFTER = 30 * MINUTE
LAST_CALL = 10 * MINUTE
RANK = {"high": 0, "medium": 1, "low": 2}


@dataclass(frozen=True)
class Duty:
    """A shift with its supervisor and the name of its route; [start, end) in µs UTC."""

    shift: str
    supervisor: str
    route: str
    start: int
    end: int


@dataclass(frozen=True)
class Waiting:
    """An alarm's message that is still to be sent."""

    key: str
    priority: str
    time: int


def on_duty(plant: Plant, calendar: Calendar, time_us: int) -> Duty | None:
    """The shift on duty at a time, between shifts the next one to start within a week.

    A plant without shifts has one round the clock, on its first route. None when nobody is to be told.
    """
    if plant.alarms is None or not plant.alarms.routes:
        return None
    if not plant.shifts:
        day = calendar.day(time_us)
        return Duty("", "", next(iter(plant.alarms.routes)), day.start, day.end)
    period = calendar.shift(time_us)
    if period is None:
        period = next((found for found in calendar.shifts(time_us, time_us + 7 * DAY) if found.end > time_us), None)
    if period is None:
        return None
    shift = plant.shifts[period.name]
    return Duty(period.name, shift.supervisor, shift.route, period.start, period.end)


def route_of(plant: Plant, duty: Duty) -> Route | None:
    """The route of a shift; None when the description names none."""
    return plant.alarms.routes.get(duty.route) if plant.alarms else None


def plan(
    waiting: Sequence[Waiting], sent_singly: int, per_shift: int, now_us: int, shift_end_us: int
) -> list[list[Waiting]]:
    """The messages to send now, each a list of alarms: one alone, or those beyond `per_shift` together.

    The grave ones first. What exceeds `per_shift` in a shift waits up to half an hour for others, so that a flood
    becomes one message; the shift drawing to its end ends the wait.

    >>> flood = [Waiting(str(n), "low", 0) for n in range(7)]
    >>> [len(message) for message in plan(flood, 0, 5, 40 * MINUTE, 8 * 60 * MINUTE)]
    [1, 1, 1, 1, 1, 2]
    >>> [len(message) for message in plan(flood, 0, 5, 10 * MINUTE, 8 * 60 * MINUTE)]
    [1, 1, 1, 1, 1]
    """
    ranked = sorted(waiting, key=lambda item: (RANK.get(item.priority, len(RANK)), item.time, item.key))
    room = max(0, per_shift - sent_singly)
    messages = [[item] for item in ranked[:room]]
    rest = ranked[room:]
    if rest and (now_us >= shift_end_us - LAST_CALL or now_us - min(item.time for item in rest) >= GROUP_AFTER):
        messages.append(rest)
    return messages


CURRENT_SCHEMA = {
    **{name: ALARMS.schema[name] for name in ("alarm", "drift", "scope", "priority")},
    "state": pl.String,
    "raised": ALARMS.schema["time"],
    "changed": ALARMS.schema["time"],
    **{name: ALARMS.schema[name] for name in ("by", "shift", "note")},
    **{name: kind for name, kind in DRIFT.schema.items() if name not in ("drift", "scope", "state", "revision")},
}


def current(alarms: pl.DataFrame, drifts: pl.DataFrame) -> pl.DataFrame:
    """The list for the shift on duty: open alarms with their drifts, by priority, then by cost a day.

    `alarms` and `drifts` have the schemas of their tables; `raised` is when the alarm last left normal, `changed` its
    last transition, `by`, `shift` and `note` that transition's. Columns as in `CURRENT_SCHEMA`.
    """
    ordered = alarms.sort("alarm", "time", "revision")
    raised = (
        ordered.filter(pl.col("to_state") == "unacknowledged", pl.col("from_state").is_in(["normal", "revised"]))
        .group_by("alarm")
        .agg(pl.col("time").last().alias("raised"))
    )
    newest = ordered.group_by("alarm").last().rename({"to_state": "state", "time": "changed"})
    details = drifts.sort("revision").group_by("drift").last().drop("scope", "state", "revision")
    rank = pl.col("priority").replace_strict(RANK, default=len(PRIORITIES), return_dtype=pl.Int64)
    return (
        newest.filter(pl.col("state").is_in(OPEN_STATES))
        .join(raised, on="alarm", how="left")
        .join(details, on="drift", how="left")
        .sort(rank, pl.col("cost_per_day").fill_null(0.0) * -1, "raised", "alarm")
        .select(*CURRENT_SCHEMA)
    )
