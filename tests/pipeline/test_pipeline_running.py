"""Running totals against sums of what a plain list holds, and what they cost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pipeline_builders import PROPERTY, plant, point

from pipeline.running import RunningSums
from pipeline.sums import DAYS_KEPT, FINE_KEPT, HOURS_KEPT, Field, KpiSums
from plant.calendar import Calendar

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(-5, 60), st.lists(st.integers(-9, 9), max_size=12)),
        st.tuples(st.just("drop"), st.integers(0, 40), st.just([])),
    ),
    max_size=20,
)


@PROPERTY
@given(ACTS, st.lists(st.tuples(st.integers(-10, 80), st.integers(-10, 80)), min_size=1, max_size=5))
def test_any_span_is_the_sum_of_its_slots(acts, spans) -> None:  # type: ignore[no-untyped-def]
    """Promise 2: whatever was put, put again and forgotten, a span sums to what its held slots hold."""
    running, held, oldest = RunningSums((1,)), {}, None
    for act, at, values in acts:
        if act == "drop":
            running.drop_before(at)
            held = {slot: value for slot, value in held.items() if slot >= at}
            oldest = max(at, oldest) if oldest is not None else oldest
        else:
            start = at if oldest is None else max(at, running.start)
            changed = running.put(start, np.array(values, np.int64).reshape(-1, 1))
            assert changed[:, 0].tolist() == [value - held.get(start + i, 0) for i, value in enumerate(values)]
            held |= {start + i: value for i, value in enumerate(values)}
            oldest = start if oldest is None and values else oldest
    for start, end in spans:
        found = running.between(np.array([start]), np.array([end]))[0, 0]
        assert found == sum(held.get(slot, 0) for slot in range(start, end))
        kept = running.values(start, end)[:, 0].tolist()
        assert kept == [held.get(slot, 0) for slot in range(max(start, running.start), min(end, running.end))]


def test_what_is_held_does_not_grow_with_history() -> None:
    """Promise 7: after a month, a year and three the sums of a KPI take the same room, under half a megabyte."""
    described = plant({"n": point("counter", "1")}, zone="Asia/Shanghai")
    sums = KpiSums(2, Calendar(described))
    one = np.ones((1440, 2, len(Field)), np.int64)
    sizes = []
    for day in range(3 * 365):
        sums.put(day * 1440 + 7, one)
        sums.trim()
        if day in (40, 500, 3 * 365 - 1):
            held = (sums.minutes, sums.hours, sums.days)
            sizes.append([len(part) for part in held])
            rows = sum(part.before(np.arange(part.start, part.end + 1)).nbytes for part in held)
            assert rows / 2 < 500_000
    assert sizes[0][:2] == sizes[1][:2] == sizes[2][:2]
    assert (sizes[1][0] <= FINE_KEPT + 60, sizes[1][1] <= HOURS_KEPT + 1) == (True, True)
    assert sizes[1][2] == sizes[2][2] <= DAYS_KEPT + 1


def test_a_corrected_minute_changes_every_sum_that_holds_it() -> None:
    """Promise 2: a minute a day old that changes changes its hour and its day by the difference, nothing else."""
    calendar = Calendar(plant({"n": point("counter", "1")}))
    late, straight = KpiSums(1, calendar), KpiSums(1, calendar)
    rng = np.random.default_rng(1)
    minutes = rng.integers(0, 99, (5 * 1440, 1, len(Field)))
    wrong = minutes.copy()
    wrong[3 * 1440 + 100] = 0
    for start in range(0, len(minutes), 60):
        late.put(start, wrong[start : start + 60])
        straight.put(start, minutes[start : start + 60])
        late.trim()
        straight.trim()
        if start == 4 * 1440:
            late.put(3 * 1440 + 100, minutes[3 * 1440 + 100 : 3 * 1440 + 101])
            wrong[3 * 1440 + 100] = minutes[3 * 1440 + 100]
    for starts, ends, coarse in (([5 * 1440 - 60], [5 * 1440], ""), ([0], [5 * 1440], "day"), ([60], [7000], "hour")):
        pairs = np.array(starts), np.array(ends)
        assert np.array_equal(late.between(*pairs, coarse), straight.between(*pairs, coarse))


def test_a_restart_forgets_no_edge() -> None:
    """Promise 2: after days in one batch and a restart, a shift that began before the minutes held is still whole."""
    calendar = Calendar(plant({"n": point("counter", "1")}))
    before, after = KpiSums(2, calendar), KpiSums(2, calendar)
    before.put(0, np.ones((6 * 1440 + 300, 2, len(Field)), np.int64))
    before.trim()
    rows = [(kind, at, body) for kind, at, body in before.checkpoint() if body is not None]
    after.restore(rows, [1, None])
    assert before.checkpoint() == []
    starts, ends = np.array([5 * 1440 - 120, 4 * 1440 + 360]), np.array([5 * 1440 + 300, 4 * 1440 + 830])
    for coarse in ("", "day", "hour"):
        pairs = (np.array([4 * 1440]), np.array([5 * 1440 + 660])) if coarse else (starts, ends)
        assert np.array_equal(before.between(*pairs, coarse)[:, 1], after.between(*pairs, coarse)[:, 0]), coarse
        assert not after.between(*pairs, coarse)[:, 1].any()
        assert before.whole(pairs[0], coarse).all()
        assert after.whole(pairs[0], coarse).tolist() == [[True, False]] * len(pairs[0])
