"""The life cycle of alarms as pure functions (ISA-18.2, IEC 62682): drifts and acts in, transitions out.

    normal ──drift open──▶ unacknowledged ──acknowledge──▶ acknowledged ──drift cleared──▶ normal
                              ▲      └──drift cleared──▶ returned_unacknowledged ──acknowledge──▶ normal
                              └── drift worse, from any open state

A drift withdrawn by a correction leads to `revised`, from whatever state somebody was told about: an alarm
never vanishes. One that a correction made smaller or larger keeps its state, with a note, and sounds no second
time. One drift is one alarm, and only the direction that its baseline watches is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

import polars as pl

from alerts.priority import priority
from historian.tables import ALARMS, NOTICES
from plant.calendar import Calendar
from plant.clock import to_datetime, to_us
from plant.endangered import endangered
from plant.model import Plant
from plant.reading import DAY

NORMAL = "normal"
UNACKNOWLEDGED = "unacknowledged"
ACKNOWLEDGED = "acknowledged"
RETURNED = "returned_unacknowledged"
REVISED = "revised"
REVISED_NOTE = "revised by a correction"
OPEN_STATES = (UNACKNOWLEDGED, ACKNOWLEDGED, RETURNED)

WORSE_AGAIN = 1.5
FORGET_AFTER = 92 * DAY


class Alarm(TypedDict):
    """What is remembered of an alarm: plain values only, so that it can be stored as JSON or msgpack.

    `time` is that of its last transition [µs UTC]; `seen` the revision and `drift_state` the state of the
    newest drift row taken in; `sounded` the size at which it last sounded [drift's unit per hour].
    """

    drift: str
    scope: str
    state: str
    priority: str
    time: int
    seen: int
    drift_state: str
    sounded: float


AlarmState = dict[str, Alarm]


class Step(NamedTuple):
    """The new state, the transitions (schema of table `alarms`) and the findings (table `notices`)."""

    state: AlarmState
    transitions: pl.DataFrame
    findings: pl.DataFrame


def alarm_of(drift: str) -> str:
    """The one alarm of a drift.

    >>> alarm_of("zn_rinse1_water@2026-04-03T14:05")
    'alarm:zn_rinse1_water@2026-04-03T14:05'
    """
    return f"alarm:{drift}"


def watched_direction(plant: Plant, name: str) -> str | None:
    """'rise' or 'fall': where baseline or KPI `name` asks for a person; None for an unknown name."""
    if name in plant.baselines:
        return plant.baselines[name].drift
    if name in plant.kpis:
        return "rise" if plant.kpis[name].better == "lower" else "fall"
    return None


def step(
    state: AlarmState,
    drifts: pl.DataFrame,
    acts: Sequence[Mapping[str, Any]],
    now_us: int,
    *,
    plant: Plant,
    revision: int,
    revised: bool = False,
) -> Step:
    """Takes in drift rows that are new or changed and a person's acts, in the order of their plant time.

    `drifts` has the schema of table `drift` (states open, worse, cleared, withdrawn); an act is {"act":
    "acknowledge", "alarm", "by", "note", "time" [µs UTC]}. A row seen before changes nothing; an act that
    cannot be done is left out and becomes a finding. `revision` is stamped on every row that comes out.
    Nothing is raised, and the same inputs give the same rows.

    `revised` says that the drifts come from a correction of the past: it happens now, a drift that is over by now
    raises nothing, and one that somebody was told of and that is another now gets a transition that sounds nothing.
    """
    machine = _Machine(plant, state, now_us, revision)
    if revised:
        for row in drifts.iter_rows(named=True):
            machine.revise(row)
        drifts = drifts.clear()
    events: list[tuple[int, int, int, str, Mapping[str, Any]]] = []
    for row in drifts.iter_rows(named=True):
        for event, time in _events(row, now_us):
            events.append((time, 0, len(events), event, row))
    for act in acts:
        said = act.get("time")
        events.append((said if isinstance(said, int) else now_us, 1, len(events), "act", act))
    for time, _, _, event, item in sorted(events, key=lambda found: found[:3]):
        if event == "act":
            machine.act(item, time)
        else:
            machine.drift(event, item, time)
    return machine.result()


def _events(row: Mapping[str, Any], now_us: int) -> list[tuple[str, int]]:
    """A drift row's history as far as it tells: (what, when [µs UTC])."""
    found = min(_us(row["found"], now_us), now_us)
    match row["state"]:
        case "cleared":
            return [("open", found), ("cleared", max(found, min(_us(row["cleared"], now_us), now_us)))]
        case "worse":
            return [("open", found), ("worse", now_us)]
        case "open":
            return [("open", found)]
        case other:
            return [(str(other), now_us)]


def _us(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else to_us(moment)


class _Machine:
    """One step under way; it lives no longer than the call of `step`."""

    def __init__(self, plant: Plant, state: AlarmState, now_us: int, revision: int) -> None:
        self.plant, self.now_us, self.revision = plant, now_us, revision
        self.calendar = Calendar(plant)
        self.alarms: AlarmState = {name: alarm.copy() for name, alarm in state.items()}
        self.transitions: list[dict[str, Any]] = []
        self.findings: dict[tuple[str, int, str], dict[str, Any]] = {}

    def drift(self, event: str, row: Mapping[str, Any], time: int) -> None:
        name = alarm_of(row["drift"])
        alarm = self.alarms.get(name)
        if alarm is None:
            if event == "open" and self.is_alarm(row, time):
                self.alarms[name] = Alarm(
                    drift=row["drift"],
                    scope=row["scope"],
                    state=NORMAL,
                    priority="low",
                    time=0,
                    seen=row["revision"] or 0,
                    drift_state="open" if row["state"] == "cleared" else row["state"],
                    sounded=0.0,
                )
                self.sound(name, row, time, "raised")
            return
        if (row["revision"] or 0) < alarm["seen"]:
            return
        alarm["seen"] = row["revision"] or 0
        was, is_open = alarm["drift_state"], alarm["state"] in OPEN_STATES
        size = abs(row["size_per_hour"] or 0.0)
        if event == "open":
            if was in ("cleared", "withdrawn") and row["state"] in ("open", "worse"):
                alarm["drift_state"] = row["state"]
                self.sound(name, row, time, "raised again")
        elif event == "worse":
            if was != "worse" or size >= WORSE_AGAIN * alarm["sounded"] > 0:
                note = f"worse: {size:.4g} {row['unit']} per hour, was {alarm['sounded']:.4g}"
                self.sound(name, row, time, note)
            alarm["drift_state"] = "worse"
        elif event == "cleared":
            if is_open and was != "cleared":
                self.move(name, NORMAL if alarm["state"] == ACKNOWLEDGED else RETURNED, time, "returned")
            alarm["drift_state"] = "cleared"
        elif event == "withdrawn":
            if was != "withdrawn":
                self.move(name, REVISED, time, "a correction withdrew the drift")
            alarm["drift_state"] = "withdrawn"

    def revise(self, row: Mapping[str, Any]) -> None:
        name, before = alarm_of(row["drift"]), len(self.transitions)
        if name not in self.alarms and row["state"] not in ("open", "worse"):
            return
        for event, _ in _events(row, self.now_us):
            self.drift(event, row, self.now_us)
        alarm = self.alarms.get(name)
        if alarm is not None and len(self.transitions) == before and alarm["state"] in OPEN_STATES:
            size = abs(row["size_per_hour"] or 0.0)
            alarm["sounded"] = size
            note = f"{REVISED_NOTE}: {size:.4g} {row['unit']} per hour since {row['onset']:%Y-%m-%d %H:%M} UTC"
            self.move(name, alarm["state"], self.now_us, note)

    def is_alarm(self, row: Mapping[str, Any], time: int) -> bool:
        watched = watched_direction(self.plant, row["kpi"])
        if watched is None or row["direction"] == watched:
            return True
        baseline = self.plant.baselines.get(row["kpi"])
        self.find(
            baseline.response if baseline else row["kpi"],
            _us(row["onset"], time),
            "drift in the direction that is not watched",
            f"{row['drift']}: {row['direction']} of {row['size_per_hour']} {row['unit']} per hour",
        )
        return False

    def sound(self, name: str, row: Mapping[str, Any], time: int, note: str) -> None:
        options = endangered(self.plant, row["kpi"], row["onset"])
        alarm = self.alarms[name]
        alarm["priority"] = priority(row["cost_per_day"], bool(options))
        alarm["sounded"] = abs(row["size_per_hour"] or 0.0)
        self.move(name, UNACKNOWLEDGED, time, note)

    def act(self, act: Mapping[str, Any], time: int) -> None:
        kind, name, by = str(act.get("act", "")), str(act.get("alarm", "")), str(act.get("by") or "")
        alarm = self.alarms.get(name)
        if kind != "acknowledge":
            self.find(name, time, "unknown act on an alarm", f"{kind!r} by {by!r}")
        elif alarm is None:
            self.find(name, time, "acknowledgement of an unknown alarm", f"by {by!r}")
        elif not by:
            self.find(name, time, "acknowledgement without a name", "an act says who did it")
        elif alarm["state"] not in (UNACKNOWLEDGED, RETURNED):
            self.find(name, time, "nothing to acknowledge", f"by {by!r}: the alarm is {alarm['state']}")
        else:
            to_state = ACKNOWLEDGED if alarm["state"] == UNACKNOWLEDGED else NORMAL
            self.move(name, to_state, min(time, self.now_us), str(act.get("note") or ""), by)

    def move(self, name: str, to_state: str, time: int, note: str, by: str = "") -> None:
        alarm = self.alarms[name]
        time = max(time, alarm["time"] + 1)
        shift = self.calendar.shift(time)
        self.transitions.append(
            {
                "alarm": name,
                "drift": alarm["drift"],
                "scope": alarm["scope"],
                "priority": alarm["priority"],
                "time": to_datetime(time),
                "from_state": alarm["state"],
                "to_state": to_state,
                "by": by,
                "shift": shift.name if shift else "",
                "note": note,
                "revision": self.revision,
            }
        )
        alarm["state"], alarm["time"] = to_state, time

    def find(self, point: str, time: int, finding: str, evidence: str) -> None:
        self.findings[point, time, finding] = {
            "point": point,
            "start": to_datetime(time),
            "end": to_datetime(time),
            "finding": finding,
            "evidence": evidence,
            "revision": self.revision,
        }

    def result(self) -> Step:
        kept = {
            name: alarm
            for name, alarm in self.alarms.items()
            if alarm["state"] in OPEN_STATES or alarm["time"] > self.now_us - FORGET_AFTER
        }
        return Step(
            kept,
            pl.DataFrame(self.transitions, schema=ALARMS.schema),
            pl.DataFrame(list(self.findings.values()), schema=NOTICES.schema),
        )
