"""Fuzz target: byte streams of HJ 212 stations, cut anywhere, beside a reference that reads a sound segment's text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from random import Random
from typing import Any

from benchmarks.fuzz_common import REJECTED, Tally, mutate, outcome, pieces, raised
from collectors.hj212.frame import CRC, HEAD, LENGTH_MAX, Frames
from collectors.hj212.packet import Packet, read
from collectors.hj212.plan import Station, Stations, stations
from collectors.hj212.source import Arrived, Hj212Source
from collectors.status import Status
from plant.clock import PlantClock
from plant.model import Plant
from plant.reading import Quality
from simulators.hj212_station import MINUTE, Logger, Pollutant, check_code, packet

MN = "010000A8900016F000169DC0"
LOGGER = Logger(MN)
START = datetime(2026, 5, 1, 8, 0)
NOW = 1_777_600_000_000_000
REPORTS = 300
AHEAD_OF_UTC = timedelta(hours=8)
SOUND_FLAGS = {"N", "1", "3"}
# point: code and field, factor to the point's unit
POINTS = {
    "cod": ("w01018", "Avg", "level", "mg/L", 1.0),
    "ph": ("w01001", "Avg", "level", "pH", 1.0),
    "flow": ("w00000", "Avg", "rate", "m3/h", 3.6),
    "water": ("w00000", "Cou", "interval", "m3", 1.0),
}
_NUMERAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Nobody:
    """Waits for nothing."""

    def committed(self, packet: Packet) -> None:
        """From the source."""


@cache
def described() -> Stations:
    """One station with four points."""
    extra = {"interval": {"stamp": "begin", "span": "10 min"}}
    return stations(
        Plant.model_validate(
            {
                "format": "keepclean/1",
                "site": {"id": "fuzz", "name": "Fuzz", "time_zone": "Asia/Shanghai"},
                "audit": {"name": "Audit", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
                "devices": {
                    "s": {"title": "s", "protocol": "hj212", "listen": "127.0.0.1:9002", "mn": MN, "interval": "10 min"}
                },
                "points": {
                    name: {
                        "title": name,
                        "in": "site",
                        "from": "s",
                        "read": f"{code}-{field}",
                        "kind": kind,
                        "unit": unit,
                    }
                    | extra.get(kind, {})
                    for name, (code, field, kind, unit, _) in POINTS.items()
                },
            }
        )
    )


@cache
def reports() -> tuple[bytes, ...]:
    """Packets as a station sends them."""
    chance = Random(REPORTS)
    return tuple(_report(chance) for _ in range(REPORTS))


check = lru_cache(512)(check_code)


def _report(chance: Random) -> bytes:
    """The packet of a ten minutes' report; of another command at times."""

    def number() -> str:
        return str(round(chance.uniform(0, 500), 2))

    flag = chance.choice(("N", "N", "N", "F", "D", "T", ""))
    pollutants = [
        Pollutant("w00000", {"Cou": number(), "Avg": number()}, flag),
        Pollutant("w01001", {"Min": "7.1", "Avg": number()}),
        Pollutant("w01018", {"Avg": number()}, chance.choice("NNFM")),
    ]
    begin = START + timedelta(minutes=10 * chance.randrange(10_000))
    found = LOGGER.report(
        chance.choice((MINUTE, MINUTE, MINUTE, "2011")), begin, pollutants, begin + timedelta(minutes=10)
    )
    return found[0].packet


def changed(chance: Random, data: bytes) -> bytes:
    """A packet, mutated; in half of the cases the check code and the length are right again."""
    if chance.random() < 0.5:
        return mutate(chance, data, chance.choice(reports()))
    segment = mutate(chance, data[HEAD : -CRC - 2], chance.choice(reports())[HEAD : -CRC - 2])[:LENGTH_MAX]
    return packet(segment.decode("utf-8", "replace"))[: HEAD + LENGTH_MAX]


def segments(data: bytes) -> list[bytes]:
    """Every segment that is framed rightly somewhere in a stream, overlapping or not."""
    found = []
    for match in re.finditer(rb"(?=##([0-9]{4}))", data):
        start = match.start() + HEAD
        end = start + int(match[1])
        written = data[end : end + CRC]
        if re.fullmatch(rb"[0-9A-Fa-f]{4}", written) and b"##" not in data[start : end + CRC]:
            segment = data[start:end]
            if int(written, 16) == check(segment):
                found.append(segment)
    return found


