"""A task that is to run for ever: what it raises is a fault of ours, costs its own device and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

AGAIN_AFTER_S = 10.0

_log = logging.getLogger(__name__)


async def keep(name: str, work: Callable[[], Awaitable[None]], failed: Callable[[str, str], None]) -> None:
    """Runs `work` until cancelled, and anew some seconds after it raised; `failed` hears (name, reason)."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - one device's trouble stays its own
            _log.exception("%s", name)
            failed(name, f"keepclean failed at it: {type(error).__name__}: {error}")
        await asyncio.sleep(AGAIN_AFTER_S)
