"""When Grafana tells of its alerts, and by which route: mute timings and keepclean's branch of the policies.

There is exactly one notifier. With `notify: keepclean` the branch is muted at all hours and has no contact point of its
own; with `notify: grafana` it has a child for every route, muted outside the shifts of that route, by the calendar by
which keepclean itself would choose: at any time exactly one child speaks.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from alerts.routing import on_duty
from plant.calendar import Calendar
from plant.clock import to_us
from plant.model import Plant

MANAGED = {"managed_by": "keepclean"}
"""The label by which the branch knows keepclean's rules."""
DEFAULT_RECEIVER = "grafana-default-email"
"""The contact point that every new Grafana has; it stands at the root of the tree in a provisioning file."""
REPEAT = "4d"
"""Grafana forgets after five days what it has told: longer than that cannot be had."""
MONDAY = date(2024, 1, 8)
"""Of a week in which no clock was put forward or back anywhere."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTES_A_DAY = 1440
WEEK = len(DAYS) * MINUTES_A_DAY
Spans = list[tuple[int, int]]
"""Spans of a week in minutes from Monday's midnight, in order."""


def prefix(plant: Plant) -> str:
    """How the identifiers in Grafana begin of everything about alerts that is a plant's: unlike those of any other."""
    return f"keepclean-{zlib.crc32(plant.site.id.encode()):08x}-"


def identifier(plant: Plant, kind: str, name: str) -> str:
    """An identifier in Grafana of at most 40 characters; the same thing keeps it for ever."""
    return f"{prefix(plant)}{kind}-{zlib.crc32(name.encode()):08x}"


def grafana_tells(plant: Plant) -> bool:
    """Whether Grafana is the notifier, and somebody is to be told."""
    return plant.alarms is not None and plant.alarms.notify == "grafana" and bool(hours(plant))


def hours(plant: Plant) -> dict[str, Spans]:
    """When each route is told, as keepclean would do it; together the spans are the whole week."""
    if plant.alarms is None:
        return {}
    calendar = Calendar(plant)
    edges = {0, WEEK}
    for shift in plant.shifts.values():
        for day in range(len(DAYS)):
            edges |= {day * MINUTES_A_DAY + at.hour * 60 + at.minute for at in (shift.since, shift.until)}
    ordered = sorted(edges)
    midnight = datetime.combine(MONDAY, time(), calendar.zone)
    found: dict[str, Spans] = {name: [] for name in plant.alarms.routes}
    for start, end in pairwise(ordered):
        duty = on_duty(plant, calendar, to_us(midnight + timedelta(minutes=start)))
        if duty is None:
            continue
        spans = found[duty.route]
        begun = spans.pop()[0] if spans and spans[-1][1] == start else start
        spans.append((begun, end))
    return {name: spans for name, spans in found.items() if spans}


def mute_timings(plant: Plant) -> list[dict[str, Any]]:
    """The mute timings as Grafana's provisioning API has them: all hours, or those outside the shifts of a route."""
    if not grafana_tells(plant):
        return [{"name": _always(plant), "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]}]
    return [
        {"name": _outside(plant, route), "time_intervals": list(_intervals(plant, rest))}
        for route, spans in hours(plant).items()
        if (rest := _others(spans))
    ]


def branch(plant: Plant, above: str = DEFAULT_RECEIVER) -> dict[str, Any]:
    """keepclean's branch of the notification policies, which matches a plant's own rules and nothing else.

    `above` is the contact point at the tree's root: Grafana refuses a branch that names none, be it muted for ever.
    """
    matchers = [[name, "=", value] for name, value in {**MANAGED, "site": plant.site.id}.items()]
    mine: dict[str, Any] = {
        "object_matchers": matchers,
        # one message a baseline or KPI; sources that fall silent together are told of together
        "group_by": ["site", "kind", "group"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": REPEAT,
    }
    if not grafana_tells(plant):
        return {"receiver": above, **mine, "mute_time_intervals": [_always(plant)]}
    children = []
    for route, spans in hours(plant).items():
        child: dict[str, Any] = {"receiver": receiver(plant, route), "object_matchers": matchers, "continue": True}
        if _others(spans):
            child["mute_time_intervals"] = [_outside(plant, route)]
        children.append(child)
    del children[-1]["continue"]
    return {"receiver": children[0]["receiver"], **mine, "routes": children}


def is_branch(plant: Plant, policy: dict[str, Any]) -> bool:
    """Whether a policy below the root is a plant's branch."""
    return sorted(policy.get("object_matchers") or []) == sorted(branch(plant)["object_matchers"])


def receiver(plant: Plant, route: str) -> str:
    """The name of a route's contact point."""
    return f"{name_prefix(plant)}{route}"


def name_prefix(plant: Plant) -> str:
    """How the names of a plant's contact points and mute timings begin, unlike those of any other plant."""
    return f"keepclean {plant.site.id} "


def _always(plant: Plant) -> str:
    return f"{name_prefix(plant)}always"


def _outside(plant: Plant, route: str) -> str:
    return f"{name_prefix(plant)}outside {route}"


def _others(spans: Spans) -> Spans:
    edges = [0, *(edge for span in spans for edge in span), WEEK]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start]


def _intervals(plant: Plant, spans: Spans) -> Iterator[dict[str, Any]]:
    """Spans of the week as Grafana's time intervals: the hours of each day, days with the same hours together."""
    by_hours: dict[tuple[tuple[int, int], ...], list[str]] = defaultdict(list)
    for number, day in enumerate(DAYS):
        midnight = number * MINUTES_A_DAY
        cut = [(max(start - midnight, 0), min(end - midnight, MINUTES_A_DAY)) for start, end in spans]
        by_hours[tuple((start, end) for start, end in cut if end > start)].append(day)
    for of_day, days in by_hours.items():
        if of_day:
            times = [{"start_time": _time(start), "end_time": _time(end)} for start, end in of_day]
            which = {} if len(days) == len(DAYS) else {"weekdays": days}
            yield {"times": times, **which, "location": plant.site.time_zone}


def _time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
