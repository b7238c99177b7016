"""Register words to readings: whole groups of values at once, one poll (live) or many (lock step) alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.modbus.numbers import FORMS, listed, numbers, pattern, registers, texts
from collectors.modbus.request import Group, Positions, Request
from collectors.modbus.settings import Value
from plant.reading import Quality, Readings, Times, Values

FINDINGS = ("", "not available", "not a number", "not a listed value")
NOT_AVAILABLE, NOT_A_NUMBER, NOT_LISTED = 1, 2, 3
SCALE_MAX = 10
POWERS = np.array([10.0**power for power in range(SCALE_MAX + 1)])
NO_SCALE = -0x8000

KINDS = tuple(np.dtype(kind) for kind in (np.float64, np.int64, np.int64, np.int32, np.uint8, np.uint8))
SIZES = tuple(kind.itemsize for kind in KINDS)

Found = NDArray[np.uint8]
_Key = tuple[str, int, str, str, tuple[int, ...], tuple[int, int], bool, bool, tuple[tuple[str, float], ...]]


def group(values: Sequence[Value]) -> list[Group]:
    """Groups of a request's values, whose addresses count from the request's start."""
    groups = []
    for _, members in groupby(sorted(enumerate(values), key=lambda entry: _key(entry[1])), lambda one: _key(one[1])):
        columns, alike = zip(*members, strict=True)
        groups.append(_group(columns, alike))
    return groups


def decode(request: Request, words: NDArray[np.uint16], times: Times, received: Times) -> Readings:
    """The readings that the answers to `request` hold.

    `words` has shape (polls, request.count); `times` and `received` [µs UTC] have one entry a poll. A pattern that
    means "not available", and anything that is not a finite number, is a bad reading without a value.
    """
    columns = _columns(len(words), len(request.points))
    columns.time[:] = times[:, None]
    columns.received[:] = received[:, None]
    columns.point[:] = np.arange(len(request.points), dtype=np.int32)
    columns.finding[:] = 0
    for one in request.groups:
        _decode(one, words, columns.value, columns.finding)
    if columns.finding.any():
        columns.quality[:] = np.where(columns.finding, np.uint8(Quality.BAD), np.uint8(Quality.GOOD))
    else:
        columns.quality[:] = Quality.GOOD
    return Readings(
        request.points,
        columns.point.ravel(),
        columns.time.ravel(),
        columns.received.ravel(),
        columns.value.ravel(),
        columns.quality.ravel(),
        columns.finding.ravel(),
        FINDINGS,
    )


def raw(one: Group, words: NDArray[np.uint16]) -> NDArray[Any]:
    """The numbers as the device holds them, exact: shape (polls, values)."""
    return numbers(one, registers(one, words))[0]


def _key(value: Value) -> _Key:
    """What values must have in common to be decoded together.

    An offset of zero is not added: it would make a negative zero of a value read alone another one read together.
    """
    return (
        value.type,
        value.width,
        value.word_order,
        value.byte_order,
        value.not_available,
        value.bits or (0, 0),
        value.offset != 0,
        value.scale_at is not None,
        tuple((str(key), number) for key, number in value.listed),
    )


def _group(columns: Sequence[int], alike: Sequence[Value]) -> Group:
    first = alike[0]
    ahead = np.arange(first.width)
    order = ahead if first.word_order == "big" else ahead[::-1]
    dtype = np.dtype(FORMS.get(first.type, ">u2"))
    return Group(
        first.type,
        first.width,
        dtype,
        np.dtype("<u2" if first.byte_order == "little" else ">u2"),
        _positions(np.concatenate([value.address + order for value in alike])),
        _positions(np.array(columns, np.intp)),
        *_factors(alike),
        np.array([value.offset for value in alike]) if first.offset else None,
        first.not_available,
        first.bits,
        None if first.scale_at is None else np.array([value.scale_at for value in alike], np.intp),
        dict(first.listed),
    )


def _positions(places: NDArray[np.intp]) -> Positions:
    """Neighbours as a slice, which NumPy takes faster than single places."""
    first = int(places[0])
    return slice(first, first + len(places)) if (np.diff(places) == 1).all() else places


def _factors(alike: Sequence[Value]) -> tuple[Values | None, Values | None]:
    numerator = np.array([float(value.factor.numerator) for value in alike])
    denominator = np.array([float(value.factor.denominator) for value in alike])
    return None if (numerator == 1).all() else numerator, None if (denominator == 1).all() else denominator


class _Columns(NamedTuple):
    """The columns of readings, each of shape (polls, points)."""

    value: Values
    time: Times
    received: Times
    point: NDArray[np.int32]
    quality: NDArray[np.uint8]
    finding: NDArray[np.uint8]


def _columns(polls: int, points: int) -> _Columns:
    """Empty columns in one piece of memory: in several it would go back to the system after each use, at a price."""
    memory = np.empty(polls * points * sum(SIZES), np.uint8)
    parts, begin = [], 0
    for kind, size in zip(KINDS, SIZES, strict=True):
        end = begin + polls * points * size
        parts.append(memory[begin:end].view(kind).reshape(polls, points))
        begin = end
    return _Columns(*parts)


def _decode(one: Group, words: NDArray[np.uint16], values: Values, findings: Found) -> None:
    """Writes the values of a group into their columns, and what is wrong with them; such a value is none."""
    in_place = isinstance(one.column, slice)
    value, found = values[:, one.column], findings[:, one.column]
    with np.errstate(all="ignore"):
        held = _numbers(one, words, value, found)
        if one.numerator is not None:
            value *= one.numerator
        if one.denominator is not None:
            value /= one.denominator
        if one.scale_at is not None:
            _power(value, words[:, one.scale_at].astype(np.int16), found)
        if one.offset is not None:
            value += one.offset
    finite = np.isfinite(value)
    if not finite.all():
        found[~finite & (found == 0)] = NOT_A_NUMBER
    if one.not_available:
        bits = pattern(one, held)
        for absent in one.not_available:
            found[bits == absent] = NOT_AVAILABLE
    if found.any():
        value[found != 0] = np.nan
    if not in_place:
        values[:, one.column], findings[:, one.column] = value, found


def _numbers(one: Group, words: NDArray[np.uint16], value: Values, found: Found) -> NDArray[Any]:
    """Writes the numbers of a group before any scale, and what is wrong with them. The ordered registers."""
    held = texts(one, words) if one.type == "string" else registers(one, words)
    exact, wrong = (held, None) if one.type == "string" else numbers(one, held)
    if one.listed or one.type == "string":
        value[:], unnamed = listed(one, exact)
        found[unnamed] = NOT_LISTED
    else:
        value[:] = exact
    if wrong is not None:
        found[wrong] = NOT_A_NUMBER
    if one.type == "absent":
        found[:] = NOT_AVAILABLE
    return held


def _power(value: Values, power: NDArray[np.int16], found: Found) -> None:
    """Multiplies values by ten to the power that the device holds; SunSpec allows -10 to 10, and -32768 for "none"."""
    wide = power.astype(np.int32)
    allowed = np.clip(wide, -SCALE_MAX, SCALE_MAX)
    found[allowed != wide] = NOT_A_NUMBER
    found[wide == NO_SCALE] = NOT_AVAILABLE
    value *= POWERS[np.maximum(allowed, 0)]
    value /= POWERS[-np.minimum(allowed, 0)]
