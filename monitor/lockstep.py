"""Lock step: simulator, journal and step advance in turn, over an in-process transport.

The transport carries the same register words and payload bytes that sockets would, and the collectors' own code decodes
them; nothing is precomputed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collectors import plan as collectors_plan
from collectors.lockstep import collect_delivery
from journal.journal import Journal
from journal.message import encode_body, encode_readings
from monitor.server import Server
from plant.model import Plant
from simulators.lockstep import LockStep

STEP_MINUTES = 360
STEPS_AT_ONCE = 4
STEPS_PER_CHECKPOINT = 40


@dataclass(frozen=True)
class Progress:
    """How far a run has come: simulated minutes and readings so far, of minutes in all."""

    minutes: int
    of: int
    readings: int


class LockStepRun:
    """One plant in lock step; `server` steps what the journal holds, in the same process."""

    def __init__(self, plant: Plant, folder: Path, simulator: LockStep, journal: Journal, server: Server) -> None:
        """`folder` holds the plant description, and the profiles beside it."""
        self.simulator = simulator
        self.readings = 0
        self._plan = collectors_plan.plan(plant, folder)
        self._journal = journal
        self._server = server

    def run(self, minutes: int, progress: Callable[[Progress], None] | None = None) -> None:
        """Advances by whole minutes, in steps of six hours, and leaves everything stored."""
        done = steps = 0
        while done < minutes:
            length = min(STEP_MINUTES, minutes - done)
            delivery = self.simulator.advance(length)
            readings = collect_delivery(self._plan, delivery.modbus, delivery.mqtt)
            # the tick goes first: it says up to when these readings may be, they come in the same transaction
            tick = encode_body({"time": delivery.now_us})
            self._journal.append([("tick", tick), ("readings", encode_readings(readings))])
            self.readings += len(readings)
            done += length
            steps += 1
            if steps % STEPS_AT_ONCE == 0 or done == minutes:
                # a day in one go: the answer does not depend on the batch, the cost does
                self._server.step()
            if steps % STEPS_PER_CHECKPOINT == 0:
                self._server.checkpoint()
                self._trim()
            if progress is not None:
                progress(Progress(done, minutes, self.readings))
        self._server.checkpoint()
        self._trim()

    def _trim(self) -> None:
        while self._journal.trim():
            pass
