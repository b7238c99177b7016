"""The energy manager's page: what a unit of product costs right now, against target and against what was expected."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import escape
from nicegui import ui

from console import charts, draw_kpis
from console.layout import House, Visit, in_thread
from console.views_baselines import Blocks, blocks
from console.views_drifts import Cost, Drift, costs_of_day, drifts, standing
from console.views_kpis import Course, Value, by_scope, choices, course, of_site, trend_span, values
from console.words import Words
from plant.reading import DAY, HOUR

CHART_SPAN = 14 * DAY
CHART_KEEP_S = 5.0


@dataclass(frozen=True)
class Energy:
    """Everything the page shows at one instant."""

    values: list[Value]
    drifts: list[Drift]
    costs: list[Cost]
    course: Course
    blocks: Blocks


class EnergyPage:
    """One visitor's page and what is chosen on it."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.house: House = visit.house
        plant = self.house.context.plant
        self.windows = {window: visit.words.window(window) for window in choices(plant)}
        self.window = visit.query.get("window", "")
        if self.window not in self.windows:
            self.window = next(iter(self.windows))
        self.baselines = {name: visit.words.title(one.title) for name, one in plant.baselines.items()}
        self.baseline = next(iter(self.baselines), "")
        self.chosen = ""
        self._tiles: list[ui.html] = []
        self._chart_state: object = None
        self._baseline_state: object = None
        self._draw()

    def _draw(self) -> None:
        words = self.visit.words
        with ui.element("section").classes("kc-section"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("site_now"), tag="h2")
                ui.toggle(
                    self.windows, value=self.window, on_change=lambda event: self._choose_window(event.value)
                ).props("dense no-caps unelevated").classes("kc-windows")
            self._period = ui.html("", sanitize=False).classes("kc-foot")
            self._grid = ui.element("div").classes("kc-tiles")
            ui.html(words("judged_long"), tag="p").classes("kc-foot")
        with ui.element("div").classes("kc-two"):
            with ui.element("section").classes("kc-section kc-card"):
                with ui.element("div").classes("kc-bar-head"):
                    ui.html(words("kpi_over_time"), tag="h2")
                    self._kpi_select = (
                        ui.select({}, on_change=lambda event: self._choose_kpi(event.value))
                        .props("dense outlined options-dense")
                        .classes("kc-select")
                    )
                self._chart = ui.echart({}).classes("kc-chart")
                self._no_trend = ui.html(words("no_trend")).classes("kc-empty")
                self._made_of = ui.html("", sanitize=False)
            with ui.element("section").classes("kc-section kc-card"):
                ui.html(words("drift_cost_today"), tag="h2")
                self._costs = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section kc-card"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("baseline_chart"), tag="h2")
                ui.select(
                    self.baselines,
                    value=self.baseline or None,
                    on_change=lambda event: self._choose_baseline(event.value),
                ).props("dense outlined options-dense").classes("kc-select")
            self._baseline_chart = ui.echart({}).classes("kc-chart-tall")
            self._no_blocks = ui.html(words("no_blocks" if self.baselines else "no_watch")).classes("kc-empty")
        with ui.element("section").classes("kc-section kc-card"):
            ui.html(words("all_kpis"), tag="h2")
            self._table = ui.html("", sanitize=False)
            ui.html(words("coverage_is"), tag="p").classes("kc-foot")

    async def refresh(self) -> None:
        """Asks for what is new and shows what has changed."""
        seen = await in_thread(self._look)
        self._show_tiles(seen)
        self._show_chart(seen)
        self._show_baseline(seen)
        words, plant = self.visit.words, self.house.context.plant
        self._costs.content = draw_kpis.drift_costs(
            seen.costs, standing(seen.drifts), plant, words, self.visit.moments()
        )
        self._period.content = escape(draw_kpis.period_line(seen.values, self.window, words, self.visit.moments()))
        self._period.visible = bool(self._period.content)
        self._table.content = draw_kpis.kpi_table(by_scope(seen.values, plant), words)

    def _look(self) -> Energy:
        house, history = self.house, self.house.history
        plant, now = house.context.plant, house.context.clock.now_us()
        found = drifts(history.table("drift"), plant)
        since = (now - trend_span(self.window)) // HOUR * HOUR
        rows = history.table("kpi", since, None, {"window": self.window}, keep_s=CHART_KEEP_S)
        seen = house.memo.get(
            ("values", self.window),
            0.9,
            lambda: values(history.latest_kpis(), plant, self.window, found, rows),
        )
        kpi, scope, product = self._chosen_kpi(seen)
        first = (now - CHART_SPAN) // HOUR * HOUR
        shown = history.table("blocks", first, None, {"baseline": self.baseline}, keep_s=CHART_KEEP_S)
        return Energy(
            seen,
            found,
            costs_of_day(found, house.context.calendar, now),
            course(rows, kpi, scope, product, self.window),
            blocks(shown, self.baseline),
        )

    def _chosen_kpi(self, seen: list[Value]) -> tuple[str, str, str]:
        keys = [_key(value) for value in seen]
        if self.chosen not in keys:
            drifting = [_key(value) for value in of_site(seen) if value.drifts]
            self.chosen = (drifting or keys or ["||"])[0]
        kpi, scope, product = self.chosen.split("|")
        return kpi, scope, product

    def _show_tiles(self, seen: Energy) -> None:
        drawn = [draw_kpis.tile(value, self.visit.words) for value in of_site(seen.values)]
        if len(drawn) != len(self._tiles):
            self._grid.clear()
            with self._grid:
                self._tiles = [self._tile() for _ in drawn]
        for element, content in zip(self._tiles, drawn, strict=True):
            element.content = content

    def _tile(self) -> ui.html:
        pick = "(e) => { const t = e.target.closest('[data-kpi]'); if (t) emit(t.dataset.kpi) }"
        tile = ui.html("", sanitize=False).classes("kc-tile-box")
        tile.on("click", lambda event: self._kpi_select.set_value(event.args), js_handler=pick)
        tile.on("keydown.enter", lambda event: self._kpi_select.set_value(event.args), js_handler=pick)
        return tile

    def _show_chart(self, seen: Energy) -> None:
        words, context = self.visit.words, self.house.context
        names = {_key(value): _name(value, words) for value in seen.values}
        if self._kpi_select.options != names or self._kpi_select.value != self.chosen:
            self._kpi_select.set_options(names, value=self.chosen or None)
        value = next((one for one in seen.values if _key(one) == self.chosen), None)
        self._made_of.content = draw_kpis.made_of(value, words) if value is not None else ""
        self._chart.visible = bool(value and seen.course.times)
        self._no_trend.visible = not self._chart.visible
        state = (self.chosen, self.window, seen.course)
        if value is not None and self._chart.visible and state != self._chart_state:
            self._chart_state = state
            options = charts.kpi_chart(
                value, seen.course, value.drifts, context.calendar, words, context.clock.now_us()
            )
            _set_options(self._chart, options)

    def _show_baseline(self, seen: Energy) -> None:
        self._baseline_chart.visible = bool(seen.blocks.times)
        self._no_blocks.visible = not seen.blocks.times
        state = (self.baseline, seen.blocks, len(seen.drifts))
        if seen.blocks.times and state != self._baseline_state:
            self._baseline_state = state
            of_this = [drift for drift in seen.drifts if drift.watched == self.baseline]
            options = charts.baseline_chart(seen.blocks, of_this, self.house.context.calendar, self.visit.words)
            _set_options(self._baseline_chart, options)

    async def _choose_window(self, window: str) -> None:
        self.window = window
        await self.refresh()

    async def _choose_kpi(self, chosen: str | None) -> None:
        if chosen and chosen != self.chosen:
            self.chosen = chosen
            await self.refresh()

    async def _choose_baseline(self, chosen: str) -> None:
        self.baseline = chosen
        await self.refresh()


def _key(value: Value) -> str:
    return f"{value.kpi}|{value.scope}|{value.product}"


def _name(value: Value, words: Words) -> str:
    title = words.title(value.title)
    return f"{title} · {words.product(value.product)}" if value.product else title


def _set_options(chart: ui.echart, options: dict[str, object]) -> None:
    chart.props["options"] = options
