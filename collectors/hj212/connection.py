"""One connection of a station: what it brought and has no reply to yet, and how long it has made no sense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from collectors.hj212.frame import Frames
from collectors.hj212.packet import Packet
from collectors.hj212.plan import Station

WAITING_MAX = 64
UNSENT_BYTES_MAX = 65_536
READ_BYTES = 8192
LAST_REPLIES_S = 10.0


class Connection:
    """Reads until the station hangs up or has sent nothing sensible for `idle_s`, and replies once packets are on disk.

    Reading pauses while WAITING_MAX packets are not on disk yet, so that what one connection holds is bounded: a frame,
    a chunk, those packets and UNSENT_BYTES_MAX of replies that the station does not fetch. Event loop only.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_s: float, take: Callable[[bytes], None]
    ) -> None:
        """`take` is called with what was read; it calls `brought` for packets of a known station."""
        self.frames = Frames()
        self.station: Station | None = None
        self._reader, self._writer, self._idle_s, self._take = reader, writer, idle_s, take
        self._loop = asyncio.get_running_loop()
        self.sensible_at = self._loop.time()
        self._waiting = 0
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Reads until there is nothing more to be expected, and until what was brought has its replies."""
        try:
            while data := await self._chunk():
                self._take(data)
            async with asyncio.timeout(LAST_REPLIES_S):  # a station may close its own side and wait for replies
                await self._until(1)
        except (TimeoutError, OSError):
            return

    async def _chunk(self) -> bytes:
        if self._waiting >= WAITING_MAX:
            await self._until(WAITING_MAX)
            self.sensible_at = self._loop.time()  # it was not the station that was slow
        async with asyncio.timeout_at(self.sensible_at + self._idle_s):
            return await self._reader.read(READ_BYTES)

    async def _until(self, fewer_than: int) -> None:
        while self._waiting >= fewer_than and not self._writer.is_closing():
            self._changed.clear()
            await self._changed.wait()

    def brought(self, station: Station) -> None:
        """A packet of a known station came and goes to the disk."""
        self.station, self.sensible_at = station, self._loop.time()
        self._waiting += 1

    def committed(self, packet: Packet) -> None:
        """A packet is on disk: the reply that it asks for leaves now."""
        self._waiting -= 1
        self._changed.set()
        reply = packet.reply()
        if not reply or self._writer.is_closing():
            return
        self._writer.write(reply)
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._writer.transport.abort()

    async def close(self) -> None:
        """Sends what is left to send, and closes."""
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self._writer.transport.abort()
