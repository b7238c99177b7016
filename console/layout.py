"""What every page has: header, navigation, language and colour switches, the demo's banner, the beat of one second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from console.figures import Moments
from console.markup import div, join, span, tag
from console.memo import CachedHistory, Memo
from console.sources import Context
from console.views_shift import duty
from console.words import Words, language
from plant.errors import KeepcleanError

T = TypeVar("T")

BEAT_S = 1.0
THEMES = ("auto", "light", "dark")
PAGES = (
    ("energy", "/", "bolt"),
    ("audit", "/audit", "verified"),
    ("shift", "/shift", "notifications"),
    ("health", "/health", "monitor_heart"),
)
DARK = {"auto": None, "light": False, "dark": True}


@dataclass(frozen=True)
class House:
    """What the pages of one console share; `started_us` is the plant time at which it began to serve."""

    context: Context
    history: CachedHistory
    memo: Memo
    started_us: int


@dataclass(frozen=True)
class Visit:
    """One visitor's page: language and colours come from the address and are carried on by its links."""

    house: House
    words: Words
    theme: str
    path: str
    query: dict[str, str]

    @classmethod
    def of(cls, house: House, request: Request) -> Visit:
        """The visit that a request begins."""
        query = dict(request.query_params)
        lang = language(query.get("lang"), request.headers.get("accept-language"))
        theme = query.get("theme", "auto")
        return cls(
            house,
            Words(lang, house.context.plant),
            theme if theme in THEMES else "auto",
            request.url.path,
            query,
        )

    def link(self, path: str, **changes: str) -> str:
        """An address that keeps language and colours."""
        kept = {key: value for key, value in self.query.items() if key in ("lang", "theme")}
        asked = urlencode({**kept, **changes})
        return f"{path}?{asked}" if asked else path

    def moments(self) -> Moments:
        """Times as short as they can be read now."""
        return Moments(self.house.context.calendar, self.house.context.clock.now_us())


def head(visit: Visit, page: str) -> Callable[[], None]:
    """Draws header and navigation; returns what brings them up to date."""
    words, plant = visit.words, visit.house.context.plant
    ui.page_title(f"{words('title_' + page)} · {words.title(plant.site.name)}")
    ui.dark_mode(DARK[visit.theme])
    ui.colors(primary="#0f6b6b", positive="#2e7d4f", negative="#b3392c", warning="#b26a00")
    ui.query("html").props(f'lang="{"zh-CN" if visit.words.lang == "zh" else "en"}"')
    with ui.element("header").classes("kc-header"):
        ui.html(_brand(visit), sanitize=False, tag="div").classes("kc-brand")
        clock = ui.html("", sanitize=False).classes("kc-clock")
        ui.html(_switches(visit), sanitize=False).classes("kc-switches")
        ui.html(_navigation(visit, page), sanitize=False, tag="nav").classes("kc-nav")

    def refresh() -> None:
        clock.content = _clock(visit)

    refresh()
    return refresh


async def keep_fresh(visit: Visit, refresh: Callable[[], Awaitable[None]], refresh_head: Callable[[], None]) -> None:
    """Fills the page and goes on to refresh it each second; a result that cannot be read is said, not hidden."""
    trouble = ui.html("", sanitize=False).classes("kc-trouble")

    async def beat() -> None:
        refresh_head()
        try:
            await refresh()
            trouble.content = ""
        except KeepcleanError as error:
            trouble.content = div("kc-alert", visit.words("cannot_read", error=error))

    await beat()
    ui.timer(BEAT_S, beat, immediate=False)


async def in_thread(work: Callable[[], T]) -> T:
    """Runs work that asks the historian beside the event loop."""
    return await asyncio.to_thread(work)


def _brand(visit: Visit) -> str:
    plant = visit.house.context.plant
    return join((span("kc-logo", "keepclean"), span("kc-site", visit.words.title(plant.site.name))))


def _clock(visit: Visit) -> str:
    context, words = visit.house.context, visit.words
    now = context.clock.now_us()
    moments = Moments(context.calendar, now)
    on_duty = duty(context.plant, context.calendar, now)
    shift = (
        words.title(on_duty.shift.title)
        if on_duty.shift
        else words("no_shift" if context.plant.shifts else "no_shifts")
    )
    return join((span("kc-time", moments.full(now)), span("kc-shift", shift)))


def _switches(visit: Visit) -> str:
    words = visit.words
    other = "en" if words.lang == "zh" else "zh"
    following = THEMES[(THEMES.index(visit.theme) + 1) % len(THEMES)]
    icon = {"auto": "brightness_auto", "light": "light_mode", "dark": "dark_mode"}[visit.theme]
    rest = {key: value for key, value in visit.query.items() if key not in ("lang", "theme")}
    return join(
        (
            tag(
                "a",
                words("other_language"),
                href=visit.link(visit.path, **rest, lang=other),
                hreflang=other,
                class_="kc-lang",
            ),
            tag(
                "a",
                tag("i", icon, class_="material-icons", aria_hidden="true"),
                href=visit.link(visit.path, **rest, theme=following),
                title=words(f"theme_{visit.theme}"),
                aria_label=words(f"theme_{visit.theme}"),
                class_="kc-theme",
            ),
        )
    )


def _navigation(visit: Visit, page: str) -> str:
    return join(
        tag(
            "a",
            tag("i", icon, class_="material-icons", aria_hidden="true"),
            span("", visit.words(f"page_{name}")),
            href=visit.link(path),
            class_="here" if name == page else None,
            aria_current="page" if name == page else None,
        )
        for name, path, icon in PAGES
    )
