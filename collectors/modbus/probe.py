"""A look at one device: every field of a profile read once, with its raw words and its value or why it has none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import NamedTuple

import numpy as np

from collectors.modbus.connection import Answer, Connection, RefusedError, UnreachableError
from collectors.modbus.decode import decode
from collectors.modbus.line import Pace, line
from collectors.modbus.numbers import text_of
from collectors.modbus.plan import requests
from collectors.modbus.request import Request
from collectors.modbus.settings import Device, Limits, Value, whole
from collectors.modbus.source import words
from collectors.modbus.sunspec import Chain
from collectors.profile_fields import Profile, SunspecProfile
from plant.clock import PlantClock
from plant.errors import DeviceError
from plant.model import Modbus, Serial, Text

TARGET = re.compile(r"(?:(modbus|tcp|rtu)://)?([^:/\s]+)(?::(\d{1,5}))?(?:/(\d{1,3}))?")
SERIAL = re.compile(r"/dev/\S+|COM\d+")
GATEWAY = {10, 11}
REFERENCE = {1: 0, 2: 1, 3: 4, 4: 3}
IDS = range(1, 248)


class Target(NamedTuple):
    """Which device: `address` as a plant description writes it, and its id."""

    address: str
    device_id: int


@dataclass(frozen=True)
class Seen:
    """One field as the device answered it.

    `address` and `count` are those of its registers on the wire; `words` are empty when the device did not give them.
    `value` is None when there is none, and `why` says why; a text is a value that can be no point.
    """

    name: str
    title: Text
    unit: str
    function: int
    address: int
    count: int
    words: tuple[int, ...]
    value: float | str | None
    why: str

    @property
    def answered(self) -> bool:
        """Whether the device has such registers at all."""
        return bool(self.words)

    @property
    def reference(self) -> str:
        """The usual number of its first register in manuals."""
        return reference(self.function, self.address)


def reference(function: int, address: int) -> str:
    """The usual number of a register in manuals.

    >>> reference(3, 0), reference(4, 52), reference(3, 40000)
    ('40001', '30053', '440001')
    """
    width = 4 if address < 9999 else 5
    return f"{REFERENCE[function]}{address + 1:0{width}d}"


def target(text: str, device_id: int | None = None) -> Target:
    """Which device `modbus://host:port/id`, `rtu://host:port/id` or a serial line with `device_id` means.

    The port is 502 and the id 1 where they are left out. Raises ValueError for anything else.

    >>> target("modbus://10.0.0.7/3")
    Target(address='10.0.0.7:502', device_id=3)
    """
    if SERIAL.fullmatch(text):
        return Target(text, _id(1 if device_id is None else device_id, least=1))
    found = TARGET.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is not of the form modbus://host:port/id, rtu://host:port/id or /dev/ttyUSB0")
    scheme, host, port, own = found.groups()
    if own is not None and device_id is not None and int(own) != device_id:
        raise ValueError(f"'{text}' names id {own}, --unit another")
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError(f"there is no port {port}: they go from 1 to 65535, Modbus TCP's own is 502")
    prefix = "rtu://" if scheme == "rtu" else ""
    chosen = int(own) if own is not None else 1 if device_id is None else device_id
    return Target(f"{prefix}{host}:{int(port or 502)}", _id(chosen, least=0))


def _id(number: int, *, least: int) -> int:
    if not least <= number <= 255:
        raise ValueError(f"there is no id {number}: they go from 1 to 247")
    return number


class Probe:
    """One connection to a device, for looks at it; use it as an asynchronous context."""

    def __init__(self, where: Target, serial: Serial | None = None, timeout_s: float = 1.0) -> None:
        self.where = where
        self._pace = Pace(timeout_s)
        self._connection = Connection(line(where.address, serial), PlantClock.real())

    async def __aenter__(self) -> Probe:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    async def read(self, profile: Profile | SunspecProfile) -> list[Seen]:
        """Every field of a profile, in its order. Raises DeviceError when the device does not answer at all.

        One field is asked for alone first: whether anybody is there is then known before a longer request, which some
        devices leave unanswered. A joined request that fails is asked again field by field.
        """
        device = _device(self.where, profile)
        values = await self._located(device) if device.models else device.values
        await self._anybody(requests(values[:1], device.limits)[0])
        known = {value.point: value for value in values}
        seen: dict[str, Seen] = {}
        for request in requests(values, device.limits):
            await self._ask(request, device.limits, known, seen)
        titled = ((name, one.title, one.unit) for name, one in profile.fields.items())
        return [replace(seen[name], title=title, unit=unit) for name, title, unit in titled]

    async def answers(self, device_id: int) -> bool:
        """Whether a device with this id answers, be it with a refusal. Raises DeviceError when nobody can be reached.

        It is asked for holding register 0; a gateway that says that nobody answered it is believed.
        """
        try:
            await self._connection.read(device_id, Request(3, 0, 1, (), ()), self._pace)
        except RefusedError as error:
            return error.code not in GATEWAY
        except UnreachableError:
            raise
        except DeviceError:
            return False
        return True

    async def _read(self, request: Request) -> Answer:
        return await self._connection.read(self.where.device_id, request, self._pace)

    async def _anybody(self, request: Request) -> Answer | None:
        """The answer to a request, None when the device refuses it. Raises DeviceError when the device is not there."""
        try:
            return await self._read(request)
        except RefusedError as error:
            if error.code in GATEWAY:
                raise
            return None

    async def _located(self, device: Device) -> Sequence[Value]:
        """The values of a device that says itself where they are. Raises DeviceError when it does not."""
        found: list[Value] = []

        def placed(values: Sequence[Value]) -> tuple[Request, ...]:
            found.extend(values)
            return ()

        chain = Chain(device.models, placed)
        while (request := chain.wanted) is not None:
            answer = await self._anybody(request)
            chain.take(words(request, [answer.data])[0].tolist() if answer else None)
        return found

    async def _ask(self, request: Request, limits: Limits, known: Mapping[str, Value], seen: dict[str, Seen]) -> None:
        try:
            answer = await self._read(request)
        except DeviceError as error:
            if len(request.points) == 1:
                name = request.points[0]
                seen[name] = _seen(known[name], (), None, str(error).removeprefix("the device answered "))
                return
            for name in request.points:
                await self._ask(requests([known[name]], limits)[0], limits, known, seen)
            return
        got = words(request, [answer.data])
        when = np.array([answer.time])
        readings = decode(request, got, when, when)
        for row, name in enumerate(request.points):
            value = known[name]
            start = value.address - request.address
            raw = tuple(int(word) for word in got[0][start : start + value.width])
            why = readings.findings[readings.finding[row]]
            if value.type == "string" and not value.listed:
                seen[name] = _seen(value, raw, text_of(raw), "")
            else:
                seen[name] = _seen(value, raw, None if why else float(readings.value[row]), why)


def _seen(value: Value, raw: tuple[int, ...], found: float | str | None, why: str) -> Seen:
    return Seen(value.point, Text(en="", zh=""), "", value.function, value.address, value.width, raw, found, why)


def _device(where: Target, profile: Profile | SunspecProfile) -> Device:
    declared = Modbus(protocol="modbus", title=Text(en="", zh=""), address=where.address, profile="")
    return whole("device", declared, profile)
