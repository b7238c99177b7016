"""HJ 212 packets to readings: times, units, flags as quality, and what is passed over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from collectors_plant import Hand, hand_clock, plant
from hj212_station import LOGGER, MN, START, described, minute, station

from collectors.hj212.frame import Frames, frame
from collectors.hj212.packet import Packet, read
from collectors.hj212.plan import stations
from collectors.hj212.source import Arrived, Hj212Source
from collectors.source import Decoded
from collectors.status import Status
from plant.clock import to_us
from plant.model import Plant
from plant.reading import HOUR, MINUTE, Quality
from simulators.hj212_station import HOUR as HOUR_REPORT
from simulators.hj212_station import Pollutant

# 08:00 in Beijing
BEGIN = to_us(datetime(2026, 5, 1, 0, 0, tzinfo=UTC))


class Nobody:
    """Waits for nothing."""

    def committed(self, packet: Packet) -> None:
        """Does nothing."""


def packets(*sent: bytes) -> list[Packet]:
    """The packets in what was sent."""
    found = [read(segment) for data in sent for segment in Frames().feed(data) if isinstance(segment, bytes)]
    return [packet for packet in found if isinstance(packet, Packet)]


def decoded(sent: Sequence[bytes], one: Plant | None = None) -> tuple[Decoded, Status]:
    """What a source makes of packets as they go over the wire."""
    planned = stations(one or described())
    status = Status(hand_clock(Hand()), {"station": "hj212"})
    source = Hj212Source(planned, status, lambda items: None)
    items = [Arrived(Nobody(), planned.stations[0], BEGIN, packet) for packet in packets(*sent)]
    return source.decode(items), status


def rows(found: Decoded) -> list[tuple[str, int, float, int, str]]:
    """Readings as (point, time, value, quality, finding)."""
    one = found.readings
    return [
        (one.points[point], time, value, quality, one.findings[finding])
        for point, time, value, quality, finding in zip(
            one.point.tolist(),
            one.time.tolist(),
            one.value.tolist(),
            one.quality.tolist(),
            one.finding.tolist(),
            strict=True,
        )
    ]


def real_time(data: str, cn: str = "2011", flag: int = 5) -> bytes:
    """A real-time packet with this data area."""
    return frame(f"QN=20260501080000001;ST=32;CN={cn};PW=123456;MN={MN};Flag={flag};CP=&&{data}&&".encode())


INSTANT = plant({"station": station(packets="real_time")}, {"cod": ("station", "w01018-Rtd", "level", "mg/L")})


def test_a_minute_report_becomes_readings_at_its_beginning_in_the_points_units() -> None:
    """DataTime is local time of the beginning; 17.5 L/s are 63 m3/h; what no point reads is passed over."""
    found, status = decoded([minute(0).packet])
    assert rows(found) == [
        ("cod", BEGIN, 40.0, Quality.GOOD, ""),
        ("ph", BEGIN, 7.5, Quality.GOOD, ""),
        ("flow", BEGIN, pytest.approx(63.0), Quality.GOOD, ""),
        ("water", BEGIN, 10.5, Quality.GOOD, ""),
    ]
    assert not found.rejected
    assert (status.device("station").readings, status.device("station").successes) == (4, 1)


def test_late_reports_and_repeated_ones_are_the_same_readings() -> None:
    """Promise 2: a report of history carries its old DataTime; a repetition gives the same point, time and value."""
    found, _ = decoded([minute(3).packet, minute(1).packet, minute(3).packet])
    cod = [row for row in rows(found) if row[0] == "cod"]
    assert [row[1] for row in cod] == [BEGIN + 30 * MINUTE, BEGIN + 10 * MINUTE, BEGIN + 30 * MINUTE]
    assert cod[0] == cod[2]


def test_each_part_of_a_split_report_is_read_by_itself() -> None:
    """HJ 212-2017, table C.50: every packet has its DataTime, so none waits for another that may not come."""
    codes = [Pollutant(f"w2{number:04}", {"Avg": "1.0"}) for number in range(40)]
    parts = LOGGER.report("2051", START, [*codes, Pollutant("w01018", {"Avg": "41.5"})], START)
    assert len(parts) > 1
    found, _ = decoded([parts[-1].packet])
    assert rows(found) == [("cod", BEGIN, 41.5, Quality.GOOD, "")]


@pytest.mark.parametrize(
    ("flag", "quality", "finding"),
    [
        ("N", Quality.GOOD, ""),
        ("n", Quality.GOOD, ""),
        ("", Quality.GOOD, ""),
        ("T", Quality.SUSPECT, "over range"),
        ("F", Quality.BAD, "stopped"),
        ("M", Quality.BAD, "maintenance"),
        ("S", Quality.BAD, "set by hand"),
        ("D", Quality.BAD, "fault"),
        ("C", Quality.BAD, "calibrating"),
        ("B", Quality.BAD, "communication error"),
        ("P", Quality.BAD, "power failure"),
        ("0", Quality.BAD, "calibrating"),
        ("3", Quality.GOOD, ""),
        ("Q", Quality.BAD, "unknown flag"),
    ],
)
def test_data_flags_are_quality(flag: str, quality: Quality, finding: str) -> None:
    """Promise 3: what an instrument did not measure is not taken for the water. HJ 212-2017, table 8."""
    found, _ = decoded([minute(0, flag).packet])
    assert rows(found)[0] == ("cod", BEGIN, 40.0, quality, finding)
    assert rows(found)[1][3] == Quality.GOOD


@pytest.mark.parametrize(
    ("data", "finding", "rejected"),
    [
        ("w01018-Rtd=,w01018-Flag=N", "not available", 0),
        ("w01018-Rtd=abc,w01018-Flag=N", "not a number", 1),
        ("w01018-Rtd=nan,w01018-Flag=N", "not a number", 1),
        ("w01018-Rtd=1_0,w01018-Flag=N", "not a number", 1),
        ("w01018-Rtd=1e999,w01018-Flag=N", "not a number", 1),
        ("w01018-Rtd=,w01018-Flag=D", "fault", 0),
        ("w01018-Rtd=1,w01018-Flag=N;w01018-Rtd=2", "given twice", 1),
        ("w01018-Rtd=1,w01018-Flag=N,w01018-Flag=C", "given twice", 1),
    ],
)
def test_a_value_that_is_no_number_is_bad(data: str, finding: str, rejected: int) -> None:
    """Promise 3: no value is a bad reading without a value, never a zero; two values for one are none."""
    found, _ = decoded([real_time(f"DataTime=20260501080000;{data}")], INSTANT)
    [(point, time, value, quality, said)] = rows(found)
    assert (point, time, quality, said) == ("cod", BEGIN, Quality.BAD, finding)
    assert np.isnan(value)
    assert sum(one.count for one in found.rejected.values()) == rejected


@pytest.mark.parametrize(
    "written", ["DataTime=20260501080000", "DataTime=20260501080000250", " DataTime =20260501080000 "]
)
def test_times_as_stations_write_them(written: str) -> None:
    """Fourteen digits by the standard; some add milliseconds or blanks."""
    found, _ = decoded([real_time(f"{written};w01018-Rtd=2.2,w01018-Flag=N")], INSTANT)
    assert rows(found)[0][1] // 1_000_000 == BEGIN // 1_000_000


@pytest.mark.parametrize(
    "time",
    ["", "DataTime=", "DataTime=20260230080000", "DataTime=2026", "DataTime=20260501080000;DataTime=20260501080001"],
)
def test_a_packet_without_a_time_is_rejected_with_a_sample(time: str) -> None:
    """Without DataTime nothing is known of when: counted, with the data area kept, and no reading invented."""
    found, _ = decoded([real_time(f"{time};w01018-Rtd=2.2")], INSTANT)
    assert rows(found) == []
    assert found.rejected["station"].reason == "no DataTime that can be understood"
    assert "w01018-Rtd=2.2" in found.rejected["station"].sample


def test_only_the_reports_asked_for_feed_points() -> None:
    """Hour reports of a station whose minutes are read are passed over, and count for nothing."""
    sent = LOGGER.report(HOUR_REPORT, START, [Pollutant("w01018", {"Avg": "50"})], START)
    found, status = decoded([sent[0].packet])
    assert rows(found) == []
    assert status.device("station").successes == 0
    hourly = plant({"station": station(packets="hour")}, {"cod": ("station", "w01018-Avg", "level", "mg/L")})
    found, _ = decoded([sent[0].packet], hourly)
    assert rows(found) == [("cod", BEGIN, 50.0, Quality.GOOD, "")]


def test_units_and_scale() -> None:
    """Chromium VI comes in µg/L; a code that is not listed is taken in the point's own unit, times its scale."""
    one = plant(
        {"station": station(packets="real_time")},
        {
            "cr6": ("station", "w20117-Rtd", "level", "mg/L"),
            "own": {"from": "station", "read": "011-Rtd", "kind": "level", "unit": "mg/L", "scale": 10},
        },
    )
    found, _ = decoded([real_time("DataTime=20260501090000;w20117-Rtd=120;011-Rtd=4.5")], one)
    assert [row[:3] for row in rows(found)] == [
        ("cr6", BEGIN + HOUR, pytest.approx(0.12)),
        ("own", BEGIN + HOUR, 45.0),
    ]


