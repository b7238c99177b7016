"""Fuzz target: Sparkplug B sessions, mutated, beside a reference with its own reading of protobuf's wire format."""

from __future__ import annotations

import math
import struct
import sys
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "collectors"))

import sparkplug_edge as edge

from benchmarks.fuzz_common import REJECTED, Tally, mutate, outcome, raised
from benchmarks.fuzz_json import NOW, Row
from benchmarks.fuzz_messages import described, read
from collectors.mqtt.payload import Decoder
from collectors.mqtt.topics import Topics
from plant.reading import MINUTE, Quality

METRICS = {"": {b"Temp": "node_0"}, "press": {b"Energy": "press_0", b"Count": "press_1"}}
EARLIEST_US, LATEST_US = 946_684_800_000_000, 253_370_764_800_000_000  # the years 2000 and 9999
BITS = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}
SIGNED = (1, 2, 3, 4)
WIRE = {1: 2, 2: 0, 3: 0, 4: 0, 7: 0, 9: 2, 10: 0, 11: 0, 12: 5, 13: 1, 14: 0, 15: 2}
VALUES = range(10, 16)
DEPTH_MAX = 90

Fields = list[tuple[int, int, Any]]
Message = tuple[str, str, bytes]


class WireError(Exception):
    """Bytes that are no message."""


@cache
def topics() -> Topics:
    """An edge node with a metric of its own and a device with two."""
    devices = {
        "node": {"topic": "G/E", "payload": "sparkplug_b", "rebirth": True},
        "press": {"topic": "G/E/press", "payload": "sparkplug_b"},
    }
    points = {
        "node_0": ("node", "Temp", 1.0, "1"),
        "press_0": ("press", "Energy", 1.0, "kWh"),
        "press_1": ("press", "Count", 1.0, "1"),
    }
    return described(devices, points)


def fields(data: bytes) -> Fields:
    """The fields of a message as (number, wire type, value). Raises WireError."""
    found, place = [], 0
    while place < len(data):
        key, place = _varint(data, place, 32)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("field 0")
        if kind == 4:
            raise WireError("the end of a group that has not begun")
        held, place = _value(data, place, number, kind, 0)
        found.append((number, kind, held))
    return found


