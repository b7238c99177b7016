"""`keepclean replay`: history from files through the very same step, as fast as the machine allows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from collectors.files import read_files
from historian.reader import Reader
from historian.store import Historian
from journal.journal import Journal
from journal.message import encode_body, encode_readings
from monitor.describe import Described
from monitor.server import Server, announce_plant
from pipeline.fitting import propose
from plant.errors import ConfigurationError, Fault
from plant.reading import DAY, HOUR, MINUTE, Readings

DAYS_AT_ONCE = 7
CHECKPOINT_DAYS = 63


@dataclass
class Replayed:
    """What a replay did."""

    readings: int = 0
    rejected: int = 0
    seconds: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)


class _Replay:
    """One replay under way: batches in, ticks derived from their times."""

    def __init__(self, described: Described, data: Path) -> None:
        self.described = described
        self.journal, self.historian = Journal(data / "journal"), Historian(data)
        self.server = Server(described.plan, self.journal, self.historian)
        self.newest = 0
        self._days = 0

    def put(self, readings: Readings) -> None:
        """Takes a day's readings in; the newest source time becomes the tick."""
        self.newest = max(self.newest, int(readings.time.max()))
        tick = encode_body({"time": self.newest // MINUTE * MINUTE + MINUTE})
        self.journal.append([("tick", tick), ("readings", encode_readings(readings))])
        self._days += 1
        if self._days % DAYS_AT_ONCE == 0:
            self.server.step()
        if self._days % CHECKPOINT_DAYS == 0:
            self.store()

    def settle(self) -> None:
        """Lets everything settle: ticks go on until no source can hold a minute back."""
        longest = max(device.interval for device in self.described.plant.devices.values())
        for ahead in (HOUR, 4 * int(longest * 1e6)):
            self.journal.append([("tick", encode_body({"time": self.newest + ahead}))])
        self.store()

    def store(self) -> None:
        """Steps what waits, checkpoint, and nothing more in the journal than is needed."""
        self.server.step()
        self.server.checkpoint()
        while self.journal.trim():
            pass

    def accept(self, span: tuple[date, date], by: str) -> dict[str, str]:
        """Fits and accepts every baseline on a span of local days, both included; why others could not be."""
        self.store()
        calendar = self.described.plan.calendar
        start, end = calendar.midnight(span[0]), calendar.midnight(span[1] + timedelta(days=1))
        names = list(self.described.plant.baselines)
        why = f"fitted on {span[0]} to {span[1]}"
        bodies, refused = propose(self.described.plan, self.server.reader, names, start, end, end + DAY, by, why)
        self.journal.append([("baseline", encode_body(body)) for body in bodies])
        self.server.step()
        return refused

    def close(self) -> None:
        """Closes the files."""
        self.journal.close()
        self.historian.close()


def replay(
    described: Described, files: Sequence[Path], data: Path, baseline: tuple[date, date] | None, screen: Console
) -> Replayed:
    """Replays files, merged by source time; with `baseline`, fits on that span when it has passed, as an act.

    Raises ConfigurationError when the data folder already holds newer results.
    """
    began = time.monotonic()
    done = Replayed()
    run = _Replay(described, data)
    if run.historian.head("position"):
        message = "this data folder already holds results; a replay starts from an empty one"
        raise ConfigurationError([Fault(data, 1, message, "name another folder with --data, or delete this one")])
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[readings]}"),
        TimeElapsedColumn(),
    )
    fit_at = None
    if baseline is not None:
        fit_at = described.plan.calendar.midnight(baseline[1] + timedelta(days=2))
    history = read_files(described.plant, files)
    try:
        with Progress(*columns, console=screen) as bar:
            task = bar.add_task("replay", total=len(history), readings="")
            for readings in history:
                if not done.readings:
                    announce_plant(run.journal, Reader(data), described, int(readings.time.min()))
                if baseline is not None and fit_at is not None and int(readings.time.max()) >= fit_at + HOUR:
                    done.refused = run.accept(baseline, "replay")
                    fit_at = None
                run.put(readings)
                done.readings += len(readings)
                bar.update(task, completed=done.readings, readings=f"{done.readings:,}")
            run.settle()
    finally:
        run.close()
    done.rejected = sum(rows.count for rows in history.rejected)
    done.seconds = time.monotonic() - began
    return done
