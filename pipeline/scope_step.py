"""The step of a scope: minute facts in, KPIs, blocks and drifts out. Pure, like the step of a process unit.

The site is a scope like any other: its roll-up reads what the process units found, and a unit that is behind holds its
minutes back.
"""

from __future__ import annotations

from pipeline.charts import run_charts
from pipeline.kpi_rows import minute_sums, parts
from pipeline.messages import Results, ScopeMessages, check_position
from pipeline.plans import PlantPlan, ScopePlan
from pipeline.scope_state import ScopeState
from pipeline.windows import windows
from plant.reading import MINUTE


def step_scope(plan: PlantPlan, scope: ScopePlan, state: ScopeState, messages: ScopeMessages) -> Results:
    """One batch of messages; changes `state` in place and returns what is to be published.

    Raises StaleState when the batch does not follow the state.
    """
    results = Results()
    if not check_position(state.position, messages.position, messages.previous):
        return results
    state.position = messages.position
    for body in messages.baselines:
        state.accept(body)
    changed: dict[str, int] = {}
    for name, facts in messages.facts.items():
        changed[name] = facts.start
        if name in state.facts:
            state.facts[name].put(facts)
        else:
            state.facts[name] = facts.copy()
        state.touched.update(range(facts.start // 60, max(facts.end - 1, facts.start) // 60 + 1))
    before = state.settled
    if messages.settled is not None:
        state.settled = max(messages.settled, before if before is not None else messages.settled)
    if state.settled is None:
        return results
    # nothing was summed at first: what some units told while another had not begun counts too
    begin = min((facts.start for facts in state.facts.values()), default=state.settled)
    # what a baseline expects counts from the end of its span on, however much had settled when it was accepted
    since = [state.expected[body["baseline"]].since_us // MINUTE for body in messages.baselines]
    first = min([begin if before is None else before, *changed.values(), *since])
    first = max(first, begin, state.sums.oldest())
    if first < state.settled and scope.kpis:
        part = state.part(list(scope.points), first, state.settled)
        sums = minute_sums(plan, scope, part, state.by_response(), state.settled - first)
        state.sums.put(first, sums)
        spans = windows(plan.calendar, first, state.settled)
        results.kpis = parts(plan, scope, state.sums, spans, messages.position)
    run_charts(plan, scope.name, state, changed, messages.position, results)
    results.settled = state.settled
    state.trim()
    return results
