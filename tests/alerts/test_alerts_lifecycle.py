"""The alarm life cycle: one drift is one alarm, nothing vanishes, the same inputs give the same rows."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from alerts_plant import MONDAY, description, drift, drifts, us
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.lifecycle import OPEN_STATES, AlarmState, Step, alarm_of, step
from alerts.message import compose
from historian.tables import ALARMS, NOTICES
from plant.model import Plant

NAME = alarm_of("d1")


def moves(result: Step) -> list[tuple[str, str]]:
    return list(result.transitions.select("from_state", "to_state").iter_rows())


def acknowledge(alarm: str = NAME, hours: float = 4, **changes: Any) -> dict[str, Any]:
    return {"act": "acknowledge", "alarm": alarm, "by": "Li", "note": "seen", "time": us(hours), **changes}


def run(plant: Plant, state: AlarmState, rows: list[dict[str, Any]], acts: list[dict[str, Any]], hours: float) -> Step:
    return step(state, drifts(*rows), acts, us(hours), plant=plant, revision=7)


def test_a_drift_is_raised_acknowledged_and_returns(plant: Plant) -> None:
    """An alarm goes normal, unacknowledged, acknowledged, normal, each with who, when and on whose shift."""
    first = run(plant, {}, [drift()], [], 3)
    assert moves(first) == [("normal", "unacknowledged")]
    row = first.transitions.row(0, named=True)
    assert (row["time"], row["shift"], row["revision"]) == (MONDAY + timedelta(hours=2), "early", 7)
    assert (row["alarm"], row["drift"], row["scope"]) == (NAME, "d1", "nickel")
    second = run(plant, first.state, [], [acknowledge()], 5)
    assert moves(second) == [("unacknowledged", "acknowledged")]
    assert second.transitions.row(0, named=True)["by"] == "Li"
    cleared = drift(state="cleared", cleared=MONDAY + timedelta(hours=8), revision=2)
    third = run(plant, second.state, [cleared], [], 9)
    assert moves(third) == [("acknowledged", "normal")]
    assert third.transitions.row(0, named=True)["shift"] == "late"
    assert third.transitions.schema == ALARMS.schema


def test_a_return_before_the_acknowledgement_still_asks_for_one(plant: Plant) -> None:
    """What cleared by itself stays on the list until a person has seen it."""
    state = run(plant, {}, [drift()], [], 3).state
    cleared = run(plant, state, [drift(state="cleared", cleared=MONDAY + timedelta(hours=4), revision=2)], [], 5)
    assert moves(cleared) == [("unacknowledged", "returned_unacknowledged")]
    assert moves(run(plant, cleared.state, [], [acknowledge(hours=6)], 7)) == [("returned_unacknowledged", "normal")]


def test_one_batch_tells_the_same_story_as_three(plant: Plant) -> None:
    """Promise 2: raised, acknowledged and returned within one long step are three transitions in their order."""
    cleared = drift(state="cleared", cleared=MONDAY + timedelta(hours=8), revision=2)
    result = run(plant, {}, [cleared], [acknowledge()], 9)
    assert moves(result) == [
        ("normal", "unacknowledged"),
        ("unacknowledged", "acknowledged"),
        ("acknowledged", "normal"),
    ]
    times = result.transitions["time"].to_list()
    assert times == sorted(times)


def test_a_repeated_row_raises_nothing(plant: Plant) -> None:
    """A drift row seen before, or one with a refined size, sounds no second alarm."""
    state = run(plant, {}, [drift()], [], 3).state
    again = run(plant, state, [drift(), drift(size_per_hour=0.65, revision=2)], [], 4)
    assert again.transitions.is_empty()


def test_a_stale_row_changes_nothing(plant: Plant) -> None:
    """A row older than one already taken in is no news."""
    state = run(plant, {}, [drift(revision=5)], [], 3).state
    assert run(plant, state, [drift(state="withdrawn", revision=4)], [], 4).transitions.is_empty()


def test_worse_sounds_again_once(plant: Plant) -> None:
    """A drift that worsens needs a new acknowledgement; the same worsening repeated does not."""
    state = run(plant, {}, [drift()], [acknowledge()], 5).state
    worse = run(plant, state, [drift(state="worse", size_per_hour=1.1, cost_per_day=2500.0, revision=2)], [], 6)
    assert moves(worse) == [("acknowledged", "unacknowledged")]
    row = worse.transitions.row(0, named=True)
    assert row["note"].startswith("worse: 1.1 m3 per hour, was 0.6")
    assert row["priority"] == "high"
    repeat = run(plant, worse.state, [drift(state="worse", size_per_hour=1.2, revision=3)], [], 7)
    assert repeat.transitions.is_empty()
    much_worse = run(plant, repeat.state, [drift(state="worse", size_per_hour=1.8, revision=4)], [], 8)
    assert moves(much_worse) == [("unacknowledged", "unacknowledged")]


def test_a_withdrawn_drift_is_revised_and_never_vanishes(plant: Plant) -> None:
    """A correction that withdraws a drift leaves the transition "revised", from whatever state the alarm was in."""
    raised = run(plant, {}, [drift()], [], 3).state
    closed = run(plant, raised, [drift(state="cleared", cleared=MONDAY + timedelta(hours=4), revision=2)], [], 5).state
    for state, before in ((raised, "unacknowledged"), (closed, "returned_unacknowledged")):
        result = run(plant, state, [drift(state="withdrawn", revision=3)], [], 6)
        assert moves(result) == [(before, "revised")]
        assert result.state[NAME]["state"] == "revised"
        assert run(plant, result.state, [drift(state="withdrawn", revision=4)], [], 7).transitions.is_empty()


def test_a_drift_withdrawn_before_anybody_heard_of_it_is_no_alarm(plant: Plant) -> None:
    """Only what somebody was told about can be revised; a withdrawn row holds little more than its name."""
    empty = dict.fromkeys(drift())
    row = {**empty, "drift": "d1", "kpi": "rinse", "scope": "nickel", "state": "withdrawn", "revision": 2}
    unheard = run(plant, {}, [row], [], 3)
    assert unheard.transitions.is_empty()
    assert unheard.findings.is_empty()
    told = run(plant, run(plant, {}, [drift()], [], 3).state, [row], [], 4)
    assert moves(told) == [("unacknowledged", "revised")]
    message = compose(plant, row, told.transitions.row(0, named=True))
    assert message.title == "[withdrawn] Plating / Nickel line: Rinse 1 water"


@pytest.mark.parametrize(
    ("watched", "direction", "alarms"), [("rinse", "fall", 0), ("ro", "fall", 1), ("ro", "rise", 0)]
)
def test_only_the_watched_direction_is_an_alarm(plant: Plant, watched: str, direction: str, alarms: int) -> None:
    """A change in the direction that needs nobody is a notice."""
    result = run(plant, {}, [drift(kpi=watched, direction=direction)], [], 3)
    assert (len(result.transitions), len(result.findings)) == (alarms, 1 - alarms)
    if not alarms:
        assert result.findings["finding"].item() == "drift in the direction that is not watched"


@pytest.mark.parametrize(
    ("act", "finding"),
    [
        (acknowledge("alarm:nobody"), "acknowledgement of an unknown alarm"),
        (acknowledge(act="dance"), "unknown act on an alarm"),
        (acknowledge(by=""), "acknowledgement without a name"),
        ({}, "unknown act on an alarm"),
    ],
)
def test_an_act_that_cannot_be_done_is_a_finding(plant: Plant, act: dict[str, Any], finding: str) -> None:
    """A person's slip never stops the pipeline and never passes in silence."""
    result = run(plant, run(plant, {}, [drift()], [], 3).state, [], [act], 5)
    assert result.transitions.is_empty()
    assert result.findings["finding"].to_list() == [finding]
    assert result.findings.schema == NOTICES.schema


