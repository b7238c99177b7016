"""Listens where stations report: one TCP server an address, stations told apart by their MN."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from collectors.hj212.connection import Connection
from collectors.hj212.frame import Broken
from collectors.hj212.packet import Packet, read
from collectors.hj212.plan import Station, Stations
from collectors.hj212.plan import address as normal
from collectors.hj212.source import Arrived, Hj212Source
from collectors.source import Rejected
from collectors.status import Status
from plant.clock import PlantClock

CONNECTIONS_MAX = 64
RETRY_S = 10.0
# twice the longest interval between real-time reports (HJ 212-2017, table 4, RtdInterval)
IDLE_LEAST_S, IDLE_INTERVALS = 7200.0, 3.0
_PASSWORD = re.compile(rb"PW=[^;]*")

Put = Callable[[Hj212Source, Sequence[Arrived]], None]


class Listener:
    """The servers of a plant's stations; `source` is what the commit thread decodes their packets with.

    A packet of a described station is handed to `put`; its reply leaves on its own connection when it is on disk. What
    is none is counted, with a sample, at the station that the connection brought before; on a connection that has
    brought none, at the stations of the address that were never heard, for theirs it may be. Of an unknown MN nothing
    is acknowledged: the data stay where they are until the description is right.

    An address that cannot be had (another program listens there) is a failure of its stations and is tried again. When
    CONNECTIONS_MAX are open at an address the one goes that has made sense longest ago, or never.
    """

    def __init__(
        self,
        stations: Stations,
        clock: PlantClock,
        status: Status,
        put: Put,
        addresses: Mapping[str, str] | None = None,
        *,
        idle_least_s: float = IDLE_LEAST_S,
    ) -> None:
        """`addresses` says where a declared "host:port" really is; `idle_least_s` is real time."""
        self.source = Hj212Source(stations, status, self._on_disk)
        self._clock, self._status, self._put = clock, status, put
        self._addresses = {normal(declared): real for declared, real in (addresses or {}).items()}
        self._idle_least_s = idle_least_s
        self._by_address: dict[str, list[Station]] = {}
        for station in stations.stations:
            self._by_address.setdefault(station.listen, []).append(station)
        self._heard: set[str] = set()
        self._servers: list[asyncio.Server] = []
        self._listening: list[asyncio.Task[None]] = []
        self._open: dict[Connection, tuple[str, asyncio.Task[None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    def start(self) -> None:
        """Begins to listen; within the event loop that is to serve the connections."""
        self._loop = asyncio.get_running_loop()
        self._listening = [asyncio.create_task(self._listen(address)) for address in self._by_address]

    async def stop(self) -> None:
        """Listens and reads no more; connections stay open for the replies to what was read."""
        self._stopping = True
        for task in (*self._listening, *(task for _, task in self._open.values())):
            task.cancel()
        for server in self._servers:
            server.close()
        await asyncio.gather(*self._listening, *(task for _, task in self._open.values()), return_exceptions=True)

    async def close(self) -> None:
        """Closes the connections, after the commit thread has ended."""
        await asyncio.gather(*(connection.close() for connection in self._open))
        self._open.clear()

    async def _listen(self, address: str) -> None:
        host, _, port = self._addresses.get(address, address).rpartition(":")
        while True:
            try:
                server = await asyncio.start_server(partial(self._accept, address), host, int(port))
            except (OSError, ValueError, OverflowError) as error:
                for station in self._by_address[address]:
                    self._status.failure(
                        station.name, f"cannot listen on {address}: {getattr(error, 'strerror', None) or error}"
                    )
                await asyncio.sleep(RETRY_S)
                continue
            self._servers.append(server)
            return

    def _accept(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopping:
            writer.transport.abort()
            return
        self._make_room(address)
        interval_s = max(station.interval_s for station in self._by_address[address])
        idle_s = max(self._idle_least_s, IDLE_INTERVALS * self._clock.real_seconds(int(interval_s * 1e6)))
        connection = Connection(reader, writer, idle_s, lambda data: self._take(address, connection, data))
        self._open[connection] = address, asyncio.create_task(self._serve(connection))

    def _make_room(self, address: str) -> None:
        here = [connection for connection, (at, _) in self._open.items() if at == address]
        if len(here) >= CONNECTIONS_MAX:
            stalest = min(here, key=lambda connection: (connection.station is not None, connection.sensible_at))
            self._open[stalest][1].cancel()

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.read()
        finally:
            if not self._stopping:
                await connection.close()
                self._open.pop(connection, None)

    def _take(self, address: str, connection: Connection, data: bytes) -> None:
        arrived: list[Arrived] = []
        now = self._clock.now_us()
        for segment in connection.frames.feed(data):
            if isinstance(segment, Broken):
                self._reject(address, connection.station, segment.reason, segment.sample)
                continue
            packet = read(segment)
            if isinstance(packet, str):
                self._reject(address, connection.station, packet, segment)
                continue
            station = self._station(address, packet)
            if station is None:
                self._reject(address, None, f"no station here has MN {packet.mn[:24]}", segment)
                continue
            self._heard.add(station.name)
            connection.brought(station)
            arrived.append(Arrived(connection, station, now, packet))
        if arrived:
            self._put(self.source, arrived)

    def _station(self, address: str, packet: Packet) -> Station | None:
        return next((station for station in self._by_address[address] if station.mn == packet.mn), None)

    def _reject(self, address: str, station: Station | None, reason: str, sample: bytes) -> None:
        here = self._by_address[address]
        blamed = [station] if station else [one for one in here if one.name not in self._heard] or here[:1]
        for one in blamed:
            rejected = Rejected()
            rejected.add(reason, _PASSWORD.sub(b"PW=***", sample))
            self._status.rejected(one.name, rejected)

    def _on_disk(self, items: Sequence[Arrived]) -> None:
        """Called by the commit thread."""
        with suppress(RuntimeError):  # the event loop has ended: nobody waits any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(_reply, tuple(items))


def _reply(items: Sequence[Arrived]) -> None:
    for item in items:
        item.asker.committed(item.packet)
