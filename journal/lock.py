"""One process of a kind to a data folder: two that collect would both acknowledge, and count everything twice."""

from __future__ import annotations

import os
import time
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO

from plant.errors import StorageError

WAIT_S = 10.0
LOOK_EVERY_S = 0.1


class FolderLock:
    """Held from construction to `release` (or as a context), or until the process is gone, however it went."""

    def __init__(self, path: Path, wait_s: float = WAIT_S) -> None:
        """Takes the lock; a predecessor has `wait_s` real seconds to end. Raises StorageError when it does not."""
        end = time.monotonic() + wait_s
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("a+")
        except OSError as error:
            raise StorageError(f"{path}: {error}") from error
        while True:
            try:
                flock(self._file, LOCK_EX | LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    self._file.seek(0)
                    other = self._file.read().strip() or "unknown"
                    self._file.close()
                    message = (
                        f"{path.parent}: keepclean already works on this folder (process {other}); stop that one first"
                    )
                    raise StorageError(message) from None
                time.sleep(LOOK_EVERY_S)
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Lets the next one in."""
        self._file.close()

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
