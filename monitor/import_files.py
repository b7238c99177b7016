"""`keepclean import`: files into the journal of a plant that runs or not, each row once, whatever interrupts it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from collectors.files.disk import size_and_time
from collectors.files.marks import IMPORT_MARKS, FileMark, fresh_mark
from collectors.files.samples import MARKS as SAMPLE_MARKS
from collectors.files.samples import known_dues, superseded
from collectors.files.sift import RejectedRows
from collectors.files.stream import FileReader, OpenFile, Part
from historian.reader import Reader
from journal.journal import Journal
from journal.message import Kind, encode_body, encode_readings
from monitor.describe import Described
from pipeline.plans import HORIZON
from pipeline.receive import FIRST_BATCH_US
from plant.clock import to_datetime
from plant.errors import ConfigurationError, Fault, StorageError, shown
from plant.reading import DAY, HOUR, MINUTE, SECOND, Readings

PARTS_A_COMMIT = 8
BAR_AFTER_S = 2.0
ALIVE_S = 10.0
GIB = 2**30


@dataclass
class Imported:
    """What a file brings: its readings, points and span [µs UTC], what was refused, and how many readings are too late.

    `known` is how many of them were on disk before; `seconds` is how long it took to write the others.
    """

    path: Path
    mark: FileMark
    rejected: RejectedRows
    readings: int = 0
    points: set[str] = field(default_factory=set)
    first: int | None = None
    last: int | None = None
    late: int = 0
    known: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Times:
    """The plant's time: `now` [µs UTC], `tick` the last one stepped, `settled` up to where results stand; whether
    something ticks."""

    now: int
    tick: int
    settled: int
    ticking: bool


def import_files(
    described: Described, files: Sequence[Path], data: Path, dry_run: bool, screen: Console
) -> list[Imported]:
    """Appends the readings of files to the journal in `data`; with `dry_run` only tells what they hold.

    Every file is read to its end before anything is written. Raises ConfigurationError for files that are not
    understood, StorageError when the journal is full or cannot be written; what was written by then stays, and the
    same import goes on from there.
    """
    reader = FileReader(described.plant, None)
    times = _times(data)
    opened, faults = [], []
    for path in files:
        try:
            opened.append((fresh_mark(path), reader.open(path)))
        except OSError as error:
            faults.append(Fault(path, 1, f"cannot be read: {error.strerror}"))
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError(faults)
    with _Bar(screen, len(opened) * (1 if dry_run else 2)) as bar:
        found = [_survey(file, mark, times, bar) for mark, file in opened]
        if dry_run:
            return found
        journal = Journal(data / "journal")
        try:
            for one, (_, file) in zip(found, opened, strict=True):
                _Writer(journal, times, described.plant.storage.journal_gib * GIB).write(file, one, bar)
        finally:
            journal.close()
    return found


def report(done: Imported, dry_run: bool, wall: Callable[[int], str]) -> Iterator[str]:
    """What a person wants to know of an imported file, line by line; `wall` writes a time as the plant's."""
    many = f"{done.readings:,} readings of {len(done.points)} points"
    span = f", {wall(done.first)} to {wall(done.last)}" if done.first is not None and done.last is not None else ""
    rate = f", {(done.readings - done.known) / max(done.seconds, 1e-9):,.0f}/s" if done.seconds > BAR_AFTER_S else ""
    yield f"{shown(done.path)}: {many}{span}{rate}{'; nothing was written' if dry_run else ''}"
    if done.known == done.readings and done.known and not dry_run:
        yield "  this very content was imported before: nothing was written again"
    elif done.known and not dry_run:
        yield f"  {done.known:,} of them were on disk from an import that was interrupted"
    if done.rejected.count:
        yield f"  {done.rejected.count:,} values rejected, for instance:"
        for sample in done.rejected.samples:
            yield f"    {shown(done.path)}:{sample.line}: {sample.reason}: {sample.text}"
    if done.late:
        yield (
            f"  about {done.late:,} readings lie more than 24 h behind the plant's settled time: they are kept in the "
            "table readings as bad ('late'), and change no fact and no KPI"
        )
        yield "  to have history counted, replay all files into an empty data folder: keepclean replay"


def _survey(file: OpenFile, mark: FileMark, times: _Times, bar: _Bar) -> Imported:
    """Reads a file to its end and writes nothing."""
    found = Imported(file.table.path, mark, RejectedRows(file.table.path))
    tick = times.tick
    horizon = HORIZON if times.settled else FIRST_BATCH_US
    for part in file.parts(times.now):
        bar.advance(part.share)
        found.rejected.add(part.rejected.count, part.rejected.samples)
        readings = part.readings
        found.readings += len(readings)
        if not len(readings):
            continue
        first, last = int(readings.time.min()), int(readings.time.max())
        found.points |= {readings.points[number] for number in np.unique(readings.point).tolist()}
        found.first = first if found.first is None else min(first, found.first)
        found.last = last if found.last is None else max(last, found.last)
        settled = max(times.settled, 0 if times.ticking else min(tick, times.now) - HOUR)
        if settled > 0:
            found.late += int((readings.time < settled - horizon).sum())
        tick = max(tick, min(last, times.now))
    bar.file_done()
    return found


