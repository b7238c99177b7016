"""A plant description while it is being checked: the blocks that are sound, and which names stand in it at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from plant.document import Document, Where
from plant.errors import Fault
from plant.model import SITE, Plant


@dataclass(frozen=True)
class Draft:
    """What checks work on.

    `plant` holds the sound blocks only; `declared` every name that a map of the text declares, sound or not, so that
    nothing dangles merely because it is wrong in itself; `rows` which entries of the text's lists the plant's hold;
    `unreadable` which maps of names cannot be read at all.
    """

    plant: Plant
    document: Document
    declared: dict[str, frozenset[str]]
    rows: dict[str, list[int]]
    unreadable: frozenset[str] = frozenset()

    def fault(self, where: Where, message: str, hint: str = "") -> Fault:
        """A fault at the line of a path."""
        return self.document.fault(where, message, hint)

    def at(self, block: str, index: int) -> Where:
        """Where the plant's entry of a list stands in the text."""
        return block, self.rows[block][index]

    def entries(self, block: str) -> list[dict[str, Any]]:
        """The entries of a list as they were written, sound or not."""
        data = self.document.data if isinstance(self.document.data, dict) else {}
        entries = data.get(block)
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []

    def scopes(self) -> frozenset[str]:
        """The site and every declared process unit."""
        return self.declared["process_units"] | {SITE}

    def missing(self, name: str, known: frozenset[str]) -> bool:
        """Whether a name that is referred to is declared nowhere, not even in lines that could not be read."""
        return name not in known and not self.document.may_hold(name)


def folded(name: str) -> str:
    """A name as it is written when only case, dashes and blanks are wrong with it.

    >>> folded("RO-kWh")
    'ro_kwh'
    """
    return re.sub(r"[\s\-]+", "_", name.strip()).lower()


def suggestion(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """'did you mean …?' when a known word is close, else what is known, or what the caller says.

    >>> suggestion("resolutoin", ["range", "resolution"])
    "did you mean 'resolution'?"
    """
    words = sorted(known)
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if otherwise:
        return otherwise
    shown = ", ".join(words[:8]) + (", …" if len(words) > 8 else "")
    return f"known: {shown}" if words else ""
