"""The session of a Sparkplug edge node: births that say what an alias means, deaths, and what was missed in between.

What is believed of an alias, and why (Sparkplug 3.0, 5.9, 5.13 and 6.4.6):

- Only a birth certificate says what an alias means, and a birth may give it to another metric. Births come at QoS 0:
  one can be lost.
- Every message of an edge node but its NDEATH carries the next sequence number (255 is followed by 0). Any gap may
  hide a birth: a DBIRTH counts like data, and an NBIRTH need not begin at 0, nor be alone. So a gap ends the belief in
  all aliases of the edge node until the births that follow; values under an alias are rejected and counted meanwhile,
  for a value under a wrong name is worse than none. Values that carry their metric's name are used throughout.
- A gap of exactly 256 messages, or of a multiple, cannot be seen.
- NDEATH is the broker's last will. It may come after the birth of the next session, hence counts only with the bdSeq
  of the birth that is believed.

Messages are not put back in order: on one connection a broker keeps it. Where it does not, an early message is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from collectors.mqtt.columns import NOT_A_NUMBER, OFFLINE, Columns
from collectors.mqtt.sparkplug.value import BOOLEAN, number
from collectors.mqtt.sparkplug.wire import Payload, parse
from collectors.mqtt.times import EARLIEST_US, LATEST_US, NOT_SET
from collectors.mqtt.topics import Edge, Reader
from plant.reading import MINUTE, SECOND

MARK = "mqtt/sparkplug/"
REBIRTH_EVERY = MINUTE
NO_BIRTH = "no birth certificate yet: the meaning of an alias is not known"
MISSED = "messages were missed: the meaning of an alias is not known until the next birth certificate"
REMEDY = "; with 'rebirth: true' it is asked for"
_MS = SECOND // 1000
_LATEST_MS = LATEST_US // _MS

Kept = tuple[int | None, list[tuple[bytes, int | None, int]]]
_kept = msgspec.msgpack.Decoder(Kept)


@dataclass
class _Table:
    """What the birth of an edge node or device said: metrics as (name, alias, datatype)."""

    metrics: list[tuple[bytes, int | None, int]]
    names: dict[bytes, int] = field(default_factory=dict)
    aliases: dict[int, tuple[bytes, int] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, alias, datatype in self.metrics:
            self.names[name] = datatype
            if alias is not None:
                # given twice it means neither
                self.aliases[alias] = None if alias in self.aliases else (name, datatype)


class EdgeNode:
    """Reads all messages of an edge node, in their order."""

    def __init__(self, edge: Edge, marks: Mapping[str, bytes]) -> None:
        """`marks` are those of earlier commits; what they hold of another version is forgotten."""
        self._edge = edge
        self._mark = f"{MARK}births/{edge.group}/{edge.name}"
        self._last_mark = f"{MARK}last/{edge.group}/{edge.name}"
        self._tables: dict[str, _Table] = {}
        self._bd_seq: int | None = None
        self._missed = False
        last = marks.get(self._last_mark)
        self._last = self._noted = last[0] if last else None
        self._changed: set[str] = set()
        self._asked: int | None = None
        self._ask: int | None = None
        for device in {"", *edge.metrics}:
            try:
                bd_seq, metrics = _kept.decode(marks.get(self._name(device), b""))
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
            self._tables[device] = _Table(metrics)
            if not device:
                self._bd_seq = bd_seq

    def reader(self, kind: str, device: str) -> Reader:
        """Reads the messages of a kind (NBIRTH, DDATA, …) of the edge node ("") or one of its devices."""
        handle: Callable[[Any, str, int, Columns], str] = {
            "BIRTH": self._birth,
            "DATA": self._data,
            "DEATH": self._death,
        }[kind[1:]]

        def read(received: int, payload: bytes, columns: Columns) -> str:
            message = parse(payload)
            if message is None:
                return "not a Sparkplug B payload"
            if kind not in ("NBIRTH", "NDEATH"):
                self._count(message.seq, received)
            return handle(message, device, received, columns)

        return read

    def marks(self) -> dict[str, bytes]:
        """What changed since this was last asked, as marks; an empty one is to be forgotten."""
        found = {}
        for device in self._changed:
            table = self._tables.get(device)
            bd_seq = None if device else self._bd_seq
            found[self._name(device)] = msgspec.msgpack.encode((bd_seq, table.metrics)) if table else b""
        self._changed.clear()
        if self._last != self._noted:
            self._noted = self._last
            found[self._last_mark] = b"" if self._last is None else bytes([self._last])
        return found

    def wanted(self) -> tuple[str, bytes] | None:
        """The request for a birth that was given cause for, as topic and payload; handed out once."""
        at, self._ask = self._ask, None
        if at is None or not self._edge.rebirth:
            return None
        if self._asked is not None and at - self._asked < REBIRTH_EVERY:
            return None
        self._asked = at
        request = Payload(timestamp=at // _MS)
        request.metrics.add(name=b"Node Control/Rebirth", timestamp=at // _MS, datatype=BOOLEAN, boolean_value=True)
        return self._edge.topic("NCMD"), request.SerializeToString()

    def _name(self, device: str) -> str:
        return f"{self._mark}/{device}" if device else self._mark

    def _count(self, seq: int, received: int) -> None:
        if self._last is None or seq != (self._last + 1) % 256:
            if self._last is not None or self._tables:
                self._forget()
                self._missed = True
            self._ask = received
        self._last = seq if seq < 256 else None

    def _forget(self) -> None:
        # the node's table stays as far as bdSeq goes: its death still counts
        self._changed.update(self._tables)
        self._tables = {"": _Table([])} if "" in self._tables else {}

    def _birth(self, message: Any, device: str, received: int, columns: Columns) -> str:
        if not device:
            self._forget()
            self._missed = False
            self._last = message.seq if message.seq < 256 else None
            self._bd_seq = _bd_seq(message)
        elif "" not in self._tables:
            self._ask = received
        if not device or device in self._edge.metrics:
            metrics = message.metrics if device in self._edge.metrics else ()
            self._tables[device] = _Table(
                [(one.name, one.alias if one.HasField("alias") else None, one.datatype) for one in metrics]
            )
            self._changed.add(device)
        return self._values(message, device, received, columns)

    def _data(self, message: Any, device: str, received: int, columns: Columns) -> str:
        if "" not in self._tables:
            self._ask = received
        return self._values(message, device, received, columns)

    def _death(self, message: Any, device: str, received: int, columns: Columns) -> str:
        if device:
            dead = [device]
        elif "" not in self._tables or _bd_seq(message) != self._bd_seq:
            return ""  # the last will of a session that is over
        else:
            dead = list(self._edge.metrics)
            self._last = self._bd_seq = None
            self._missed = False
            self._changed.add("")
            self._tables.pop("")
        for one in dead:
            if self._tables.pop(one, None):
                self._changed.add(one)
            for points in self._edge.metrics.get(one, {}).values():
                for point in points:
                    columns.add(point, received, received, float("nan"), OFFLINE)
        return ""

    def _values(self, message: Any, device: str, received: int, columns: Columns) -> str:
        read = self._edge.metrics.get(device)
        if not read:
            return ""
        table = self._tables.get(device)
        reason = ""
        for metric in message.metrics:
            name, datatype = metric.name, metric.datatype
            if name:
                datatype = datatype or (table.names.get(name, 0) if table else 0)
            elif metric.HasField("alias"):
                known = table.aliases.get(metric.alias) if table else None
                if known is None:
                    reason = (MISSED if self._missed else NO_BIRTH) + ("" if self._edge.rebirth else REMEDY)
                    self._ask = received
                    continue
                name, born = known
                if datatype and datatype != born:
                    reason = f"alias {metric.alias} has another datatype than at its birth"
                    self._ask = received
                    continue
                datatype = born
            points = read.get(name)
            if points is None:
                continue
            value, finding = number(metric, datatype)
            if finding == NOT_A_NUMBER:
                reason = f"'{name.decode('utf-8', 'replace')}' is not a number"
            time = _time(metric, message, received)
            for point in points:
                columns.add(point, time, received, value, finding)
        return reason


def _time(metric: Any, message: Any, received: int) -> int:
    """The time of a metric, else of its message [µs UTC]; NOT_SET when neither can be one, the receipt without both."""
    ms = metric.timestamp or message.timestamp
    if not ms and not (metric.HasField("timestamp") or message.HasField("timestamp")):
        return received
    time = int(ms) * _MS
    return time if EARLIEST_US <= time <= LATEST_US else NOT_SET


def _bd_seq(message: Any) -> int | None:
    for metric in message.metrics:
        if metric.name == b"bdSeq":
            return int(metric.long_value if metric.WhichOneof("value") == "long_value" else metric.int_value)
    return None
