"""Fuzz targets: what the journal gives back with a right checksum and a wrong content, and damaged marks at a start."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import msgspec
import numpy as np

from benchmarks.fuzz_common import GOOD, REJECTED, Tally, mutate, raised
from collectors.mqtt.identity import FORGET, MARK, Identities, Item
from journal.message import Kind, decode, encode_body, encode_readings
from plant.errors import StorageError
from plant.reading import Quality, Readings

RING_MARKS = 6
_ODD: tuple[Any, ...] = (None, -1, 2**63, 1.5, float("nan"), "", "x", b"", b"\x01", [], {}, [1], {"v": 1}, True)


@cache
def bodies() -> tuple[tuple[Kind, bytes], ...]:
    """Messages of every kind."""
    size = 5
    readings = Readings(
        ("a", "b", "c"),
        np.array([0, 1, 2, 0, 1], np.int32),
        np.arange(size, dtype=np.int64) + 10**15,
        np.arange(size, dtype=np.int64) + 10**15,
        np.array([1.5, np.nan, -2.0, 0.0, 1e300]),
        np.array([0, 3, 2, 1, 0], np.uint8),
        np.array([0, 1, 0, 0, 0], np.uint8),
        ("", "not available"),
    )
    return (
        ("readings", encode_readings(readings)),
        ("readings", encode_readings(readings)),
        ("tick", encode_body({"time": 10**15})),
        ("plant", encode_body({"hash": "00", "text": "format: keepclean/1\n", "time": 10**15})),
        ("notice", encode_body({"point": "a", "start": 1, "end": 2, "finding": "x", "evidence": "y"})),
        ("act", encode_body({"act": "accept", "by": "me", "time": 10**15, "more": [[1, 2], {"a": None}]})),
    )


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Bodies that are damaged although their checksum is right."""
    while tally.inputs < inputs:
        kind, body = chance.choice(bodies())
        changed = _changed(chance, body)
        try:
            message = decode(7, kind, changed)
        except StorageError:
            tally.count(REJECTED)
            continue
        except Exception as error:  # noqa: BLE001 (whatever else escapes is what is sought)
            tally.count(REJECTED)
            tally.finding(raised(error, (kind, changed)))
            continue
        tally.count(GOOD)
        wrong = _wrong(message.readings) if message.readings is not None else ""
        wrong = wrong or ("" if isinstance(message.body, dict) else f"the body is a {type(message.body).__name__}")
        if wrong:
            tally.finding(f"{wrong}: {kind} {changed!r}")


def _changed(chance: Random, body: bytes) -> bytes:
    """A body mutated as bytes, or with a part of it replaced, or nested too deep."""
    kind = chance.random()
    if kind < 0.6:
        return mutate(chance, body, chance.choice(bodies())[1])
    if kind < 0.62:
        return bytes([chance.choice((0x91, 0x81))]) * chance.randint(100, 20_000) + body
    return msgspec.msgpack.encode(_swapped(chance, msgspec.msgpack.decode(body)))


def _swapped(chance: Random, body: Any) -> Any:
    if isinstance(body, dict) and body and chance.random() < 0.9:
        key = chance.choice(list(body))
        return {**body, key: _swapped(chance, body[key])}
    if isinstance(body, bytes) and chance.random() < 0.8:
        return mutate(chance, body, body[::-1]) if chance.random() < 0.5 else bytes(reversed(body))
    return chance.choice(_ODD)


def _wrong(readings: Readings) -> str:
    """What is wrong with readings that were decoded."""
    columns = (readings.point, readings.time, readings.received, readings.value, readings.quality, readings.finding)
    if len({len(column) for column in columns}) != 1:
        return "columns of different lengths"
    if any(not 0 <= point < len(readings.points) for point in readings.point.tolist()):
        return "a point that does not exist"
    if any(not finding < len(readings.findings) for finding in readings.finding.tolist()):
        return "a finding that does not exist"
    if any(quality > Quality.BAD for quality in readings.quality.tolist()):
        return "a quality that does not exist"
    if not all(isinstance(name, str) for name in (*readings.points, *readings.findings)):
        return "a name that is no text"
    return ""


def run_marks(inputs: int, chance: Random, tally: Tally) -> None:
    """Marks of redeliveries, some of them damaged; each input is a start with them and a batch of messages after it."""
    while tally.inputs < inputs:
        known = Identities({})
        marks: dict[str, bytes] = {}
        for commit in range(RING_MARKS):
            marks |= known.sift([_item(chance, 100 * commit + number) for number in range(chance.randint(1, 4))])[1]
        sound = dict(marks)
        for name in chance.sample(list(marks), chance.choice((0, 1, 2, 3))):
            body = mutate(chance, marks[name], chance.choice(list(marks.values())))
            odd = (b"\xff" * 8 + body[8:], marks[name][:-1], chance.randbytes(14), body)
            marks[name] = chance.choice((body, body, chance.choice(odd)))
        if chance.random() < 0.1:
            marks[MARK + chance.choice(("", "x", "99999", "-1"))] = chance.randbytes(chance.randint(0, 20))
        try:
            again = Identities(marks)
            fresh, _ = again.sift([_item(chance, 9000 + number) for number in range(3)])
            dropped, _ = again.sift([_item(chance, 9000 + number, repeated=True) for number in range(3)])
            _, cleared = again.sift([FORGET, _item(chance, 1)])
        except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
            tally.count(REJECTED)
            tally.finding(raised(error, marks))
            continue
        tally.count(GOOD if all(marks[name] == body for name, body in sound.items()) else REJECTED)
        if len(fresh) != 3 or dropped or not set(marks) <= set(cleared):
            tally.finding(f"{len(fresh)} new, {len(dropped)} not recognised, {set(marks) - set(cleared)}: {marks}")


def _item(chance: Random, number: int, *, repeated: bool = False) -> Item:
    return (1, "t", b"%d" % number), (chance.randrange(3), number + 1, repeated)
