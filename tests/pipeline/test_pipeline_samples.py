"""Laboratory samples in the step: valid from and to, also when that is shorter or longer than their point declares."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from pipeline_builders import MemoryStore, Run, at, plant, point

from journal.message import Message
from plant.reading import NO_LONGER_VALID, STILL_VALID, Quality, Readings

Sample = tuple[float, float]
DAY_MIN = 24 * 60


def lab(valid: str = "8 h") -> Run:
    """A plant with one sample, and a level that ticks along."""
    return Run(plant({"cod": point("sample", "mg/L", valid=valid)}))


def said(run: Run, rows: list[Sample], tick: float) -> None:
    """Samples and what follows from their validity (NaN: no longer valid), as collectors bring them."""
    value = np.array([value for _, value in rows])
    ended = np.isnan(value)
    readings = Readings(
        ("cod",),
        np.zeros(len(rows), np.int32),
        np.array([at(minute) - ended[n] for n, (minute, _) in enumerate(rows)], np.int64),
        np.full(len(rows), at(tick), np.int64),
        value,
        np.where(ended, Quality.BAD, Quality.GOOD).astype(np.uint8),
        ended.astype(np.uint8),
        ("", NO_LONGER_VALID, STILL_VALID),
    )
    run.engine.process([run.message("tick", {"time": at(tick)}), Message(run.position + 1, "readings", {}, readings)])
    run.position += 1


def known(run: Run, first: int, end: int) -> list[float | None]:
    """The sample's mean in some minutes, every half an hour; None where it is unknown."""
    facts = run.facts("cod")
    return [facts[minute]["mean"] if minute in facts else None for minute in range(first, end, 30)]


def test_a_sample_ends_at_its_own_time_and_the_next_may_begin_there() -> None:
    """Promise 3: valid from 0 to 2 h, although 8 h are declared; the next one, at that instant, is no conflict."""
    # from, to [min]:  0..120 50    then 120..180 60
    run = lab()
    said(run, [(0, 50.0), (120, nan)], 120)
    said(run, [(120, 60.0), (180, nan)], 200)
    run.settle(300)
    assert known(run, 0, 300) == [50.0] * 4 + [60.0] * 2 + [None] * 4
    assert run.facts("cod")[119]["coverage"] == 1.0
    assert run.facts("cod")[119]["quality"] == "good"
    assert run.notices("cod") == []


def test_a_sample_said_again_is_valid_longer_than_declared() -> None:
    """Valid from 0 to 20 h where 8 h are declared: without a gap, and not a minute longer."""
    run = lab()
    said(run, [(0, 50.0), (480, 50.0), (960, 50.0), (1200, nan)], 1300)
    run.settle(1400)
    assert known(run, 0, 1400) == [50.0] * 40 + [None] * 7


def test_without_an_end_the_declared_time_holds() -> None:
    """Promise 3: what nobody said is not known."""
    run = lab()
    said(run, [(0, 50.0)], 600)
    run.settle(600)
    assert known(run, 0, 600) == [50.0] * 16 + [None] * 4


@pytest.mark.parametrize("restart", [False, True])
def test_an_ended_sample_stays_ended_when_its_end_is_forgotten(restart: bool) -> None:
    """Promise 3: a sample that may be valid for a month and was ended does not come back a day and a half later."""
    run = lab("30 d")
    said(run, [(0, 50.0), (60, nan)], 60)
    for hour in range(2, 72):
        run.tick(60 * hour)
        if restart and hour == 50:
            run.engine.checkpoint()
            store: MemoryStore = run.store
            run = Run(run.plan.plant, store)
    run.settle(3 * DAY_MIN)
    assert known(run, 0, 3 * DAY_MIN) == [50.0] * 2 + [None] * (6 * 24 - 2)


def test_a_late_sample_corrects_the_minutes_it_is_valid_for() -> None:
    """A result that the laboratory brings hours later stands where it belongs."""
    run = lab()
    for hour in range(1, 12):
        run.tick(60 * hour)
    said(run, [(0, 50.0), (120, nan)], 11 * 60)
    run.settle(12 * 60)
    assert known(run, 0, 300) == [50.0] * 4 + [None] * 6