def test_a_number_too_large_for_its_points_unit_is_bad() -> None:
    """1e308 L/s are no finite number of m3/h: bad without a value, never infinite."""
    data = "DataTime=20260501080000;w00000-Avg=1e308,w00000-Flag=N"
    found, _ = decoded([real_time(data, cn="2051")])
    assert np.isnan(found.readings.value).tolist() == [True]
    assert found.readings.quality.tolist() == [Quality.BAD]
    assert found.rejected["station"].reason == "w00000-Avg is not a number"


def test_a_packet_of_2005_without_qn_and_flag_is_read_and_has_no_reply() -> None:
    """HJ/T 212-2005 has neither QN nor Flag in an upload, and codes of its own."""
    [packet] = packets(frame(b"ST=32;CN=2011;PW=123456;MN=LD130133000015;CP=&&DataTime=20160824003817;060-Rtd=1.803&&"))
    assert (packet.mn, packet.cn, packet.reply()) == ("LD130133000015", "2011", b"")
    assert packet.values()[0]["060-Rtd"] == "1.803"


def reply(flag: int, cn: str) -> str:
    """The reply to a packet, as text."""
    [packet] = packets(real_time("DataTime=20260501080000", cn, flag))
    return packet.reply().decode()


@pytest.mark.parametrize(
    ("flag", "cn", "expected"),
    [
        (5, "2051", f"QN=20260501080000001;ST=91;CN=9014;PW=123456;MN={MN};Flag=4;CP=&&&&"),
        (7, "2011", f"QN=20260501080000001;ST=91;CN=9014;PW=123456;MN={MN};Flag=4;CP=&&&&"),
        (5, "1013", f"QN=20260501080000001;ST=91;CN=9013;PW=123456;MN={MN};Flag=4;CP=&&&&"),
        (9, "2011", f"QN=20260501080000001;ST=91;CN=9014;PW=123456;MN={MN};Flag=8;CP=&&&&"),
        (
            1,
            "2051",
            f"QN=20260501080000001;ST=91;CN=9014;PW=123456;MN={MN};Flag=0;CP=&&QN=20260501080000001;CN=2051&&",
        ),
    ],
)
def test_replies_as_the_standard_has_them(flag: int, cn: str, expected: str) -> None:
    """HJ 212-2017, tables C.14 to C.18 and C.50; a request for the time has a notice reply, 2005 its own."""
    assert reply(flag, cn)[6:-6] == expected


@pytest.mark.parametrize(("flag", "cn"), [(4, "2051"), (6, "2011"), (0, "2011"), (5, "9012"), (5, "9014")])
def test_who_asks_for_nothing_gets_nothing(flag: int, cn: str) -> None:
    """No reply without the flag's A bit, and never one to a reply."""
    assert reply(flag, cn) == ""
