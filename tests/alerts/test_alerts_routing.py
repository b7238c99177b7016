"""Who is told, how many alarms one shift bears, the list, and the priorities."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alerts_plant import MONDAY, description, drift, drifts, us
from hypothesis import given
from hypothesis import strategies as st

from alerts.lifecycle import step
from alerts.priority import priority
from alerts.routing import CURRENT_SCHEMA, GROUP_AFTER, Waiting, current, on_duty, plan
from plant.calendar import Calendar
from plant.endangered import endangered
from plant.model import Plant
from plant.reading import HOUR


@pytest.mark.parametrize(("hours", "supervisor"), [(0, "Li"), (5.99, "Li"), (6, "Wang"), (13.99, "Wang"), (14, "Li")])
def test_the_shift_on_duty_is_told(plant: Plant, hours: float, supervisor: str) -> None:
    """08:00 is the early shift's, 14:00 the late one's; after 22:00, with no night shift, the next early one's."""
    duty = on_duty(plant, Calendar(plant), us(hours))
    assert duty is not None
    assert duty.supervisor == supervisor


def test_a_plant_without_shifts_or_routes() -> None:
    """Without shifts the first route is told round the clock; without alarms nobody."""
    text = description()
    text["shifts"] = {}
    plant = Plant.model_validate(text)
    duty = on_duty(plant, Calendar(plant), us(20))
    assert duty is not None
    assert (duty.route, duty.supervisor) == ("early", "")
    del text["alarms"]
    plant = Plant.model_validate(text)
    assert on_duty(plant, Calendar(plant), us(20)) is None


@given(st.lists(st.sampled_from(["low", "medium", "high"]), max_size=20), st.integers(0, 8), st.integers(0, 600))
def test_a_supervisor_gets_at_most_so_many_messages(priorities: list[str], sent: int, minutes: int) -> None:
    """At most five alarms come one by one, the grave ones first; the others come in one message or wait."""
    now = minutes * 60 * 1_000_000
    waiting = [Waiting(str(number), grade, 0) for number, grade in enumerate(priorities)]
    messages = plan(waiting, sent, 5, now, 8 * HOUR)
    single = [message[0] for message in messages if len(message) == 1][: max(0, 5 - sent)]
    assert len(messages) <= max(0, 5 - sent) + 1
    keys = [item.key for message in messages for item in message]
    assert len(keys) == len(set(keys))
    if len(priorities) + sent > 5 and now >= GROUP_AFTER:
        assert len(keys) == len(priorities), "nothing is held back once the wait is over"
    grave = {"high": 0, "medium": 1, "low": 2}
    order = [grave[item.priority] for item in single]
    assert order == sorted(order)


def test_the_end_of_the_shift_ends_the_wait() -> None:
    """What is beyond the limit is told before the supervisor goes home."""
    item = Waiting("a", "low", 8 * HOUR - 6 * 60 * 1_000_000)
    assert plan([item], 5, 5, 8 * HOUR - 5 * 60 * 1_000_000, 8 * HOUR) == [[item]]
    assert plan([item], 5, 5, item.time, 9 * HOUR) == []


def test_the_list_shows_open_alarms_gravest_first(plant: Plant) -> None:
    """Open alarms with their drifts, by priority, then by cost a day; what is back to normal is not on it."""
    rows = [
        drift("cheap", kpi="steam", cost_per_day=10.0),
        drift("dear", kpi="steam", cost_per_day=400.0),
        drift("grave", kpi="steam", cost_per_day=9000.0),
        drift("gone", state="cleared", cleared=MONDAY + timedelta(hours=3)),
        drift("unpriced", kpi="steam", cost_per_day=None),
    ]
    ack = {"act": "acknowledge", "alarm": "alarm:gone", "by": "Li", "time": us(4)}
    seen = {"act": "acknowledge", "alarm": "alarm:grave", "by": "Li", "note": "looking", "time": us(4)}
    transitions = step({}, drifts(*rows), [ack, seen], us(5), plant=plant, revision=1).transitions
    frame = current(transitions, drifts(*rows))
    assert frame["drift"].to_list() == ["grave", "dear", "cheap", "unpriced"]
    assert frame["state"].to_list() == ["acknowledged", *["unacknowledged"] * 3]
    assert frame["raised"].to_list() == [MONDAY + timedelta(hours=2)] * 4
    assert frame["note"][0] == "looking"
    assert dict(frame.schema) == CURRENT_SCHEMA
    empty = current(transitions.clear(), drifts())
    assert empty.is_empty()
    assert dict(empty.schema) == CURRENT_SCHEMA


def test_priority_follows_cost_and_the_option_endangered(plant: Plant) -> None:
    """The cost a day decides, an endangered option lifts it one step, an option not yet commissioned does not count."""
    assert [priority(cost, False) for cost in (None, 499.0, 500.0, -2000.0)] == ["low", "low", "medium", "high"]
    assert [priority(cost, True) for cost in (0.0, 600.0, 9999.0)] == ["medium", "high", "high"]
    assert endangered(plant, "rinse", MONDAY) == ["counterflow"]
    assert endangered(plant, "water", MONDAY) == ["counterflow"]
    assert endangered(plant, "rinse", MONDAY - timedelta(days=365)) == []
    assert endangered(plant, "steam", MONDAY) == []
