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
_TABBED = re.compile(r" *\t\s*\S")
_CONFLICT = re.compile(r"(<{7}|={7}|>{7})( |$)")
_RESERVED = re.compile(r"(^\s*(?:- )?[\w-]+:\s+)([%@`*].*?)\s*(?:\s#.*)?$")
_RESERVED_IN_FLOW = re.compile(r"([\w-]:\s+|[\[,]\s*)([%@`*][^,}\]\"']*?)\s*(?=[,}\]])")
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Broken:
    """A place where the text is not YAML: its line (from 1), the problem, a hint, and the lines left out there.

    `indent` is how far what was left out is indented; nothing is left out where it was plain what was meant.
    """

    line: int
    problem: str
    hint: str
    left_out: dict[int, str]
    indent: int = 0


def recover(text: str) -> tuple[str, list[Broken]]:
    """The text with what is not YAML blanked, and what was wrong in the order of the lines."""
    lines = text.split("\n")
    broken: list[Broken] = []
    for _ in range(_ATTEMPTS):
        error = _error(lines)
        if error is None:
            return "\n".join(lines), broken
        at = min(_line(error, lines), len(lines) - 1)
        quoted = _quoted(lines, at)
        if quoted is not None:
            lines[at], hint = quoted
            broken.append(Broken(at + 1, _problem(error), hint, {}))
            continue
        chosen = _chosen(lines, error, at)
        left_out = {row + 1: lines[row] for row in chosen if lines[row].strip()}
        line = min(left_out, default=at + 1)
        hint = _hint(error, lines[line - 1])
        if len(left_out) > 1:
            hint += "; this block was not checked further"
        broken.append(Broken(line, _problem(error), hint, left_out, _depth(lines, chosen)))
        if not left_out:
            break
        lines = _without(lines, chosen)
    else:
        broken.append(Broken(at + 1, "too much is broken from here on", "mend the lines above first", {}))
    return "", broken


def _chosen(lines: list[str], error: yaml.YAMLError, at: int) -> range:
    """The piece to leave out: a line indented with a tab, else that without which the parser gets furthest."""
    conflict = next((row for row in (at, _before(lines, at)) if _CONFLICT.match(lines[row])), None)
    if conflict is not None:
        return range(conflict, conflict + 1)
    if _TABBED.match(lines[at]):
        return _tabbed(lines, at)
    opened = _opened(error)

    def worth(rows: range) -> tuple[bool, int, int]:
        rest = _without(lines, rows)
        left = _error(rest, _FAST)
        # A bracket or a quotation mark that is still open makes the parser stumble over every line that follows.
        closed = left is None or opened is None or _opened(left) != opened
        return closed, len(lines) + 1 if left is None else _line(left, rest), -len(rows)

    return max(_candidates(lines, error, at), key=worth)


def _opened(error: yaml.YAMLError) -> int | None:
    """The line of the bracket or quotation mark that was open when the parser gave up."""
    mark, context = getattr(error, "context_mark", None), str(getattr(error, "context", ""))
    return int(mark.line) if mark is not None and ("flow" in context or "quoted" in context) else None


def _tabbed(lines: list[str], at: int) -> range:
    """A line that is indented with a tab, and what belongs to it when it opens a block or a bracket."""
    line = lines[at].partition(" #")[0].rstrip()
    opens = line.endswith(":") or line.count("{") > line.count("}") or line.count("[") > line.count("]")
    following = next((row for row in range(at + 1, len(lines)) if lines[row].strip()), None)
    if not opens or following is None:
        return range(at, at + 1)
    return range(at, _end(lines, at, _indent(lines[following]) - 1))


def _depth(lines: list[str], rows: range) -> int:
    """How far a piece is indented; a line with a tab counts as deep, or as just above what follows it."""
    if not _TABBED.match(lines[rows.start]):
        return _indent(lines[rows.start])
    inner = [_indent(lines[row]) for row in rows[1:] if lines[row].strip()]
    return min(inner) - 2 if inner else 99


def _quoted(lines: list[str], at: int) -> tuple[str, str] | None:
    """The line with the value quoted that begins with a character YAML keeps for itself, and the hint."""
    for pattern in (_RESERVED, _RESERVED_IN_FLOW):
        found = pattern.search(lines[at])
        if found is not None:
            value = "'" + found[2].replace("'", "''") + "'"
            mended = lines[at][: found.start(2)] + value + lines[at][found.end(2) :]
            left = _error([*lines[:at], mended, *lines[at + 1 :]], _FAST)
            if left is None or _line(left, lines) > at:
                return mended, f"put it in quotes: {value if chr(34) in found[2] else chr(34) + found[2] + chr(34)}"
    return None


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
    if _CONFLICT.match(line):
        return "this is a mark of an unfinished merge: keep one of the two versions"
    if _TABBED.match(line):
        return "indent with spaces, not with tabs"
    if line.count('"') % 2 or line.count("'") % 2:
        return "a quotation mark is not closed"
    if line.count("{") != line.count("}") or line.count("[") != line.count("]"):
        return "a { or [ is not closed or closed twice, or a comma is missing (a full-width ，?)"
    if "mapping values are not allowed" in problem:
        return "indent it like its neighbours; put a text that holds ': ' in quotes"
    if "expected ':'" in problem:
        return "write a colon and a space after the key"
    if "alias" in problem:
        return "put a text that begins with * or & in quotes"
    if "another document" in problem:
        return "remove the line ---: a description is one document"
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
    return range(row, _end(lines, row, _indent(lines[row])))


def _end(lines: list[str], row: int, depth: int) -> int:
    """The first line after one that is not blank and not indented deeper than `depth`."""
    end = row + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > depth):
        end += 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _without(lines: list[str], rows: range) -> list[str]:
    return ["" if row in rows else line for row, line in enumerate(lines)]
