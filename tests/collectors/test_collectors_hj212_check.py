"""What is refused in the description of HJ 212 stations, with line and hint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from collectors_plant import plant
from hj212_station import described, station

from collectors.check import check
from collectors.hj212.codes import UNITS
from collectors.hj212.flags import FLAGS, UNKNOWN
from plant.load import examine, inspect, load_text
from plant.units import parse

PAGE = Path(__file__).parents[2] / "docs" / "hj212.md"
CASE = Path(__file__).parent.parent / "cases" / "plant" / "sound" / "plant.yaml"

STATION = """  outfall:
    protocol: hj212
    title: Outfall
    listen: "0.0.0.0:9002"
    mn: "88888880000001"
"""
POINT = """  outfall_cod:
    title: COD
    in: site
    from: outfall
    read: w01018-Rtd
    kind: level
    unit: mg/L
"""


def faults(devices: dict[str, Any], points: dict[str, Any]) -> list[str]:
    """The faults as 'where: message | hint'."""
    asked: list[tuple[str, ...]] = []

    def line_of(where: tuple[str, ...]) -> int:
        asked.append(where)
        return len(asked)

    found = check(plant(devices, points), Path("plant.yaml"), line_of)
    return [f"{'.'.join(asked[one.line - 1])}: {one.message} | {one.hint}" for one in found]


def amount(read: str, **more: Any) -> dict[str, Any]:
    """An interval point of ten minutes."""
    own = {"from": "s", "read": read, "kind": "interval", "unit": "m3", "stamp": "begin", "span": "10 min"}
    return {"x": {**own, **more}}


@pytest.mark.parametrize(
    ("more", "points", "expected"),
    [
        ({"listen": "0.0.0.0:0"}, {}, "devices.s.listen: device 's': there is no port 0 | ports go from 1"),
        ({"listen": "0.0.0.0:70000"}, {}, "devices.s.listen: device 's': there is no port 70000 | ports go from 1"),
        (
            {},
            {"x": ("s", "cod", "level", "mg/L")},
            "points.x.read: point 'x': 'cod' is not a code and a field | write it",
        ),
        (
            {},
            {"x": ("s", "w01018-Rtd", "level", "mg/L")},
            "points.x.read: point 'x': minute reports have no field 'Rtd' | one of Min, Avg, Max",
        ),
        (
            {"packets": "real_time"},
            {"x": ("s", "w01018-Avg", "level", "mg/L")},
            "points.x.read: point 'x': real_time reports have no field 'Avg' | one of Rtd, ZsRtd",
        ),
        (
            {},
            {"x": ("s", "w01018-Avgs", "level", "mg/L")},
            "points.x.read: point 'x': minute reports have no field 'Avgs' | did you mean 'Avg'",
        ),
        (
            {},
            {"x": ("s", "w01018-Avg", "level", "m3")},
            "points.x.unit: point 'x' is in m3, but HJ 212 gives w01018-Avg in mg/L: 'mg/L' and 'm3' measure different"
            " things | write 'unit: mg/L' or a unit that mg/L converts to",
        ),
        (
            {},
            {"x": ("s", "w01010-Avg", "level", "K")},
            "points.x.unit: point 'x' is in K, but HJ 212 gives w01010-Avg in degC: no factor",
        ),
        ({}, amount("w01001-Cou"), "points.x.read: point 'x': HJ 212 has no amount of w01001 | read another field"),
        (
            {},
            {"x": ("s", "w00000-Cou", "counter", "m3")},
            "points.x.kind: point 'x': Cou is the amount of one minute report, not a counter | write 'kind: interval'",
        ),
        (
            {},
            amount("w00000-Cou", stamp="end"),
            "points.x.stamp: point 'x': HJ 212 stamps the beginning of what a report covers | write 'stamp: begin'",
        ),
        (
            {},
            amount("w00000-Cou", span="5 min"),
            "points.x.span: point 'x' spans 300 s, but its station reports every 600 s | write the same 'span' here",
        ),
        (
            {"interval": "25 min"},
            {},
            "devices.s.interval: device 's': no minute reports come every 1500 s | 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or",
        ),
        (
            {"packets": "hour"},
            {},
            "devices.s.interval: device 's': no hour reports come every 600 s | write 'interval: 1 h'",
        ),
    ],
)
def test_each_fault_has_its_place_and_a_hint(more: dict[str, Any], points: dict[str, Any], expected: str) -> None:
    """Promise 8: one fault, where it stands, and what to write instead; nothing else is reported."""
    [found] = faults({"s": station(**more)}, points)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (
            "0.0.0.0:9002",
            "0.0.0.0:9002",
            "devices.t.mn: device 't': 's' has the same MN on 0.0.0.0:9002 | each station",
        ),
        (
            "localhost:9002",
            "127.0.0.1:09002",
            "devices.t.mn: device 't': 's' has the same MN on 127.0.0.1:09002 | each",
        ),
        (
            "0.0.0.0:9002",
            "127.0.0.1:9002",
            "devices.t.listen: device 't': '127.0.0.1:9002' and '0.0.0.0:9002' of 's' are one port | write 'listen:",
        ),
    ],
)
def test_stations_that_cannot_be_told_apart(first: str, second: str, expected: str) -> None:
    """Promise 8: one MN twice at one address, or one port under two addresses, would fail only when running."""
    [found] = faults({"s": station(first), "t": station(second)}, {})
    assert found.startswith(expected)


def test_stations_may_share_an_address() -> None:
    """Two stations with an MN of their own, and one with the same MN elsewhere, are sound."""
    devices = {
        "s": station("0.0.0.0:9002"),
        "t": station("0.0.0.0:9002", mn="B"),
        "u": station("0.0.0.0:9003"),
    }
    assert faults(devices, {}) == []


def test_a_sound_station_has_no_fault() -> None:
    """The station of the other tests passes."""
    assert check(described(), Path("plant.yaml"), lambda _: 1) == []


def test_faults_stand_on_their_lines() -> None:
    """Promise 8: in a whole description the line is the one to be changed."""
    text = CASE.read_text(encoding="utf-8").replace("  book:\n", f"{STATION}  book:\n", 1)
    text = text.replace("  kw:\n", f"{POINT}  kw:\n", 1)
    one, document = load_both(text)
    [found] = check(one, Path("plant.yaml"), document.line)
    assert text.split("\n")[found.line - 1].strip() == "read: w01018-Rtd"


def load_both(text: str) -> tuple[Any, Any]:
    """A description and the document that knows its lines."""
    load_text(text, Path("plant.yaml"))
    return examine(text, Path("plant.yaml"))


def test_what_is_sound_is_checked_whatever_is_wrong_elsewhere() -> None:
    """Promise 8: a station whose MN cannot be read has its other settings and its points checked all the same."""
    text = CASE.read_text(encoding="utf-8").replace("  book:\n", f"{STATION}  book:\n", 1)
    text = text.replace("  kw:\n", f"{POINT}  kw:\n", 1).replace('"88888880000001"', "88888880000001")
    text = text.replace("0.0.0.0:9002", "0.0.0.0:0")
    one, document = inspect(text, Path("plant.yaml"))
    found = {fault.message for fault in check(one, Path("plant.yaml"), document.line)}
    assert found == {
        "device 'outfall': there is no port 0",
        "point 'outfall_cod': minute reports have no field 'Rtd'",
    }


def test_every_listed_unit_is_one() -> None:
    """The table of codes holds no text that is not a unit."""
    for concentration, total in UNITS.values():
        parse(concentration)
        parse(total or "1")


def test_the_page_that_tells_how_to_connect_a_station_is_right() -> None:
    """Its description is sound, and it names every finding that a flag becomes."""
    page = PAGE.read_text(encoding="utf-8")
    block = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    assert faults(block["devices"], block["points"]) == []
    assert {finding for _, finding in FLAGS.values() if finding} | {UNKNOWN} <= set(re.findall(r'"([^"]+)"', page))
