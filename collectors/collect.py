"""The process that collects: pollers, MQTT session and commit thread, wired together; ends in order within 3 s."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.commit import Committer
from collectors.hj212.server import Listener
from collectors.modbus.pollers import Pollers
from collectors.mqtt.identity import FORGET, Delivery, Item
from collectors.mqtt.session import Session
from collectors.mqtt.source import MARKS, MqttSource
from collectors.mqtt.topics import Topics
from collectors.own import Observers
from collectors.plan import plan as plan_all
from collectors.status import Status
from journal.journal import Journal
from journal.lock import FolderLock
from journal.salvage import salvage
from plant.clock import PlantClock
from plant.errors import DamagedError
from plant.model import Broker, Manual, Plant

if TYPE_CHECKING:
    from collectors.files.inbox import Inbox

STATUS_EVERY_S = 2.0
CLOSE_WITHIN_S = 2.0
GIB = 2**30

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

    Raises ConfigurationError for a profile that is missing or wrong, StorageError when the journal cannot be opened, is
    damaged, or another process collects into the same folder.
    """
    with FolderLock(data / "collect.lock"):
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the status holds every failure
        plan = plan_all(plant, folder)
        url = broker_url or (plant.broker.url if plant.broker else None)
        protocols: dict[str, str] = {name: one.protocol for name, one in plant.devices.items()}
        listens = plant.broker is not None and url is not None and bool(plan.mqtt.routes)
        status = Status(clock, protocols, url if listens else None, plant)
        journal, committer = _open(plant, data, clock, status)
        thread = threading.Thread(target=committer.run, name="commit", daemon=True)
        session: Session | None = None
        if listens and plant.broker is not None and url is not None:
            session = _session(
                plant.broker,
                url,
                folder,
                plan.mqtt,
                clock,
                status,
                committer,
                journal.marks(MARKS),
                resumes=status.journal.damage != "",
            )
        thread.start()
        pollers = Pollers(plant, plan.modbus, addresses, clock, committer, status)
        listener = Listener(plan.hj212, clock, status, committer.put, addresses)
        folders = _folders(plant, folder, data / "journal", clock, committer, status)
        tasks: list[asyncio.Task[None]] = []
        try:
            listener.start()
            tasks.extend(pollers.start())
            tasks.extend(Observers(plan.own, clock, committer, status).start())
            if session is not None:
                session.start()
            tasks.append(asyncio.create_task(_write_status(status, data)))
            tasks.append(asyncio.create_task(_until(stop)))
            tasks.append(asyncio.create_task(_broken(committer, journal)))
            finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            pollers.close()
            if folders is not None:
                folders.stop()
            await listener.stop()
            await _last_commit(committer, thread, listener, session)
            if not thread.is_alive():
                journal.close()
            _try_write(status, data)


def _open(plant: Plant, data: Path, clock: PlantClock, status: Status) -> tuple[Journal, Committer]:
    """The journal, mended where it is damaged, and what commits to it; the status and a notice say what was found."""
    salvaged = salvage(data / "journal", clock.now_us())
    if salvaged is not None:
        _log.error("the journal was damaged: %s", salvaged.evidence)
        status.journal.damage = salvaged.evidence
    journal = Journal(data / "journal")
    committer = Committer(journal, clock, status, budget=plant.storage.journal_gib * GIB)
    served = journal.served()
    if journal.count_above(served):
        evidence = f"it ended before position {served}, up to which it had been read: its file was lost or replaced"
        committer.notice("journal damaged", evidence)
        status.journal.damage = evidence
    return journal, committer


async def _last_commit(
    committer: Committer, thread: threading.Thread, listener: Listener, session: Session | None
) -> None:
    """Commits all that was received; then the last replies and acknowledgements leave, and connections close."""
    committer.stop()
    await asyncio.to_thread(thread.join, CLOSE_WITHIN_S)
    await listener.close()
    if session is not None:
        await asyncio.to_thread(session.close)


def _folders(
    plant: Plant, folder: Path, journal: Path, clock: PlantClock, committer: Committer, status: Status
) -> Inbox | None:
    """What reads files put into folders; the frames that it needs are loaded only where there is a folder."""
    if not any(isinstance(device, Manual) and device.folder for device in plant.devices.values()):
        return None
    from collectors.files import inbox

    return inbox.start(plant, folder, journal, clock, committer, status)


def _session(
    broker: Broker,
    url: str,
    folder: Path,
    topics: Topics,
    clock: PlantClock,
    status: Status,
    committer: Committer,
    marks: Mapping[str, bytes],
    *,
    resumes: bool,
) -> Session:
    """The MQTT session with its source: each knows the other."""

    def acknowledge(deliveries: Sequence[Delivery]) -> None:
        session.acknowledge(deliveries)

    def publish(topic: str, payload: bytes) -> None:
        session.publish(topic, payload)

    def put(items: Sequence[Item]) -> None:
        committer.put(source, items)
        if items[0] is FORGET:
            committer.hurry()

    def window(size: int) -> None:
        source.window = size

    def forgotten() -> None:
        session.forgotten()

    def remember(count: int) -> None:
        source.dropped = count

    source = MqttSource(topics, status, marks, acknowledge, publish, forgotten)
    session = Session(
        broker,
        url,
        folder,
        topics,
        clock,
        status,
        put,
        window,
        committer.waiting,
        committer.notice,
        remember,
        resumes=resumes or bool(marks),
        dropped=source.dropped,
    )
    return session


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


async def _broken(committer: Committer, journal: Journal) -> None:
    """Ends with the error when the commit thread has ended, or serve cannot read the journal: the next start mends."""
    while committer.broken is None and not journal.damage_reported():
        await asyncio.sleep(STATUS_EVERY_S)
    raise committer.broken or DamagedError(f"{journal.path}: serve cannot read it")


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _write_status(status: Status, data: Path) -> None:
    while True:
        _try_write(status, data)
        await asyncio.sleep(STATUS_EVERY_S)


def _try_write(status: Status, data: Path) -> None:
    try:
        status.write(data)
    except (OSError, ValueError) as error:
        _log.warning("%s: the status cannot be written: %s", data, error)
