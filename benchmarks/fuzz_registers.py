"""Fuzz target: register words of any content for every kind of value, beside a slow reference of its own."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from benchmarks.fuzz_common import Tally, mutate, outcome, raised
from collectors.modbus.plan import plan, requests
from collectors.modbus.request import Request
from collectors.modbus.settings import Device, Limits, Value, whole
from collectors.modbus.source import ModbusSource, Polled
from collectors.profile import builtin, load
from collectors.profile_fields import WIDTH, Order, Profile, RegisterField, SunspecProfile
from plant.errors import DeviceError
from plant.model import Modbus
from plant.reading import Quality

POLLS = 24
EXACT = 1e-12
ORDERS: tuple[Order, Order] = ("big", "little")
_ODD_WORDS = (0, 1, 0xFFFF, 0x8000, 0x7FFF, 0x7FC0, 0x7F80, 0xFF80, 0x7FF0, 0x9999, 0x270F, 0xD8F1, 10, 0xFFF6, 0x2020)


class Field(NamedTuple):
    """What the definition of a value says, whoever gave it."""

    type: str
    address: int
    width: int
    byte_order: str
    word_order: str
    scale: Fraction
    offset: Fraction
    not_available: frozenset[int]
    bits: tuple[int, int] | None
    listed: dict[Any, float]
    scale_at: int | None


def of_profile(profile: Profile, one: RegisterField) -> Field:
    """The field as the profile's text defines it."""
    listed = {key if one.type == "string" else int(str(key), 0): number for key, number in one.values.items()}
    first, _, last = (one.bit or "").partition("-")
    bits = (int(first), int(last or first) - int(first) + 1) if first else None
    return Field(
        one.type,
        one.address,
        one.length or WIDTH[one.type],
        one.byte_order or profile.byte_order,
        one.word_order or profile.word_order,
        Fraction(str(one.scale)),
        Fraction(str(one.offset)),
        frozenset(int(pattern, 16) for pattern in one.not_available),
        bits,
        listed,
        None,
    )


def of_value(one: Value) -> Field:
    """The field of a value that has no profile, or is a SunSpec model's."""
    return Field(
        one.type,
        one.address,
        one.width,
        one.byte_order,
        one.word_order,
        one.factor,
        Fraction(one.offset),
        frozenset(one.not_available),
        one.bits,
        dict(one.listed),
        one.scale_at,
    )


def expected(one: Field, held: Sequence[int]) -> Fraction | None:
    """The value that registers hold (`held` from the field's own address 0 on); None when they hold none."""
    parts = [word.to_bytes(2, one.byte_order) for word in held[one.address : one.address + one.width]]  # type: ignore[arg-type]
    data = b"".join(parts if one.word_order == "big" else reversed(parts))
    if one.type == "absent" or int.from_bytes(data, "big") in one.not_available:
        return None
    raw = _raw(one, data)
    if one.listed or one.type == "string":
        named = one.listed.get(raw) if raw is not None else None
        return None if named is None else Fraction(named)
    if raw is None:
        return None
    number = Fraction(raw) * one.scale
    if one.scale_at is not None:
        power = int.from_bytes(held[one.scale_at].to_bytes(2, "big"), "big", signed=True)
        if not -10 <= power <= 10:
            return None
        number *= Fraction(10) ** power
    return number + one.offset


def _raw(one: Field, data: bytes) -> Any:
    """What ordered bytes hold by their type; None when it is no finite number."""
    if one.type == "string":
        text = data.partition(b"\0")[0]
        return "".join(chr(byte) if byte < 128 else f"\\x{byte:02x}" for byte in text).strip()
    if one.type.startswith("float"):
        [number] = struct.unpack(">f" if one.width == 2 else ">d", data)
        return number if math.isfinite(number) else None
    if one.type.startswith("bcd"):
        return int(data.hex()) if data.hex().isdecimal() else None
    if one.type.startswith("m10k"):
        parts = struct.unpack(f">{one.width}h", data)
        if any(abs(part) > 9999 for part in parts) or (max(parts) > 0 and min(parts) < 0):
            return None
        return sum(part * 10_000**place for place, part in enumerate(reversed(parts)))
    whole_number = int.from_bytes(data, "big", signed=one.type.startswith("int"))
    if one.bits is not None:
        return whole_number >> one.bits[0] & 2 ** one.bits[1] - 1
    return int(whole_number != 0) if one.type == "bool" else whole_number