class _Writer:
    """Writes one file's parts, several to a transaction, each with the mark that says so."""

    def __init__(self, journal: Journal, times: _Times, budget: float) -> None:
        self._journal, self._times, self._budget = journal, times, budget
        self._tick = times.tick

    def write(self, file: OpenFile, done: Imported, bar: _Bar) -> None:
        """Writes what of a file is not on disk yet."""
        name = IMPORT_MARKS + done.mark.hash
        stored = self._journal.marks(name).get(name)
        known = FileMark.decode(stored) if stored else None
        mark = known.moved(done.mark) if known is not None else done.mark
        done.known = mark.readings
        began = time.monotonic()
        dues = known_dues(self._journal.marks(SAMPLE_MARKS))
        if not mark.done:
            for parts in _grouped(file.parts(self._times.now, mark.line)):
                self._check(done, mark)
                messages: list[tuple[Kind, bytes]] = []
                marks: dict[str, bytes] = {}
                for part in parts:
                    mark = mark.after(part)
                    messages += self._messages(part.readings)
                    marks |= dict.fromkeys(superseded(dues, part.readings), b"")
                    marks |= {due.name: due.encode() for due in part.dues}
                    dues |= {due.name: due for due in part.dues}
                self._journal.append(messages, {**marks, name: mark.encode()})
                bar.advance(parts[-1].share)
            self._check(done, mark)
            self._journal.append([], {name: mark.finished().encode()})
        done.seconds = time.monotonic() - began
        bar.file_done()

    def _check(self, done: Imported, mark: FileMark) -> None:
        again = f"{mark.readings:,} of {done.readings:,} readings are on disk; the same import goes on from there"
        try:
            same = done.mark.same_file(*size_and_time(done.path))
        except OSError as error:
            raise ConfigurationError([Fault(done.path, 1, f"cannot be read: {error.strerror}", again)]) from error
        if not same:
            hint = f"{mark.readings:,} readings are on disk; import it again when nobody writes it"
            raise ConfigurationError([Fault(done.path, 1, "was changed while it was read", hint)])
        if self._journal.used_bytes() >= self._budget:
            message = f"the journal has reached its budget of {self._budget / GIB:g} GiB ({shown(done.path)}: {again})"
            raise StorageError(f"{message}; let `keepclean run` process it first")

    def _messages(self, readings: Readings) -> Iterator[tuple[Kind, bytes]]:
        """A part's readings; where nothing else ticks, a day at a time, each with the tick that its newest one means:
        the plant's time would otherwise stand still, and all of them lie in its future."""
        if not len(readings):
            return
        if self._times.ticking:
            yield ("readings", encode_readings(readings))
            return
        ordered = readings.take(np.argsort(readings.time, kind="stable"))
        edges = np.flatnonzero(np.diff(ordered.time // DAY, prepend=-1, append=-1))
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            day = ordered.take(np.arange(low, high))
            tick = -(-min(int(day.time[-1]), self._times.now) // MINUTE) * MINUTE
            if tick > self._tick and int(day.time[0]) <= self._times.now:
                self._tick = tick
                yield ("tick", encode_body({"time": tick}))
            yield ("readings", encode_readings(day))


def _grouped(parts: Iterator[Part]) -> Iterator[list[Part]]:
    group: list[Part] = []
    for part in parts:
        group.append(part)
        if len(group) == PARTS_A_COMMIT:
            yield group
            group = []
    if group:
        yield group


def _times(data: Path) -> _Times:
    """The plant's time, from what collect writes while it runs; else the wall clock's, unless that was never its."""
    tick = settled = 0
    try:
        reader = Reader(data)
        tick, settled = reader.head("tick"), reader.head("settled")
    except StorageError:
        pass  # nothing was stepped here yet
    real = int(time.time() * SECOND)
    try:
        known: dict[str, Any] = json.loads((data / "collect.json").read_text())
    except (OSError, ValueError):
        return _Times(real, tick, settled, False)
    age = real - int(known["real_time"])
    if abs(age) < ALIVE_S * SECOND:
        return _Times(int(known["time"] + age * known["speed"]), tick, settled, True)
    simulated = known["speed"] != 1 or abs(known["time"] - known["real_time"]) > HOUR
    return _Times(tick if simulated else real, tick, settled, False)


def wall_clock(described: Described) -> Callable[[int], str]:
    """Writes times as the plant's own."""
    zone = described.plan.zone
    return lambda moment: to_datetime(moment).astimezone(zone).strftime("%Y-%m-%d %H:%M")


class _Bar:
    """A progress bar over some passes through files, that shows itself when it takes longer than two seconds."""

    def __init__(self, screen: Console, passes: int) -> None:
        columns = (TextColumn("import"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=screen, transient=True)
        self._task = self._progress.add_task("import", total=passes)
        self._done, self._began, self._shown = 0, time.monotonic(), False

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._progress.stop()

    def advance(self, share: float) -> None:
        """So much of the file at hand is read."""
        if not self._shown and time.monotonic() - self._began > BAR_AFTER_S:
            self._progress.start()
            self._shown = True
        self._progress.update(self._task, completed=self._done + share)

    def file_done(self) -> None:
        """A pass is over."""
        self._done += 1
        self.advance(0.0)
