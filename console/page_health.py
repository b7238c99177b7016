"""The data health page: which readings are old, poor or missing, what was noticed, and whether the machine keeps up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from console import draw_collect, draw_health
from console.layout import Visit, in_thread
from console.panel_corrections import CorrectionsPanel
from console.views_collect import Trouble, troubles
from console.views_health import DeviceHealth, Notice, PointHealth, counted, devices, notices, points
from plant.reading import DAY, HOUR, MINUTE

NOTICES_FOR = 7 * DAY


@dataclass(frozen=True)
class HealthView:
    """Everything the page shows at one instant; ages of points are as of `now_us`, their coverages of `counted` µs."""

    points: list[PointHealth]
    notices: list[Notice]
    devices: list[DeviceHealth]
    troubles: list[Trouble]
    status: Mapping[str, Any]
    now_us: int
    counted: int


class HealthPage:
    """One visitor's page and whether it shows all points."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.only_poor = False
        words = visit.words
        self._troubles = ui.html("", sanitize=False).classes("kc-troubles")
        self._head = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section kc-card"):
            ui.html(words("devices"), tag="h2")
            self._devices = ui.html("", sanitize=False).classes("kc-scroll")
            # an element of its own, so that it stays open while the devices change
            with ui.expansion(words("rejected_messages")).props("dense").classes("kc-more") as self._more:
                self._rejected = ui.html("", sanitize=False).classes("kc-scroll kc-wide")
        with ui.element("section").classes("kc-section kc-card"):
            ui.html(words("notices"), tag="h2")
            self._notices = ui.html("", sanitize=False).classes("kc-scroll")
        desk = visit.house.context.corrections
        self._corrections = CorrectionsPanel(visit, desk) if desk is not None else None
        with ui.element("section").classes("kc-section kc-card"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("points"), tag="h2")
                ui.switch(words("only_poor"), on_change=lambda event: self._choose(event.value)).props("dense")
            self._points = ui.html("", sanitize=False)

    async def refresh(self) -> None:
        """Asks for what is new and shows what has changed."""
        seen = await in_thread(self._look)
        words = self.visit.words
        shown = [point for point in seen.points if point.poor] if self.only_poor else seen.points
        self._troubles.content = draw_collect.troubles(seen.troubles, words)
        self._head.content = draw_health.head(seen.status, seen.points, words)
        self._notices.content = draw_health.notices(seen.notices, words, self.visit.moments())
        self._devices.content = draw_collect.devices(seen.devices, bool(seen.status.get("devices")), words)
        self._rejected.content = draw_collect.rejected(seen.devices, words)
        self._more.set_visibility(bool(self._rejected.content))
        self._points.content = draw_health.points(shown, words, seen.now_us, seen.counted)
        if self._corrections is not None:
            await self._corrections.refresh()

    def _look(self) -> HealthView:
        context, history, memo = self.visit.house.context, self.visit.house.history, self.visit.house.memo
        status = memo.get("status", 0.9, context.status)
        now = context.clock.now_us()
        seen_us, found, span = memo.get("points", 0.9, self._newest_points)
        since = (now - NOTICES_FOR) // HOUR * HOUR
        ahead = context.demo is not None and context.demo.progress() is not None
        return HealthView(
            found,
            notices(history.table("notices", since)),
            devices(status, context.plant, now),
            troubles(status, context.plant, ahead),
            status,
            seen_us,
            span,
        )

    def _newest_points(self) -> tuple[int, list[PointHealth], int]:
        context, history = self.visit.house.context, self.visit.house.history
        now = context.clock.now_us()
        facts = history.table("facts", now // MINUTE * MINUTE - 2 * HOUR, None, keep_s=5.0)
        readings = history.latest_readings()
        return now, points(readings, facts, context.plant, now, context.clock.speed), counted(facts)

    async def _choose(self, only_poor: bool) -> None:
        self.only_poor = only_poor
        await self.refresh()
