"""The texts of InfluxQL that boards and alert rules use, taken apart; what is not understood is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

T = TypeVar("T")

NS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
TOKEN = re.compile(
    r"""\s*(?:(?P<text>'[^'\\]*')|(?P<name>"[^"\\]+")|(?P<span>\d+(?:ms|s|m|h|d)\b)|(?P<number>\d+(?:\.\d+)?(?![\w.]))"""
    r"""|(?P<word>[A-Za-z_]+)|(?P<sign>=~|>=|<=|[-+*/(),=<>]))"""
)
PATTERN = re.compile(r"\s*/((?:[^/\\])+)/")


class Unjudged(Exception):
    """A query that the oracle does not understand."""


@dataclass(frozen=True)
class Number:
    """A number as it is written."""

    value: float


@dataclass(frozen=True)
class Field:
    """A field or tag."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function of a field, or of another function."""

    name: str
    of: Field | Call


@dataclass(frozen=True)
class Operation:
    """Two expressions and what is done with them."""

    sign: str
    left: Number | Field | Call | Operation
    right: Number | Field | Call | Operation


Part = Number | Field | Call | Operation


@dataclass(frozen=True)
class Compared:
    """A tag or field against a value; `sign` is =, >= or =~, the last with a pattern as value."""

    name: str
    sign: str
    value: str | bool | float


@dataclass(frozen=True)
class Joined:
    """Two conditions, both (AND) or one of them (OR)."""

    word: str
    left: Compared | Joined
    right: Compared | Joined


@dataclass(frozen=True)
class Select:
    """A statement: what, from where, under which condition, from `low` to `high` (both within) [ns], grouped how."""

    items: tuple[tuple[Part, str], ...]
    source: str | Select
    where: Compared | Joined | None
    low: int | None
    high: int | None
    by: tuple[str, ...]
    every: int | None
    offset: int
    fill: str | None
    newest_first: bool
    limit: int | None
    zone: str | None


def parse(text: str) -> Select:
    """A whole statement. Raises Unjudged."""
    reader = _Reader(text)
    found = reader.select()
    if reader.kind:
        reader.refuse()
    return found


