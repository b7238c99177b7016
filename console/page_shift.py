"""The shift supervisor's page: what drifted, since when, what it costs, what to check first; and acknowledging it."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui

from console import draw_shift
from console.layout import Visit, in_thread
from console.views_drifts import drifts
from console.views_shift import Alarm, Duty, alarms, duty, loss_per_day, past, silent, standing
from plant.errors import KeepcleanError

LOCAL_USER = "local user"


@dataclass(frozen=True)
class ShiftView:
    """Everything the page shows at one instant."""

    duty: Duty
    standing: list[Alarm]
    silent: list[Alarm]
    past: list[Alarm]


@dataclass
class Card:
    """The elements of one alarm on the page."""

    box: ui.element
    body: ui.html
    button: ui.button


class ShiftPage:
    """One visitor's page; `sent` are acknowledgements that the pipeline has not answered yet."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.context = visit.house.context
        self.cards: dict[str, Card] = {}
        self.sent: dict[str, int] = {}
        self._asked = ""
        words = visit.words
        self._head = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section"):
            ui.html(words("standing_alarms"), tag="h2")
            self._clear = ui.html(words("all_clear" if self.context.plant.baselines else "no_watch")).classes(
                "kc-card kc-clear"
            )
            self._list = ui.element("div").classes("kc-alarms")
        with ui.element("section").classes("kc-section kc-card") as self._silent_box:
            ui.html(words("silenced"), tag="h2")
            self._silent = ui.html("", sanitize=False)
        with ui.element("section").classes("kc-section kc-card"):
            ui.html(words("over_on_shift"), tag="h2")
            self._past = ui.html("", sanitize=False)
        self._dialog()

    def _dialog(self) -> None:
        words = self.visit.words
        with ui.dialog() as self._ask, ui.card().classes("kc-dialog"):
            self._ask_title = ui.label("").classes("kc-dialog-title")
            self._note = ui.textarea(words("note_hint")).props("outlined autogrow maxlength=500").classes("kc-wide")
            with ui.row().classes("kc-dialog-buttons"):
                ui.button(words("cancel"), on_click=self._ask.close).props("flat no-caps")
                ui.button(words("acknowledge"), on_click=self._acknowledge).props("unelevated no-caps").mark("confirm")

    async def refresh(self) -> None:
        """Asks for what is new and shows what has changed."""
        seen = await in_thread(self._look)
        plant, words, moments = self.context.plant, self.visit.words, self.visit.moments()
        self._head.content = draw_shift.head(
            seen.duty, seen.standing, loss_per_day(seen.standing), plant, words, moments
        )
        self._clear.visible = not seen.standing
        self._show_cards(seen.standing)
        self._silent_box.visible = bool(seen.silent)
        self._silent.content = draw_shift.over(seen.silent, plant, words, moments)
        self._past.content = draw_shift.over(seen.past, plant, words, moments)

    def _look(self) -> ShiftView:
        history, plant, now = self.visit.house.history, self.context.plant, self.context.clock.now_us()
        found = alarms(
            history.table("alarms", keep_s=0.9), drifts(history.table("drift", keep_s=0.9), plant), plant, now
        )
        on_duty = duty(plant, self.context.calendar, now)
        return ShiftView(on_duty, standing(found), silent(found), past(found, on_duty.period))

    def _show_cards(self, items: list[Alarm]) -> None:
        names = [item.name for item in items]
        for name in [name for name in self.cards if name not in names]:
            self.cards.pop(name).box.delete()
        with self._list:
            for name in names:
                if name not in self.cards:
                    self.cards[name] = self._card(name)
        for order, item in enumerate(items):
            card = self.cards[item.name]
            card.body.content = draw_shift.alarm(item, self.context.plant, self.visit.words, self.visit.moments())
            if self.sent.get(item.name, item.changed) != item.changed:
                del self.sent[item.name]
            waits = item.name in self.sent
            card.button.text = self.visit.words("waiting" if waits else "acknowledge")
            card.button.enabled = not waits
            card.button.visible = item.asks
            card.box.classes(
                replace=f"kc-card kc-alarm kc-priority-{item.priority}" + (" asks" if item.asks else " answered")
            )
            if self._list.default_slot.children.index(card.box) != order:
                card.box.move(self._list, target_index=order)

    def _card(self, name: str) -> Card:
        with ui.element("article").classes("kc-card kc-alarm") as box:
            body = ui.html("", sanitize=False)
            button = ui.button(self.visit.words("acknowledge"), on_click=lambda: self._open(name)).props(
                "unelevated no-caps"
            )
            button.classes("kc-acknowledge")
        return Card(box, body, button)

    async def _open(self, name: str) -> None:
        seen = await in_thread(self._look)
        item = next((item for item in seen.standing if item.name == name), None)
        if item is None:
            return
        self._asked = name
        words = self.visit.words
        self._ask_title.text = words.title(item.drift.title) if item.drift else item.name
        self._note.value = ""
        self._ask.open()

    async def _acknowledge(self) -> None:
        words, name = self.visit.words, self._asked
        act = {"act": "acknowledge", "alarm": name, "by": LOCAL_USER, "note": (self._note.value or "").strip()}
        self._ask.close()
        seen = await in_thread(self._look)
        changed = next((item.changed for item in seen.standing if item.name == name), 0)
        try:
            await in_thread(lambda: self.context.acts(act))
        except (KeepcleanError, OSError) as error:
            ui.notify(words("not_sent", error=error), type="negative", multi_line=True)
            return
        self.sent[name] = changed
        ui.notify(words("sent"), type="positive")
        await self.refresh()
