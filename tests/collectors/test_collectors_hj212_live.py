"""HJ 212 over real sockets: a simulated station, the listener, a real journal and its commit thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from collectors_plant import free_port, plant, until
from hj212_station import MN, POINTS, described, minute, station

from collectors.commit import Committer
from collectors.hj212.connection import READ_BYTES, WAITING_MAX
from collectors.hj212.plan import stations
from collectors.hj212.server import CONNECTIONS_MAX, IDLE_LEAST_S, Listener
from collectors.hj212.source import Arrived, Hj212Source
from collectors.status import DeviceStatus, Status
from journal.journal import Journal
from journal.message import Kind
from plant.clock import PlantClock
from plant.errors import StorageError
from plant.model import Hj212, Plant
from simulators.hj212_station import Link, Logger

pytestmark = pytest.mark.server


class Disk:
    """A real journal behind a gate: while it is shut a commit waits; when it is full a commit fails."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal")
        self.gate, self.knocks, self.full = threading.Event(), 0, False
        self.gate.set()

    def append(self, messages: Iterable[tuple[Kind, bytes]], marks: Mapping[str, bytes] | None = None) -> int:
        """Waits for the gate, then writes."""
        self.knocks += 1
        assert self.gate.wait(20)
        if self.full:
            raise StorageError("disk full")
        return self.journal.append(messages, marks)

    def trim(self, keep: int = 0) -> int:
        """As the journal does."""
        return self.journal.trim(keep)

    def used_bytes(self) -> int:
        """As the journal does."""
        return self.journal.used_bytes()

    def values(self, point: str = "cod") -> list[float]:
        """Every value of a point on disk, in order."""
        found = []
        for message in self.journal.read(0, 10_000):
            one = message.readings
            if one is not None and point in one.points:
                found += one.value[one.point == one.points.index(point)].tolist()
        return found


class Bench:
    """The collector's side of a test."""

    def __init__(self, one: Plant, folder: Path, idle_least_s: float) -> None:
        self.clock = PlantClock.real()
        self.status = Status(self.clock, dict.fromkeys(one.devices, "hj212"))
        self.disk = Disk(folder)
        self.committer = Committer(self.disk, self.clock, self.status)
        planned = stations(one)
        self.listener = Listener(planned, self.clock, self.status, self.put, idle_least_s=idle_least_s)
        self.taken = 0
        self.thread = threading.Thread(target=self.committer.run, daemon=True)

    def put(self, source: Hj212Source, items: Sequence[Arrived]) -> None:
        """Hands over to the commit thread, and counts."""
        self.taken += len(items)
        self.committer.put(source, items)

    def device(self, name: str = "station") -> DeviceStatus:
        """The status of a station."""
        return self.status.device(name)


@asynccontextmanager
async def running(one: Plant, folder: Path, idle_least_s: float = IDLE_LEAST_S) -> AsyncIterator[Bench]:
    """The collector, begun and ended in the order that `collect` keeps."""
    bench = Bench(one, folder, idle_least_s)
    bench.thread.start()
    bench.listener.start()
    try:
        yield bench
    finally:
        bench.disk.gate.set()
        await bench.listener.stop()
        bench.committer.stop()
        await asyncio.to_thread(bench.thread.join, 10)
        await bench.listener.close()


async def linked(port: int) -> Link:
    """A station's connection, as soon as somebody listens."""
    link = Link("127.0.0.1", port)

    async def there() -> bool:
        try:
            await link.connect()
        except OSError:
            return False
        return True

    for _ in range(500):
        if await there():
            return link
        await asyncio.sleep(0.01)
    raise AssertionError("nobody listens")


def listening(port: int) -> Plant:
    """The described station at a port."""
    return described(f"127.0.0.1:{port}")


