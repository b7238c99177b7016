"""Promise 2 at the edge of what is held: readings that come late, or hours after what they change was forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest
from pipeline_builders import MemoryStore, Row, at, device, plant, point, readings

from journal.message import Message
from pipeline.engine import Engine
from pipeline.plans import compile_plant
from plant.reading import Quality

COLUMNS = ["point", "minute", "amount", "mean", "min", "max", "last", "coverage", "estimated", "quality"]
BAD = Quality.BAD
DEVICES = {"plc": device(), "gate": device(disorder="120 s"), "slow": device(interval="15 min")}
SLOW = {"from": "slow"}
GATE = {"from": "gate"}
FLAT = {"moves_with": "w", "flat_limit": "3 min"}
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """Points, what came in which step (a tick, then readings), and when everything had settled."""

    points: dict[str, dict[str, Any]]
    steps: list[tuple[float, list[Row]]]
    at_once: int | None = None
    end: float = 1830
    checkpoints: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def counter(**more: Any) -> dict[str, Any]:
    """A counter of kWh."""
    return point("counter", "kWh", **more)


def rate(**more: Any) -> dict[str, Any]:
    """A flow."""
    return point("rate", "m3/h", **more)


def rows(name: str, *pairs: tuple[float, float]) -> list[Row]:
    """Readings of one point."""
    return [(name, minute, value) for minute, value in pairs]


def moving(first: int, end: int) -> list[Row]:
    """A witness that moves every minute."""
    return rows("w", *((minute, 2.0 * minute) for minute in range(first, end)))


CASES: dict[str, Case] = {
    "a late reading that waited for its unit's turn": Case(
        {"p": counter()},
        [(57, [("p", 56.6, 22.7)]), (64, rows("p", (58.15, 23.8), (59.15, 25.4))), (64, [("p", 57.15, 23.2)])],
        at_once=1,
    ),
    "an event between two that were heard": Case(
        {"p": point("count", "1")},
        [(0, []), (30, rows("p", (14, 2), (9, 2))), (30, [("p", 11, 2)])],
    ),
    "a source of events that falls silent": Case(
        {"p": point("count", "1", heartbeat="10 min"), "q": rate()},
        [
            (5, [("p", 4, 1), *rows("q", *((minute, 1.0) for minute in range(6)))]),
            *((minute, [("q", minute, 1.0)]) for minute in range(6, 60)),
            (60, [("p", 31, 1)]),
        ],
    ),
    "a stretch that ended before its witness had settled": Case(
        {"w": rate(**GATE), "p": rate(**GATE, **FLAT)},
        [
            (140, [("p", 140, 0.0), ("w", 140, 5.0)]),
            (142, [("w", 141, 5.0)]),
            (143.3, [("p", 143, 0.0)]),
            (144, [("p", 144, 0.0)]),
            (145.3, [("p", 145, 14.5)]),
        ],
    ),
    "a conflict at the beginning of a stretch": Case(
        {"w": rate(**GATE), "p": rate(**GATE, **FLAT)},
        [(10.2, rows("p", (10, 5.0), (10, 4.0))), (11.1, [("w", 11.05, 5.0)]), (14.2, [("p", 14.19, 5.0)])],
    ),
    "a bad reading in the middle of a stretch": Case(
        {"w": counter(), "p": rate(**FLAT)},
        [
            (40, moving(0, 40)),
            (41, [("p", 17, 1.0)]),
            (42, [("p", 18, 7.0, BAD)]),
            (43, [("p", 37, NAN, BAD)]),
            (44, [("p", 36, 1.0)]),
        ],
    ),
    "two values for one instant, both late": Case(
        {"p": point("level", "degC")},
        [(110, [("p", 109, 6.0)]), (119, [("p", 92, 60.0)]), (120, [("p", 92, 61.0)]), (121, [("p", 92.5, 1.0)])],
    ),
    "a late reading that makes an exchange of a dip": Case(
        {"p": counter()},
        [
            (86, [("p", 80, 89.5)]),
            (90, [("p", 83.14, 89.4)]),
            (91, rows("p", (84, 89.5), (81, 89.4))),
            (400, []),
            (401, [("p", 82, 89.4)]),
        ],
    ),
    "a conflict with the very first reading that is held": Case(
        {"p": counter()},
        [(67, [("p", 67, 286.6)]), (69, rows("p", (69, 295.1), (68, 287.6))), (69.5, [("p", 68, 286.6)])],
    ),
    "a conflict after a dip that is held": Case(
        {"p": counter(on_fall="reset", dip_limit=0.1)},
        [
            (90, [("p", 82.07, 69.1)]),
            (210, rows("p", (88.07, 69.1), (83.07, 69.2), (89.07, 70.1))),
            (211, [("p", 89.07, 69.1)]),
        ],
    ),
    "a late reading behind a dip that is held": Case(
        {"p": counter()},
        [
            (9, rows("p", (4.8, 399.3), (5.8, 399.4), (7.3, 401.8), (7.97, 402.5), (8.8, 402.4))),
            (13, rows("p", (10.8, 403.9))),
            (14, rows("p", (10.0, 403.0), (11.8, 404.2))),
        ],
    ),
    "a dip before a silence of days": Case(
        {"p": counter(per_hour=[0, 600])},
        [
            (
                150,
                rows("p", (136, 623.8), (137, 623.7), (138.1, 623.8), (140.1, 623.8), (141.2, 623.7), (142.1, 623.8)),
            ),
            (150 + 2900, []),
            (150 + 2901, []),
            (150 + 2902, [("p", 150 + 2901, 630.0)]),
        ],
        end=150 + 4500,
    ),
    "an interval whose witness speaks late": Case(
        {"w": counter(), "p": point("interval", "kWh", span="5 min", stamp="begin", **SLOW, **FLAT)},
        [
            (128, [("p", 127, 2.0)]),
            (129, [("p", 128.45, 0.0)]),
            (400, []),
            (401, rows("w", (139.05, 65.0), (141.1, 66.8))),
        ],
    ),
    "an interval that is found frozen beside one that was forgotten": Case(
        {"w": rate(**GATE), "p": point("interval", "kWh", span="15 min", **SLOW, **FLAT)},
        [
            (26, [("p", 25, 5.0)]),
            (30, [("p", 30, 9.0)]),
            (60, [("w", 60, 20.4)]),
            (71, [("p", 70, 9.0)]),
            (77, []),
        ],
    ),
    "a unit that began before its first interval, as a late reading says": Case(
        {"p": point("interval", "kWh", span="15 min", **SLOW), "q": counter()},
        [
            (101, [("p", 100, 4.0)]),
            (121, [("p", 115, 5.0)]),
            (140, rows("q", (60, 1.0), (61, 2.0))),
            (160, [("p", 130, 6.0)]),
        ],
    ),
    "an interval that ends in the unit's first minute": Case(
        {"p": point("interval", "kWh", span="15 min", **SLOW), "q": counter()},
        [(0, []), (0.5, [("p", 0, 4.0)]), (3, rows("q", (1, 1.0), (2, 2.0)))],
    ),
    "a late reading that prolongs an old stretch": Case(
        {"w": counter(), "p": rate(**FLAT)},
        [
            (85, [*moving(50, 85), *rows("p", (59.3, 5.0), (59.7, 5.0))]),
            (149, [("p", 133, 0.0)]),
            (150, [("p", 130, 5.0)]),
        ],
    ),
    "a late reading that breaks a stretch found frozen": Case(
        {"w": counter(), "p": counter(**FLAT)},
        [
            (40, [*moving(0, 40), *rows("p", *((minute, 7.0) for minute in range(10, 14)))]),
            (40, rows("p", *((minute + 0.5, 7.0) for minute in range(13, 17)))),
            (45, rows("p", (41, 8.0))),
            (300, []),
            (301, rows("p", (13, 7.1))),
        ],
    ),
    "a stretch found frozen goes on when what its witness did is forgotten": Case(
        {"w": rate(gap="hold", gap_limit="60 min"), "p": rate(**FLAT)},
        [(2, [("p", 1.75, 1.0)]), (90, [("w", 88, 5.0)]), (139, [("p", 138.75, 1.0)]), (1890, []), (1891, [])],
        end=3700,
    ),
    "a frozen stretch of days broken by a late reading": Case(
        {"w": counter(), "p": counter(**FLAT)},
        [
            (60, [*moving(0, 60), *rows("p", *((minute, 7.0) for minute in range(0, 60, 2)))]),
            *(
                (hour * 60.0, rows("p", *((minute, 7.0) for minute in range(hour * 60 - 60, hour * 60, 10))))
                for hour in range(2, 40)
            ),
            (2401, [("p", 2399, 9.0)]),
            (2402, [("p", 2000.5, 8.0)]),
        ],
        end=4100,
    ),
    "a counter without a witness stands still, and one late reading less": Case(
        {"p": counter(flat_after="20 min")},
        [
            (60, rows("p", *((minute, 5.0) for minute in range(60)))),
            (61, rows("p", (61, 9.0))),
            (300, []),
            (301, rows("p", (30.5, 6.0))),
        ],
    ),
    "the same behind a restart at every step": Case(
        {"w": counter(), "p": counter(**FLAT)},
        [
            (30, [*moving(0, 30), *rows("p", *((minute, 3.0) for minute in range(20)))]),
            *(
                (float(minute), [("p", minute - 0.5, 3.0), ("w", minute - 0.5, 2.0 * minute)])
                for minute in range(31, 50)
            ),
            (300, [("p", 55, 4.0)]),
            (301, [("w", 25.5, 50.5), ("p", 25.5, 3.0)]),
        ],
        checkpoints=True,
    ),
}


def stepped(case: Case, in_order: bool) -> pl.DataFrame:
    """Minute facts of a case, step by step or everything in time at once."""
    described = plant(case.points, devices=DEVICES, **case.more)
    plan, store = compile_plant(described, "config"), MemoryStore()
    engine = Engine(plan, store)
    told: list[list[tuple[str, float, list[Row]]]] = []
    if in_order:
        every = [row for _, listed in case.steps for row in listed]
        told.append([("tick", case.steps[0][0], []), ("tick", max(row[1] for row in every) + 1, []), ("", 0, every)])
    else:
        told += [[("tick", tick, []), ("", tick, listed)] for tick, listed in case.steps]
    told += [[("tick", case.end + later, [])] for later in range(3)]
    position = 0
    for step in told:
        batch = []
        for kind, minute, listed in step:
            position += 1
            if kind == "tick":
                batch.append(Message(position, "tick", {"time": at(minute)}))
            else:
                batch.append(Message(position, "readings", {}, readings(listed, minute)))
        last = step is told[-1] or step is told[-2]
        engine.process(batch, None if in_order or last else case.at_once)
        if case.checkpoints and not in_order:
            engine.checkpoint()
            engine = Engine(plan, store)
    engine.checkpoint()
    facts = store.table("facts").filter(pl.col("minute").cast(pl.Int64) < at(case.end - 20))
    return facts.select(COLUMNS).sort("point", "minute")


@pytest.mark.parametrize("name", CASES)
def test_late_readings_give_the_facts_of_those_in_time(name: str) -> None:
    """Promise 2: what was forgotten is fetched as far back as a late reading can change it."""
    expected, found = stepped(CASES[name], True), stepped(CASES[name], False)
    differs = found.join(expected, on=COLUMNS, how="anti", nulls_equal=True).rows()
    assert not differs, (differs[:3], expected.join(found, on=COLUMNS, how="anti", nulls_equal=True).rows()[:3])
    assert len(found) == len(expected) > 100
