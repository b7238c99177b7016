"""A data segment: who reports what, the fields of its data area, and the reply that it asks for.

HJ 212-2017, 6.3.2 (table 3), 6.3.3 and 6.6.5 (table 9). A report that is too long comes in several packets (flag bit D,
PNUM and PNO), each with a QN, a DataTime and an acknowledgement of its own (annex C, tables C.49 and C.50): each is
read by itself and none waits for another. Packets of HJ/T 212-2005 lack QN and Flag, and want no reply then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from collectors.hj212.frame import frame
from plant.clock import to_us

DATA_REPLY, NOTICE_REPLY = "9014", "9013"
CLOCK_REQUEST = "1013"
_REPLY_WANTED, _FLAG_MAX, _VERSION_SHIFT = 1, 255, 2
_QN = re.compile(r"[0-9]{0,20}")
_CN = re.compile(r"[0-9]{4}")
_TIME = re.compile(r"[0-9]{14}([0-9]{3})?")


@dataclass(frozen=True)
class Packet:
    """The fields of a data segment; `data` is what stands between the `&&`. `qn` and `pw` may be empty."""

    qn: str
    cn: str
    pw: str
    mn: str
    flag: int
    data: str

    def reply(self) -> bytes:
        """What the station waits for, as bytes to send; empty when it waits for nothing.

        An uploaded report has a data reply, the request to set the station's clock a notice reply (figures 8 and 9);
        a station's own answers (9011 to 9014) have none. A station of 2005 finds the QN in the data area.
        """
        if not self.flag & _REPLY_WANTED or not self.qn or self.cn.startswith("9"):
            return b""
        version = self.flag >> _VERSION_SHIFT
        cn = NOTICE_REPLY if self.cn == CLOCK_REQUEST else DATA_REPLY
        data = "" if version else f"QN={self.qn};CN={self.cn}"
        head = f"QN={self.qn};ST=91;CN={cn};PW={self.pw};MN={self.mn};Flag={version << _VERSION_SHIFT}"
        return frame(f"{head};CP=&&{data}&&".encode())

    def values(self) -> tuple[dict[str, str], set[str]]:
        """The data area's fields, and the names of those that stand there twice with different values."""
        found: dict[str, str] = {}
        twice: set[str] = set()
        for item in re.split("[;,]", self.data):
            name, _, value = (part.strip() for part in item.partition("="))
            if found.setdefault(name, value) != value:
                twice.add(name)
        return found, twice


def read(segment: bytes) -> Packet | str:
    """The packet that a data segment holds, or why it holds none."""
    text = segment.decode("utf-8", "replace")
    head, begin, rest = text.partition("CP=&&")
    data, end, _ = rest.rpartition("&&")
    if not begin or not end:
        return "no data area (CP=&&...&&)"
    fields: dict[str, str] = {}
    for item in head.split(";"):
        name, _, value = (part.strip() for part in item.partition("="))
        fields.setdefault(name, value)
    qn, cn, mn, flag = (fields.get(name, "") for name in ("QN", "CN", "MN", "Flag"))
    if not _CN.fullmatch(cn):
        return "no command (CN)"
    if not mn:
        return "no station (MN)"
    if not _QN.fullmatch(qn):
        return "QN is not a number"
    if flag and not (flag.isascii() and flag.isdigit() and len(flag) <= 3 and int(flag) <= _FLAG_MAX):
        return "Flag is not a number up to 255"
    return Packet(qn, cn, fields.get("PW", ""), mn, int(flag or 0), data)


def data_time(written: str, zone: ZoneInfo) -> int | None:
    """A DataTime (YYYYMMDDhhmmss, some stations add milliseconds) as µs UTC; None when it is no time.

    >>> data_time("20160801085857", ZoneInfo("Asia/Shanghai"))
    1470013137000000
    """
    if not _TIME.fullmatch(written):
        return None
    try:
        moment = datetime.strptime(written[:14], "%Y%m%d%H%M%S").replace(tzinfo=zone)
        time = to_us(moment) + int(written[14:] or 0) * 1000
    except (ValueError, OverflowError):
        return None
    return time if time >= 0 else None