def random_profile(chance: Random) -> Profile | None:
    """A profile of fields of every kind; None when the draw is none."""
    fields: dict[str, Any] = {}
    address = chance.choice((0, 7, 40000))
    for number in range(chance.randint(1, 12)):
        kind = chance.choice([*WIDTH, "string"])
        one: dict[str, Any] = {"title": "t", "address": address, "type": kind, "unit": "kWh"}
        one["function"] = chance.choice((1, 2) if kind == "bool" else (3, 4))
        width = WIDTH.get(kind, 0) or chance.randint(1, 6)
        if kind == "string":
            one |= {"length": width, "values": {"ON": 1, "A": 2.5, "": 0}}
        elif kind.startswith("uint") and chance.random() < 0.4:
            first = chance.randrange(16 * width)
            one["bit"] = f"{first}-{chance.randint(first, 16 * width - 1)}" if chance.random() < 0.5 else str(first)
        if kind not in ("bool", "string") and chance.random() < 0.3:
            one["not_available"] = [chance.choice(("80", "7F", "FF")) + chance.choice(("00", "FF")) * (2 * width - 1)]
        if kind not in ("string", "float32", "float64") and chance.random() < 0.2:
            one["values"] = {0: 0, 1: 10, 0xFFFF: 3.5, "0x8000": -1}
        elif kind != "string":
            one["scale"] = chance.choice((1.0, 0.1, 0.001, 16.666666666666668, -1.0, 1000.0, 3.6))
            one["offset"] = chance.choice((0.0, 0.0, -273.15, 100.0))
        if chance.random() < 0.3:
            one |= {"word_order": chance.choice(ORDERS), "byte_order": chance.choice(ORDERS)}
        fields[f"f{number}"] = one
        address += width + chance.choice((0, 0, 0, 1, 3)) - chance.choice((0, 0, 0, 0, 1))
    limits = {"max_gap": chance.choice((0, 5)), "one_request_per_field": chance.random() < 0.2}
    orders = {"byte_order": chance.choice(ORDERS), "word_order": chance.choice(ORDERS)}
    try:
        return Profile.model_validate({"make": "m", "model": "m", "source": "s", "fields": fields, **limits, **orders})
    except ValidationError:
        return None


def random_values(chance: Random) -> list[Value]:
    """Values with scale-factor registers, as SunSpec models have them, in any order among each other."""
    kinds = [kind for kind in WIDTH if kind not in ("bool", "string")]
    values = []
    for number in range(chance.randint(1, 10)):
        kind = chance.choice(kinds)
        at = chance.choice((None, chance.randint(0, 30)))
        address, absent = chance.randint(0, 30), chance.choice(((), (0x8000,), (0xFFFF,), (0,)))
        width, factor = WIDTH[kind], chance.choice((Fraction(1), Fraction(1, 10), Fraction(50, 3)))
        orders: tuple[Order, Order] = chance.choice(ORDERS), chance.choice(ORDERS)
        offset = chance.choice((0.0, -1.5))
        values.append(Value(f"v{number}", 3, address, kind, width, *orders, factor, offset, absent, scale_at=at))
    return values


class Asked(NamedTuple):
    """A request and the definition of each of its points, whose addresses count from the request's first register."""

    request: Request
    fields: list[Field]


def asked(found: Iterable[Request], fields: dict[str, Field]) -> list[Asked]:
    """Requests with the definitions of what they bring."""
    return [Asked(one, [_from(fields[point], one.address) for point in one.points]) for one in found]


def _from(one: Field, start: int) -> Field:
    at = None if one.scale_at is None else one.scale_at - start
    return one._replace(address=one.address - start, scale_at=at)


@cache
def builtin_requests() -> tuple[Asked, ...]:
    """Every request of every profile that comes with keepclean and says itself where its values are."""
    found: list[Asked] = []
    for name in builtin():
        profile = load(name, Path())
        if isinstance(profile, Profile):
            fields = {key: of_profile(profile, one) for key, one in profile.fields.items()}
            found += asked(plan(_device(profile)).requests, fields)
    return tuple(found)


@cache
def sunspec_device() -> Device:
    """Every field of the SunSpec profile."""
    return _device(load("sunspec-meter", Path()))


