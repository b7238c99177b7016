"""The registers of a group of values as the numbers that the device holds, exact, before any scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.modbus.request import Group
from plant.reading import Values

FORMS: dict[str, str] = {
    "int16": ">i2",
    "uint16": ">u2",
    "int32": ">i4",
    "uint32": ">u4",
    "int64": ">i8",
    "uint64": ">u8",
    "float32": ">f4",
    "float64": ">f8",
    "bcd16": ">u2",
    "bcd32": ">u4",
    "bcd64": ">u8",
    "m10k32": ">i2",
    "m10k48": ">i2",
    "m10k64": ">i2",
    "bool": ">u2",
    "absent": ">u2",
}
Wrong = NDArray[np.bool_]


def registers(group: Group, words: NDArray[np.uint16]) -> NDArray[Any]:
    """The ordered registers of every value as one number, or (M10K) as `width` of them along a third axis."""
    chosen = words[:, group.words] if isinstance(group.words, slice) else words.take(group.words, axis=1)
    ordered = chosen.astype(group.wire, order="C").view(group.dtype)
    return ordered.reshape(len(words), -1, group.width) if group.type.startswith("m10k") else ordered


def pattern(group: Group, held: NDArray[Any]) -> NDArray[np.unsignedinteger[Any]]:
    """Registers as bit patterns, first register most significant: shape (polls, values)."""
    if group.type.startswith("m10k"):
        whole = np.zeros(held.shape[:2], np.uint64)
        for part in range(group.width):
            whole = whole << np.uint64(16) | held[:, :, part].view(">u2").astype(np.uint64)
        return whole
    return held.view(held.dtype.str.replace("i", "u").replace("f", "u"))


def numbers(group: Group, held: NDArray[Any]) -> tuple[NDArray[Any], Wrong | None]:
    """What registers say in the group's type: numbers of shape (polls, values), and which of them are none."""
    if group.type.startswith("bcd"):
        return _bcd(held, group.width)
    if group.type.startswith("m10k"):
        return _m10k(held)
    if group.bits is not None:
        first, count = group.bits
        native = held.astype(held.dtype.newbyteorder("="))
        return native >> native.dtype.type(first) & native.dtype.type((1 << count) - 1), None
    if group.type == "bool":
        return held != 0, None
    return held, None


def _bcd(held: NDArray[Any], width: int) -> tuple[NDArray[np.uint64], Wrong]:
    """Binary-coded decimals, four bits a digit; a digit above 9 is none."""
    bits = held.astype(np.uint64)
    number = np.zeros(bits.shape, np.uint64)
    wrong = np.zeros(bits.shape, bool)
    for place in reversed(range(4 * width)):
        digit = bits >> np.uint64(4 * place) & np.uint64(0xF)
        wrong |= digit > 9
        number = number * np.uint64(10) + digit
    return number, wrong


def _m10k(held: NDArray[Any]) -> tuple[NDArray[np.int64], Wrong]:
    """Schneider's modulo 10000: each register is -9999 to 9999, all those of one number with one sign.

    "Modicon Modbus Serial Communications Protocol and ION / Modbus Register Map": -12345678 is -1234, -5678.
    """
    parts = held.astype(np.int64)
    number = np.zeros_like(parts[:, :, 0])
    for part in range(parts.shape[2]):
        number = number * 10_000 + parts[:, :, part]
    mixed = (parts.max(axis=2) > 0) & (parts.min(axis=2) < 0)
    return number, np.asarray((np.abs(parts).max(axis=2) > 9999) | mixed)


def listed(group: Group, found: NDArray[Any]) -> tuple[Values, Wrong]:
    """The numbers that stand for raw values, and which raw values stand for none."""
    value = np.full(found.shape, np.nan)
    for raw, number in group.listed.items():
        value[found == raw] = number
    return value, np.isnan(value)


def texts(group: Group, words: NDArray[np.uint16]) -> NDArray[Any]:
    """The texts of a group of strings, without the spaces and NULs around them: shape (polls, values) of str."""
    chosen = words[:, group.words] if isinstance(group.words, slice) else words.take(group.words, axis=1)
    packed = chosen.astype(group.wire, order="C").reshape(len(words), -1, group.width)
    return np.array([[text(one.tobytes()) for one in poll] for poll in packed], dtype=object)


def text(packed: bytes) -> str:
    """Two characters a register as a text: what a device pads with is left out, what is no ASCII is escaped."""
    return packed.partition(b"\0")[0].decode("ascii", "backslashreplace").strip()


def text_of(words: Sequence[int]) -> str:
    """The text that a string's registers hold, in the order of the wire."""
    return text(b"".join((word & 0xFFFF).to_bytes(2, "big") for word in words))
