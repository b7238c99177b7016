"""What the fuzz targets share: how inputs are mutated, and how outcomes are counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

GOOD, BAD, REJECTED = "good", "bad", "rejected"
KEPT = 20
_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?")
_ODD_NUMBERS: tuple[bytes, ...] = (
    b"0",
    b"-0",
    b"-1",
    b"1e400",
    b"1e308",
    b"-1e-400",
    b"1_0",
    b"NaN",
    b"Infinity",
    b"1.5",
    b"1e3",
    b"0x10",
    b"00",
)
_ODD_NUMBERS += (b"9223372036854775808", b"18446744073709551616", b"1" * 400, b"true", b"null", b'"7.5"', b'""', b"[]")
_ODD_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, 0x22, 0x23, 0x2C, 0x7B, 0x7D)


@dataclass
class Tally:
    """How many inputs a target had, what became of them, and what was wrong, with the seed that brings it again.

    An input is rejected when it gave nothing, good when it gave at least one value, bad when it gave none but bad ones.
    """

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    found: int = 0
    findings: list[str] = field(default_factory=list)

    def count(self, outcome: str, inputs: int = 1) -> None:
        """Counts inputs that came out as they may."""
        self.inputs += inputs
        self.outcomes[outcome] += inputs

    def finding(self, text: str) -> None:
        """Keeps what should not be; the first of them only."""
        self.found += 1
        if len(self.findings) < KEPT:
            self.findings.append(text[:600])

    def add(self, other: Tally) -> None:
        """Adds another's counts."""
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        self.found += other.found
        self.findings = (self.findings + other.findings)[:KEPT]


# so many inputs of a seed, counted into a tally
Target = Callable[[int, Random, Tally], None]


def raised(error: BaseException, what: object) -> str:
    """A finding: an exception that escaped."""
    return f"{type(error).__name__}: {error}: of {what!r}"


def outcome(good: int, bad: int) -> str:
    """What an input comes to that gave so many good and bad values."""
    return GOOD if good else BAD if bad else REJECTED


def mutate(chance: Random, data: bytes, other: bytes = b"", times: int = 0) -> bytes:
    """Bytes changed at one to four places (or `times`), maybe spliced with `other`."""
    changed = bytearray(data)
    for _ in range(times or chance.choice((1, 1, 1, 2, 2, 3, 4))):
        _MUTATIONS[chance.randrange(len(_MUTATIONS))](chance, changed, other)
    return bytes(changed)


def pieces(chance: Random, data: bytes, most: int = 4) -> list[bytes]:
    """Bytes cut at up to `most` places."""
    cuts = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, most)))
    return [data[first:end] for first, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _flip(chance: Random, data: bytearray, _: bytes) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _replace(chance: Random, data: bytearray, _: bytes) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice((*_ODD_BYTES, chance.randrange(256)))


def _insert(chance: Random, data: bytearray, _: bytes) -> None:
    place = chance.randint(0, len(data))
    data[place:place] = chance.randbytes(chance.randint(1, 4))


def _delete(chance: Random, data: bytearray, _: bytes) -> None:
    place = chance.randint(0, len(data))
    del data[place : place + chance.randint(1, 4)]


def _cut(chance: Random, data: bytearray, _: bytes) -> None:
    del data[chance.randint(0, len(data)) :]


def _double(chance: Random, data: bytearray, _: bytes) -> None:
    first = chance.randint(0, len(data))
    data[first:first] = data[first : chance.randint(first, len(data))]


def _splice(chance: Random, data: bytearray, other: bytes) -> None:
    data[chance.randint(0, len(data)) :] = other[chance.randint(0, len(other)) :]


def _length(chance: Random, data: bytearray, _: bytes) -> None:
    """A byte, maybe one of a length, a little more or less."""
    if data:
        place = chance.randrange(min(len(data), chance.choice((8, len(data)))))
        data[place] = (data[place] + chance.choice((-2, -1, 1, 2))) % 256


def _number(chance: Random, data: bytearray, other: bytes) -> None:
    """A number in a text becomes another."""
    found = list(_NUMBER.finditer(data))
    if not found:
        _flip(chance, data, other)
        return
    one = chance.choice(found)
    digits = str(chance.choice((chance.randint(-(10**6), 10**6), chance.uniform(-1e9, 1e9)))).encode()
    data[slice(*one.span())] = chance.choice((*_ODD_NUMBERS, *(digits,) * len(_ODD_NUMBERS)))


_MUTATIONS: Sequence[Callable[[Random, bytearray, bytes], None]] = (
    *(_flip, _replace, _insert, _delete, _cut, _double, _splice, _length),
    *(_number, _number),
)
