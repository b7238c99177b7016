"""The one tree of errors.

KeepcleanError
├── ConfigurationError   the plant description or a flag is wrong: all faults at once
├── DeviceError          a meter, PLC or broker did not do what was asked (retryable or terminal)
└── StorageError         the journal or the historian cannot keep its promise
    └── DamagedError     a file that cannot be read any more

A bad value is never an exception: it has a quality (`plant.reading.Quality`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def shown(name: str | Path) -> str:
    r"""A file's name as text: what of it is not UTF-8 (on a share of GBK names, say) as `\xNN`.

    Such a name can neither be stored nor printed as it is.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with a description: where it stands, what is wrong, what to write instead."""

    file: Path
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{shown(self.file)}:{self.line}: {self.message}{hint}"


class KeepcleanError(Exception):
    """Anything that keepclean itself reports."""


class ConfigurationError(KeepcleanError):
    """A description that cannot be run; carries every fault found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class DeviceError(KeepcleanError):
    """A device that did not answer as it should."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class StorageError(KeepcleanError):
    """Something on disk that is missing, damaged, full or of another version."""


class DamagedError(StorageError):
    """A file on disk that cannot be read any more, whatever one waits for."""