def test_a_second_acknowledgement_is_a_finding(plant: Plant) -> None:
    """Two people pressing the same button make one transition."""
    result = run(plant, {}, [drift()], [acknowledge(), acknowledge(hours=4.5, by="Wang")], 5)
    assert moves(result)[1:] == [("unacknowledged", "acknowledged")]
    assert result.findings["finding"].to_list() == ["nothing to acknowledge"]


def test_the_state_is_plain_and_old_alarms_are_forgotten(plant: Plant) -> None:
    """The state survives JSON unchanged, and does not grow with the length of history."""
    cleared = drift(state="cleared", cleared=MONDAY + timedelta(hours=4))
    state = run(plant, {}, [cleared, drift("d2")], [acknowledge(hours=5)], 6).state
    assert json.loads(json.dumps(state)) == state
    later = run(plant, state, [], [], 24 * 100).state
    assert list(later) == [alarm_of("d2")]


rows = st.builds(
    lambda name, state, size, revision, hours: drift(
        name, state=state, size_per_hour=size, revision=revision, cleared=MONDAY + timedelta(hours=hours)
    ),
    st.sampled_from(["d1", "d2"]),
    st.sampled_from(["open", "worse", "cleared", "withdrawn", "nonsense"]),
    st.floats(0.1, 5),
    st.integers(1, 9),
    st.integers(2, 20),
)
people = st.builds(
    lambda name, hours: acknowledge(alarm_of(name), hours), st.sampled_from(["d1", "d2", "d3"]), st.integers(0, 20)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(rows, max_size=3), st.lists(people, max_size=2)), max_size=5))
def test_any_history_gives_an_unbroken_chain_of_states(history: list[tuple[list[Any], list[Any]]]) -> None:
    """Each alarm's transitions join end to end in strictly rising time, start at normal and end in the state kept."""
    plant = Plant.model_validate(description())
    state: AlarmState = {}
    chains: dict[str, list[dict[str, Any]]] = {}
    for number, (drift_rows, acts) in enumerate(history):
        before = json.dumps(state)
        result = run(plant, state, drift_rows, acts, 4 * number + 4)
        again = run(plant, json.loads(before), drift_rows, acts, 4 * number + 4)
        assert json.dumps(state) == before, "the step must not change what it was given"
        assert result.transitions.equals(again.transitions)
        state = result.state
        for row in result.transitions.iter_rows(named=True):
            chains.setdefault(row["alarm"], []).append(row)
    for name, chain in chains.items():
        assert chain[0]["from_state"] == "normal"
        for one, following in pairwise(chain):
            assert following["from_state"] == one["to_state"]
            assert following["time"] > one["time"]
        assert state[name]["state"] == chain[-1]["to_state"]
        assert state[name]["state"] in (*OPEN_STATES, "normal", "revised")