def test_no_reply_leaves_before_the_readings_are_on_disk(tmp_path: Path) -> None:
    """Promise 1: while the commit waits no reply comes; then the replies come in order, once each."""
    port = free_port()

    async def scenario() -> None:
        async with running(listening(port), tmp_path) as bench:
            link = await linked(port)
            bench.disk.gate.clear()
            sent = [minute(number) for number in range(4)]
            await link.send(sent[0].packet)
            await until(lambda: bench.disk.knocks > 0)
            for report in sent[1:]:
                await link.send(report.packet)
            await until(lambda: bench.committer.waiting() == 3)
            assert link.replies == []
            assert bench.disk.values() == []
            bench.disk.gate.set()
            await until(lambda: len(link.replies) == 4)
            assert [reply.qn for reply in link.replies] == [report.qn for report in sent]
            assert {(reply.cn, reply.mn) for reply in link.replies} == {("9014", MN)}
            assert bench.disk.values() == [40.0, 41.0, 42.0, 43.0]
            await link.close()

    asyncio.run(scenario())


def test_a_full_disk_keeps_the_reply_until_there_is_room(tmp_path: Path) -> None:
    """Promise 1: the station repeats what is not acknowledged; once the disk has room everything has its reply."""
    port = free_port()

    async def scenario() -> None:
        async with running(listening(port), tmp_path) as bench:
            link = await linked(port)
            bench.disk.full = True
            assert not await link.deliver(minute(0), over_time_s=0.05, recount=3)
            bench.disk.full = False
            assert await link.deliver(minute(1), over_time_s=10, recount=0)
            await until(lambda: len(link.replies) == 5)
            assert bench.disk.values() == [40.0, 40.0, 40.0, 40.0, 41.0]
            await link.close()

    asyncio.run(scenario())


def test_an_orderly_end_replies_to_what_was_read(tmp_path: Path) -> None:
    """Promise 1: told to stop, what was read is committed and acknowledged before the connection closes."""
    port = free_port()

    async def scenario() -> None:
        link = Link("127.0.0.1", port)
        async with running(listening(port), tmp_path) as bench:
            link = await linked(port)
            bench.disk.gate.clear()
            await link.send(minute(0).packet + minute(1).packet)
            await until(lambda: bench.disk.knocks > 0)
        await until(lambda: not link.open)
        assert [reply.qn for reply in link.replies] == [minute(0).qn, minute(1).qn]

    asyncio.run(scenario())


def test_a_station_that_closes_its_side_still_has_its_reply(tmp_path: Path) -> None:
    """A logger that sends, closes its half and waits is answered."""
    port = free_port()

    async def scenario() -> None:
        async with running(listening(port), tmp_path):
            (await linked(port))._writer.close()  # type: ignore[union-attr]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(minute(0).packet)
            writer.write_eof()
            assert minute(0).qn.encode() in await asyncio.wait_for(reader.read(), 10)
            writer.close()

    asyncio.run(scenario())


def test_stations_share_an_address_and_one_ones_rubbish_is_its_own(tmp_path: Path) -> None:
    """Promise 6: told apart by MN, also on one connection; rejects are counted where they belong, with a sample."""
    port = free_port()
    listen = f"127.0.0.1:{port}"
    devices = {"station": station(listen), "other": station(listen, mn="B1"), "third": station(listen, mn="C1")}
    one = plant(devices, {**POINTS, "other_cod": ("other", "w01018-Avg", "level", "mg/L")})

    async def scenario() -> None:
        async with running(one, tmp_path) as bench:
            link, second = await linked(port), await linked(port)
            await link.deliver(minute(0))
            await link.deliver(minute(1, logger=Logger("B1")))
            await second.deliver(minute(2))
            await second.send(b"rubbish")
            await second.deliver(minute(4))
            stranger = minute(5, logger=Logger("UNKNOWN"))
            assert not await second.deliver(stranger, over_time_s=0.05, recount=0)
            await until(lambda: bench.device("third").rejected.count)
            assert bench.disk.values() == [40.0, 42.0, 44.0]
            assert bench.disk.values("other_cod") == [41.0]
            mine, other, third = (bench.device(name) for name in devices)
            assert (mine.rejected.count, other.rejected.count, third.rejected.count) == (1, 0, 1)
            assert mine.rejected.sample.startswith("rubbish")
            assert "PW=***;MN=UNKNOWN;" in third.rejected.sample
            assert third.rejected.reason == "no station here has MN UNKNOWN"
            assert (mine.successes, other.successes, third.successes) == (3, 1, 0)
            await link.close()
            await second.close()

    asyncio.run(scenario())


