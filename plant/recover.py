"""Reading on after broken YAML: which few lines must be left out so that the rest is YAML again.

A person who checks a description wants every fault in one run, also those below a forgotten bracket. So the smallest
piece near the error whose omission lets the parser get furthest is blanked (line numbers stay), again and again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

LEFT_OUT = re.compile(r"[\w-]+")
_ATTEMPTS = 20
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Broken:
    """A place where the text is not YAML: its line (from 1), the problem, a hint, and the lines left out there."""

    line: int
    problem: str
    hint: str
    left_out: dict[int, str]


def recover(text: str) -> tuple[str, list[Broken]]:
    """The text with what is not YAML blanked, and what was wrong in the order of the lines."""
    lines = text.split("\n")
    broken: list[Broken] = []
    for _ in range(_ATTEMPTS):
        error = _error(lines)
        if error is None:
            return "\n".join(lines), broken
        at = min(_line(error, lines), len(lines) - 1)
        chosen = max(_candidates(lines, error, at), key=lambda rows: (_progress(lines, rows), -len(rows)))
        left_out = {row + 1: lines[row] for row in chosen if lines[row].strip()}
        line = min(left_out, default=at + 1)
        broken.append(Broken(line, _problem(error), _hint(error, lines[line - 1]), left_out))
        if not left_out:
            break
        lines = _without(lines, chosen)
    return "", broken


def _error(lines: list[str], loader: Any = yaml.SafeLoader) -> yaml.YAMLError | None:
    try:
        yaml.compose("\n".join(lines), loader)
    except yaml.YAMLError as error:
        return error
    return None


def _line(error: yaml.YAMLError, lines: list[str]) -> int:
    """The line (from 0) on which the parser gave up."""
    if isinstance(error, yaml.reader.ReaderError):
        return "\n".join(lines).count("\n", 0, error.position)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return int(mark.line) if mark is not None else len(lines)


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"the character U+{int(error.character):04X} is not allowed"
    context = getattr(error, "context", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} ({context})" if context else str(problem)


def _hint(error: yaml.YAMLError, line: str) -> str:
    problem = _problem(error)
    if isinstance(error, yaml.reader.ReaderError):
        return "remove the control character"
    if "\t" in line:
        return "indent with spaces, not with tabs"
    if line.count('"') % 2 or line.count("'") % 2:
        return "a quotation mark is not closed"
    if line.count("{") != line.count("}") or line.count("[") != line.count("]"):
        return "a { or [ is not closed, or closed twice"
    if "mapping values are not allowed" in problem:
        return "indent it like its neighbours; put a text that holds ': ' in quotes"
    if "expected ':'" in problem:
        return "write a colon and a space after the key"
    if "alias" in problem:
        return "put a text that begins with * or & in quotes"
    return "compare the indentation, the brackets and the quotation marks with the lines around it"


def _candidates(lines: list[str], error: yaml.YAMLError, at: int) -> list[range]:
    """Pieces that may hold the error: lines and indented blocks at and before where the parser gave up."""
    context = getattr(error, "context_mark", None)
    near = [at, _before(lines, at)]
    if context is not None and context.line < len(lines):
        near.append(int(context.line))
    near.extend(_unbalanced(lines, at))
    # A line goes together with what is indented below it, which would else be taken for its neighbour's.
    pieces = [_block(lines, row) for row in dict.fromkeys(near)]
    return [piece for piece in pieces if any(lines[row].strip() for row in piece)] or [range(at, at + 1)]


def _before(lines: list[str], at: int) -> int:
    """The last line with text before a line."""
    return next((row for row in range(at - 1, -1, -1) if lines[row].strip()), at)


def _unbalanced(lines: list[str], at: int) -> list[int]:
    """The nearest lines up to `at` with an odd number of quotation marks or unequal brackets."""
    odd = (row for row in range(at, -1, -1) if lines[row].count('"') % 2)
    unequal = (row for row in range(at, -1, -1) if lines[row].count("{") > lines[row].count("}"))
    return [row for row in (next(odd, None), next(unequal, None)) if row is not None]


def _block(lines: list[str], row: int) -> range:
    """A line with everything that is indented below it."""
    depth = len(lines[row]) - len(lines[row].lstrip())
    end = row + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth):
        end += 1
    return range(row, end)


def _without(lines: list[str], rows: range) -> list[str]:
    return ["" if row in rows else line for row, line in enumerate(lines)]


def _progress(lines: list[str], rows: range) -> int:
    """The line to which the parser gets without some lines."""
    rest = _without(lines, rows)
    error = _error(rest, _FAST)
    return len(lines) + 1 if error is None else _line(error, rest)
