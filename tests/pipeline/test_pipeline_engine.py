"""Positions, checkpoints and restarts: nothing is stepped twice, and a stale state never publishes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from pipeline_builders import MemoryStore, Run, UnitRun, at, baseline, kpi, plant, point, readings

from pipeline.engine import Engine
from pipeline.held import LONG
from pipeline.messages import ScopeMessages, StaleState, UnitMessages
from pipeline.plans import compile_plant
from pipeline.scope_state import ScopeState
from pipeline.scope_step import step_scope
from pipeline.unit_state import UnitState
from pipeline.unit_step import step_unit
from plant.errors import StorageError
from plant.model import Plant
from plant.reading import Readings


def described(**more: Any) -> Plant:
    """A meter and its KPI."""
    return plant({"p": point("counter", "kWh")}, kpis={"p": kpi([{"point": "p"}])}, **more)


def fed(store: Any = None, minutes: int = 90) -> Run:
    """A run over some minutes of readings."""
    run = Run(described(), store)
    for minute in range(minutes):
        run.read([("p", minute, float(minute))])
    return run


def nothing_stored(points: Sequence[str], start_us: int, end_us: int) -> Readings:
    """A history without readings."""
    return readings([])


def test_a_state_that_messages_do_not_follow_raises() -> None:
    """A `previous` other than the state's raises, so that stale state can never publish; in units and scopes alike."""
    plan = compile_plant(described(), "c")
    batch = readings([("p", 0, 1.0)])
    state = UnitState()
    step_unit(plan.units["hall"], state, UnitMessages(5, 0, batch, np.array([at(0)]), at(0)), nothing_stored)
    with pytest.raises(StaleState, match=r"position 3.*state is at 5"):
        step_unit(plan.units["hall"], state, UnitMessages(7, 3, batch, np.array([at(0)]), at(1)), nothing_stored)
    scope = ScopeState(plan, plan.scopes["site"])
    step_scope(plan, plan.scopes["site"], scope, ScopeMessages(5, 0, [], None))
    with pytest.raises(StaleState):
        step_scope(plan, plan.scopes["site"], scope, ScopeMessages(9, 6, [], None))


def test_a_position_not_above_the_states_changes_nothing() -> None:
    """A batch that was stepped already is dropped, whatever it says."""
    run = UnitRun(described())
    for minute in range(10):
        run.step(readings([("p", minute, float(minute))]), minute)
    before = run.state.checkpoint()
    state = UnitState.restore([(kind, start, body) for _, kind, start, body in before if body is not None])
    messages = UnitMessages(10, 0, readings([("p", 20, 9e9)]), np.array([at(20)]), at(30))
    results = step_unit(run.plan, state, messages, run.readings_of)
    assert results.frames == {}
    assert results.facts == []
    assert state.position == 10
    assert state.tick_us == at(9)


def test_a_repeated_batch_changes_nothing() -> None:
    """The engine passes over what it has stepped, also when only a part of the batch is old."""
    once, twice = fed(), Run(described())
    messages = []
    for minute in range(90):
        messages.append(twice.message("tick", {"time": at(minute)}))
        messages.append(twice.message("readings", {}, readings([("p", minute, float(minute))])))
    for low in range(0, len(messages), 10):
        twice.engine.process(messages[max(low - 5, 0) : low + 10])
        assert twice.engine.process(messages[:low]) == {}
    for table in ("facts", "kpi", "notices"):
        columns = [name for name in once.table(table).columns if name != "revision"]
        quarter = pl.lit(True) if table != "kpi" else pl.col("end").dt.minute() % 15 == 0
        assert (
            once.table(table).filter(quarter).select(columns).equals(twice.table(table).filter(quarter).select(columns))
        )


def test_state_of_another_position_than_the_heads_raises() -> None:
    """A restored backup of one partition's state beside a newer head is found at the next message."""
    store = MemoryStore()
    run = fed(store, 30)
    run.engine.checkpoint()
    old = {key: body for key, body in store.rows.items() if key[0] == "unit hall"}
    for minute in range(30, 60):
        run.read([("p", minute, float(minute))])
    run.engine.checkpoint()
    for key in [key for key in store.rows if key[0] == "unit hall"]:
        del store.rows[key]
    store.rows |= old
    again = Run(described(), store)
    with pytest.raises(StaleState):
        again.tick(61)


