"""A plant description from its file: all faults at once, each with its line, or a Plant."""

from __future__ import annotations

import hashlib
from pathlib import Path

from plant.check import check
from plant.document import Document, read
from plant.errors import ConfigurationError, Fault
from plant.model import Plant
from plant.spelling import correct
from plant.validate import Validation


def load(path: Path) -> Plant:
    """The plant that a file describes. Raises ConfigurationError with every fault found."""
    return load_text(read_text(path), path)


def load_text(text: str, path: Path) -> Plant:
    """The plant that a text describes; `path` names it in faults. Raises ConfigurationError with every fault found."""
    plant, document = examine(text, path)
    if plant is None:
        raise ConfigurationError(document.faults)
    return plant


def examine(text: str, path: Path) -> tuple[Plant | None, Document]:
    """The plant, None when anything is wrong, and the document with all faults and the line of every key."""
    _, document = inspect(text, path)
    return (None if document.faults else Plant.model_validate(document.data)), document


def inspect(text: str, path: Path) -> tuple[Plant, Document]:
    """What is sound of the plant that a text describes, and the document with all faults and the line of every key.

    Blocks that are sound in part lack the other fields (`plant.partial`). Other folders that check a plant of their
    own knowledge say where with `document.fault(("points", "gas"), …)`.
    """
    document = read(text, path)
    correct(document)
    validation = Validation(document)
    document.faults.extend(validation.faults)
    draft = validation.draft()
    if document.data is not None:
        document.faults.extend(check(draft))
    document.faults[:] = sorted(set(document.faults))
    return draft.plant, document


def read_text(path: Path) -> str:
    """The text of a description. Raises ConfigurationError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise ConfigurationError([Fault(path, line, "this is not UTF-8 text", "save the file as UTF-8")]) from error
    except OSError as error:
        raise ConfigurationError([Fault(path, 1, f"cannot be read: {error.strerror}", "")]) from error


def plant_hash(text: str) -> str:
    """What identifies a version of a description: the first 16 hex digits of its SHA-256, whatever its line ends.

    >>> plant_hash("format: keepclean/1\\n") == plant_hash("format: keepclean/1\\r\\n")
    True
    """
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:16]