def test_a_connection_without_sense_is_closed_and_a_new_one_finds_room(tmp_path: Path) -> None:
    """Promise 6: silence and rubbish are cut off after a while, and many idle connections keep no station out."""
    port = free_port()

    async def scenario() -> None:
        async with running(listening(port), tmp_path) as bench:
            good = await linked(port)
            await good.deliver(minute(0))
            idle = [await linked(port) for _ in range(CONNECTIONS_MAX - 1)]
            late = await linked(port)
            assert await late.deliver(minute(1))
            await until(lambda: not idle[0].open)
            assert all(one.open for one in idle[1:])
            assert await good.deliver(minute(2))
            assert bench.disk.values() == [40.0, 41.0, 42.0]

    asyncio.run(scenario())

    async def impatient() -> None:
        slow = plant({"station": station(f"127.0.0.1:{port}", interval="50 ms")}, POINTS)
        async with running(slow, tmp_path / "second", idle_least_s=0.3):
            link = await linked(port)
            while link.open:
                try:
                    await link.send(b"##00")
                except OSError:
                    break
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(impatient(), 10))


def test_a_flood_waits_for_the_disk(tmp_path: Path) -> None:
    """Promise 6: with the disk stuck a station that asks for nothing is read no further than its share of memory."""
    port = free_port()

    async def scenario() -> None:
        async with running(listening(port), tmp_path) as bench:
            link, other = await linked(port), await linked(port)
            bench.disk.gate.clear()
            quiet = Logger(MN, answer=False)
            flood = b"".join(minute(number, logger=quiet).packet for number in range(2000))
            sending = asyncio.create_task(link.send(flood))
            await until(lambda: bench.taken >= WAITING_MAX)
            before = bench.taken
            for number in range(3):  # served in turn with the flood, so that this had its chance
                await other.send(minute(3000 + number).packet)
                await until(lambda number=number: bench.taken == before + 1 + number)  # type: ignore[misc]
            assert before < WAITING_MAX + READ_BYTES // len(minute(0, logger=quiet).packet) + 1
            bench.disk.gate.set()
            await sending
            await until(lambda: len(bench.disk.values()) == 2003, 20)
            assert link.replies == []
            await other.close()
            await link.close()

    asyncio.run(scenario())


def test_an_address_that_is_taken_is_a_failure_of_its_stations_alone(tmp_path: Path) -> None:
    """Promise 6: another program on the port is shown at the station; the other address works."""
    port, taken = free_port(), free_port()
    devices = {"station": station(f"127.0.0.1:{port}"), "blocked": station(f"127.0.0.1:{taken}")}

    async def scenario() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", taken)
        async with running(plant(devices, POINTS), tmp_path) as bench:
            await until(lambda: bench.device("blocked").errors)
            assert bench.device("blocked").last_error.startswith(f"cannot listen on 127.0.0.1:{taken}: ")
            link = await linked(port)
            assert await link.deliver(minute(0))
            await link.close()
        server.close()

    asyncio.run(scenario())


def test_the_real_address_may_differ_from_the_declared_one(tmp_path: Path) -> None:
    """As for meters, a run may listen elsewhere than the description says."""
    port = free_port()
    one = described("localhost:9002")
    device = one.devices["station"]
    assert isinstance(device, Hj212)

    async def scenario() -> None:
        clock = PlantClock.real()
        arrived: list[object] = []
        status = Status(clock, {"station": "hj212"})
        listener = Listener(
            stations(one), clock, status, lambda _, items: arrived.extend(items), {device.listen: f"127.0.0.1:{port}"}
        )
        listener.start()
        link = await linked(port)
        await link.send(minute(0).packet)
        await until(lambda: len(arrived) == 1)
        await listener.stop()
        await listener.close()

    asyncio.run(scenario())
