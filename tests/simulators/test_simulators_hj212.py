"""The simulated HJ 212 station against the standard's own examples."""

from __future__ import annotations

from datetime import datetime

import pytest

from simulators.hj212_station import (
    DATA_AREA_MAX,
    HOUR,
    MINUTE,
    Logger,
    Pollutant,
    check_code,
    packet,
    replies,
)

MN = "010000A8900016F000169DC0"
SENT = datetime(2016, 8, 1, 8, 58, 57, 534_000)


def test_the_check_code_is_that_of_the_standard() -> None:
    """HJ 212-2017, annex A, gives this packet with its length and check code."""
    segment = "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert packet(segment) == f"##0101{segment}1C80\r\n".encode()


def test_a_minute_report_is_that_of_the_standard() -> None:
    """HJ 212-2017, table C.16, as far as it is written out there."""
    flow = Pollutant("w00000", {"Cou": "10.5", "Min": "16.4", "Avg": "17.5", "Max": "20.1"})
    ph = Pollutant("w01001", {"Min": "7.1", "Avg": "7.5", "Max": "7.8"})
    sent = datetime(2016, 8, 1, 8, 50, 0, 1000)
    [report] = Logger(MN).report(MINUTE, datetime(2016, 8, 1, 8, 40), [flow, ph], sent)
    segment = (
        "QN=20160801085000001;ST=32;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20160801084000;"
        "w00000-Cou=10.5,w00000-Min=16.4,w00000-Avg=17.5,w00000-Max=20.1,w00000-Flag=N;"
        "w01001-Min=7.1,w01001-Avg=7.5,w01001-Max=7.8,w01001-Flag=N&&"
    )
    assert report.packet == packet(segment)
    assert report.qn == "20160801085000001"


def test_a_long_report_is_split_as_in_the_standard() -> None:
    """HJ 212-2017, table C.50: flag 7, numbered packets, a QN and the DataTime in each, no area over its limit."""
    pollutants = [Pollutant(f"w2{number:04}", {"Cou": "1.0", "Avg": "2.0"}) for number in range(60)]
    reports = Logger(MN).report(HOUR, datetime(2016, 8, 1, 8), pollutants, SENT)
    assert [report.qn for report in reports] == [f"2016080108585753{4 + number}" for number in range(len(reports))]
    for number, report in enumerate(reports, 1):
        text = report.packet.decode()
        assert f";Flag=7;PNUM={len(reports)};PNO={number};CP=&&DataTime=20160801080000;w2" in text
        assert len(text.partition("CP=&&")[2].partition("&&")[0]) <= DATA_AREA_MAX
    assert sum(report.packet.count(b"-Avg=") for report in reports) == 60


def test_replies_are_read_strictly() -> None:
    """A logger understands the standard's reply, waits for the rest of half a one, and refuses a damaged one."""
    segment = f"QN=20160801085857534;ST=91;CN=9014;PW=123456;MN={MN};Flag=4;CP=&&&&"
    whole = packet(segment)
    [reply], rest = replies(whole + whole[:20])
    assert (reply.qn, reply.cn, reply.mn, rest) == ("20160801085857534", "9014", MN, whole[:20])
    with pytest.raises(ValueError, match="not a packet"):
        replies(whole.replace(b"9014", b"9013"))


def test_an_error_of_one_character_changes_the_check_code() -> None:
    """The standard's check finds every single wrong character, though it finds only 255 of 256 longer errors."""
    segment = b"w01018-Rtd=40.1"
    codes = {check_code(segment[:at] + bytes([byte]) + segment[at + 1 :]) for at in (0, 7, 14) for byte in range(256)}
    assert check_code(segment) in codes
    for at in (0, 7, 14):
        assert len({check_code(segment[:at] + bytes([byte]) + segment[at + 1 :]) for byte in range(256)}) == 256
