"""Drift views: what stands, what it costs today, which fault of the demo it answers to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fake_frames import NOW, drift_row, example_plant, frame

from console.views_demo import verdicts
from console.views_drifts import Drift, costs_of_day, drifts, standing, total
from historian.tables import DRIFT
from plant.calendar import Calendar
from plant.clock import to_datetime, to_us
from plant.reading import HOUR, MINUTE

PLANT = example_plant()
CALENDAR = Calendar(PLANT)
MIDNIGHT = to_us(datetime(2026, 4, 5, 16, tzinfo=UTC))


def found(*rows: dict[str, object]) -> list[Drift]:
    """Rows of table drift as the pages see them."""
    return drifts(frame(DRIFT, rows), PLANT)


def rinse(name: str = "d", onset: int = NOW - 30 * HOUR, **more: object) -> dict[str, object]:
    """A drift of the zinc line's first rinse that costs 240 a day."""
    return drift_row(name, "zn_rinse1", "zinc", onset, onset + 3 * HOUR, 0.6, "m3", **{"cost_per_day": 240.0, **more})


def test_a_drift_costs_from_local_midnight_on() -> None:
    """Begun yesterday, it is charged since the plant's midnight: 10 h 17 min of 240 a day."""
    (cost,) = costs_of_day(found(rinse()), CALENDAR, NOW)
    assert cost.since == MIDNIGHT
    assert cost.money == pytest.approx(240 * (NOW - MIDNIGHT) / (24 * HOUR))


def test_a_cleared_drift_is_charged_until_it_cleared() -> None:
    """What ended before midnight costs nothing today."""
    today = rinse("a", state="cleared", cleared=to_datetime(MIDNIGHT + 2 * HOUR))
    yesterday = rinse("b", state="cleared", cleared=to_datetime(MIDNIGHT - HOUR))
    costs = costs_of_day(found(today, yesterday), CALENDAR, NOW)
    assert [(cost.drift.name, cost.money) for cost in costs] == [("a", pytest.approx(20.0))]


def test_an_unknown_cost_is_not_zero() -> None:
    """Promise 3: a drift without a price stays in the list, and a sum of nothing known is not known."""
    costs = costs_of_day(found(rinse(cost_per_day=None)), CALENDAR, NOW)
    assert len(costs) == 1 and costs[0].money is None
    assert total(costs) is None


def test_withdrawn_drifts_are_gone_and_good_changes_cost_nothing() -> None:
    """A correction took it back; a fall of a meter that watches rises is no loss."""
    seen = found(rinse("a", state="withdrawn"), rinse("b", direction="fall"))
    assert [drift.name for drift in seen] == ["b"]
    assert standing(seen) == []
    assert costs_of_day(seen, CALENDAR, NOW) == []


def test_standing_drifts_are_ranked_by_cost() -> None:
    """The costliest first; one that became worse still stands."""
    seen = found(
        rinse("a", cost_per_day=10.0), rinse("b", cost_per_day=99.0, state="worse"), rinse("c", state="cleared")
    )
    assert [drift.name for drift in standing(seen)] == ["b", "a"]


def test_an_option_commissioned_before_the_onset_is_endangered() -> None:
    """The plant's restrictors were promised for this very rinse."""
    assert found(rinse())[0].options == ("rinse_restrictors",)


def fault(onset: int, end: int | None = None, **more: object) -> dict[str, object]:
    """A fault of the demo's truth."""
    entry = {
        "fault": "rinse_valve",
        "kind": "step",
        "target": "zn_rinse1",
        "point": "zn_rinse1_water",
        "onset_us": onset,
        "end_us": end,
        "size_per_hour": 0.6,
        "unit": "m3",
    }
    return {**entry, **more}


def test_a_fault_is_answered_by_the_first_drift_on_its_own_meter() -> None:
    """Errors of onset and size and the time to detection are against the truth."""
    truth = [fault(NOW - 30 * HOUR - 4 * MINUTE)]
    (verdict,) = verdicts(truth, found(rinse(size_per_hour=0.66)), PLANT)
    assert verdict.drift is not None
    assert verdict.took == 3 * HOUR + 4 * MINUTE
    assert verdict.onset_error == 4 * MINUTE
    assert verdict.size_error == pytest.approx(10.0)


def test_a_drift_found_before_the_fault_is_no_answer() -> None:
    """Nor is one on another meter."""
    other = drift_row("e", "ni_rinse1", "nickel", NOW - 2 * HOUR, NOW, 0.6, "m3")
    (verdict,) = verdicts([fault(NOW - 10 * HOUR)], found(rinse(), other), PLANT)
    assert verdict.drift is None and verdict.took is None and verdict.size_error is None


def test_two_faults_do_not_share_a_drift() -> None:
    """The same valve opened twice: each time its own drift; the newest fault comes first."""
    first, second = NOW - 40 * HOUR, NOW - 10 * HOUR
    truth = [fault(first, first + 8 * HOUR), fault(second)]
    seen = found(rinse("a", first), rinse("b", second))
    assert [(one.onset, one.drift.name if one.drift else None) for one in verdicts(truth, seen, PLANT)] == [
        (second, "b"),
        (first, "a"),
    ]


def test_a_data_fault_has_no_drift_to_answer() -> None:
    """A frozen meter is a notice, whatever else drifts on it."""
    (verdict,) = verdicts([fault(NOW - 31 * HOUR, kind="data", size_per_hour=0.0)], found(rinse()), PLANT)
    assert verdict.drift is None and verdict.size is None
