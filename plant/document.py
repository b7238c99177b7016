"""A YAML text as plain data that remembers on which line everything stands.

Keys are taken as they are written (`on:` stays "on"); a key given twice, a value that YAML cannot build and broken
syntax become faults. After broken syntax the lines that break it are left out and the rest is read all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from plant.errors import Fault
from plant.recover import LEFT_OUT, Broken, recover
from plant.typography import ascii_punctuation

Step = str | int
Where = tuple[Step, ...]
_NO_LINE_ENDS = dict.fromkeys((0x85, 0x2028, 0x2029), " ")
_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """A description as it was read.

    `data` is the text as dicts, lists and scalars; `lines` the line (from 1) of each path, `ends` the line after its
    last; `columns` the column of its key. `left_out` holds the lines (number → text) that broke the syntax,
    `breaks` where what was left out began and how far it was indented.
    """

    path: Path
    data: Any = None
    lines: dict[Where, int] = field(default_factory=dict)
    ends: dict[Where, int] = field(default_factory=dict)
    columns: dict[Where, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)
    breaks: list[tuple[int, int]] = field(default_factory=list)

    def line(self, where: Where) -> int:
        """The line of a path, or of the nearest block around it that exists."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    def fault(self, where: Where, message: str, hint: str = "") -> Fault:
        """A fault at the line of a path."""
        return Fault(self.path, self.line(where), message, hint)

    def rename(self, where: Where, block: dict[str, Any], key: str, name: str | None) -> None:
        """Give a key of the block at a path another name (its lines go with it), or leave it out."""
        kept = {name if one == key else one: value for one, value in block.items() if one != key or name is not None}
        block.clear()
        block.update((str(one), value) for one, value in kept.items())
        depth = len(where)
        for table in (self.lines, self.ends, self.columns):
            for old in [path for path in table if path[: depth + 1] == (*where, key)]:
                value = table.pop(old)
                if name is not None:
                    table[*where, name, *old[depth + 1 :]] = value

    def damaged(self, where: Where) -> bool:
        """Whether lines of the block at a path were left out."""
        start, end, column = self.lines.get(where, 0), self.ends.get(where, 0), self.columns.get(where, 0)
        return any(start < line < end and indent > column for line, indent in self.breaks)

    def may_hold(self, name: str, where: Where = ()) -> bool:
        """Whether a name stands in lines that were left out of a block, so that its absence says nothing."""
        first, after = self.lines.get(where, 0) if where else 0, self.ends.get(where, 0) if where else math.inf
        return any(name in LEFT_OUT.findall(text) for line, text in self.left_out.items() if first < line < after)


def read(text: str, path: Path) -> Document:
    """A text as a document; never raises, its `faults` hold what is wrong with it as YAML."""
    document = Document(path)
    # YAML takes these for ends of lines, no editor does: every line below would be counted wrongly.
    text, document.faults = ascii_punctuation(text.translate(_NO_LINE_ENDS), path)
    try:
        root = yaml.compose(text, _FAST)
    except yaml.YAMLError:
        repaired, broken = recover(text)
        document.faults.extend(_syntax_fault(path, one) for one in broken)
        document.left_out = {number: line for one in broken for number, line in one.left_out.items()}
        document.breaks = [(one.line, one.indent) for one in broken if one.left_out]
        root = yaml.compose(repaired, yaml.SafeLoader)
    if root is not None:
        _Builder(document).build(root, text.count("\n") + 2)
    return document


def _syntax_fault(path: Path, broken: Broken) -> Fault:
    return Fault(path, broken.line, f"this is not YAML: {broken.problem}", broken.hint)


class _Builder:
    """Builds data from nodes and notes where each stands."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.constructor = SafeConstructor()
        self.open: set[int] = set()
        self.seen: set[int] = set()

    def build(self, root: yaml.Node, until: int) -> None:
        """Fill the document with the value of a text that ends before the line `until`."""
        self.document.data = self._value(root, (), (root.start_mark.line, root.start_mark.column), until)

    def _value(self, node: yaml.Node, where: Where, start: tuple[int, int], until: int) -> Any:
        """A node's value; it begins at `start` (line and column from 0), what comes after it on line `until`."""
        end = node.end_mark
        self.document.lines[where] = start[0] + 1
        self.document.columns[where] = start[1]
        self.document.ends[where] = max(until, end.line + (2 if end.column else 1))
        if id(node) in self.open:
            self._fault(node, "this alias contains itself", "write the values out")
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, where, until)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, where, until)
            return self._scalar(node)
        finally:
            self.open.discard(id(node))

    def _sequence(self, node: yaml.SequenceNode, where: Where, until: int) -> list[Any]:
        values: list[Any] = []
        following = [item.start_mark.line + 1 for item in node.value[1:]]
        for index, item in enumerate(node.value):
            ends = [*following, until][index]
            # An entry of a block begins with its dash, below which everything of it is indented.
            first = item if node.flow_style else node
            start = item.start_mark.line, first.start_mark.column
            values.append(self._value(item, (*where, index), start, ends))
        return values

    def _mapping(self, node: yaml.MappingNode, where: Where, until: int) -> dict[str, Any]:
        own = self._own(node, where)
        try:
            self.constructor.flatten_mapping(node)
        except yaml.MarkedYAMLError as error:
            self._fault(node, str(error.problem), "")
        values: dict[str, Any] = {}
        # What the block says itself comes before what it takes over by `<<`; the first of two like keys counts.
        ends = {id(key): after[0].start_mark.line + 1 for (key, _), after in pairwise(own)}
        ends |= {id(key): until for key, _ in own[-1:]}
        for key, value in [*own, *node.value]:
            if isinstance(key, yaml.ScalarNode) and key.value not in values:
                start = key.start_mark.line, key.start_mark.column
                values[key.value] = self._value(value, (*where, key.value), start, ends.get(id(key), 0))
        return values

    def _own(self, node: yaml.MappingNode, where: Where) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs that stand in a block itself; a key given twice, or no plain word, is a fault."""
        if id(node) in self.seen:
            return []
        self.seen.add(id(node))
        own = [pair for pair in node.value if pair[0].tag != "tag:yaml.org,2002:merge"]
        first: dict[str, int] = {}
        twice: list[yaml.Node] = []
        for key, _ in own:
            if not isinstance(key, yaml.ScalarNode):
                self._fault(key, f"{_dotted(where)}a key must be a plain word", "a { or [ too many before a colon?")
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                twice.append(key)
            first.setdefault(key.value, line)
        for key in twice if len(twice) == 1 or node.flow_style else twice[:1]:
            message = f"{_dotted(where)}the key '{key.value}' is given twice"
            hint = f"the first is on line {first[key.value]}: keep one of them"
            if len(twice) > 1:
                begin = "a '- '" if where and isinstance(where[-1], int) else "the name of a new block, or a '- ',"
                message += f", and so {'is 1 more' if len(twice) == 2 else f'are {len(twice) - 1} more'} below it"
                hint = f"is {begin} missing before it? else keep one of each; the first is on line {first[key.value]}"
            self._fault(key, message, hint)
        return own

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            value = self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            if node.tag == "tag:yaml.org,2002:timestamp":
                return str(node.value)
            problem = getattr(error, "problem", None) or error
            self._fault(node, f"'{node.value}' cannot be read: {problem}", "put it in quotes if it is a text")
            return str(node.value)
        return value

    def _fault(self, node: yaml.Node, message: str, hint: str) -> None:
        self.document.faults.append(Fault(self.document.path, node.start_mark.line + 1, message, hint))


def _dotted(where: Where) -> str:
    return ".".join(str(step) for step in where) + ": " if where else ""
