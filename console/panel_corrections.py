"""Where a person puts the past right: the list of corrections, a form for a new one, and taking one back."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from console import draw_corrections
from console.layout import Visit, in_thread
from console.sources import Corrections
from console.views_corrections import KINDS, MOMENTS, NUMBERS, Unreadable, body_of, made
from plant.errors import KeepcleanError

FIELDS = ("ratio_was", "ratio_is", "amount", "value", "closing", "opening")


class CorrectionsPanel:
    """One visitor's list and forms."""

    def __init__(self, visit: Visit, desk: Corrections) -> None:
        self.visit, self.desk = visit, desk
        words = visit.words
        with ui.element("section").classes("kc-section kc-card"):
            with ui.element("div").classes("kc-bar-head"):
                ui.html(words("corrections_made"), tag="h2")
                with ui.row():
                    ui.button(words("correct_now"), on_click=self._open).props("flat no-caps")
                    ui.button(words("withdraw_now"), on_click=self._open_withdrawal).props("flat no-caps")
            ui.html(words("corrections_note"), tag="p").classes("kc-foot")
            self._list = ui.html("", sanitize=False).classes("kc-scroll")
        self._form()
        self._withdrawal()

    def _form(self) -> None:
        words, plant = self.visit.words, self.visit.house.context.plant
        names = {name: f"{words.title(point.title)} ({name})" for name, point in plant.points.items()}
        with ui.dialog() as self._ask, ui.card().classes("kc-dialog"):
            ui.label(words("correct_now")).classes("kc-dialog-title")
            kinds = {kind: words(f"correction_{kind}") for kind in KINDS}
            self._kind = ui.select(kinds, value=KINDS[0], on_change=self._show_fields).classes("kc-wide")
            self._points = ui.select(names, multiple=True, label=words("corrected_points")).classes("kc-wide")
            self._since = ui.input(words("corrected_since"), placeholder="2026-04-03 08:00").classes("kc-wide")
            self._until = ui.input(words("corrected_until"), placeholder="2026-04-05 16:00").classes("kc-wide")
            self._numbers = {name: ui.input(words(f"field_{name}")).classes("kc-wide") for name in FIELDS}
            self._in_meter = ui.checkbox(words("in_meter"))
            self._by = ui.input(words("corrected_who")).classes("kc-wide")
            self._why = ui.textarea(words("corrected_why")).props("autogrow maxlength=500").classes("kc-wide")
            self._evidence = ui.input(words("corrected_evidence")).classes("kc-wide")
            self._wrong = ui.label("").classes("kc-bad").style("white-space: pre-line")
            with ui.row().classes("kc-dialog-buttons"):
                ui.button(words("cancel"), on_click=self._ask.close).props("flat no-caps")
                ui.button(words("correct_now"), on_click=self._send).props("unelevated no-caps")
        self._show_fields()

    def _withdrawal(self) -> None:
        words = self.visit.words
        with ui.dialog() as self._take_back, ui.card().classes("kc-dialog"):
            ui.label(words("withdraw_now")).classes("kc-dialog-title")
            self._number = ui.select({}, label=words("correction")).classes("kc-wide")
            self._back_by = ui.input(words("corrected_who")).classes("kc-wide")
            self._back_why = ui.textarea(words("corrected_why")).props("autogrow maxlength=500").classes("kc-wide")
            self._back_wrong = ui.label("").classes("kc-bad").style("white-space: pre-line")
            with ui.row().classes("kc-dialog-buttons"):
                ui.button(words("cancel"), on_click=self._take_back.close).props("flat no-caps")
                ui.button(words("withdraw_now"), on_click=self._withdraw).props("unelevated no-caps")

    def _show_fields(self) -> None:
        kind = str(self._kind.value)
        for name, field in self._numbers.items():
            field.visible = name in NUMBERS[kind]
        self._until.visible = kind not in MOMENTS
        self._in_meter.visible = kind == "scale"

    async def refresh(self) -> None:
        """Shows what was put right by now."""
        found = made(await in_thread(self._listed))
        self._list.content = draw_corrections.corrections(found, self.visit.words)
        standing = {
            one.number: f"{one.number}: {', '.join(one.points)}, {one.says}" for one in found if not one.withdrawn
        }
        if standing != self._number.options:
            self._number.set_options(standing)

    def _listed(self) -> Any:
        return self.visit.house.memo.get("corrections", 0.9, self.desk.listed)

    def _open(self) -> None:
        self._wrong.text = ""
        self._ask.open()

    def _open_withdrawal(self) -> None:
        self._back_wrong.text = ""
        self._take_back.open()

    async def _send(self) -> None:
        words = self.visit.words
        form = {
            "kind": self._kind.value,
            "points": self._points.value or [],
            "from": self._since.value,
            "to": self._until.value,
            "in_meter": self._in_meter.value,
            "by": self._by.value,
            "why": self._why.value,
            "evidence": self._evidence.value,
            **{name: field.value for name, field in self._numbers.items()},
        }
        try:
            body = body_of(form, self.visit.house.context.calendar.zone)
            number = await in_thread(lambda: self.desk.correct(body))
        except Unreadable as error:
            self._wrong.text = words("unreadable", text=error.text or error.field)
            return
        except (KeepcleanError, OSError) as error:
            self._wrong.text = str(error)
            return
        self._ask.close()
        ui.notify(words("correction_sent", number=number), type="positive")

    async def _withdraw(self) -> None:
        number, by, why = self._number.value, self._back_by.value or "", self._back_why.value or ""
        try:
            await in_thread(lambda: self.desk.withdraw(int(number or 0), by, why))
        except (KeepcleanError, OSError) as error:
            self._back_wrong.text = str(error)
            return
        self._take_back.close()
        ui.notify(self.visit.words("correction_sent", number=number), type="positive")
