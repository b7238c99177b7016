"""The step of a process unit: readings in, minute facts out. Pure: no clock, disk, network or randomness.

A minute settles when every source of the unit that speaks has passed it. A reading for a minute already settled (up to
the horizon late) has that point judged anew from there; what differs is published again under a new revision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from historian.tables import FACTS, NOTICES, READINGS
from pipeline.facts import minute_facts
from pipeline.frozen import mark_frozen
from pipeline.judge import Finding, judge
from pipeline.messages import Results, UnitMessages, check_position
from pipeline.minutes import STEP, Minutes
from pipeline.plans import FUTURE_US, HORIZON, PointPlan, UnitPlan
from pipeline.series import Merged, Series, Status, counts, merge
from pipeline.unit_state import UnitState
from plant.model import Kind
from plant.reading import DAY, HOUR, MINUTE, NO_LONGER_VALID, Quality, Readings, Times

QUALITY = pl.Series([quality.name.lower() for quality in Quality])
FIRST_BATCH_US = 31 * DAY
SAME_STRETCH_US = HOUR
JUDGED = frozenset({Kind.COUNTER, Kind.NET})


def step_unit(plan: UnitPlan, state: UnitState, messages: UnitMessages) -> Results:
    """One batch of messages; changes `state` in place and returns what is to be published.

    Raises StaleState when the batch does not follow the state.
    """
    results = Results(settled=state.settled)
    if not check_position(state.position, messages.position, messages.previous):
        return results
    state.position = messages.position
    if messages.tick_us is not None:
        state.tick_us = max(messages.tick_us, state.tick_us or 0)
    readings, findings = _receive(plan, state, messages, results)
    merged = _merge(plan, state, readings, findings)
    start = _begin(state, messages, readings)
    state.settled = _settle(plan, state)
    results.settled = state.settled
    changed: dict[str, int] = {}
    if state.settled is not None:
        for name, point in plan.points.items():
            _facts(point, state, merged.get(name), start, changed, findings, results, name in plan.owned)
    _publish(plan, findings, messages.position, results)
    state.trim()
    return results


def _receive(
    plan: UnitPlan, state: UnitState, messages: UnitMessages, results: Results
) -> tuple[Readings, list[tuple[str, Finding]]]:
    """Refuses what cannot be counted: from the future, later than the horizon, out of range."""
    readings = messages.readings
    findings: list[tuple[str, Finding]] = []
    if not len(readings):
        return readings, findings
    quality, finding = readings.quality.copy(), readings.finding.astype(np.int64)
    names = [*readings.findings, "future", "late", "out of range"]
    future = readings.time > messages.now_us + FUTURE_US
    # the first batch may bring a month of history, but no clock that stands at 1970
    oldest = state.settled * MINUTE - HORIZON if state.settled is not None else messages.now_us - FIRST_BATCH_US
    late = readings.time < oldest
    low, high = np.array([_range(plan.points[name]) for name in readings.points]).T
    with np.errstate(invalid="ignore"):
        outside = (readings.value < low[readings.point]) | (readings.value > high[readings.point])
    for offset, mask in enumerate((future, late, outside)):
        quality[mask] = Quality.BAD
        finding[mask] = len(readings.findings) + offset
    odd = (quality == Quality.BAD) & ~np.isin(finding, [0, *_expected(names)])
    for number in np.unique(readings.point[odd]):
        for code in np.unique(finding[odd & (readings.point == number)]):
            rows = np.flatnonzero((readings.point == number) & (finding == code))
            name, what = readings.points[number], names[int(code)]
            start, end, count = _stretch(state, f"{name} {what}", readings.time[rows])
            last = readings.value[rows[-1]]
            findings.append((name, Finding(what, start, end, f"{count} readings, the last {last:g}")))
    owned = np.array([name in plan.owned for name in readings.points], np.bool_)[readings.point]
    results.add(
        "readings",
        pl.DataFrame(
            {
                "time": pl.Series(readings.time[owned]).cast(READINGS.schema["time"]),
                "received": pl.Series(readings.received[owned]).cast(READINGS.schema["time"]),
                "point": pl.Series(readings.points).gather(readings.point[owned]),
                "value": readings.value[owned],
                "quality": QUALITY.gather(quality[owned]),
                "finding": pl.Series(names).gather(finding[owned]),
            }
        ),
    )
    kept = ~(future | late)
    checked = Readings(
        readings.points, readings.point, readings.time, readings.received, readings.value, quality, readings.finding
    )
    return checked.take(kept), findings


def _expected(names: list[str]) -> list[int]:
    """The codes of findings that tell of nothing wrong: a sample that ended makes no notice."""
    return [code for code, name in enumerate(names) if name == NO_LONGER_VALID]


def _range(point: PointPlan) -> tuple[float, float]:
    """The values that a point can have; a totaliser that only rises is never negative."""
    return point.range or (0.0 if point.kind is Kind.COUNTER else -np.inf, np.inf)


def _stretch(state: UnitState, key: str, time: Times) -> tuple[int, int, int]:
    """The stretch that refused readings belong to: it goes on while they keep coming. Start, end, how many."""
    start, end, count = int(time.min()), int(time.max()), len(time)
    was = state.refused.get(key)
    if was is not None and start - was[1] <= SAME_STRETCH_US:
        start, end, count = min(start, was[0]), max(end, was[1]), count + was[2]
    state.refused[key] = [start, end, count]
    return start, end, count


def _merge(
    plan: UnitPlan, state: UnitState, readings: Readings, findings: list[tuple[str, Finding]]
) -> dict[str, Merged]:
    merged: dict[str, Merged] = {}
    if not len(readings):
        return merged
    order = np.lexsort((readings.time, readings.point))
    point, time = readings.point[order], readings.time[order]
    value, quality = readings.value[order], readings.quality[order]
    edges = np.flatnonzero(np.diff(point, prepend=-1, append=-1))
    for low, high in pairwise(edges.tolist()):
        name = readings.points[int(point[low])]
        series = state.series.setdefault(name, Series())
        merged[name] = merge(series, time[low:high], value[low:high], quality[low:high])
        state.touched.update((np.unique(time[low:high] // HOUR)).tolist())
        device = plan.points[name].device
        if plan.points[name].settles():
            state.heard[device] = max(state.heard.get(device, 0), int(time[high - 1]))
        text = "two values for one instant; neither is used"
        findings += [(name, Finding("conflict", at, at, text)) for at in merged[name].conflicts.tolist()]
    return merged


def _begin(state: UnitState, messages: UnitMessages, readings: Readings) -> int:
    """The first minute to work out: where the last step ended, or where the unit begins when that was not known before.

    A unit begins at the first tick, or at a reading of an earlier time.
    """
    marks = [state.began_us, messages.first_tick_us, int(readings.time.min()) if len(readings) else None]
    began_us = min((mark for mark in marks if mark is not None), default=None)
    earlier = began_us != state.began_us
    state.began_us = began_us
    first = (began_us or 0) // MINUTE
    return first if earlier or state.settled is None else max(state.settled, first)


def _settle(plan: UnitPlan, state: UnitState) -> int | None:
    """The first minute that is not settled."""
    if state.tick_us is None or state.began_us is None:
        return None
    marks, silent = [], [MINUTE]
    for device in {point.device for point in plan.points.values() if point.settles()}:
        heard = state.heard.get(device, state.began_us)
        limit = plan.silent_us[device]
        if state.tick_us - heard > limit:
            silent.append(limit)
        else:
            marks.append(heard - plan.disorder_us[device])
    mark = min(marks, default=state.tick_us - max(silent))
    settled = min(mark, state.tick_us) // MINUTE
    return max(settled, state.settled) if state.settled is not None else settled


def _facts(
    point: PointPlan,
    state: UnitState,
    merged: Merged | None,
    start: int,
    changed: dict[str, int],
    findings: list[tuple[str, Finding]],
    results: Results,
    owned: bool,
) -> None:
    """Judges a point's new readings and publishes its minutes up to where they are settled."""
    assert state.settled is not None
    series = state.series.get(point.name)
    minutes = state.minutes.setdefault(point.name, Minutes.unknown(start, start))
    start = min(start, minutes.end) if len(minutes.amount) else start
    if series is None:
        fresh = Minutes.unknown(start, state.settled)
    else:
        start = min(start, _judge(point, state, series, merged, start, changed, findings) // MINUTE)
        start = max(start, state.whole.get(point.name, start))
        fresh = minute_facts(point, series, start, state.settled)
    differs = minutes.changed_from(fresh)
    if differs is None:
        return
    fresh = fresh.cut(differs, fresh.end).copy()
    minutes.put(fresh)
    changed[point.name] = differs
    state.touched.update(range(differs // 60, (fresh.end - 1) // 60 + 1))
    if owned:
        results.facts[point.name] = fresh


def _judge(
    point: PointPlan,
    state: UnitState,
    series: Series,
    merged: Merged | None,
    start: int,
    changed: dict[str, int],
    findings: list[tuple[str, Finding]],
) -> int:
    """Judges anew what new readings or a witness's changed minutes call for; the time [µs] from which facts change."""
    first = merged.first if merged is not None and merged.first is not None else len(series)
    since = min(start, changed.get(point.witness, start)) if point.witness else start
    first = min(first, int(np.searchsorted(series.time, since * MINUTE)))
    if point.witness or point.kind in JUDGED:
        witness = state.minutes.get(point.witness) if point.witness else None
        first, found = mark_frozen(point, series, first, witness)
        findings += [(point.name, _since(state, point, series, finding)) for finding in found]
    if not len(series):
        return start * MINUTE
    if point.kind in JUDGED:
        first, found = judge(point, series, first)
        findings += [(point.name, finding) for finding in found]
        _find_gaps(point, series, first, findings)
    elif first:
        first = min(first, len(series) - 1)
    time = int(series.time[min(first, len(series) - 1)])
    if point.kind is Kind.INTERVAL:
        time -= 0 if point.begins else point.span_us
    state.touched.update(range(time // HOUR, int(series.time[-1]) // HOUR + 1))
    return time


def _since(state: UnitState, point: PointPlan, series: Series, finding: Finding) -> Finding:
    """A flat stretch whose beginning was forgotten goes on from where it was first found."""
    if finding.name != "flat":
        return finding
    start = state.flat.get(point.name, finding.start) if finding.start == series.time[0] else finding.start
    state.flat[point.name] = start
    return replace(finding, start=start)


def _find_gaps(point: PointPlan, series: Series, first: int, findings: list[tuple[str, Finding]]) -> None:
    used = np.flatnonzero(counts(series.status[first:])) + first
    time = series.time[used]
    for i in np.flatnonzero(np.diff(time) > point.reach_us):
        length = int(time[i + 1] - time[i]) // MINUTE
        between = series.status[used[i] + 1 : used[i + 1]]
        if not (between == Status.FROZEN).any():
            text = f"{length} min without a usable reading; {length} min of amount are spread over it"
            findings.append((point.name, Finding("gap", int(time[i]), int(time[i + 1]), text)))


def _publish(plan: UnitPlan, findings: list[tuple[str, Finding]], revision: int, results: Results) -> None:
    rows = [
        (name, found.start, found.end, found.name, found.evidence, revision)
        for name, found in findings
        if name in plan.owned
    ]
    if rows:
        columns = ["point", "start", "end", "finding", "evidence", "revision"]
        results.add("notices", pl.DataFrame(rows, schema=columns, orient="row").cast(NOTICES.schema))  # type: ignore[arg-type]


def facts_frame(points: Mapping[str, PointPlan], facts: Sequence[tuple[str, Minutes, int]]) -> pl.DataFrame:
    """Minute facts as rows of the table; `facts` holds (point, minutes, revision)."""
    if not facts:
        return FACTS.empty()
    parts = [part for _, part, _ in facts]
    plans = [points[name] for name, _, _ in facts]
    of = np.repeat(np.arange(len(parts)), [len(part.amount) for part in parts])
    minute = np.concatenate([part.start + np.arange(len(part.amount), dtype=np.int64) for part in parts])
    amounts = [
        np.where(part.has, part.amount * STEP, np.nan) if plan.summable else np.full(len(part.amount), np.nan)
        for plan, part in zip(plans, parts, strict=True)
    ]
    columns = {
        "point": pl.Series([plan.name for plan in plans]).gather(of),
        "minute": pl.Series(minute * MINUTE).cast(FACTS.schema["minute"]),
        "amount": pl.Series(np.concatenate(amounts), nan_to_null=True),
    }
    for name in ("mean", "min", "max", "last"):
        columns[name] = pl.Series(np.concatenate([getattr(part, name) for part in parts]), nan_to_null=True)
    columns["unit"] = pl.Series([plan.amount_unit for plan in plans]).gather(of)
    for name in ("coverage", "estimated"):
        columns[name] = pl.Series(np.concatenate([getattr(part, name) for part in parts]).astype(np.float32))
    columns["quality"] = QUALITY.gather(np.concatenate([part.quality for part in parts]))
    columns["revision"] = pl.Series(np.array([revision for _, _, revision in facts])[of])
    return pl.DataFrame(columns)
