"""The audit team's page: targets and grades, what the implemented options promised and give, the baselines in force."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui

from console import draw_audit
from console.layout import Visit, in_thread
from console.views_audit import JUDGING_WINDOWS, OptionState, Versions, judged, options, versions
from console.views_baselines import Fit, fits
from console.views_drifts import drifts
from console.views_kpis import Value, values


@dataclass(frozen=True)
class AuditView:
    """Everything the page shows at one instant."""

    judged: list[Value]
    options: list[OptionState]
    fits: list[Fit]
    versions: Versions


class AuditPage:
    """One visitor's page."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        words = visit.words
        self._head = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section kc-card"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("targets"), tag="h2")
                ui.html(words(f"long_window_{JUDGING_WINDOWS[0]}")).classes("kc-foot")
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
        targeted = [value for value in seen.judged if value.definition.target]
        self._head.content = draw_audit.head(plant, targeted, seen.versions, words)
        self._targets.content = draw_audit.targets(targeted, words)
        self._options.content = draw_audit.options(seen.options, plant, words)
        self._baselines.content = draw_audit.baselines(seen.fits, words, self.visit.moments())

    def _look(self) -> AuditView:
        return self.visit.house.memo.get("audit", 0.9, self._compute)

    def _compute(self) -> AuditView:
        history, plant = self.visit.house.history, self.visit.house.context.plant
        latest, found = history.latest_kpis(), drifts(history.table("drift"), plant)
        now = judged({window: values(latest, plant, window, found) for window in JUDGING_WINDOWS})
        return AuditView(now, options(plant, found, now), fits(history.baselines(), plant), versions(latest))