class _Reader:
    """One text under way."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.low: int | None = None
        self.high: int | None = None
        self._next()

    def refuse(self) -> NoReturn:
        raise Unjudged(f"{self.text[: self.at]} <here> {self.text[self.at :]}")

    def _next(self) -> None:
        self.kind, self.token = "", ""
        if not self.text[self.at :].strip():
            return
        found = TOKEN.match(self.text, self.at)
        if found is None or found.lastgroup is None:
            self.refuse()
        self.kind, self.token, self.at = found.lastgroup, found[found.lastgroup], found.end()
        if self.kind in ("text", "name"):
            self.token = self.token[1:-1]

    def _is(self, *words: str) -> bool:
        return self.kind in ("word", "sign") and self.token in words

    def _take(self, *words: str) -> str:
        if not self._is(*words):
            self.refuse()
        return self._taken(self.kind)

    def _taken(self, kind: str) -> str:
        if self.kind != kind:
            self.refuse()
        token = self.token
        self._next()
        return token

    def select(self) -> Select:
        """A statement, up to its end or the bracket that ends it."""
        self._take("SELECT")
        items = [self._item()]
        while self._is(","):
            self._take(",")
            items.append(self._item())
        if len({name for _, name in items}) < len(items):
            self.refuse()
        self._take("FROM")
        source = self._in_brackets(self.select) if self._is("(") else self._taken("name")
        self.low = self.high = None
        where = None
        if self._is("WHERE"):
            self._take("WHERE")
            where = self._every()
        low, high = self.low, self.high
        by, every, offset = self._grouped() if self._is("GROUP") else ([], None, 0)
        fill = None if every is None else "null"
        if self._is("fill"):
            self._take("fill")
            fill = self._in_brackets(self._any_token)
        newest_first = self._ordered() if self._is("ORDER") else False
        limit = None
        if self._is("LIMIT"):
            self._take("LIMIT")
            limit = int(self._taken("number"))
        zone = None
        if self._is("tz"):
            self._take("tz")
            zone = self._in_brackets(lambda: self._taken("text"))
        return Select(tuple(items), source, where, low, high, tuple(by), every, offset, fill, newest_first, limit, zone)

    def _in_brackets(self, inside: Callable[[], T]) -> T:
        self._take("(")
        found = inside()
        self._take(")")
        return found

    def _any_token(self) -> str:
        return self._taken(self.kind)

    def _grouped(self) -> tuple[list[str], int | None, int]:
        """The tags grouped by, and how long buckets are and how much later they begin [ns]."""
        self._take("GROUP")
        self._take("BY")
        by, every, offset = list[str](), None, 0
        while True:
            if self._is("time"):
                self._take("time")
                every, offset = self._in_brackets(self._buckets)
            else:
                by.append(self._taken("name"))
            if not self._is(","):
                return by, every, offset
            self._take(",")

    def _ordered(self) -> bool:
        """Whether the newest come first."""
        self._take("ORDER")
        self._take("BY")
        self._take("time")
        return self._is("DESC", "ASC") and self._take("DESC", "ASC") == "DESC"

    def _buckets(self) -> tuple[int, int]:
        every, offset = self._span(), 0
        if self._is(","):
            self._take(",")
            offset = self._span()
        return every, offset

    def _span(self) -> int:
        found = re.fullmatch(r"(\d+)(\w+)", self._taken("span"))
        assert found is not None
        return int(found[1]) * NS[found[2]]

    def _item(self) -> tuple[Part, str]:
        part = self._sum()
        if self._is("AS"):
            self._take("AS")
            return part, self._taken("name")
        if not isinstance(part, Field):
            self.refuse()
        return part, part.name

    def _sum(self) -> Part:
        found = self._product()
        while self._is("+", "-"):
            sign = self._take("+", "-")
            found = Operation(sign, found, self._product())
        return found

    def _product(self) -> Part:
        found = self._single()
        while self._is("*", "/"):
            sign = self._take("*", "/")
            found = Operation(sign, found, self._single())
        return found

    def _single(self) -> Part:
        if self._is("("):
            return self._in_brackets(self._sum)
        if self._is("-"):
            self._take("-")
            return Number(-_number(self._taken("number")))
        if self.kind == "number":
            return Number(_number(self._taken("number")))
        if self.kind == "word":
            name = self._taken("word")
            of = self._in_brackets(self._single)
            if not isinstance(of, Field | Call):
                self.refuse()
            return Call(name, of)
        return Field(self._taken("name"))

    def _every(self) -> Compared | Joined | None:
        """Conditions joined by AND, of which those about time become bounds."""
        found = self._bound()
        while self._is("AND", "and"):
            self._take("AND", "and")
            another = self._bound()
            found = Joined("AND", found, another) if found and another else found or another
        return found

    def _bound(self) -> Compared | Joined | None:
        if not self._is("time"):
            return self._any()
        self._take("time")
        sign = self._take(">=", "<=", "<", ">")
        moment = self._span()
        while self._is("+", "-"):
            moment += self._span() if self._take("+", "-") == "+" else -self._span()
        if sign in (">=", ">"):
            moment += sign == ">"
            self.low = moment if self.low is None else max(self.low, moment)
        else:
            moment -= sign == "<"
            self.high = moment if self.high is None else min(self.high, moment)
        return None

    def _any(self) -> Compared | Joined:
        """One condition, or several in brackets joined by OR."""
        if not self._is("("):
            return self._compared()
        return self._in_brackets(self._either)

    def _either(self) -> Compared | Joined:
        found: Compared | Joined = self._compared()
        while self._is("OR"):
            self._take("OR")
            found = Joined("OR", found, self._compared())
        return found

    def _compared(self) -> Compared:
        name = self._taken("name")
        if self._is("=~"):
            # a slash is a division elsewhere: the pattern is read before the next token is
            pattern = PATTERN.match(self.text, self.at)
            if pattern is None:
                self.refuse()
            self.at = pattern.end()
            self._next()
            return Compared(name, "=~", pattern[1])
        if self._is(">="):
            self._take(">=")
            return Compared(name, ">=", _number(self._taken("number")))
        self._take("=")
        if self.kind == "text":
            return Compared(name, "=", self._taken("text"))
        if self._is("true", "false"):
            return Compared(name, "=", self._take("true", "false") == "true")
        return Compared(name, "=", _number(self._taken("number")))


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
