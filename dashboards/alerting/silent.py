"""The alert rules for what is not there: one for each device, and one for the whole plant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alerts.words import WORDS
from dashboards.alerting.frame import figure, promised, rule, text
from dashboards.frame import LANGUAGES, say
from dashboards.queries import rules as queries
from plant.endangered import endangered
from plant.model import SITE, Kind, Modbus, Plant

INTERVALS = 3
LATE_S = 300.0
"""What settling, storing and sending may take beyond what the sources themselves make the pipeline wait for."""
SETTLES_S = 180.0
ALIKE = 2.0
"""Points that speak at most half as often as a device's quickest say nothing about the device."""
NOTHING_S = 1800.0
GROUP = "silent"


@dataclass(frozen=True)
class Silence:
    """The quickest points of a device, and for how long [s] they may be without results."""

    points: tuple[str, ...]
    limit_s: float


def silences(plant: Plant) -> dict[str, Silence]:
    """What of each device is listened for, and how long: three intervals of its quickest points, and on top as long as
    the pipeline itself waits for the slowest source of the process unit before it settles a minute."""
    found = {}
    for device in plant.devices:
        speaks_s = {name: _speaks_s(plant, name) for name, point in plant.points.items() if point.device == device}
        if speaks_s:
            limit_s = min(speaks_s.values()) * ALIKE
            names = tuple(name for name, each_s in speaks_s.items() if each_s <= limit_s)
            units = {plant.points[name].unit_of for name in names}
            waits_s = max(_waits_s(plant, name) for name, point in plant.points.items() if point.unit_of in units)
            found[device] = Silence(names, max(speaks_s[name] for name in names) + waits_s + LATE_S)
    return found


def silent(plant: Plant, device: str, silence: Silence) -> dict[str, Any]:
    """The rule of a device of whose points some have had no results for too long."""
    scopes = {plant.points[point].unit_of for point in silence.points}
    watched = [name for name, baseline in plant.baselines.items() if baseline.response in silence.points]
    options = dict.fromkeys(option for name in watched for option in endangered(plant, name))
    messages = {}
    for language in LANGUAGES:
        comma = WORDS[language]["comma"]
        points = comma.join(say(plant.points[one].title, language) for one in silence.points)
        heard = text("heard", language, heard=figure("found", "%.0f", "0"), count=len(silence.points))
        messages[language] = {
            "what": text("silent", language, what=say(plant.devices[device].title, language)),
            "size": text("unmeasured", language),
            "since": text("longer", language, minutes=round(silence.limit_s / 60)),
            "evidence": heard + text("points", language, points=points),
            "cause": text("silent cause", language),
            "check": text("silent check", language),
            "option": promised(plant, options, language),
        }
    return rule(
        plant,
        "silent",
        device,
        plant.devices[device].title,
        scopes.pop() if len(scopes) == 1 else SITE,
        {"found": queries.points_heard(plant, silence.points)},
        messages,
        priority="low",
        range_s=round(silence.limit_s),
        beyond=("lt", float(len(silence.points))),
        # no row is what silence looks like
        no_data="Alerting",
        group=GROUP,
    )


def nothing(plant: Plant) -> dict[str, Any]:
    """The rule that says that nothing of the plant arrives any more, and that speaks for a database that is down."""
    limit_s = max(NOTHING_S, min((silence.limit_s for silence in silences(plant).values()), default=0.0))
    messages = {
        language: {
            "what": text("nothing", language),
            "size": text("unmeasured", language),
            "since": text("longer", language, minutes=round(limit_s / 60)),
            "evidence": text("heard nothing", language),
            "cause": text("nothing cause", language),
            "check": text("nothing check", language),
            "option": promised(plant, plant.options, language),
        }
        for language in LANGUAGES
    }
    return rule(
        plant,
        "silent",
        SITE,
        plant.site.name,
        SITE,
        {"found": queries.facts_written(plant)},
        messages,
        priority="high",
        range_s=round(limit_s),
        beyond=("lt", 1.0),
        no_data="Alerting",
        # it alone speaks for a database that does not answer; every rule at once would be a flood
        exec_err="Alerting",
        group=GROUP,
    )


def _speaks_s(plant: Plant, name: str) -> float:
    """Three of a point's intervals: its device's or its heartbeat, and for a sample what it speaks for."""
    point = plant.points[name]
    if point.kind is Kind.SAMPLE and point.valid:
        return INTERVALS * point.valid
    interval = max(plant.devices[point.device].interval, point.span or 0.0)
    return max(INTERVALS * interval, point.heartbeat or 0.0)


def _waits_s(plant: Plant, name: str) -> float:
    """How long a point's minutes may stay unsettled because of its device."""
    point = plant.points[name]
    if point.kind is Kind.SAMPLE:
        return 0.0
    device = plant.devices[point.device]
    disorder_s = 0.0 if isinstance(device, Modbus) else device.disorder
    return max(INTERVALS * device.interval, SETTLES_S, point.heartbeat or 0.0) + disorder_s
