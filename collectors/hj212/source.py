"""Packets of stations as the commit thread sees them: readings with the station's own flags as quality."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import NamedTuple, Protocol

import numpy as np

from collectors.hj212.flags import FLAGS, UNKNOWN, judge
from collectors.hj212.packet import Packet, data_time
from collectors.hj212.plan import Station, Stations
from collectors.source import Decoded, Rejected
from collectors.status import Status
from plant.reading import Quality, Readings

NOT_AVAILABLE, NOT_A_NUMBER, TWICE = "not available", "not a number", "given twice"
FINDINGS = tuple(
    dict.fromkeys(("", NOT_AVAILABLE, NOT_A_NUMBER, TWICE, *(name for _, name in FLAGS.values()), UNKNOWN))
)
_INDEX = {name: index for index, name in enumerate(FINDINGS)}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class Asker(Protocol):
    """Whoever brought a packet and waits until it is on disk."""

    def committed(self, packet: Packet) -> None:
        """The packet's readings are on disk."""


class Arrived(NamedTuple):
    """A packet of a known station, received at [µs UTC plant time], with whom to tell."""

    asker: Asker
    station: Station
    received: int
    packet: Packet


@dataclass
class _Columns:
    point: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    finding: list[int] = field(default_factory=list)

    def cut(self, rows: int) -> None:
        """Takes back all but so many rows."""
        for column in vars(self).values():
            del column[rows:]


_log = logging.getLogger(__name__)


class Hj212Source:
    """Decodes what stations sent; `acknowledge` hears which packets are on disk, in the order in which they came."""

    enough = 32

    def __init__(self, stations: Stations, status: Status, acknowledge: Callable[[Sequence[Arrived]], None]) -> None:
        self._points, self._status, self._acknowledge = stations.points, status, acknowledge

    def decode(self, items: Sequence[Arrived]) -> Decoded:
        """The readings of packets; other commands than the one that feeds a station's points are passed over."""
        columns = _Columns()
        rejected: dict[str, Rejected] = {}
        good: Counter[str] = Counter()
        for item in items:
            station = item.station
            if item.packet.cn != station.cn:
                continue
            before = len(columns.quality)
            try:
                reason = _read(item, columns)
            except Exception as error:  # noqa: BLE001 - a fault of ours; raised, this packet would come for ever
                _log.exception("a packet of %s could not be decoded", station.name)
                columns.cut(before)
                reason = f"keepclean failed at it: {type(error).__name__}"
            if reason:
                rejected.setdefault(station.name, Rejected()).add(reason, item.packet.data.encode())
            if len(columns.quality) > before:
                good[station.name] += sum(quality < Quality.BAD for quality in columns.quality[before:])
        for name, count in good.items():
            self._status.success(name, None, count)
        return Decoded(_readings(self._points, columns), rejected)

    def committed(self, items: Sequence[Arrived]) -> None:
        """Acknowledges."""
        self._acknowledge(items)


def _read(item: Arrived, columns: _Columns) -> str:
    """Adds a packet's readings. Returns what is wrong with it; "" when nothing is."""
    values, twice = item.packet.values()
    time = data_time(values.get("DataTime", ""), item.station.zone)
    if time is None or "DataTime" in twice:
        return "no DataTime that can be understood"
    reason = ""
    for target in item.station.targets:
        written = values.get(target.read)
        if written is None:
            continue
        if target.read in twice or target.flag in twice:
            value, quality, finding = nan, Quality.BAD, TWICE
        else:
            value, quality, finding = _value(written, values.get(target.flag, ""), target.scale)
        if finding in (NOT_A_NUMBER, TWICE):
            reason = f"{target.read} is {finding}"
        columns.point.append(target.point)
        columns.time.append(time)
        columns.received.append(item.received)
        columns.value.append(value)
        columns.quality.append(quality)
        columns.finding.append(_INDEX[finding])
    return reason


def _value(written: str, flag: str, scale: float) -> tuple[float, Quality, str]:
    """A value in the point's unit with its quality; what the flag says counts more than why there is no number."""
    quality, finding = judge(flag)
    value = float(written) * scale if _NUMBER.fullmatch(written) else nan
    if isfinite(value):
        return value, quality, finding
    if quality == Quality.GOOD or not finding:
        finding = NOT_A_NUMBER if written else NOT_AVAILABLE
    return nan, Quality.BAD, finding


def _readings(points: tuple[str, ...], columns: _Columns) -> Readings:
    return Readings(
        points,
        np.array(columns.point, np.int32),
        np.array(columns.time, np.int64),
        np.array(columns.received, np.int64),
        np.array(columns.value, np.float64),
        np.array(columns.quality, np.uint8),
        np.array(columns.finding, np.uint8),
        FINDINGS,
    )
