"""The audit team's page: targets and grades, what the implemented options promised and give, the baselines in force."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import escape
from nicegui import ui

from console import draw_audit, draw_kpis
from console.layout import Visit, in_thread
from console.views_audit import JUDGING_WINDOWS, OptionState, Versions, judged, options, versions
from console.views_baselines import Fit, fits
from console.views_drifts import drifts
from console.views_kpis import Value, by_scope, trend_span, values
from plant.reading import HOUR

LONGEST_KNOWN = ""


@dataclass(frozen=True)
class AuditView:
    """Everything the page shows at one instant."""

    shown: list[Value]
    options: list[OptionState]
    fits: list[Fit]
    versions: Versions


class AuditPage:
    """One visitor's page and the window that its targets are shown on."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.window = LONGEST_KNOWN
        words = visit.words
        self._head = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section kc-card"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("targets"), tag="h2")
                periods = {name: words.window(name) for name in visit.house.context.plant.periods}
                if periods:
                    ui.toggle(
                        {LONGEST_KNOWN: words("longest_known"), **periods},
                        value=self.window,
                        on_change=lambda event: self._choose(event.value),
                    ).props("dense no-caps unelevated").classes("kc-windows")
            self._window = ui.html("", sanitize=False).classes("kc-foot")
            self._targets = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section kc-card"):
            ui.html(words("options"), tag="h2")
            self._options = ui.html("", sanitize=False)
            ui.html(words("before_note"), tag="p").classes("kc-foot")
        with ui.element("section").classes("kc-section kc-card"):
            ui.html(words("baselines_in_force"), tag="h2")
            self._baselines = ui.html("", sanitize=False)

    async def refresh(self) -> None:
        """Asks for what is new and shows what has changed."""
        seen = await in_thread(self._look)
        plant, words = self.visit.house.context.plant, self.visit.words
        targeted = [value for _, group in by_scope(seen.shown, plant) for value in group if value.definition.target]
        self._window.content = escape(
            words.long_window(JUDGING_WINDOWS[0])
            if self.window == LONGEST_KNOWN
            else draw_kpis.period_line(seen.shown, self.window, words, self.visit.moments())
        )
        self._head.content = draw_audit.head(plant, targeted, seen.versions, words)
        self._targets.content = draw_audit.targets(targeted, words)
        self._options.content = draw_audit.options(seen.options, plant, words)
        self._baselines.content = draw_audit.baselines(seen.fits, words, self.visit.moments())

    def _look(self) -> AuditView:
        return self.visit.house.memo.get(("audit", self.window), 0.9, self._compute)

    def _compute(self) -> AuditView:
        history, plant = self.visit.house.history, self.visit.house.context.plant
        latest, found = history.latest_kpis(), drifts(history.table("drift"), plant)
        now = judged({window: values(latest, plant, window, found) for window in JUDGING_WINDOWS})
        shown = now
        if self.window != LONGEST_KNOWN:
            since = (self.visit.house.context.clock.now_us() - trend_span(self.window)) // HOUR * HOUR
            rows = history.table("kpi", since, None, {"window": self.window}, keep_s=5.0)
            shown = values(latest, plant, self.window, found, rows)
        return AuditView(shown, options(plant, found, now), fits(history.baselines(), plant), versions(latest))

    async def _choose(self, window: str) -> None:
        self.window = window
        await self.refresh()
