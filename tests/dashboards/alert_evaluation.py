"""What Grafana does with rules and policies, as far as the tests need it: judging a rule, and finding whom to tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from influx_server import Influx, as_grafana_sends_it

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


NOT_A_SOURCE = {"9.4": {"-100"}, "later": {"-100", "__expr__"}}
"""Which steps' `datasourceUid` each version of Grafana takes for an expression's when it looks for missing data."""


def figures(influx: Influx, rule: dict[str, Any], now: datetime) -> dict[str, float | None]:
    """The last value of each of a rule's queries; without those that gave no row."""
    found = {}
    for step in rule["data"]:
        if "query" in step["model"]:
            span = step["relativeTimeRange"]
            start, end = (now - timedelta(seconds=span[side]) for side in ("from", "to"))
            series = influx.query(as_grafana_sends_it(step["model"]["query"], start, end))
            if series:
                (one,) = series
                found[step["refId"].removesuffix("_rows")] = one["values"][-1][1]
    return found


def state(influx: Influx, rule: dict[str, Any], now: datetime) -> str:
    """Normal or Alerting, as Grafana 9.4 says it: one query without a row makes the whole rule one without data."""
    found = figures(influx, rule, now)
    asked = len(_asked(rule))
    value = found.get("found")
    if len(found) < asked or value is None:
        return {"OK": "Normal"}.get(rule["noDataState"], str(rule["noDataState"]))
    (condition,) = rule["data"][-1]["model"]["conditions"]
    limits = condition["evaluator"]["params"]
    kind = condition["evaluator"]["type"]
    inside = {"gt": value <= limits[0], "lt": value >= limits[0], "outside_range": limits[0] <= value <= limits[-1]}
    return "Normal" if inside[kind] else "Alerting"


def instances(influx: Influx, rule: dict[str, Any], now: datetime, version: str) -> list[tuple[str, str]]:
    """What stands on Grafana's list for a rule: (data source without data, or "" for the rule's own; state).

    A query without a row leaves every expression that follows from it without a frame, and each data source that has
    a step without a frame gets an instance of its own, in place of the rule's.
    """
    missing = {f"{name}_rows" for name in _asked(rule)} - {f"{name}_rows" for name in figures(influx, rule, now)}
    sources = set()
    for step in rule["data"]:
        if step["refId"] in missing or step["model"].get("expression") in missing:
            missing.add(step["refId"])
            sources |= {step["datasourceUid"]} - NOT_A_SOURCE[version]
    return [(source, state(influx, rule, now)) for source in sorted(sources) or [""]]


def _asked(rule: dict[str, Any]) -> list[str]:
    return [step["refId"].removesuffix("_rows") for step in rule["data"] if "query" in step["model"]]


def told(tree: dict[str, Any], timings: list[dict[str, Any]], labels: dict[str, str], now: datetime) -> list[str]:
    """The contact points that Alertmanager's rules choose for an alert of these labels at a time."""
    muted = {one["name"]: one["time_intervals"] for one in timings}
    found = []
    for policy, inherited in _leaves(tree, labels, tree["receiver"]):
        names = policy.get("mute_time_intervals", [])
        if not any(_within(interval, now) for name in names for interval in muted[name]):
            found.append(policy.get("receiver", inherited))
    return found


def _leaves(policy: dict[str, Any], labels: dict[str, str], receiver: str) -> list[tuple[dict[str, Any], str]]:
    if any(kind != "=" or labels.get(name) != value for name, kind, value in policy.get("object_matchers", [])):
        return []
    receiver = policy.get("receiver", receiver)
    found: list[tuple[dict[str, Any], str]] = []
    for child in policy.get("routes", []):
        below = _leaves(child, labels, receiver)
        found += below
        if below and not child.get("continue"):
            break
    return found or [(policy, receiver)]


def _within(interval: dict[str, Any], now: datetime) -> bool:
    local = now.astimezone(ZoneInfo(interval.get("location", "UTC")))
    minute = local.hour * 60 + local.minute
    if DAYS[local.weekday()] not in interval.get("weekdays", DAYS):
        return False
    return any(_minutes(one["start_time"]) <= minute < _minutes(one["end_time"]) for one in interval["times"])


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
