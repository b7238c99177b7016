"""The demo's banner and its menu: break something, watch it being found, compare with the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from console import draw_demo
from console.figures import duration, number
from console.layout import Visit, in_thread
from console.sources import DemoControl
from console.views_demo import Verdict, verdicts
from console.views_drifts import drifts
from plant.errors import KeepcleanError
from plant.model import Text
from plant.reading import HOUR

KINDS = (("step", "step_faults"), ("slow", "slow_faults"), ("data", "data_faults"))
ADVANCE_DAYS = 30
SIZES = (1.0, 0.25)


@dataclass(frozen=True)
class DemoView:
    """Everything the menu shows at one instant."""

    active: list[Mapping[str, Any]]
    verdicts: list[Verdict]
    progress: Mapping[str, Any] | None


@dataclass
class Row:
    """One fault of the menu: what is chosen for it, and its buttons."""

    fault: str
    targets: dict[str, str]
    target: ui.select | None
    size: ui.toggle | None
    start: ui.button
    stop: ui.button
    state: ui.html

    def chosen(self) -> tuple[str, float]:
        """Target and size as chosen."""
        target = str(self.target.value) if self.target else next(iter(self.targets))
        return target, float(self.size.value) if self.size else 1.0


class DemoMenu:
    """One visitor's menu; it asks for truth and drifts only while it is open."""

    def __init__(self, visit: Visit, demo: DemoControl) -> None:
        self.visit, self.demo = visit, demo
        self.rows: list[Row] = []
        words = visit.words
        with ui.element("div").classes("kc-banner"):
            passes = duration(int(HOUR / demo.speed)) if demo.speed else ""
            ui.html(words("simulated", speed=number(demo.speed, 0))).classes("kc-banner-short")
            ui.html(words("simulated_long", speed=number(demo.speed, 0), minutes=passes)).classes("kc-banner-long")
            ui.button(words("break_something"), on_click=self._open).props("unelevated no-caps dense").classes(
                "kc-break"
            )
        with ui.dialog().props("position=right full-height") as self._dialog, ui.card().classes("kc-drawer"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("break_something"), tag="h2")
                ui.button(icon="close", on_click=self._dialog.close).props(
                    f'flat round dense aria-label="{words("close")}"'
                )
            self._progress = ui.element("div").classes("kc-progress")
            with self._progress:
                self._progress_text = ui.label("")
                self._progress_bar = ui.linear_progress(0.0, show_value=False)
            self._list = ui.element("div").classes("kc-faults")
            ui.html(words("truth_title"), tag="h3")
            self._truth = ui.html("", sanitize=False)
            self._data_faults = ui.element("div").classes("kc-faults")
        self._progress.visible = False

    async def refresh(self) -> None:
        """Brings the open menu up to date; does nothing while it is closed."""
        if not self._dialog.value:
            return
        seen = await in_thread(self._look)
        self._truth.content = draw_demo.verdicts(
            seen.verdicts, self.visit.words, self.visit.moments(), self.demo.speed, self.visit.house.started_us
        )
        on = {(str(entry["fault"]), str(entry["target"])) for entry in seen.active}
        for row in self.rows:
            target, _ = row.chosen()
            running = (row.fault, target) in on
            row.start.visible, row.stop.visible = not running, running
            names = [title for name, title in row.targets.items() if (row.fault, name) in on]
            row.state.content = draw_demo.running(names, self.visit.words) if names else ""
        self._show_progress(seen.progress)

    def _look(self) -> DemoView:
        plant = self.visit.house.context.plant
        found = drifts(self.visit.house.history.table("drift", keep_s=0.9), plant)
        memo, demo = self.visit.house.memo, self.demo
        truth = memo.get("truth", 0.9, demo.truth)
        return DemoView(
            list(memo.get("active", 0.5, demo.active)),
            verdicts(truth, found, plant, demo.catalogue()),
            demo.progress(),
        )

    async def _open(self) -> None:
        if not self.rows:
            try:
                entries = await in_thread(self.demo.catalogue)
            except (KeepcleanError, OSError) as error:
                self._failed(error)
                return
            for kind, heading in KINDS:
                with self._data_faults if kind == "data" else self._list:
                    self._group([entry for entry in entries if entry["kind"] == kind], kind, heading)
        self._dialog.open()
        await self.refresh()

    def _group(self, entries: Sequence[Mapping[str, Any]], kind: str, heading: str) -> None:
        if not entries:
            return
        words = self.visit.words
        ui.html(words(heading), tag="h3")
        for entry in entries:
            if entry["while_running"]:
                self.rows.append(self._row(entry, kind))
        if kind == "slow":
            ui.button(words("advance_30"), icon="fast_forward", on_click=self._advance).props(
                "outline no-caps dense"
            ).classes("kc-advance")

    def _row(self, entry: Mapping[str, Any], kind: str) -> Row:
        words = self.visit.words
        title, about = Text.model_validate(entry["title"]), Text.model_validate(entry["description"])
        targets = {str(target["name"]): self._target_title(target) for target in entry["targets"]}
        with ui.element("div").classes("kc-fault"):
            ui.label(words.title(title)).classes("kc-strong")
            state = ui.html("", sanitize=False).classes("kc-fault-state")
            ui.label(words.title(about)).classes("kc-small kc-fault-about")
            with ui.element("div").classes("kc-fault-controls"):
                target = None
                if len(targets) > 1:
                    target = ui.select(targets, value=next(iter(targets)), label=words("where")).props(
                        "dense outlined options-dense"
                    )
                    target.classes("kc-select")
                size = None
                if kind != "data":
                    names = {1.0: words("full_size"), 0.25: words("quarter_size")}
                    size = ui.toggle(names, value=SIZES[0]).props("dense no-caps unelevated").classes("kc-windows")
                start = ui.button(words("start")).props("unelevated no-caps dense")
                stop = ui.button(words("stop")).props("outline no-caps dense color=negative")
        stop.visible = False
        row = Row(str(entry["fault"]), targets, target, size, start, stop, state)
        start.on_click(lambda: self._switch(row, True))
        stop.on_click(lambda: self._switch(row, False))
        return row

    def _target_title(self, target: Mapping[str, Any]) -> str:
        """The target's own title; the plant's title where the target only repeats a name of the description."""
        words, plant = self.visit.words, self.visit.house.context.plant
        name = str(target["name"])
        if name in plant.points:
            return words.point(name)
        if name in plant.devices:
            return words.title(plant.devices[name].title)
        return words.title(Text.model_validate(target["title"]))

    async def _switch(self, row: Row, on: bool) -> None:
        target, size = row.chosen()
        await self._do(lambda: self.demo.switch(row.fault, target, size, on))

    async def _advance(self) -> None:
        await self._do(lambda: self.demo.advance(ADVANCE_DAYS))

    async def _do(self, act: Callable[[], None]) -> None:
        try:
            await in_thread(act)
        except (KeepcleanError, OSError) as error:
            self._failed(error)
        await self.refresh()

    def _failed(self, error: Exception) -> None:
        ui.notify(self.visit.words("fault_failed", error=error), type="negative", multi_line=True)

    def _show_progress(self, progress: Mapping[str, Any] | None) -> None:
        self._progress.visible = progress is not None
        if progress is not None:
            done, total = float(progress["done"]), float(progress["total"])
            self._progress_bar.value = done / total if total else 0.0
            self._progress_text.text = self.visit.words("advancing", done=number(done, 1), total=number(total, 0))
