"""The console's cache: ten open pages ask the historian no more often than one."""

from __future__ import annotations

import threading

import pytest
from fake_frames import example_plant
from fake_plant import FakeHistory

from console.memo import CachedHistory, Memo
from plant.clock import PlantClock
from plant.errors import StorageError


class Time:
    """A monotonic clock that moves when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_and_then_asked_again() -> None:
    """Within its time an answer comes from memory, after it the question is asked anew."""
    time, asked = Time(), []
    memo = Memo(time)
    for now in (0.0, 0.5, 0.99, 1.0, 1.5):
        time.now = now
        memo.get("question", 1.0, lambda: asked.append(time.now))
    assert asked == [0.0, 1.0]


def test_a_slow_answer_is_kept_longer() -> None:
    """A question that takes 2 s is not asked again before 10 s: never more than a fifth of the time."""
    time, asked = Time(), []
    memo = Memo(time)

    def slow() -> None:
        asked.append(time.now)
        time.now += 2.0

    memo.get("question", 1.0, slow)
    time.now = 11.9
    memo.get("question", 1.0, slow)
    assert asked == [0.0]
    time.now = 12.1
    memo.get("question", 1.0, slow)
    assert asked == [0.0, 12.1]


def test_a_failure_is_not_remembered() -> None:
    """An error reaches whoever asked, and the next one asks again."""
    memo = Memo(Time())

    def fails() -> int:
        raise StorageError("disk")

    with pytest.raises(StorageError):
        memo.get("question", 1.0, fails)
    assert memo.get("question", 1.0, lambda: 4) == 4


def test_many_threads_ask_once() -> None:
    """Pages that ask at the same instant wait for one answer."""
    memo, asked, gate = Memo(), [], threading.Event()

    def ask() -> int:
        gate.wait(5)
        asked.append(1)
        return 7

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(memo.get("q", 60.0, ask))) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert answers == [7] * 8
    assert len(asked) == 1


def test_the_same_table_question_reaches_the_historian_once() -> None:
    """Times and conditions make the question, whatever their order."""
    plant = example_plant()
    history = FakeHistory(plant, PlantClock(0, 0.0))
    cached = CachedHistory(history, Memo(Time()))
    for where in ({"kpi": "a", "window": ["1h"]}, {"window": ["1h"], "kpi": "a"}):
        cached.table("kpi", 1, 2, where)
    assert history.asked == 1
    cached.table("kpi", 1, 3, {"kpi": "a", "window": ["1h"]})
    assert history.asked == 2
