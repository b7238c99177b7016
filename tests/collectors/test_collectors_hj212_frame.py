"""HJ 212 frames: whatever bytes come, however they are split, the sound packets come out and nothing is raised."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hj212_station import minute
from hypothesis import given
from hypothesis import strategies as st

from collectors.hj212.frame import HEAD, LENGTH_MAX, Broken, Frames, crc16, frame
from collectors.hj212.packet import Packet, read
from simulators.hj212_station import check_code

PACKETS = [minute(number).packet for number in range(5)]
SEGMENTS = [packet[6:-6] for packet in PACKETS]
GARBAGE = (b"", b"\r\n", b"noise", b"#", b"###", b"##", b"##12", b"##00x1", b"##9999", b"\0\0\0", PACKETS[0][:40])


def fed(data: bytes, cuts: list[int]) -> list[bytes | Broken]:
    """What comes out of bytes that arrive in pieces."""
    frames = Frames()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [found for first, last in pairwise(edges) for found in frames.feed(data[first:last])]


def sound(found: list[bytes | Broken]) -> list[bytes]:
    """The segments among them."""
    return [one for one in found if isinstance(one, bytes)]


@given(st.binary())
def test_the_check_value_agrees_with_the_bitwise_one(segment: bytes) -> None:
    """Table and bit by bit, written independently from annex A, give the same."""
    assert crc16(segment) == check_code(segment)
    assert sound(Frames().feed(frame(segment))) == ([] if b"##" in segment else [segment])


# packets that others publish: HJ 212-2017 annex A, hutool's Crc16UtilTest, hj-t212-parser's tests, tracy4262/hj212
PUBLISHED = (
    "##0139ST=32;CN=2011;PW=123456;MN=LD130133000015;CP=&&DataTime=20160824003817000;B01-Rtd=36.91;011-Rtd=231.0,"
    "011-Flag=N;060-Rtd=1.803,060-Flag=N&&4980",
    "##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80",
    "##0123QN=20160801085857223;ST=23;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20160801085857;"
    " LA-Rtd=50.1&&1E00",
    "##0087QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&C241",
    "##0354QN=20230803171130538;ST=31;CN=2011;PW=123456;MN=88888880000001234567;Flag=5;CP=&&DataTime=20230803165500;"
    "w01001-Rtd=0.000,w01001-Flag=N;w21003-Rtd=0.000,w21003-Flag=N;w01018-Rtd=0.000,w01018-Flag=N;"
    "e01002-Rtd=0.000,e01002-Flag=N;w01010-Rtd=0.000,w01010-Flag=N;e01001-Rtd=0.000,e01001-Flag=N;"
    "w01003-Rtd=0.000,w01003-Flag=N;w21011-Rtd=0.000,w21011-Flag=N&&A141",
)


@pytest.mark.parametrize("published", PUBLISHED)
def test_packets_of_others_are_understood(published: str) -> None:
    """Length and check value are what the standard and other programs make of the same text."""
    [segment] = sound(Frames().feed(published.encode() + b"\r\n"))
    assert frame(segment) == published.encode() + b"\r\n"
    assert isinstance(read(segment), Packet)


@given(st.lists(st.sampled_from([*PACKETS, *GARBAGE]), max_size=12), st.lists(st.integers(0, 10_000), max_size=20))
def test_splitting_changes_nothing(parts: list[bytes], cuts: list[int]) -> None:
    """Promise 2: a stream gives the same packets and the same number of rejects however it is split."""
    data = b"".join(parts)
    whole, split = fed(data, []), fed(data, cuts)
    assert sound(whole) == sound(split)
    assert [one.reason for one in whole if isinstance(one, Broken)] == [
        one.reason for one in split if isinstance(one, Broken)
    ]
    if not any(b"##" in part for part in parts if part not in PACKETS):
        assert sound(whole) == [part[6:-6] for part in parts if part in PACKETS]


@given(st.data())
def test_a_mutated_frame_is_itself_or_nothing(data: st.DataObject) -> None:
    """A damaged frame gives the packet of its own checked bytes or a reject, and the frame after it is not lost."""
    original = data.draw(st.sampled_from(PACKETS))
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        kind = data.draw(st.sampled_from(["change", "drop", "add"]))
        mutated[at : at + (kind != "add")] = b"" if kind == "drop" else bytes([data.draw(st.integers(0, 255))])
    found = sound(fed(bytes(mutated) + b"##" + PACKETS[0] + PACKETS[1], []))
    assert found[-1] == SEGMENTS[1]
    for segment in found:
        assert segment in SEGMENTS or f"{check_code(segment):04X}".encode() in bytes(mutated).upper()
        assert isinstance(read(segment), Packet | str)


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    """Rubbish of any kind, also within a frame with the right CRC, is counted, not raised."""
    frames = Frames()
    frames.feed(data)
    assert isinstance(read(data), Packet | str)
    assert isinstance(read(b"QN=1;CN=2011;MN=A;CP=&&" + data + b"&&"), Packet | str)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "bytes outside any frame"),
        (b"##abcd" + PACKETS[0][6:], "bytes outside any frame"),
        (PACKETS[0].replace(b"w01018", b"w01019"), "wrong CRC or length"),
        (b"##%04d" % (len(SEGMENTS[0]) - 1) + PACKETS[0][6:], "wrong CRC or length"),
        (PACKETS[0][:100], "the next frame begins before its end"),
        (b"##%04d" % (len(SEGMENTS[0]) + 9) + PACKETS[0][6:], "the next frame begins before its end"),
    ],
)
def test_what_is_no_frame_is_counted_once_and_the_next_is_found(data: bytes, reason: str) -> None:
    """One report a trouble, with its beginning as a sample, and the next `##` begins anew."""
    broken, segment = Frames().feed(data + PACKETS[1])
    assert isinstance(broken, Broken)
    assert broken.reason == reason
    assert data.startswith(broken.sample[:20])
    assert segment == SEGMENTS[1]


def test_a_missing_line_end_and_a_small_check_value_are_understood() -> None:
    """Some loggers leave CR LF out, some write the CRC in small letters."""
    bare = PACKETS[0][:-6] + PACKETS[0][-6:-2].lower()
    assert Frames().feed(bare + bare + PACKETS[1]) == [SEGMENTS[0], SEGMENTS[0], SEGMENTS[1]]


def test_endless_rubbish_is_one_report_and_holds_no_memory() -> None:
    """Promise 6: a peer that never sends a frame costs a bounded buffer and one count."""
    draw = random.Random(5)
    for rubbish in (bytes(100_000), b"x" * 100_000, b"##" * 50_000, b"##9999" + b"y" * 100_000, b"##1#" * 25_000):
        frames, reports = Frames(), 0
        for start in range(0, len(rubbish), 500):
            reports += len(frames.feed(rubbish[start : start + 500]))
            assert len(frames._buffer) <= HEAD + LENGTH_MAX + 4 + 500
        assert reports <= 2
        assert frames.feed(bytes(draw.choices(b"abc", k=LENGTH_MAX)) + PACKETS[0])[-1] == SEGMENTS[0]
