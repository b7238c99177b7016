"""The serve process: the pipeline in a thread of its own, the console, the outbox and the notifier beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

from alerts.notify import Notifier
from console.app import listen, serve
from console.sources import Context
from historian.influx.client import influx_writer
from historian.influx.outbox import Outbox
from historian.influx.outgoing import Outgoing
from historian.reader import Reader
from historian.spool import spools
from historian.store import Historian
from journal.journal import Journal
from journal.lock import FolderLock
from journal.message import encode_body
from monitor.clock_file import ClockFile
from monitor.correct import ConsoleDesk
from monitor.demo_control import Advance, DemoConsole
from monitor.describe import Described
from monitor.server import Server, announce_plant
from monitor.status import PlantStatus, data_bytes
from plant.errors import DamagedError, StorageError
from plant.model import Plant
from plant.reading import DAY

_log = logging.getLogger("keepclean.serve")

IDLE_S = 0.2
CHECKPOINT_S = 1.0
HOUSEKEEPING_S = 600.0
OUTBOX_S = 1.0
RETRY_S = 5.0
LAST_STEPS_S = 1.0
TURN_S = 8.0
"""In how long every process unit of a large plant has its turn to work out what has settled."""


class Turns:
    """How many process units may work out what has settled, so that each has its turn within TURN_S."""

    def __init__(self, units: int, now_s: float) -> None:
        self._units, self._last_s = units, now_s

    def units(self, now_s: float) -> int:
        """As many as the time since the last messages asks for, one at least."""
        return max(1, min(self._units, math.ceil((now_s - self._last_s) / TURN_S * self._units)))

    def taken(self, now_s: float) -> None:
        """Messages were stepped: what is due waits for the next ones."""
        self._last_s = now_s


class Pipeline(threading.Thread):
    """Steps the journal until told to stop; storage that fails is tried again, nothing is dropped.

    Anything unforeseen ends the whole process (`stop` is set, `failed` says so): it is started anew, from the last
    checkpoint, instead of showing a page that stands still.
    """

    def __init__(
        self, described: Described, data: Path, clock: ClockFile, advance: Advance | None, stop: threading.Event
    ) -> None:
        super().__init__(name="pipeline", daemon=True)
        self.stopping = threading.Event()
        self.failed = False
        self._end = stop
        self._described, self._data, self._clock, self._advance = described, data, clock, advance
        self._journal = Journal(data / "journal")
        self._historian = Historian(data, spools(described.plant))
        self._notifier = Notifier(described.plant, data, base=described.folder, now_us=clock.now_us)
        self._server = Server(described.plan, self._journal, self._historian, self._notifier)
        self._journal.count_above(self._server.engine.position)
        announce_plant(self._journal, Reader(data), described, clock.now_us())

    def run(self) -> None:
        try:
            self._run()
        except Exception:  # noqa: BLE001 - whatever it was, a page that stands still helps nobody
            _log.exception("the pipeline cannot go on; the process starts anew")
            self.failed = True
            self._end.set()

    def _run(self) -> None:
        self._notifier.start()
        stored, tidied = time.monotonic(), float("-inf")
        turns = Turns(len(self._described.plan.units), stored)
        dirty = False
        while not self.stopping.is_set():
            try:
                if self._advance is not None and self._advance.due():
                    self._advance.run(self._described, self._journal, self._server)
                began = time.monotonic()
                worked = self._server.step(units_at_once=turns.units(began))
                if worked:
                    turns.taken(began)
                dirty = dirty or worked > 0
                now = time.monotonic()
                if dirty and now - stored >= CHECKPOINT_S:
                    self._server.checkpoint()
                    stored, dirty = now, False
                if now - tidied >= HOUSEKEEPING_S:
                    tidy(self._described.plant, self._data, self._historian, self._journal)
                    tidied = now
                if not worked:
                    self.stopping.wait(IDLE_S)
            except StorageError as error:
                _log.exception("results cannot be stored; trying again in %g s", RETRY_S)
                if isinstance(error, DamagedError):
                    self._journal.report_damage()
                self.stopping.wait(RETRY_S)
        try:
            # what collect wrote on its way out; a long backlog is left to the next start
            deadline = time.monotonic() + LAST_STEPS_S
            while time.monotonic() < deadline and self._server.step():
                pass
            self._server.checkpoint()
        except StorageError:
            _log.exception("the last results could not be stored; they are computed again at the next start")
        self._notifier.stop()
        self._historian.close()


def tidy(plant: Plant, data: Path, historian: Historian, journal: Journal) -> None:
    """Applies the retention and makes files of closed days; a notice tells of damage and of a disk nearly used up."""
    keep = {"readings": plant.storage.readings / 86400, "facts": plant.storage.minute_facts / 86400}
    now_us = historian.head("settled")
    historian.forget(keep, now_us)
    historian.compact_beside()
    for evidence in historian.damaged():
        body = {"point": "", "start": now_us, "end": now_us, "finding": "results damaged", "evidence": evidence}
        journal.append([("notice", encode_body(body))])
    used, limit = data_bytes(data), plant.storage.disk_gib * 2**30
    if used > 0.9 * limit:
        evidence = f"{used / 2**30:.1f} GiB of {plant.storage.disk_gib:g} GiB are used"
        day = now_us // DAY * DAY
        body = {"point": "", "start": day, "end": now_us, "finding": "disk budget nearly used up", "evidence": evidence}
        journal.append([("notice", encode_body(body))])


class Forwarder(threading.Thread):
    """Sends stored results to InfluxDB, where the description names one."""

    def __init__(self, described: Described, data: Path) -> None:
        super().__init__(name="outbox", daemon=True)
        self.stopping = threading.Event()
        assert described.plant.influx is not None
        reader = Reader(data)
        write = influx_writer(described.plant.influx, described.folder)
        outgoing = Outgoing(data) if spools(described.plant) else None
        pace = described.plant.influx.catch_up
        self._outbox = Outbox(described.plant, data, reader, write, pace=pace, outgoing=outgoing)
        self._journal = Journal(data / "journal")

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                done = self._outbox.drain()
                for notice in done.notices:
                    plain = {**notice, "start": _us(notice["start"]), "end": _us(notice["end"])}
                    self._journal.append([("notice", encode_body({key: plain[key] for key in NOTICE_KEYS}))])
            except Exception:  # noqa: BLE001 (results are stored, and a thread that is gone would send no more of them)
                _log.exception("the outbox cannot go on; trying again")
                self.stopping.wait(RETRY_S)
                continue
            if not done.sent:
                self.stopping.wait(OUTBOX_S)
        self._outbox.close()
        self._journal.close()


NOTICE_KEYS = ("point", "start", "end", "finding", "evidence")


def _us(moment: Any) -> int:
    return int(moment.timestamp() * 1e6)


def run(described: Described, data: Path, clock_path: Path, port: int, demo: bool) -> None:
    """Serves until SIGTERM or SIGINT. `data/serve.json` receives the console's address once it listens.

    Raises StorageError when another process serves the same folder, SystemExit when the pipeline could not go on.
    """
    with FolderLock(data / "serve.lock"):
        _serve(described, data, clock_path, port, demo)


def _serve(described: Described, data: Path, clock_path: Path, port: int, demo: bool) -> None:
    clock = ClockFile(clock_path)
    stop = threading.Event()
    advance = Advance(data, clock) if demo else None
    pipeline = Pipeline(described, data, clock, advance, stop)
    forwarder = Forwarder(described, data) if described.plant.influx else None
    acts_journal, status_journal = Journal(data / "journal"), Journal(data / "journal")
    lock = threading.Lock()

    def act(body: dict[str, Any]) -> None:
        with lock:
            acts_journal.append([("act", encode_body({"time": clock.now_us(), **body}))])

    reader = Reader(data)
    context = Context(
        plant=described.plant,
        calendar=described.plan.calendar,
        clock=clock,
        history=reader,
        acts=act,
        status=PlantStatus(described.plant, data, status_journal, reader),
        demo=DemoConsole(data, clock, advance) if advance is not None else None,
        corrections=ConsoleDesk(described.plan, data),
    )
    listener = listen(port=port)

    async def until_signal() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        pipeline.start()
        if forwarder:
            forwarder.start()
        host, actual = listener.getsockname()[:2]
        fresh = data / "serve.new"
        fresh.write_text(json.dumps({"url": f"http://{host}:{actual}/"}))
        fresh.replace(data / "serve.json")
        await serve(context, listener, stop)

    try:
        asyncio.run(until_signal())
    finally:
        for thread in (pipeline, forwarder):
            if thread is not None:
                thread.stopping.set()
        for thread in (pipeline, forwarder):
            if thread is not None and thread.is_alive():
                thread.join(timeout=3.0)
    if pipeline.failed:
        raise SystemExit(1)
