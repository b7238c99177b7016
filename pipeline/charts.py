"""Running a scope's charts over the blocks that settled or changed: rows of blocks, drifts and notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from historian.tables import BLOCKS, DRIFT, NOTICES
from kpis.baseline import in_range, predict
from kpis.factors import factor_series
from kpis.onset import lag_one_robust, onset
from kpis.tariffs import price_series
from pipeline.chart import REFINE_BLOCKS, BlockVerdict, ChartState, Drift, Limits, Signal, drift_name, judge_block
from pipeline.expected import Expected, block_values, driver_name
from pipeline.messages import Results
from pipeline.minutes import STEP
from pipeline.plans import HORIZON, PlantPlan
from pipeline.scope_state import Chart, ScopeState
from pipeline.sums import MINUTES_KEPT
from pipeline.terms import known_minutes
from plant.reading import DAY, MINUTE

SEARCHED = 24 * 60
HELD_MINUTES = 48 * 60
REACH_MINUTES = 40 * 60
NORMAL_95 = 1.6449
RANGE_SLACK = 0.1
Ints = NDArray[np.int64]


def block_edges(plan: PlantPlan, length: int, start: int, end: int) -> Ints:
    """Edges of whole blocks within [start, end) [min]: multiples of the length, local midnights where it is a day."""
    if length != DAY // MINUTE:
        return np.arange(-(-start // length) * length, end + 1, length, dtype=np.int64)
    day = plan.calendar.day(start * MINUTE)
    edges = [day.start // MINUTE] if day.start // MINUTE >= start else []
    while day.end // MINUTE <= end:
        edges.append(day.end // MINUTE)
        day = plan.calendar.day(day.end)
    return np.array(edges, np.int64)


def run_charts(
    plan: PlantPlan, scope: str, state: ScopeState, changed: dict[str, int], revision: int, results: Results
) -> None:
    """Judges every block that settled since, and again those whose facts changed (`changed`: point → first minute)."""
    if state.settled is None:
        return
    for name, expected in state.expected.items():
        since = expected.since_us // MINUTE
        chart = state.charts.get(name)
        if chart is None:
            start = max(since, state.settled - MINUTES_KEPT)
            chart = state.charts[name] = Chart(ChartState.fresh(len(expected.charts)), start)
            state.redrawn.add(name)
        first = min((changed[point] for point in expected.points() if point in changed), default=state.settled)
        again = [at for at in chart.before if at + expected.block_minutes > first]
        if again and first < chart.next:
            chart.next = min(again)
            chart.state = chart.before[chart.next]
            state.redrawn.add(name)
        edges = block_edges(plan, expected.block_minutes, chart.next, state.settled)
        if len(edges) > 1:
            state.redrawn.add(name)
            _Runner(plan, scope, state, chart, expected, revision, results).run(edges)


class _Runner:
    """One chart's run over consecutive blocks."""

    def __init__(
        self,
        plan: PlantPlan,
        scope: str,
        state: ScopeState,
        chart: Chart,
        expected: Expected,
        revision: int,
        results: Results,
    ) -> None:
        self.plan, self.scope, self.state, self.chart = plan, scope, state, chart
        self.expected, self.revision, self.results = expected, revision, results
        self.sign = 1.0 if expected.baseline.drift == "rise" else -1.0
        self.point = plan.points[expected.baseline.response]
        self.hours = expected.block_minutes / 60
        self.limits = Limits(expected.charts, expected.limits)
        self.drifts: dict[str, Drift] = {}
        self.notices: list[tuple[str, int, int, str, str, int]] = []

    def run(self, edges: Ints) -> None:
        expected, chart = self.expected, self.chart
        facts = self.state.part(expected.points(), int(edges[0]), int(edges[-1]))
        actual, drivers, coverage = block_values(expected.baseline, expected.summed, facts, edges)
        model = predict(expected.fit, self._kept(drivers))
        seen = self._seen(drivers)
        residual = actual - model
        z = np.where(seen, self.sign * residual / expected.sigma, np.nan)
        before = {name for name, drift in chart.published.items() if drift.found > edges[0]}
        rows = []
        for i in range(len(edges) - 1):
            start, end = int(edges[i]), int(edges[i + 1])
            chart.before[start] = chart.state
            verdict = judge_block(chart.state, float(z[i]), float(residual[i]), self.limits, expected.sigma, self.hours)
            chart.state = self._drift(verdict, start, end)
            if verdict.opposite:
                text = f"{expected.baseline.title.en}: less than the baseline expects; a saving or a dying meter"
                self.notices.append(
                    (self.point.name, start * MINUTE, end * MINUTE, "below expected", text, self.revision)
                )
            name = verdict.name if seen[i] or np.isnan(actual[i]) else "extrapolated"
            rows.append((start, end, verdict.sum_share, chart.state.cumulative, name))
        chart.next = int(edges[-1])
        oldest = chart.next - HORIZON // MINUTE - 2 * expected.block_minutes
        chart.before = {at: kept for at, kept in chart.before.items() if at >= oldest}
        self._publish(rows, actual, model, z, coverage, before)

    def _kept(self, drivers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The columns of the drivers that the fit kept."""
        from_names = [self._names().index(name) for name in self.expected.fit.names]
        return drivers[:, from_names]

    def _names(self) -> list[str]:
        return [driver_name(driver) for driver in self.expected.baseline.drivers]

    def _seen(self, drivers: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Blocks whose drivers lie in the range that the fit has seen, with a tenth of it to spare."""
        wide = tuple(
            (low - RANGE_SLACK * (high - low), high + RANGE_SLACK * (high - low))
            for low, high in self.expected.fit.ranges
        )
        return in_range(replace(self.expected.fit, ranges=wide), self._kept(drivers))

    def _drift(self, verdict: BlockVerdict, start: int, end: int) -> ChartState:
        """Carries a drift on: begun, refined, worse or cleared; the chart's state after the block."""
        state = verdict.state
        if verdict.signal is not None:
            drift = self._begin(verdict.signal, end)
            share = ", ".join(
                f"k={k:g}: {one.plus:.1f} > {h:.1f} σ" if one.plus > h else f"k={k:g}: {one.plus:.1f} of {h:.1f} σ"
                for one, k, h in zip(state.sums, self.limits.k, self.limits.h, strict=True)
            )
            drift = replace(drift, evidence=f"CUSUM {share} after {verdict.signal.blocks} blocks of {self.hours:g} h")
            self.drifts[drift.drift] = drift
            fresh = ChartState.fresh(len(self.limits.k))
            return replace(fresh, cumulative=state.cumulative, drift=drift)
        if state.drift is None:
            return state
        if verdict.name == "cleared":
            self.drifts[state.drift.drift] = replace(state.drift, cleared=end)
            return replace(state, drift=None)
        if verdict.name == "worse":
            self.drifts[state.drift.drift] = state.drift
            return state
        if verdict.name == "drift" and state.drift.blocks <= REFINE_BLOCKS and state.drift.state == "open":
            again = self._refine(state.drift, state.drift.onset, end)
            state = replace(state, drift=again or state.drift)
        else:
            return state
        assert state.drift is not None
        self.drifts[state.drift.drift] = state.drift
        return state

    def _begin(self, signal: Signal, end: int) -> Drift:
        """A drift as its chart alone tells it, refined over the minutes where they reach back to its beginning."""
        block = self.expected.block_minutes
        began = end - signal.blocks * block
        size = self.sign * signal.shift * self.expected.sigma / self.hours
        spread = NORMAL_95 * self.expected.sigma / self.hours / signal.blocks**0.5
        name = drift_name(self.expected.name, end)
        plain = Drift(name, end, began, began - block, began + block, size, size - spread, size + spread)
        return self._refine(plain, began, end) or plain

    def _refine(self, drift: Drift, began: int, end: int) -> Drift | None:
        """Onset and size by maximum likelihood over the minutes from a day before `began` on; None when silent.

        Only minutes that every way of delivery still holds are looked at, whatever the batch left here.
        """
        if began < end - REACH_MINUTES:
            return None
        start = max(began - SEARCHED, end - HELD_MINUTES)
        facts = self.state.part(self.expected.points(), start, end)
        own = facts[self.expected.baseline.response]
        residual = own.amount * STEP - self.expected.minutes(facts)
        known = known_minutes(own) & np.isfinite(residual)
        watched = self.sign * np.where(known, residual, np.nan)
        minutes = np.arange(start, end, dtype=np.int64) * MINUTE
        found = onset(minutes, watched, known, lag_one_robust(watched))
        if found is None or found.at > drift.found * MINUTE:
            # a drift cannot begin after it was found: what steps there is something else, or one that creeps
            return None
        size = self.sign * found.size_per_hour
        low, high = sorted((self.sign * found.size_low, self.sign * found.size_high))
        return replace(
            drift,
            onset=found.at // MINUTE,
            onset_low=found.low // MINUTE,
            onset_high=found.high // MINUTE,
            size=size,
            size_low=low,
            size_high=high,
        )

    def _publish(
        self,
        rows: list[tuple[int, int, float, float, str]],
        actual: NDArray[np.float64],
        model: NDArray[np.float64],
        z: NDArray[np.float64],
        coverage: NDArray[np.float64],
        before: set[str],
    ) -> None:
        start, end, share, cumulative, names = (list(column) for column in zip(*rows, strict=True))
        self.results.add(
            "blocks",
            pl.DataFrame(
                {
                    "baseline": self.expected.name,
                    "scope": self.scope,
                    "start": np.array(start) * MINUTE,
                    "end": np.array(end) * MINUTE,
                    **{
                        name: pl.Series(column, nan_to_null=True)
                        for name, column in (
                            ("actual", actual),
                            ("expected", model),
                            ("residual", actual - model),
                            ("cost", (actual - model) * self._mean(self._price, start, end)),
                            ("co2", (actual - model) * self._mean(self._co2, start, end)),
                            ("z", z),
                        )
                    },
                    "chart": share,
                    "limit": 1.0,
                    "cumulative": cumulative,
                    "unit": self.point.amount_unit,
                    "coverage": coverage,
                    "state": names,
                    "revision": self.revision,
                }
            ).cast(BLOCKS.schema),  # type: ignore[arg-type]
        )
        current = self.chart.state.drift.drift if self.chart.state.drift else None
        for name in sorted(before - set(self.drifts) - {current}):
            # a late or corrected reading took it back: it is marked, it never vanishes
            gone = replace(self.chart.published.pop(name), state="withdrawn")
            self.results.add("drift", self._row(gone))
        held = self.chart.state.drift
        if held is not None and self.chart.published.get(held.drift, held) != held:
            # a return or a worsening that was published has been taken back
            self.drifts.setdefault(held.drift, held)
        for drift in self.drifts.values():
            self.chart.published[drift.drift] = drift
            self.results.add("drift", self._row(drift))
        recent = self.chart.next - 2 * HORIZON // MINUTE
        self.chart.published = {name: drift for name, drift in self.chart.published.items() if drift.found > recent}
        if self.notices:
            frame = pl.DataFrame(self.notices, schema=list(NOTICES.schema), orient="row")
            self.results.add("notices", frame.cast(NOTICES.schema))  # type: ignore[arg-type]

    def _mean(
        self, of: Callable[[str, NDArray[np.int64]], NDArray[np.float64]], start: list[int], end: list[int]
    ) -> NDArray[np.float64]:
        """The mean of what the response's carrier has by minute, over each block; nan where it has none."""
        carrier = self.plan.plant.points[self.point.name].carrier
        if carrier is None:
            return np.full(len(start), np.nan)
        minutes = of(carrier, np.arange(start[0], end[-1], dtype=np.int64) * MINUTE)
        return np.array(
            [minutes[low - start[0] : high - start[0]].mean() for low, high in zip(start, end, strict=True)]
        )

    def _price(self, carrier: str, minutes: NDArray[np.int64]) -> NDArray[np.float64]:
        """[currency per unit]."""
        return price_series(self.plan.plant, carrier, minutes, self.plan.zone)

    def _co2(self, carrier: str, minutes: NDArray[np.int64]) -> NDArray[np.float64]:
        """What burning it gives, or else what its grid gave off, by location [kg CO2 per unit] (GHG Protocol)."""
        burnt, _ = factor_series(self.plan.plant, carrier, "co2_direct", minutes, self.plan.zone)
        bought, _ = factor_series(self.plan.plant, carrier, "co2_location", minutes, self.plan.zone)
        return np.where(np.isfinite(burnt), burnt, bought)

    def _row(self, drift: Drift) -> pl.DataFrame:
        carrier = self.plan.plant.points[self.point.name].carrier
        cost = None
        if carrier is not None:
            price = self._price(carrier, drift.found * MINUTE + np.arange(0, DAY, MINUTE))
            total = float(np.sum(price) / 60 * abs(drift.size)) if len(price) else np.nan
            cost = total if np.isfinite(total) else None
        return pl.DataFrame(
            {
                "drift": [drift.drift],
                "kpi": [self.expected.name],
                "scope": [self.scope],
                "onset": [drift.onset * MINUTE],
                "onset_low": [drift.onset_low * MINUTE],
                "onset_high": [drift.onset_high * MINUTE],
                "found": [drift.found * MINUTE],
                "cleared": [drift.cleared * MINUTE if drift.cleared is not None else None],
                "size_per_hour": [drift.size],
                "size_low": [drift.size_low],
                "size_high": [drift.size_high],
                "unit": [self.point.amount_unit],
                "cost_per_day": [cost],
                "direction": [self.expected.baseline.drift],
                "state": [drift.state],
                "evidence": [drift.evidence],
                "revision": [self.revision],
            }
        ).cast(DRIFT.schema)  # type: ignore[arg-type]
