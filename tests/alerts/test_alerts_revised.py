"""Promise 9: what a correction of the past does to alarms: none vanishes, and none is sent twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts_plant import MONDAY, drift, drifts, us

from alerts.lifecycle import AlarmState, Step, alarm_of, step
from alerts.notify import Notifier
from plant.model import Plant

NAME = alarm_of("d1")


def put_right(plant: Plant, state: AlarmState, *rows: dict[str, Any], hours: float = 30, revision: int = 9) -> Step:
    """A correction's drifts taken in."""
    return step(state, drifts(*rows), [], us(hours), plant=plant, revision=revision, revised=True)


def raised(plant: Plant) -> AlarmState:
    """One alarm that somebody was told about."""
    return step({}, drifts(drift()), [], us(3), plant=plant, revision=7).state


def test_a_withdrawn_drift_is_told_as_revised(plant: Plant) -> None:
    """Its alarm goes to `revised`, now and with its shift."""
    done = put_right(plant, raised(plant), drift(state="withdrawn", revision=9))
    assert done.transitions.select("from_state", "to_state").rows() == [("unacknowledged", "revised")]
    assert done.transitions["time"].item() == MONDAY + timedelta(hours=30)
    assert put_right(plant, done.state, drift(state="withdrawn", revision=9)).transitions.is_empty()


def test_a_changed_drift_says_so_and_is_not_sent_again(plant: Plant, tmp_path: Path) -> None:
    """Half the size: the alarm keeps its state, its history says what it is now, and nobody is told twice."""
    done = put_right(plant, raised(plant), drift(size_per_hour=0.3, revision=9))
    row = done.transitions.row(0, named=True)
    assert (row["from_state"], row["to_state"]) == ("unacknowledged", "unacknowledged")
    assert row["note"].startswith("revised by a correction: 0.3 m3 per hour since 2026-03-02")
    notifier = Notifier(plant, tmp_path, base=tmp_path, now_us=lambda: us(31))
    assert notifier.submit(done.transitions, drifts(drift(size_per_hour=0.3, revision=9))) == 0
    notifier.stop()


def test_what_is_over_raises_nothing_and_what_lasts_does(plant: Plant) -> None:
    """Found in the past and cleared by now: no alarm. Open now: one, now."""
    over = drift(state="cleared", cleared=MONDAY + timedelta(hours=8), revision=9)
    assert put_right(plant, {}, over).transitions.is_empty()
    done = put_right(plant, {}, drift(revision=9))
    assert done.transitions["to_state"].to_list() == ["unacknowledged"]
    assert done.transitions["time"].item() == MONDAY + timedelta(hours=30)


def test_a_drift_that_turns_out_to_be_over_returns(plant: Plant) -> None:
    """The alarm goes as it would have gone."""
    over = drift(state="cleared", cleared=MONDAY + timedelta(hours=8), revision=9)
    done = put_right(plant, raised(plant), over)
    assert done.transitions["to_state"].to_list() == ["returned_unacknowledged"]


def test_a_withdrawn_correction_raises_again_only_what_is_open(plant: Plant) -> None:
    """The drift comes back under its name: raised again when it is open."""
    gone = put_right(plant, raised(plant), drift(state="withdrawn", revision=9)).state
    assert put_right(plant, gone, drift(revision=10), revision=10).transitions["to_state"].to_list() == [
        "unacknowledged"
    ]
    over = drift(state="cleared", cleared=MONDAY + timedelta(hours=8), revision=10)
    assert put_right(plant, gone, over, revision=10).transitions.is_empty()
