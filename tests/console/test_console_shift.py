"""The shift supervisor's list: present state, rank, time to respond, what ended on the shift."""

from __future__ import annotations

import pytest
from fake_frames import DRIFT_NAME, NOW, alarm_row, drift_row, example_plant, frame

from console import draw_shift
from console.figures import Moments
from console.views_drifts import drifts
from console.views_shift import Alarm, alarms, duty, loss_per_day, past, silent, standing
from console.words import Words
from historian.tables import ALARMS, DRIFT
from plant.calendar import Calendar
from plant.reading import HOUR

PLANT = example_plant()
CALENDAR = Calendar(PLANT)


def seen(*rows: dict[str, object], costs: dict[str, float] | None = None) -> list[Alarm]:
    """Alarms from transitions; `costs` are those of their drifts."""
    found = [
        drift_row(name, "zn_rinse1", "zinc", NOW - 9 * HOUR, NOW - 8 * HOUR, 0.6, "m3", cost_per_day=cost)
        for name, cost in (costs or {DRIFT_NAME: 105.0}).items()
    ]
    return alarms(frame(ALARMS, rows), drifts(frame(DRIFT, found), PLANT), PLANT, NOW)


def raised(alarm: str = "a", hours: float = 1, **more: object) -> dict[str, object]:
    """An alarm that sounded some hours ago."""
    drift = str(more.pop("drift", DRIFT_NAME))
    return alarm_row(alarm, drift, "zinc", NOW - int(hours * HOUR), "unacknowledged", **more)


def acknowledged(alarm: str = "a", hours: float = 0.5, **more: object) -> dict[str, object]:
    """Somebody acknowledged it."""
    texts = {"by": "local user", "note": "on my way", **more}
    return alarm_row(alarm, DRIFT_NAME, "zinc", NOW - int(hours * HOUR), "acknowledged", **texts)


def test_the_latest_transition_is_the_state() -> None:
    """Raised, then acknowledged with a note: acknowledged, by whom and when."""
    (alarm,) = seen(acknowledged(), raised())
    assert (alarm.state, alarm.by, alarm.note) == ("acknowledged", "local user", "on my way")
    assert alarm.raised == NOW - HOUR and alarm.acknowledged == NOW - HOUR // 2
    assert not alarm.asks
    assert "on my way" in draw_shift.alarm(alarm, PLANT, Words("en", PLANT), Moments(CALENDAR, NOW))


def test_an_alarm_carries_its_drift() -> None:
    """Where, what, how much and which option comes from the drift that it names."""
    (alarm,) = seen(raised())
    assert alarm.drift is not None and alarm.drift.size == 0.6
    assert alarm.drift.baseline is PLANT.baselines["zn_rinse1"]
    assert loss_per_day([alarm]) == 105.0


def test_an_alarm_whose_drift_is_unknown_still_stands() -> None:
    """It is never hidden for want of details."""
    (alarm,) = standing(seen(raised(drift="nobody knows")))
    assert alarm.drift is None and alarm.asks
    assert loss_per_day([alarm]) is None


def test_what_asks_comes_first_then_priority_then_cost() -> None:
    """An acknowledged high alarm stands below an unacknowledged low one."""
    rows = [
        raised("low", priority="low"),
        raised("done", 2, priority="high"),
        acknowledged("done", priority="high"),
        raised("cheap", priority="medium", drift="x"),
        raised("dear", priority="medium", drift="y"),
    ]
    found = seen(*rows, costs={"x": 10.0, "y": 900.0, DRIFT_NAME: 5.0})
    assert [alarm.name for alarm in standing(found)] == ["dear", "cheap", "low", "done"]


@pytest.mark.parametrize(("hours", "overdue"), [(3.9, False), (4.1, True)])
def test_the_time_to_respond_runs_from_when_it_sounded(hours: float, overdue: bool) -> None:
    """The plant says four hours."""
    (alarm,) = seen(raised(hours=hours))
    assert alarm.respond_by == alarm.raised + 4 * HOUR
    assert alarm.overdue is overdue


def test_an_acknowledged_alarm_is_not_overdue() -> None:
    """Somebody has responded."""
    assert not seen(raised(hours=9), acknowledged())[0].overdue


def test_a_worse_drift_sounds_again() -> None:
    """Its time to respond begins anew."""
    (alarm,) = seen(raised(hours=9), acknowledged(hours=8), raised(hours=1, from_state="acknowledged"))
    assert alarm.asks and alarm.raised == NOW - HOUR and not alarm.overdue


def test_a_returned_alarm_asks_until_somebody_saw_it() -> None:
    """Returned but unacknowledged still stands in the list."""
    back = alarm_row("a", DRIFT_NAME, "zinc", NOW - HOUR // 2, "returned_unacknowledged", from_state="unacknowledged")
    (alarm,) = standing(seen(raised(), back))
    assert alarm.asks


def test_what_ended_on_this_shift_is_kept_apart() -> None:
    """Ended an hour ago is of this shift, ended yesterday is not; revised ones are shown as ended, never lost."""
    over = {"from_state": "acknowledged"}
    rows = [
        raised("now", 6),
        alarm_row("now", DRIFT_NAME, "zinc", NOW - HOUR, "normal", **over),
        raised("old", 40),
        alarm_row("old", DRIFT_NAME, "zinc", NOW - 30 * HOUR, "normal", **over),
        raised("corrected", 6),
        alarm_row("corrected", DRIFT_NAME, "zinc", NOW - 2 * HOUR, "revised", **over),
    ]
    found = seen(*rows)
    assert standing(found) == []
    period = duty(PLANT, CALENDAR, NOW).period
    assert [alarm.name for alarm in past(found, period)] == ["now", "corrected"]
    assert past(found, None) == []


def test_shelved_alarms_have_a_list_of_their_own() -> None:
    """They do not sound, and they are not forgotten."""
    found = seen(raised(), alarm_row("a", DRIFT_NAME, "zinc", NOW - 1, "shelved", by="local user"))
    assert standing(found) == []
    assert [alarm.name for alarm in silent(found)] == ["a"]


def test_the_shift_on_duty_follows_the_plant_s_clock() -> None:
    """10:17 in the plant is the early shift, until 14:00."""
    on_duty = duty(PLANT, CALENDAR, NOW)
    assert on_duty.shift is PLANT.shifts["early"]
    assert on_duty.period is not None and f"{CALENDAR.local(on_duty.period.end):%H:%M}" == "14:00"