def _value(data: bytes, place: int, number: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind == 0:
        return _varint(data, place, 64)
    if kind == 3:
        while True:
            if depth > DEPTH_MAX:
                raise WireError("too deep")
            key, place = _varint(data, place, 32)
            if key & 7 == 4:
                if key >> 3 != number:
                    raise WireError("the end of another group")
                return None, place
            if key >> 3 == 0:
                raise WireError("field 0")
            _, place = _value(data, place, key >> 3, key & 7, depth + 1)
    size = {1: 8, 5: 4}.get(kind, -1)
    if kind == 2:
        size, place = _varint(data, place, 31)
    if size < 0 or place + size > len(data):
        raise WireError("beyond the end")
    return data[place : place + size], place + size


def _varint(data: bytes, place: int, bits: int) -> tuple[int, int]:
    number = 0
    for count in range(10 if bits == 64 else 5):
        if place >= len(data):
            raise WireError("cut short")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if bits < 64 and number >> bits:
                raise WireError("too large")
            return number & (1 << 64) - 1, place
    raise WireError("a number without end")


def last(held: Fields, number: int, kind: int, default: Any = None) -> Any:
    """The last value of a field in the wire type that it should have."""
    return next((one for which, how, one in reversed(held) if (which, how) == (number, kind)), default)


def metrics(held: Fields) -> list[Fields]:
    """The metrics of a payload. Raises WireError."""
    found = []
    for number, kind, body in held:
        if (number, kind) == (2, 2):
            one = fields(body)
            for inner, how, properties in one:
                if (inner, how) == (9, 2):
                    for _, _, nested in [two for two in fields(properties) if two[:2] == (2, 2)]:
                        fields(nested)
            found.append(one)
    return found


def written(one: Fields) -> tuple[int, Any]:
    """Which field holds the value of a metric (0: none), and what it holds."""
    return next(
        ((number, held) for number, kind, held in reversed(one) if number in VALUES and kind == WIRE[number]), (0, None)
    )


def number_of(one: Fields, datatype: int) -> float | None:
    """The value of a metric; None when it has none, or none that may be believed."""
    field, held = written(one)
    if last(one, 7, 0, 0) or not field or not _is_good(one):
        return None
    if field in (12, 13):
        [found] = struct.unpack("<f" if field == 12 else "<d", held)
        return found if datatype in (9, 10) and math.isfinite(found) else None
    if field == 14:
        return float(bool(held)) if datatype == 11 else None
    if field == 15 or datatype not in BITS:
        return None
    raw, bits = held & (0xFFFFFFFF if field == 10 else (1 << 64) - 1), BITS[datatype]
    if datatype not in SIGNED:
        return float(raw) if raw < 1 << bits else None
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    meant = [raw - (1 << wide if wide else 0) for wide in (0, bits, 32, 32 if field == 10 else 64)]
    return next((float(found) for found in meant if least <= found <= most and (found >= 0) == (found == raw)), None)


def _is_good(one: Fields) -> bool:
    """Whether the property Quality, if there is one, is 192."""
    sets = [fields(held) for number, kind, held in one if (number, kind) == (9, 2)]
    keys = [held for some in sets for number, kind, held in some if (number, kind) == (1, 2)]
    values = [fields(held) for some in sets for number, kind, held in some if (number, kind) == (2, 2)]
    for key, held in zip(keys, values, strict=False):
        if key == b"Quality":
            long = last(held, 4, 0)
            return bool((last(held, 3, 0, 0) & 0xFFFFFFFF if long is None else long) == 192)
    return True


class Session:
    """What an edge node's messages mean, in their order: Sparkplug B 3.0, chapters 4 to 6."""

    def __init__(self) -> None:
        self.born: dict[str, list[tuple[bytes, int | None, int]]] = {}
        self.last: int | None = None
        self.bd: int | None = None

    def take(self, kind: str, device: str, data: bytes, received: int) -> list[Row]:
        """The rows that a message should bring."""
        try:
            held = fields(data)
            some = metrics(held)
        except WireError:
            return []
        seq = last(held, 3, 0, 0)
        if kind == "NBIRTH":
            self.born = {}
            self.bd = _bd(some)
        elif kind != "NDEATH" and (self.last is None or seq != (self.last + 1) % 256):
            self.born = {"": []} if "" in self.born else {}
        if kind != "NDEATH":
            self.last = seq if seq < 256 else None
        if kind.endswith("DEATH"):
            return self._death(device, some, received)
        if kind.endswith("BIRTH"):
            self.born[device] = [(last(one, 1, 2, b""), last(one, 2, 0), _u32(last(one, 4, 0, 0))) for one in some]
        return [row for one in some for row in self._row(device, one, held, received)]

    def _death(self, device: str, some: list[Fields], received: int) -> list[Row]:
        dead = [device]
        if not device:
            if "" not in self.born or _bd(some) != self.bd:
                return []
            self.last = self.bd = None
            dead = list(METRICS)
        for one in dead:
            self.born.pop(one, None)
        return [(point, received, None) for one in dead for point in METRICS[one].values()]

    def _row(self, device: str, one: Fields, held: Fields, received: int) -> list[Row]:
        name, alias, datatype = last(one, 1, 2, b""), last(one, 2, 0), _u32(last(one, 4, 0, 0))
        table = self.born.get(device, [])
        if name:
            born = [kind for known, _, kind in table if known == name]
            datatype = datatype or (born[-1] if born else 0)
        else:
            known = [(called, kind) for called, number, kind in table if number is not None and number == alias]
            if len(known) != 1 or (datatype and datatype != known[0][1]):
                return []
            name, datatype = known[0]
        point = METRICS[device].get(name)
        if point is None:
            return []
        times = [last(one, 3, 0), last(held, 1, 0)]
        time = next((ms for ms in times if ms), 0) * 1000
        if times == [None, None] or not EARLIEST_US <= time <= LATEST_US:
            time = received
        return [(point, time, number_of(one, datatype))]


def _u32(held: int) -> int:
    return held & 0xFFFFFFFF


def _bd(some: list[Fields]) -> int | None:
    for one in some:
        if last(one, 1, 2, b"") == b"bdSeq":
            field, held = written(one)
            return held if field == 11 else _u32(held) if field == 10 else 0
    return None


def session(chance: Random) -> list[Message]:
    """Births, data by name and by alias, deaths."""
    at, seq = NOW // 1000, 0
    found: list[Message] = [
        ("NBIRTH", "", edge.payload(0, edge.bd_seq(7), edge.double("Temp", 1, 20.5), at=at)),
        (
            "DBIRTH",
            "press",
            edge.payload(1, edge.double("Energy", 2, 1.5), edge.metric("Count", 3, 3, edge.value(10, 7)), at=at),
        ),
    ]
    for seq in range(2, 2 + chance.randint(1, 6)):
        kinds = (
            edge.by_alias(2, round(chance.uniform(0, 1e6), 3)),
            edge.metric(alias=3, sent=edge.value(10, chance.randrange(1 << 32)), at=at + seq),
            edge.metric(
                "Count",
                datatype=chance.randint(1, 8),
                sent=edge.value(chance.choice((10, 11)), chance.randrange(1 << 31)),
            ),
            edge.metric("Energy", 2, 9, edge.value(12, 1.25), quality=chance.choice((192, 0, 500))),
            edge.metric("Energy", 2, 10, edge.value(13, 2.5), null=chance.random() < 0.2),
        )
        if chance.random() < 0.3:
            found.append(
                (
                    "NDATA",
                    "",
                    edge.payload(seq, chance.choice((edge.by_alias(1, 21.25), edge.double("Temp", 1, -4.0))), at=at),
                )
            )
        else:
            found.append(("DDATA", "press", edge.payload(seq, *chance.sample(kinds, chance.randint(1, 3)), at=at)))
    if chance.random() < 0.3:
        found.append(
            chance.choice(
                (("NDEATH", "", edge.payload(None, edge.bd_seq(7))), ("DDEATH", "press", edge.payload(seq + 1, at=at)))
            )
        )
    return found


def examine(messages: list[Message], tally: Tally) -> None:
    """Decodes a session, a restart with its marks included, and compares each message with the reference."""
    model, found = Session(), []
    half = len(messages) // 2
    items = [
        (NOW + number * MINUTE, f"spBv1.0/G/{kind}/E" + (f"/{device}" if device else ""), body)
        for number, (kind, device, body) in enumerate(messages)
    ]
    try:
        decoder = Decoder(topics())
        first = decoder.decode(items[:half])
        marks = {name: body for name, body in first.marks.items() if body}
        decoder.wanted()
        second = Decoder(topics(), marks).decode(items[half:])
        found = read(first.readings, NOW, half) + read(second.readings, NOW + half * MINUTE, len(items) - half)
    except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
        tally.count(REJECTED, len(messages))
        tally.finding(raised(error, messages))
        return
    for own, (kind, device, body), (received, _, _) in zip(found, messages, items, strict=True):
        want = model.take(kind, device, body, received)
        bad = sum(quality == Quality.BAD for _, quality in own)
        tally.count(outcome(len(own) - bad, bad))
        rows = [one for one, _ in own]
        wrong = [one for one, quality in own if (one[2] is None) != (quality == Quality.BAD)]
        # a float in a double: NaN is no number, everything else compares as it is
        if wrong or sorted(map(str, rows)) != sorted(map(str, want)):
            tally.finding(f"{kind} {body.hex()} of {[(k, d, b.hex()) for k, d, b in messages]}: {own}, not {want}")


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Sessions, most of whose messages are mutated, left out or out of order."""
    while tally.inputs < inputs:
        sound = session(chance)
        changed = []
        for kind, device, body in sound:
            luck = chance.random()
            if luck > 0.04:
                other = chance.choice(sound)[2]
                changed.append((kind, device, mutate(chance, body, other) if luck < 0.5 else body))
        if chance.random() < 0.1:
            chance.shuffle(changed)
        examine(changed[: inputs - tally.inputs], tally)


def run_marks(inputs: int, chance: Random, tally: Tally) -> None:
    """Starts with damaged marks of births: data by alias brings its own value, or none."""
    while tally.inputs < inputs:
        decoder = Decoder(topics())
        births = session(chance)[:2]
        marks = dict(
            decoder.decode([(NOW, f"spBv1.0/G/{k}/E" + (f"/{d}" if d else ""), b) for k, d, b in births]).marks
        )
        name = chance.choice(list(marks))
        marks[name] = mutate(chance, marks[name], chance.choice(list(marks.values())))
        body = edge.payload(2, edge.by_alias(2, 4.5), at=NOW // 1000)
        try:
            again = Decoder(topics(), marks)
            readings = again.decode([(NOW, "spBv1.0/G/DDATA/E/press", body)]).readings
            again.decode([(NOW, "spBv1.0/G/NDEATH/E", edge.payload(None, edge.bd_seq(7)))])
        except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
            tally.count(REJECTED)
            tally.finding(raised(error, marks))
            continue
        good = readings.value[readings.quality < Quality.BAD].tolist()
        tally.count(outcome(len(good), len(readings) - len(good)))
        if good not in ([], [4.5]):
            tally.finding(f"{marks}: {good}")