def test_a_unit_that_left_and_came_back_starts_anew() -> None:
    """A partition's state is deleted when it leaves the description: it would have missed what lay between."""
    store = MemoryStore()
    fed(store, 30).engine.checkpoint()
    bare = plant({"q": point("counter", "kWh", **{"in": "yard"})})
    without = Run(bare, store)
    without.tick(40)
    without.engine.checkpoint()
    assert not [key for key in store.rows if key[0] == "unit hall"]
    back = Run(described(), store)
    back.read([("p", minute, float(minute)) for minute in range(41, 60)])
    assert back.amounts("p", 41, 45) == [1] * 4


def test_a_failed_checkpoint_loses_nothing() -> None:
    """Raises StorageError, and keeps everything for the next try: results, ledger and touched state rows."""
    fine, torn = MemoryStore(), MemoryStore()
    for store in (fine, torn):
        run = fed(store, 30)
        run.engine.checkpoint()
        for minute in range(30, 200):
            run.read([("p", minute, float(minute))])
        if store is torn:
            store.fail_next = True
            with pytest.raises(StorageError):
                run.engine.checkpoint()
        run.read([("p", 200, 200.0)])
        run.engine.checkpoint()
    assert fine.rows == torn.rows
    assert fine.table("facts").equals(torn.table("facts"))
    again = Run(described(), torn)
    again.read([("p", minute, float(minute)) for minute in range(201, 300)])
    assert again.amounts("p", 0, 298) == [1] * 298


@pytest.mark.parametrize("speaking", [("p",), ("p", "q")], ids=["silent", "out of range"])
def test_state_does_not_grow_with_a_dead_point(speaking: tuple[str, ...]) -> None:
    """Promise 7: beside a sensor that fell silent or only sends rubbish, stored state and memory stay as they are."""
    both = plant({"p": point("counter", "kWh"), "q": point("level", "degC", range=[0, 1])})
    run = Run(both)
    run.read([("p", 0, 0.0), ("q", 0, 0.5)])
    sizes = []
    for hour in range(24 * 6):
        run.read([(name, hour * 60 + i, hour * 60.0 + i) for i in range(2, 60, 5) for name in speaking])
        run.engine.checkpoint()
        sizes.append((len(run.store.rows), sum(len(body) for body in run.store.rows.values())))
    state = run.engine._units["hall"]
    assert len(state.held) < 2 * LONG
    assert sizes[-1][0] <= sizes[72][0] + 1
    assert sizes[-1][1] <= sizes[72][1] * 1.1
    again = Run(both, run.store).engine._units["hall"]
    assert again.names == state.names
    assert again.held.time.tolist() == state.held.time.tolist()


def test_acts_and_notices_reach_ledger_and_table() -> None:
    """A person's acts are kept with who, when and why; what collectors report becomes a notice."""
    run = Run(described(baselines={"p": baseline("p")}))
    run.tick(0)
    act = {"act": "shelve", "by": "li", "why": "planned", "time": at(1), "alarm": "x"}
    run.engine.process([run.message("act", act)])
    told = {"point": "p", "start": at(0), "end": at(1), "finding": "timeout", "evidence": "no answer"}
    run.engine.process([run.message("notice", told)])
    assert run.notices("p") == ["timeout"]
    kind, name, time, by, why, body, position = run.store.ledger[0]
    assert (kind, name, time, by, why, position) == ("act", "shelve", at(1), "li", "planned", 2)
    assert json.loads(body)["alarm"] == "x"


def test_an_engine_without_messages_says_nothing() -> None:
    """No messages, no results, no position."""
    engine = Engine(compile_plant(described(), "c"), MemoryStore())  # type: ignore[arg-type]
    assert engine.process([]) == {}
    assert (engine.position, engine.settled_us) == (0, 0)
