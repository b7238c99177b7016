"""A wastewater station's data logger that reports by HJ 212-2017: builds its packets, sends them, waits for replies.

Written from the standard: packet 6.3.1 (table 2), data segment 6.3.2 (table 3), repetition 6.2 (table 1), check code
annex A, reports annex C (tables C.14 and C.16 to C.18), splitting annex C part two (tables C.49 and C.50).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

DATA_AREA_MAX = 950 - len("CP=&&&&")
VERSION_2017 = 0b000001_00
SPLIT, ANSWER = 0b10, 0b01
REAL_TIME, MINUTE, HOUR, DAY = "2011", "2051", "2061", "2031"
DATA_REPLY = "9014"
OVER_TIME_S, RECOUNT = 10.0, 3


class Pollutant(NamedTuple):
    """What a report says of one pollutant: its code, the fields as they are written, its flag."""

    code: str
    fields: Mapping[str, str]
    flag: str = "N"

    def written(self) -> str:
        """As it stands in the data area."""
        parts = [f"{self.code}-{name}={value}" for name, value in self.fields.items()]
        return ",".join([*parts, f"{self.code}-Flag={self.flag}"] if self.flag else parts)


def check_code(characters: bytes) -> int:
    """The check code of a data segment, bit by bit as annex A describes it."""
    register = 0xFFFF
    for character in characters:
        register = character ^ (register >> 8)
        for _ in range(8):
            last = register % 2
            register //= 2
            if last:
                register ^= 0xA001
    return register


def packet(segment: str) -> bytes:
    """A data segment in its packet."""
    characters = segment.encode("utf-8")
    return f"##{len(characters):04d}".encode() + characters + f"{check_code(characters):04X}\r\n".encode()


def stamp(moment: datetime) -> str:
    """A time as QN writes it, to the millisecond."""
    return moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03d}"


@dataclass(frozen=True)
class Report:
    """One packet of a report, with the QN by which it is acknowledged."""

    qn: str
    packet: bytes


@dataclass(frozen=True)
class Logger:
    """A data logger: who it is, and whether it asks for acknowledgement."""

    mn: str
    password: str = "123456"
    st: str = "32"
    answer: bool = True

    def report(
        self,
        cn: str,
        data_time: datetime,
        pollutants: Sequence[Pollutant],
        sent: datetime,
        split_at: int = DATA_AREA_MAX,
    ) -> list[Report]:
        """The packets of one report sent at `sent`; one that is too long for a packet is split between pollutants.

        `data_time` is the station's own time: of the sample, or of the beginning of what the report covers.
        """
        begin = f"DataTime={data_time:%Y%m%d%H%M%S}"
        areas = [begin]
        for pollutant in pollutants:
            written = pollutant.written()
            if len(areas[-1]) > len(begin) and len(areas[-1]) + 1 + len(written) > split_at:
                areas.append(begin)
            areas[-1] += f";{written}"
        flag = VERSION_2017 | (ANSWER if self.answer else 0) | (SPLIT if len(areas) > 1 else 0)
        reports = []
        for number, area in enumerate(areas, 1):
            qn = stamp(sent + timedelta(milliseconds=number - 1))
            counted = f"PNUM={len(areas)};PNO={number};" if len(areas) > 1 else ""
            head = f"QN={qn};ST={self.st};CN={cn};PW={self.password};MN={self.mn};Flag={flag};{counted}"
            reports.append(Report(qn, packet(f"{head}CP=&&{area}&&")))
        return reports


@dataclass(frozen=True)
class Reply:
    """What the other side answered."""

    qn: str
    cn: str
    mn: str
    segment: str


def replies(received: bytes) -> tuple[list[Reply], bytes]:
    """The replies that stand in what was received, and the beginning of the next one.

    Raises ValueError for anything that a logger would not understand.
    """
    found = []
    while len(received) >= 6:
        length = int(received[2:6])
        whole = 6 + length + 6
        if len(received) < whole:
            break
        segment, check, tail = received[6 : 6 + length], received[6 + length : whole - 2], received[whole - 2 : whole]
        if received[:2] != b"##" or tail != b"\r\n" or check.decode() != f"{check_code(segment):04X}":
            raise ValueError(f"not a packet: {received[:whole]!r}")
        text = segment.decode("ascii")
        fields = dict(item.split("=", 1) for item in text.split(";CP=")[0].split(";"))
        found.append(Reply(fields["QN"], fields["CN"], fields["MN"], text))
        received = received[whole:]
    return found, received


class Link:
    """A logger's connection to where it reports."""

    def __init__(self, host: str, port: int) -> None:
        self.replies: list[Reply] = []
        self._host, self._port = host, port
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._came = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether the other side has not hung up."""
        return self._task is not None and not self._task.done()

    async def connect(self) -> None:
        """Opens the connection. Raises OSError when nobody listens."""
        reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._task = asyncio.create_task(self._listen(reader))

    async def send(self, characters: bytes) -> None:
        """Sends bytes as they are. Raises OSError when the connection is gone."""
        if self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(characters)
        await self._writer.drain()

    async def deliver(self, report: Report, over_time_s: float = OVER_TIME_S, recount: int = RECOUNT) -> bool:
        """Sends a packet until it is acknowledged, as often as the standard allows. Whether it was."""
        for _ in range(1 + recount):
            await self.send(report.packet)
            try:
                async with asyncio.timeout(over_time_s):
                    while not self.acknowledged(report):
                        self._came.clear()
                        await self._came.wait()
            except TimeoutError:
                continue
            return True
        return False

    def acknowledged(self, report: Report) -> bool:
        """Whether a data reply with a packet's QN has come."""
        return any(reply.qn == report.qn and reply.cn == DATA_REPLY for reply in self.replies)

    async def close(self) -> None:
        """Hangs up."""
        if self._writer is not None:
            self._writer.close()
        if self._task is not None:
            await self._task

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        received = b""
        try:
            while data := await reader.read(4096):
                found, received = replies(received + data)
                self.replies += found
                self._came.set()
        except ConnectionError:
            return
