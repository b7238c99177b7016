"""The console as a program: pages and routes on one FastAPI application, served on the loopback address."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from nicegui import app as pages
from nicegui import ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from console.api import router
from console.demo_menu import DemoMenu
from console.layout import House, Visit, head, keep_fresh
from console.memo import CachedHistory, Memo
from console.page_audit import AuditPage
from console.page_energy import EnergyPage
from console.page_health import HealthPage
from console.page_shift import ShiftPage
from console.sources import Context
from plant.errors import KeepcleanError

STYLE = Path(__file__).with_name("style.css")
HOSTS = ["127.0.0.1", "localhost"]
PORTS_TRIED = 20
STOP_WITHIN_S = 1
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f6b6b"/>'
    '<path d="M5 20h6l3-9 5 13 3-8h5" fill="none" stroke="#fff" stroke-width="2.6" stroke-linejoin="round"/></svg>'
)
Page = type[EnergyPage] | type[AuditPage] | type[ShiftPage] | type[HealthPage]
PAGES: tuple[tuple[str, str, Page], ...] = (
    ("energy", "/", EnergyPage),
    ("audit", "/audit", AuditPage),
    ("shift", "/shift", ShiftPage),
    ("health", "/health", HealthPage),
)


def build(context: Context) -> FastAPI:
    """The application with its four pages and its routes; once in a process, since NiceGUI is one of a kind."""
    memo = Memo()
    house = House(context, CachedHistory(context.history, memo), memo, context.clock.now_us())
    version = sha256(STYLE.read_bytes()).hexdigest()[:12]
    pages.add_static_file(local_file=STYLE, url_path="/console/style.css")
    ui.add_head_html(f'<link rel="stylesheet" href="/console/style.css?v={version}">', shared=True)
    for name, path, page in PAGES:
        _register(house, name, path, page)
    application = FastAPI(title="keepclean", docs_url=None, redoc_url=None, openapi_url=None)
    application.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    application.include_router(router(context))
    ui.run_with(
        application,
        title="keepclean",
        favicon=FAVICON,
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=10.0,
    )
    return application


def _register(house: House, name: str, path: str, page: Page) -> None:
    @ui.page(path, response_timeout=20.0)
    async def show(request: Request) -> None:
        visit = Visit.of(house, request)
        refresh_head = head(visit, name)
        demo = house.context.demo
        menu = DemoMenu(visit, demo) if demo else None
        with ui.element("main").classes(f"kc-main kc-page-{name}"):
            shown = page(visit)

        async def refresh() -> None:
            await shown.refresh()
            if menu:
                await menu.refresh()

        await keep_fresh(visit, refresh, refresh_head)


def listen(host: str = "127.0.0.1", port: int = 8080) -> socket.socket:
    """A listening socket on a loopback address, on the port or the next free one; port 0 takes any.

    Raises KeepcleanError for an address that other machines can reach: the console has no accounts yet.
    """
    if host not in HOSTS:
        raise KeepcleanError(f"{host}: the console has no accounts yet and listens on 127.0.0.1 only")
    for tried in range(port, port + (PORTS_TRIED if port else 1)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, tried))
            listener.listen(128)
        except OSError:
            listener.close()
        else:
            listener.setblocking(False)
            return listener
    raise KeepcleanError(f"{host}: no port is free from {port} to {port + PORTS_TRIED - 1}")


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(context: Context, listener: socket.socket, stop: threading.Event | asyncio.Event) -> None:
    """Serves the console on a socket of `listen` until `stop` is set; it then ends within two seconds."""
    config = uvicorn.Config(
        build(context), log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_WITHIN_S
    )
    server = _Server(config)
    async with _ending(server, stop):
        await server.serve(sockets=[listener])


@asynccontextmanager
async def _ending(server: uvicorn.Server, stop: threading.Event | asyncio.Event) -> AsyncIterator[None]:
    async def watch() -> None:
        while not stop.is_set():
            await asyncio.sleep(0.1)
        server.should_exit = True

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
