"""State as rows (kind, span start) → bytes: columns per name, packed with msgpack, an hour to a row.

Only rows of touched hours are written again at a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

FORMAT = 1
Columns = dict[str, NDArray[Any]]


def pack(groups: dict[str, Columns], **head: Any) -> bytes:
    """Named groups of columns, with plain values beside them, as bytes."""
    body = {
        group: {
            name: (column.dtype.str, column.shape, np.ascontiguousarray(column).tobytes())
            for name, column in columns.items()
        }
        for group, columns in groups.items()
    }
    return msgspec.msgpack.encode({"v": FORMAT, "head": head, "groups": body})


def unpack(data: bytes) -> tuple[dict[str, Columns], dict[str, Any]]:
    """What `pack` was given: groups (their arrays own their memory) and plain values."""
    body = msgspec.msgpack.decode(data)
    if body["v"] != FORMAT:
        raise ValueError(f"state row of format {body['v']}, not {FORMAT}")
    groups = {
        group: {
            name: np.frombuffer(raw, np.dtype(kind)).reshape(shape).copy()
            for name, (kind, shape, raw) in columns.items()
        }
        for group, columns in body["groups"].items()
    }
    return groups, body["head"]


def join(parts: Iterable[dict[str, Columns]]) -> dict[str, Columns]:
    """Groups of several rows, in order, as one: columns laid end to end."""
    found: dict[str, dict[str, list[NDArray[Any]]]] = {}
    for groups in parts:
        for group, columns in groups.items():
            for name, column in columns.items():
                found.setdefault(group, {}).setdefault(name, []).append(column)
    return {
        group: {name: np.concatenate(pieces) for name, pieces in columns.items()} for group, columns in found.items()
    }
