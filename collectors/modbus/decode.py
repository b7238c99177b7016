"""Register words to readings: whole groups of values at once, one poll (live) or many (lock step) alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collectors.modbus.settings import Value
from plant.reading import Quality, Readings, Times, Values

if TYPE_CHECKING:
    from collectors.modbus.plan import Request

FINDINGS = ("", "not available", "not a number")
NOT_AVAILABLE, NOT_A_NUMBER = 1, 2


@dataclass(frozen=True)
class Group:
    """Values of one request that share type, order and "not available" patterns.

    `words[k]` are the positions of value k's registers in the answer, most significant first; `column[k]` is its place
    among the request's points.
    """

    dtype: np.dtype[Any]
    swap: bool
    words: NDArray[np.intp]
    column: NDArray[np.intp]
    numerator: Values
    denominator: Values
    offset: Values
    not_available: NDArray[np.unsignedinteger[Any]]


def group(values: Sequence[Value]) -> list[Group]:
    """Groups of a request's values, whose addresses count from the request's start."""

    def alike(entry: tuple[int, Value]) -> tuple[str, str, str, tuple[int, ...]]:
        value = entry[1]
        return value.type, value.word_order, value.byte_order, value.not_available

    groups = []
    for _, members in groupby(sorted(enumerate(values), key=alike), alike):
        columns, alikes = zip(*members, strict=True)
        first = alikes[0]
        dtype = np.dtype(first.type).newbyteorder(">")
        ahead = np.arange(first.width)
        order = ahead if first.word_order == "big" else ahead[::-1]
        groups.append(
            Group(
                dtype,
                first.byte_order == "little",
                np.array([value.address + order for value in alikes], np.intp),
                np.array(columns, np.intp),
                np.array([float(value.factor.numerator) for value in alikes]),
                np.array([float(value.factor.denominator) for value in alikes]),
                np.array([value.offset for value in alikes]),
                np.array(first.not_available, f"u{dtype.itemsize}"),
            )
        )
    return groups


def raw(group: Group, words: NDArray[np.uint16]) -> NDArray[Any]:
    """The numbers as the device holds them, exact, in the group's own type: shape (polls, values)."""
    chosen = words[:, group.words]
    if group.swap:
        chosen = chosen.byteswap()
    return chosen.astype(">u2", order="C").view(group.dtype)[:, :, 0]


def decode(request: Request, words: NDArray[np.uint16], times: Times, received: Times) -> Readings:
    """The readings that the answers to `request` hold.

    `words` has shape (polls, request.count); `times` and `received` [µs UTC] have one entry a poll. A pattern that
    means "not available", and anything that is not a finite number, is a bad reading without a value.
    """
    polls, points = len(words), len(request.points)
    value = np.empty((polls, points))
    finding = np.zeros((polls, points), np.uint8)
    for group in request.groups:
        numbers = raw(group, words)
        with np.errstate(all="ignore"):
            scaled = numbers.astype(np.float64) * group.numerator / group.denominator + group.offset
        found = np.where(np.isfinite(scaled), 0, NOT_A_NUMBER)
        if len(group.not_available):
            bits = numbers.view(group.not_available.dtype.newbyteorder(">"))
            found[np.isin(bits, group.not_available)] = NOT_AVAILABLE
        value[:, group.column] = np.where(found, np.nan, scaled)
        finding[:, group.column] = found
    quality = np.where(finding, Quality.BAD, Quality.GOOD).astype(np.uint8)
    return Readings(
        request.points,
        np.tile(np.arange(points, dtype=np.int32), polls),
        np.repeat(times, points),
        np.repeat(received, points),
        value.ravel(),
        quality.ravel(),
        finding.ravel(),
        FINDINGS,
    )
