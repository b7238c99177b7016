"""The step of a scope: minute facts in, KPIs, blocks and drifts out. Pure, like the step of a process unit.

The site is a scope like any other: its roll-up reads what the process units found, and a unit that is behind holds its
minutes back.
"""

from __future__ import annotations

from functools import partial

from pipeline.charts import run_charts
from pipeline.kpi_rows import parts, sum_minutes
from pipeline.messages import Results, ScopeMessages, check_position
from pipeline.plans import PlantPlan, ScopePlan
from pipeline.scope_state import ScopeState
from pipeline.sums import HOUR_MINUTES
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
    changed = state.facts.put(messages.facts)
    state.touched.update(hour for start, end in changed.spans for hour in range(start // 60, (end - 1) // 60 + 1))
    before = state.settled
    if messages.settled is not None:
        state.settled = max(messages.settled, before if before is not None else messages.settled)
    if state.settled is None:
        return results
    # nothing was summed at first: what some units told while another had not begun counts too
    begin = state.facts.start if state.facts.length else state.settled
    # what a baseline expects counts from the end of its span on, however much had settled when it was accepted
    since = [state.expected[body["baseline"]].since_us // MINUTE for body in messages.baselines]
    first = min([begin if before is None else before, *changed.since.values(), *since])
    first = max(first, begin, state.sums.oldest())
    if first < state.settled and scope.kpis:
        part = partial(state.part, list(scope.points))
        first = sum_minutes(scope, state.sums, part, state.by_response(), first, state.settled)
        # an hour that ends earlier begins before the minutes that are held
        shown = max(first, state.sums.oldest() + HOUR_MINUTES) if state.sums.trimmed else first
        spans = windows(plan.calendar, shown, state.settled)
        results.kpis = parts(plan, scope, state.sums, spans, messages.position)
    run_charts(plan, scope.name, state, changed.since, messages.position, results)
    results.settled = state.settled
    state.trim()
    return results