def _device(profile: Profile | SunspecProfile) -> Device:
    described = Modbus.model_validate(
        {"protocol": "modbus", "title": "t", "address": "127.0.0.1:502", "profile": "p", "interval": "1 min"}
    )
    return whole("d", described, profile)


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Answers of devices: each input is the bytes that answer one request."""
    while tally.inputs < inputs:
        kind = chance.randrange(8)
        if kind < 4:
            some = [chance.choice(builtin_requests()) for _ in range(4)]
        elif kind < 6:
            profile = random_profile(chance)
            if profile is None:
                continue
            fields = {key: of_profile(profile, one) for key, one in profile.fields.items()}
            some = asked(plan(_device(profile)).requests, fields)
        elif kind < 7:
            values = random_values(chance)
            some = asked(requests(values, Limits(max_gap=124)), {one.point: of_value(one) for one in values})
        else:
            some = _searched(chance, tally)
        for one in some:
            _poll(one, min(POLLS, inputs - tally.inputs), chance, tally)


def _searched(chance: Random, tally: Tally) -> list[Asked]:
    """The requests that a search in a SunSpec device of a random model ends with; its answers are mutated at times."""
    device = sunspec_device()
    locate = plan(device).locate
    assert locate is not None
    search, model = locate(), chance.choice(list(device.models))
    places = {40000: (0x5375, 0x6E53), 40002: (1, 66), 40070: (model, chance.choice((105, 124, 40, 0, 0xFFF0)))}
    base = 40070
    try:
        while (wanted := search.wanted) is not None:
            answer: Sequence[int] | None = places.get(wanted.address, (0xFFFF, 0))
            if chance.random() < 0.05:
                answer = chance.choice((None, (chance.choice(_ODD_WORDS), chance.randrange(0x10000))))
                base = -1
            search.take(answer)
    except DeviceError:
        tally.count("rejected")
        return []
    if base < 0:
        return []
    length = places[base][1] + 2
    fields = {}
    for one in device.models[model]:
        moved = of_value(one.moved(base))
        beyond = one.end > length or base + one.end > 0x10000
        fields[one.point] = moved._replace(type="absent", width=1, scale_at=None) if beyond else moved
    return asked(search.found, fields)


def _poll(one: Asked, polls: int, chance: Random, tally: Tally) -> None:
    if polls <= 0:
        return
    request = one.request
    size = (request.count + 7) // 8 if request.function in (1, 2) else 2 * request.count
    answers = [_answer(one, size, chance) for _ in range(polls)]
    try:
        items = [Polled(request, data, 10**15 + number, 10**15 + number) for number, data in enumerate(answers)]
        readings = ModbusSource().decode(items).readings
    except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
        tally.count("rejected", polls)
        tally.finding(raised(error, (request, answers)))
        return
    values = readings.value.reshape(polls, -1).tolist()
    bad = (readings.quality == Quality.BAD).reshape(polls, -1).tolist()
    for data, own, wrong in zip(answers, values, bad, strict=True):
        held = _words(data, request)
        tally.count(outcome(len(wrong) - sum(wrong), sum(wrong)))
        for point, field, value, is_bad in zip(request.points, one.fields, own, wrong, strict=True):
            want = expected(field, held)
            if not _agree(want, value, is_bad, field):
                tally.finding(f"{point} {field}: {data.hex()} is {value} (bad: {is_bad}), not {want}")


def _agree(want: Fraction | None, value: float, is_bad: bool, field: Field) -> bool:
    """Whether a value is the right one, or bad without one."""
    if want is None or is_bad:
        too_large = want is None or abs(want) > Fraction(10) ** 300
        return is_bad and math.isnan(value) and too_large
    scale = abs(want) + abs(field.offset)
    return math.isfinite(value) and abs(Fraction(value) - want) <= scale * Fraction(EXACT) + Fraction(1e-300)


def _words(data: bytes, request: Request) -> list[int]:
    if request.function in (1, 2):
        return [data[place // 8] >> place % 8 & 1 for place in range(request.count)]
    return list(struct.unpack(f">{request.count}H", data))


def _answer(one: Asked, size: int, chance: Random) -> bytes:
    """An answer of the right length: small numbers in every field, some of it mutated or random."""
    if chance.random() < 0.1:
        return chance.randbytes(size)
    data = bytearray(size)
    for field in one.fields:
        if one.request.function in (3, 4):
            data[2 * field.address : 2 * (field.address + field.width)] = _sound(field, chance)
    for _ in range(chance.randrange(3)):
        place = 2 * chance.randrange((size + 1) // 2)
        data[place : place + 2] = chance.choice(_ODD_WORDS).to_bytes(2, "big")
    if chance.random() < 0.3:
        data = bytearray(mutate(chance, bytes(data), chance.randbytes(size)))
    return bytes(data[:size]).ljust(size, b"\0")


def _sound(field: Field, chance: Random) -> bytes:
    """The registers of a number that a device might hold."""
    number = chance.randint(0, 9999)
    if field.type == "absent":
        data = b"\0\0"
    elif field.not_available and chance.random() < 0.1:
        data = min(field.not_available).to_bytes(2 * field.width, "big")
    elif field.type == "string":
        data = chance.choice((b"ON", b" A ", b"", b"B")).ljust(2 * field.width, chance.choice((b" ", b"\0")))
    elif field.type.startswith("float"):
        data = struct.pack(">f" if field.width == 2 else ">d", number / 7)
    elif field.type.startswith("bcd"):
        data = bytes.fromhex(str(number).zfill(4 * field.width))
    elif field.type.startswith("m10k"):
        data = np.full(field.width, chance.choice((1, -1)) * number, ">i2").tobytes()
    else:
        data = number.to_bytes(2 * field.width, "big")
    parts = [data[place : place + 2] for place in range(0, len(data[: 2 * field.width]), 2)]
    parts = parts if field.word_order == "big" else parts[::-1]
    return b"".join(part if field.byte_order == "big" else part[::-1] for part in parts)
