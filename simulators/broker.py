"""An embedded MQTT broker (amqtt: 3.1.1 only, nothing kept on disk) for a demo where no broker runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import TracebackType
from typing import Any, Self

from plant.errors import DeviceError
from simulators.ports import LOOPBACK, free_port

FIRST_PORT = 18830
START_S, STOP_S = 10.0, 3.0


class EmbeddedBroker:
    """A broker on loopback in a thread of its own; `url` is where it listens.

    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(self, first_port: int = FIRST_PORT) -> None:
        self._port = first_port
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-broker", daemon=True)

    @property
    def url(self) -> str:
        """The address to connect to."""
        return f"mqtt://{LOOPBACK}:{self._port}"

    def start(self) -> str:
        """Start listening and give the address; raises DeviceError when that fails."""
        # the library speaks of every packet
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self._port = free_port(self._port)
        self._thread.start()
        if not self._ready.wait(START_S) or self._failure is not None:
            raise DeviceError(f"the embedded MQTT broker did not start: {self._failure}", retryable=False)
        return self.url

    def stop(self) -> None:
        """Stop listening and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOP_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, RuntimeError) as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        # here, because it takes a second to load and most plants bring a broker of their own
        from amqtt.broker import Broker

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config: dict[str, Any] = {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{self._port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        broker = Broker(config)
        await broker.start()
        self._ready.set()
        await self._stop.wait()
        await broker.shutdown()
