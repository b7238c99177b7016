"""The folders that hand-written and laboratory files are put into: every file is read once, when nobody writes it any
more, and never moved or deleted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from polars.exceptions import PanicException

from collectors.files.disk import opened, size_and_time
from collectors.files.marks import FOLDER_MARKS, FileMark, begins_with, fresh_mark
from collectors.files.samples import MARKS as SAMPLE_MARKS
from collectors.files.samples import Due, Validity, known_dues, superseded
from collectors.files.source import Brought, FilesSource
from collectors.files.stream import FileReader, Part, said
from collectors.source import Rejected
from collectors.status import Status
from journal.journal import Journal
from plant.clock import PlantClock
from plant.errors import ConfigurationError, StorageError, shown
from plant.model import Manual, Plant
from plant.reading import Readings

LOOK_EVERY_S = 2.0
UNENDED_QUIET_S = 30.0
"""A CSV whose last line has no end may still grow: it is left alone for so long."""
FLYING_MAX = 2
SUFFIXES = (".csv", ".parquet")
REJECTED, UNREADABLE = "rows of a file rejected", "file cannot be read"
UNFORESEEN = (Exception, PanicException)
"""Whatever one file brings about: what polars calls a panic is no `Exception`."""

_log = logging.getLogger(__name__)


class Commits(Protocol):
    """What the folders need of the commit thread."""

    def put(self, source: FilesSource, items: list[Brought]) -> None:
        """Hands over parts."""


@dataclass
class _Open:
    """The file being read."""

    device: str
    path: Path
    mark: FileMark
    parts: Iterator[Part]


class Inbox:
    """Looks into the folders of a plant's manual devices; `turn` is one step, `run` a thread's whole life.

    A file is taken when its size and time of change were the same at two looks. What is on disk of it is in its mark,
    so that it goes on where it was after a kill at any instant. `marks` reads the journal's marks by beginning.
    """

    def __init__(
        self,
        plant: Plant,
        folder: Path,
        marks: Callable[[str], Mapping[str, bytes]],
        clock: PlantClock,
        commits: Commits,
        status: Status,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        devices = {name: one for name, one in plant.devices.items() if isinstance(one, Manual)}
        self._folders = {name: folder / one.folder for name, one in devices.items() if one.folder is not None}
        self._readers = {name: FileReader(plant, name) for name in self._folders}
        self._points = {name: point.device for name, point in plant.points.items()}
        self._validity = Validity(plant)
        self._read_marks, self._clock, self._commits, self._status = marks, clock, commits, status
        self._monotonic = monotonic
        self._source = FilesSource(status, self._landed)
        known = {name: FileMark.decode(body) for name, body in marks(FOLDER_MARKS).items()}
        self._files = {name: mark for name, mark in known.items() if mark is not None}
        self._dues: dict[str, Due] = {}
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self._open: _Open | None = None
        self._refused: set[str] = set()
        self._away: set[str] = set()
        self._troubled: dict[Path, str] = {}
        self._lock = threading.Lock()
        self._flying = 0
        self._wake = threading.Event()
        self._stopping = False

    def run(self) -> None:
        """The thread: ends after `stop`; what is not on disk by then is read at the next start."""
        while not self._stopping:
            try:
                pause = self.turn()
            except StorageError as error:
                _log.warning("the folders wait: %s", error)
                pause = LOOK_EVERY_S
            except UNFORESEEN as error:  # a thread that ended would leave every folder unread, and tell nobody
                _log.error("the folders go on", exc_info=error)
                for device in self._folders:
                    self._status.failure(device, _unforeseen(error))
                self._open, pause = None, LOOK_EVERY_S
            self._wake.wait(pause)
            self._wake.clear()

    def stop(self) -> None:
        """Asks the thread to end."""
        self._stopping = True
        self._wake.set()

    def turn(self) -> float:
        """Hands over the next part, or looks for files. Returns the real seconds until the next turn [s].

        Raises StorageError when the journal's marks cannot be read.
        """
        with self._lock:
            flying = self._flying
        if flying >= FLYING_MAX:
            return LOOK_EVERY_S
        if self._open is not None:
            self._next(self._open)
            return 0.0
        if not flying:
            self._say_dues()
        self._open = self._find()
        return 0.0 if self._open is not None else LOOK_EVERY_S

    def _landed(self, parts: int) -> None:
        with self._lock:
            self._flying -= parts
        self._wake.set()

    def _put(self, brought: Brought) -> None:
        with self._lock:
            self._flying += 1
        self._commits.put(self._source, [brought])

    def _find(self) -> _Open | None:
        """The first file that is new, or other than it was, and that nobody writes any more."""
        for device, folder in self._folders.items():
            try:
                paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
                self._away.discard(device)
            except OSError as error:
                if device not in self._away:
                    self._away.add(device)
                    self._status.failure(device, f"{shown(folder)}: {error.strerror}")
                continue
            for path in paths:
                found = None if path.name.startswith((".", "~")) else self._look(device, path)
                if found is not None:
                    return found
        return None

    def _look(self, device: str, path: Path) -> _Open | None:
        name = _name(device, path)
        mark = self._files.get(name)
        try:
            now = size_and_time(path)
            # a file that could not be read may be understood by another description: at every start it is tried again
            if mark is not None and mark.done and mark.same_file(*now) and (not mark.fault or name in self._refused):
                self._seen.pop(path, None)
                return None
            before, since = self._seen.get(path, (None, 0.0))
            if before != now:
                self._seen[path] = (now, self._monotonic())
                return None
            if self._monotonic() - since < UNENDED_QUIET_S and not _ended(path):
                return None
            fresh = fresh_mark(path)
            same = mark is not None and mark.hash == fresh.hash
            grown = mark is not None and not same and begins_with(path, mark)
        except OSError as error:
            self._trouble(device, path, error)
            return None
        if not fresh.same_file(*now):
            return None
        del self._seen[path]
        if mark is not None and same:
            fresh = mark.moved(fresh)
            if fresh.done:
                self._keep(device, path, fresh)
                return None
        elif mark is not None and grown:
            fresh = mark.grown(fresh)
        try:
            parts = self._readers[device].open(path).parts(self._clock.now_us(), fresh.line)
        except UNFORESEEN as error:  # also a fault of ours: at one file it costs the others nothing
            self._refuse(device, path, fresh, error)
            return None
        self._troubled.pop(path, None)
        return _Open(device, path, fresh, parts)

    def _next(self, file: _Open) -> None:
        """Hands over the next part of the open file; one that was changed meanwhile is looked at anew."""
        try:
            part = next(file.parts, None)
            if not _unchanged(file):
                self._open = None
            elif part is None:
                self._open = None
                self._finish(file)
            else:
                mark = file.mark.after(part)
                self._keep(file.device, file.path, mark, part)
                file.mark = mark
        except UNFORESEEN as error:  # also a fault of ours: at one file it costs the others nothing
            self._open = None
            if _unchanged(file):  # else what is wrong with it may be no more than that it is being written
                self._refuse(file.device, file.path, file.mark, error)

    def _finish(self, file: _Open) -> None:
        """Has written that all of a file is read, with a notice of what was refused."""
        mark, notices = file.mark.finished(), []
        if mark.rejected:
            total = mark.readings + mark.rejected
            evidence = f"{shown(file.path.name)}: {mark.rejected:,} of about {total:,} values; {mark.sample}"
            notices.append(self._notice(REJECTED, evidence))
        self._keep(file.device, file.path, mark, notices=notices)

    def _keep(
        self,
        device: str,
        path: Path,
        mark: FileMark,
        part: Part | None = None,
        notices: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Has a file's mark written, with what a part of it brought."""
        name = _name(device, path)
        marks, readings, rejected = {name: mark.encode()}, Readings.join([]), None
        if part is not None:
            readings, rejected = part.readings, _rejected(path, part)
            marks |= self._marks_of(part)
        self._files[name] = mark
        self._put(Brought(device, readings, marks, rejected, notices))

    def _refuse(self, device: str, path: Path, mark: FileMark, error: BaseException) -> None:
        """Has a file left alone until it changes; the status says why, and a notice, once."""
        if isinstance(error.__cause__, OSError) and error.__cause__.errno is not None:
            self._trouble(device, path, error.__cause__)
            return
        name, text = _name(device, path), shown(path.name)
        if isinstance(error, ConfigurationError):
            faults = [f"{text}:{fault.line}: {fault.message}" for fault in error.faults]
        else:
            _log.error("%s is left alone", shown(path), exc_info=error)
            faults = [f"{text}: {_unforeseen(error)}"]
        if mark.readings:
            faults.append(f"{mark.readings:,} readings before that were read")
        self._refused.add(name)
        self._status.failure(device, faults[0])
        mark, known = mark.finished("; ".join(faults)), self._files.get(name)
        told = known is not None and (known.hash, known.fault) == (mark.hash, mark.fault)
        if mark != known:
            self._keep(device, path, mark, notices=[] if told else [self._notice(UNREADABLE, mark.fault)])

    def _trouble(self, device: str, path: Path, error: OSError) -> None:
        """The status tells once of a file that the disk does not give; it is tried again at every look."""
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return  # deleted between listing and looking
        reason = error.strerror or str(error)
        if self._troubled.get(path) != reason:
            self._troubled[path] = reason
            self._status.failure(device, f"{shown(path.name)}: {reason}")

    def _notice(self, finding: str, evidence: str) -> dict[str, Any]:
        now = self._clock.now_us()
        return {"point": "", "start": now, "end": now, "finding": finding, "evidence": evidence}

    def _marks_of(self, part: Part) -> dict[str, bytes]:
        """The marks of samples that end later, and of those that end because of this part."""
        marks = dict.fromkeys(superseded(self._dues, part.readings), b"")
        for name in marks:
            del self._dues[name]
        self._dues |= {due.name: due for due in part.dues}
        return marks | {due.name: due.encode() for due in part.dues}

    def _say_dues(self) -> None:
        """Reads what of samples has come by now."""
        now = self._clock.now_us()
        self._dues = known_dues(self._read_marks(SAMPLE_MARKS))
        for name, due in list(self._dues.items()):
            if due.time > now:
                continue
            extras, rest = self._validity.due(due, now)
            if rest is None:
                del self._dues[name]
            else:
                self._dues[name] = rest
            mark = rest.encode() if rest is not None else b""
            device = self._points.get(due.point, "")
            self._put(Brought(device, said(tuple(self._points), extras, now), {name: mark}))


