"""Small files that survive a power cut: written, synchronised, renamed, and the folder synchronised too."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replaces a file; after a power cut there is the old or the new one, whole. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    put(fresh, path)


def put(fresh: Path, path: Path) -> None:
    """Puts a finished file in another's place. Raises OSError."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder last. Raises OSError; does nothing where folders cannot be opened (Windows)."""
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
