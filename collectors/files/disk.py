"""Files as the disk has them: opened without ever waiting for anybody, and what tells that one was changed."""

from __future__ import annotations

import errno
import os
from io import BufferedReader
from pathlib import Path
from stat import S_ISDIR, S_ISREG


def opened(path: Path) -> BufferedReader:
    """A file opened for reading. Raises OSError; for whatever is no file (a pipe would block for ever) too."""
    return open(path, "rb", opener=_at_once)


def size_and_time(path: Path) -> tuple[int, int]:
    """What tells whether a file was changed: its size [bytes] and time of change [ns]. Raises OSError."""
    found = path.stat()
    _is_file(found, path)
    return found.st_size, found.st_mtime_ns


def _at_once(path: str, flags: int) -> int:
    """Opens without waiting: a pipe that nobody writes would never be open."""
    number = os.open(path, flags | os.O_NONBLOCK)
    try:
        _is_file(os.fstat(number), path)
    except OSError:
        os.close(number)
        raise
    return number


def _is_file(found: os.stat_result, path: Path | str) -> None:
    if S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", str(path))
    if not S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is not a file", str(path))