def _rejected(path: Path, part: Part) -> Rejected | None:
    """What of a part was refused, as the status shows it."""
    if not part.rejected.count:
        return None
    first = part.rejected.samples[0]
    return Rejected(part.rejected.count, first.text, f"{shown(path.name)}:{first.line}: {first.reason}")


def _unchanged(file: _Open) -> bool:
    """Whether the open file is what it was when it was opened, and where."""
    try:
        return file.mark.same_file(*size_and_time(file.path))
    except OSError:
        return False


def _name(device: str, path: Path) -> str:
    """The name of a file's mark."""
    return f"{FOLDER_MARKS}{device}/{shown(path.name)}"


def _unforeseen(error: BaseException) -> str:
    text = f"not foreseen: {type(error).__name__}: {error}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # may name a file


def _ended(path: Path) -> bool:
    """Whether a CSV's last line has an end; of a Parquet file its last bytes tell."""
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(max(size - 4, 0))
        last = file.read()
    return last == b"PAR1" if path.suffix.lower() == ".parquet" else last.endswith((b"\n", b"\r"))


def start(
    plant: Plant, folder: Path, journal: Path, clock: PlantClock, commits: Commits, status: Status
) -> Inbox | None:
    """Starts the folders' thread, if the plant needs one; `journal` is the journal's folder.

    Raises StorageError when the journal cannot be read.
    """
    if not any(isinstance(device, Manual) for device in plant.devices.values()):
        return None
    inbox = Inbox(plant, folder, Journal(journal).marks, clock, commits, status)
    threading.Thread(target=inbox.run, name="files", daemon=True).start()
    return inbox