def values(text: str) -> tuple[int | None, dict[str, float | None]]:
    """The time [µs UTC] and the points' values of a data area; None where there is none that may be believed."""
    fields: dict[str, set[str]] = {}
    for item in re.split("[;,]", text):
        name, _, value = item.partition("=")
        fields.setdefault(name.strip(), set()).add(value.strip())
    time, found = _time(fields.get("DataTime", set())), {}
    for point, (code, field, _, _, scale) in POINTS.items():
        written, flag = fields.get(f"{code}-{field}"), fields.get(f"{code}-Flag", {""})
        if written is not None:
            one, value = next(iter(written)), None
            sound = len(written) == 1 and len(flag) == 1 and next(iter(flag)).upper() in {*SOUND_FLAGS, ""}
            if sound and _NUMERAL.fullmatch(one) and math.isfinite(float(one) * scale):
                value = float(one) * scale
            found[point] = value
    return time, found


def _time(written: set[str]) -> int | None:
    text = next(iter(written)) if len(written) == 1 else ""
    if not re.fullmatch(r"[0-9]{14}([0-9]{3})?", text):
        return None
    parts = [int(text[:4]), *(int(text[place : place + 2]) for place in range(4, 14, 2))]
    try:
        moment = datetime(*parts, tzinfo=UTC) - AHEAD_OF_UTC  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        return None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) * 1000 + int(text[14:] or 0) * 1000


def fed(chunks: Sequence[bytes], tally: Tally) -> list[bytes]:
    """The segments that come of chunks; what is held in between is bounded."""
    frames, found = Frames(), []
    for chunk in chunks:
        found += [one for one in frames.feed(chunk) if isinstance(one, bytes)]
        held = len(frames._buffer)
        if held > HEAD + LENGTH_MAX + CRC:
            tally.finding(f"{held} bytes are held of {chunks!r}")
    return found


def run(inputs: int, chance: Random, tally: Tally) -> None:
    """Streams of one to four packets, most of them mutated, with a sound one at the end."""
    station = described().stations[0]
    source = Hj212Source(described(), Status(PlantClock.real(), {station.name: "hj212"}), lambda items: None)
    while tally.inputs < inputs:
        parts = [
            changed(chance, chance.choice(reports())) for _ in range(min(chance.randint(1, 4), inputs - tally.inputs))
        ]
        last = chance.choice(reports())
        chunks = pieces(chance, b"".join([*parts, last]), 6)
        try:
            _examine(chunks, len(parts), last, station, source, tally)
        except Exception as error:  # noqa: BLE001 (whatever escapes is what is sought)
            tally.finding(raised(error, chunks))
            tally.count(REJECTED, len(parts))


def _examine(
    chunks: list[bytes], inputs: int, last: bytes, station: Station, source: Hj212Source, tally: Tally
) -> None:
    stream = b"".join(chunks)
    found = fed(chunks, tally)
    if fed([stream], tally) != found or (len(stream) < 400 and fed([bytes([byte]) for byte in stream], tally) != found):
        tally.finding(f"another cut, other segments: {chunks!r}")
    sound = segments(stream)
    if [one for one in found if one not in sound]:
        tally.finding(f"{found!r} of {stream!r}")
    if not stream.endswith(b"#" + last) and last[HEAD : -CRC - 2] not in found[-1:]:
        tally.finding(f"the sound packet at the end is lost: {stream!r}")
    outcomes = []
    for segment in found:
        packet = read(segment)
        if isinstance(packet, Packet) and packet.cn == station.cn:
            packet.reply()
            outcomes.append(_compare(packet, station, source, tally))
    for number in range(inputs):
        tally.count(outcomes[number] if number < len(outcomes) - 1 else REJECTED)


def _compare(packet: Packet, station: Station, source: Hj212Source, tally: Tally) -> str:
    readings = source.decode([Arrived(Nobody(), station, NOW, packet)]).readings
    time, want = values(packet.data)
    own: dict[str, Any] = {}
    for point, at, value, quality in zip(
        readings.point.tolist(), readings.time.tolist(), readings.value.tolist(), readings.quality.tolist(), strict=True
    ):
        if (at != time) or (quality != Quality.BAD and not math.isfinite(value)):
            tally.finding(f"{packet}: {readings.points[point]} is {value} at {at}, not {time}")
        own[readings.points[point]] = value if quality == Quality.GOOD else None
    if own and own.keys() != want.keys():
        tally.finding(f"{packet}: {own}, not {want}")
    for point, value in own.items():
        right = want.get(point)
        if value is not None and (right is None or not math.isclose(value, right, rel_tol=1e-12)):
            tally.finding(f"{packet}: {point} is {value}, not {right}")
    good = sum(value is not None for value in own.values())
    return outcome(good, len(own) - good)
