"""Full-width punctuation where YAML needs its own: named, and read as what was meant so that nothing else is reported.

A Chinese input method types ：，【】“” and wide blanks; they belong into titles, not after a key or between entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_origin

from plant.block import Block
from plant.errors import Fault
from plant.partial import bare

_ASCII = {
    "：": "a colon and a space",
    "，": "a comma",
    "【": "[",
    "】": "]",
    "［": "[",
    "］": "]",
    "｛": "{",
    "“": '"',
    "”": '"',
    "\u00a0": "plain spaces (this is a no-break space, U+00A0)",
    "\u3000": "plain spaces (this is a wide space, U+3000)",
}
_WRITTEN = {"：": ": ", "，": ",", "［": "[", "］": "]", "｛": "{", "\u00a0": " ", "\u3000": "  "} | {
    one: value for one, value in _ASCII.items() if len(value) == 1
}
_ANY = re.compile(f"[{''.join(_ASCII)}]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|(?:^|\s)#.*')
_INDENT = re.compile(r"^[ \t]*[\u00a0\u3000][\s\u00a0\u3000]*")
_KEY = re.compile(r"(?:^\s*(?:-\s+)?|[{,，]\s*)([A-Za-z_][\w-]*)([：:])([\u00a0\u3000]*)(?=\s*(.?))", re.ASCII)
_COMMA = re.compile(r"，(?=\s*[A-Za-z_]\w*\s*[:：])", re.ASCII)
_LIST = re.compile(r"([A-Za-z_]\w*)\s*[：:]\s*([\[【［][^\]】］]*[\]】］])", re.ASCII)
_TEXT = re.compile(r"([A-Za-z_]\w*)\s*[：:]\s*(“[^“”\"]*”)", re.ASCII)
_BRACE = re.compile(r"[：:]\s*(｛)")
_FREE = frozenset(
    ("title", "name", "en", "zh", "likely_cause", "first_check", "source", "edition", "supervisor", "certificate")
)


def ascii_punctuation(text: str, path: Path) -> tuple[str, list[Fault]]:
    """A text with YAML's own punctuation where it needs it, and a fault for each line that had another."""
    if not _ANY.search(text):
        return text, []
    lines = text.split("\n")
    faults: list[Fault] = []
    for number, line in enumerate(lines):
        wrong = sorted(set(_slips(line))) if _ANY.search(line) else []
        if wrong:
            found = list(dict.fromkeys(line[at] for at in wrong))
            shown = " ".join(f"'{one}'" for one in found)
            hint = ", ".join(f"write {_ASCII[one]}" + (f" for {one}" if one.strip() else "") for one in found)
            faults.append(Fault(path, number + 1, f"full-width punctuation: {shown}", hint))
            lines[number] = "".join(_WRITTEN[one] if at in wrong else one for at, one in enumerate(line))
    return "\n".join(lines), faults


def _slips(line: str) -> Iterator[int]:
    """Where in a line a character stands for YAML's own."""
    masked = _QUOTED.sub(lambda found: "\0" * len(found[0]), line).rstrip("\0 ")
    indent = _INDENT.match(masked)
    if indent:
        yield from (at for at in range(indent.end()) if line[at] in _ASCII)
        masked = masked.replace("\u00a0", " ", indent.end()).replace("\u3000", " ", indent.end())
    for found in _KEY.finditer(masked):
        if found[1] in _keys() or found[4] in ("", "{"):
            yield from (at for at in range(found.start(2), found.end(3)) if line[at] in _ASCII)
    yield from (found.start() for found in _COMMA.finditer(masked))
    yield from (found.start(1) for found in _BRACE.finditer(masked))
    for pattern, keys in ((_LIST, _list_keys()), (_TEXT, _keys() - _FREE)):
        for found in pattern.finditer(masked):
            if found[1] in keys:
                yield from (at for at in range(*found.span(2)) if line[at] in "，【】［］“”")


@cache
def _keys() -> frozenset[str]:
    """Every key of every block."""
    return frozenset(
        field.alias or name for block in Block.__subclasses__() for name, field in block.model_fields.items()
    )


@cache
def _list_keys() -> frozenset[str]:
    """The keys that hold a list."""
    return frozenset(
        field.alias or name
        for block in Block.__subclasses__()
        for name, field in block.model_fields.items()
        if get_origin(bare(field.annotation)) in (list, tuple)
    )
