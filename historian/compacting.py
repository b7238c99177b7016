"""Compaction in a process of its own, at low priority: its memory and its threads are not those of the step.

`python -m historian.compacting FOLDER ROWS` does what `Historian.compact` does and ends. Whoever writes Parquet into a
folder holds its lock, which is free again when the process is gone, however it went.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

NICE = 10

_log = logging.getLogger("keepclean.historian")


@contextmanager
def alone(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Nobody else writes Parquet into the folder meanwhile; False when somebody does and one is not to wait."""
    with (folder / "compact.lock").open("a") as file:
        try:
            flock(file, LOCK_EX if wait else LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class Beside:
    """At most one such process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, rows_at_once: int) -> None:
        """Starts the process, unless it is at it. Raises OSError."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            if status:
                _log.error("%s: compaction ended with status %d and is tried again", self._folder, status)
        command = [sys.executable, "-m", "historian.compacting", str(self._folder), str(rows_at_once)]
        self._process = subprocess.Popen(
            command, env={**os.environ, "POLARS_MAX_THREADS": "1"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def end(self) -> None:
        """Ends the process, which may be done at any instant."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def wait(self) -> None:
        """Until the process has ended, if there is one."""
        if self._process is not None:
            self._process.wait()


def main(folder: str, rows_at_once: str) -> None:
    """Compacts a folder. Raises StorageError."""
    from historian.store import compact_folder

    os.nice(NICE)
    compact_folder(Path(folder), int(rows_at_once))


if __name__ == "__main__":
    main(*sys.argv[1:])
