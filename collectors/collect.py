"""The process that collects: pollers, MQTT session and commit thread, wired together; ends in order within 3 s."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from collectors.commit import Committer
from collectors.modbus.connection import Connection
from collectors.modbus.poller import Poller
from collectors.mqtt import payload
from collectors.mqtt.client import Session, Token
from collectors.mqtt.payload import Received, Rejected
from collectors.plan import plan as plan_all
from collectors.status import Status
from journal.journal import Journal
from plant.clock import PlantClock
from plant.model import Modbus, Mqtt, Plant
from plant.reading import Quality, Readings

STATUS_EVERY_S = 2.0
CLOSE_WITHIN_S = 2.0

_log = logging.getLogger(__name__)


async def collect(
    plant: Plant,
    folder: Path,
    data: Path,
    clock: PlantClock,
    addresses: dict[str, str],
    broker_url: str | None,
    stop: asyncio.Event,
) -> None:
    """Reads the plant's devices into the journal until `stop`, then commits all that was received.

    `folder` holds the plant description (for profiles and password files beside it), `data` is the plant's data folder:
    the journal is `data/journal`, the status `data/collect.json`. `addresses` says where a declared "host:port" really
    is; `broker_url` overrides the description's.

    Raises ConfigurationError for a profile that is missing or wrong, StorageError when the journal cannot be opened.
    """
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the status holds every failure
    plan = plan_all(plant, folder)
    url = broker_url or (plant.broker.url if plant.broker else None)
    protocols: dict[str, str] = {
        name: one.protocol for name, one in plant.devices.items() if isinstance(one, Modbus | Mqtt)
    }
    listens = plant.broker is not None and url is not None and bool(plan.mqtt.routes)
    status = Status(clock, protocols, url if listens else None)
    session: Session | None = None

    def decode(messages: Sequence[Received]) -> tuple[Readings, dict[str, Rejected]]:
        readings, rejected = payload.decode(plan.mqtt, messages)
        good = readings.point[readings.quality < Quality.BAD]
        counts = Counter(plant.points[readings.points[point]].device for point in good.tolist())
        for device, count in counts.items():
            status.success(device, None, count)
        return readings, rejected

    def acknowledge(tokens: Sequence[Token]) -> None:
        if session is not None:
            session.acknowledge(tokens)

    def window(size: int) -> None:
        committer.window = size

    journal = Journal(data / "journal")
    committer: Committer[Token] = Committer(journal, clock, status, decode, acknowledge)
    thread = threading.Thread(target=committer.run, name="commit", daemon=True)
    thread.start()
    connections: dict[str, Connection] = {}
    tasks: list[asyncio.Task[None]] = []
    try:
        for planned in plan.modbus:
            address = addresses.get(planned.device.address, planned.device.address)
            connection = connections.setdefault(address, Connection(address, clock))
            tasks.append(asyncio.create_task(Poller(planned, connection, clock, committer, status).run()))
        if listens and plant.broker is not None and url is not None:
            session = Session(plant.broker, url, folder, plan.mqtt, clock, status, committer.put_message, window)
            tasks.append(asyncio.create_task(session.run()))
        tasks.append(asyncio.create_task(_write_status(status, data)))
        tasks.append(asyncio.create_task(_until(stop)))
        finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections.values():
            connection.close()
        committer.stop()
        await asyncio.to_thread(thread.join, CLOSE_WITHIN_S)
        if session is not None:
            await asyncio.to_thread(session.close)
        if not thread.is_alive():
            journal.close()
        _try_write(status, data)


def run(
    plant: Plant, folder: Path, data: Path, clock: PlantClock, addresses: dict[str, str], broker_url: str | None
) -> None:
    """Collects until SIGTERM or SIGINT; see `collect`."""

    async def until_signal() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await collect(plant, folder, data, clock, addresses, broker_url, stop)

    asyncio.run(until_signal())


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _write_status(status: Status, data: Path) -> None:
    while True:
        _try_write(status, data)
        await asyncio.sleep(STATUS_EVERY_S)


def _try_write(status: Status, data: Path) -> None:
    try:
        status.write(data)
    except OSError as error:
        _log.warning("%s: the status cannot be written: %s", data, error)
