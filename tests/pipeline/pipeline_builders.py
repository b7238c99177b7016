"""Small plants, their messages, and a run of the step over them; times are minutes since the plant's first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, settings

from historian.keys import newest
from historian.store import StateRow
from historian.tables import TABLES
from journal.message import Message
from pipeline.columns import Columns
from pipeline.engine import Engine, readings_from
from pipeline.judge import judge
from pipeline.messages import UnitMessages
from pipeline.minutes import Minutes
from pipeline.plans import PlantPlan, PointPlan, compile_plant
from pipeline.receive import readings_frame
from pipeline.series import Series
from pipeline.unit_state import UnitState
from pipeline.unit_step import step_unit
from plant.clock import to_us
from plant.errors import StorageError
from plant.model import Plant
from plant.reading import MINUTE, Quality, Readings

START = to_us(datetime(2026, 3, 2, tzinfo=UTC))
"""A Monday, 00:00 UTC."""

PROPERTY = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
"""Two hundred examples, the same in every run."""

Row = tuple[str, float, float] | tuple[str, float, float, Quality]
"""A reading: point, source time [min since START], value, and its quality when it is not good."""


def at(minute: float) -> int:
    """The time of a minute since START [µs UTC]."""
    return START + round(minute * MINUTE)


def point(kind: str, unit: str, **more: Any) -> dict[str, Any]:
    """A point of unit "hall" on device "plc", unless said otherwise."""
    return {"title": "t", "in": "hall", "kind": kind, "unit": unit, "from": "plc", "read": "r", **more}


def device(protocol: str = "manual", **more: Any) -> dict[str, Any]:
    """A device; manual ones are the least restricted."""
    return {"protocol": protocol, "title": "t", **more}


def kpi(
    numerator: list[dict[str, Any]], denominator: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """A KPI of the site."""
    return {"title": "k", "numerator": numerator, "denominator": denominator or [], "unit": "1", **more}


def baseline(response: str, scope: str = "hall", **more: Any) -> dict[str, Any]:
    """A baseline of a response without drivers, unless said otherwise."""
    return {"title": "b", "scope": scope, "response": response, "likely_cause": "c", "first_check": "f", **more}


def plant(points: Mapping[str, Any], *, zone: str = "UTC", **more: Any) -> Plant:
    """A plant with units "hall" and "yard", device "plc", three shifts and whatever else is given."""
    shifts = {"early": ("06:00", "14:00"), "late": ("14:00", "22:00"), "night": ("22:00", "06:00")}
    plain = {
        "format": "keepclean/1",
        "site": {"id": "works", "name": "Works", "time_zone": zone},
        "audit": {"name": "a", "period": ["2026-01-01", "2026-12-31"], "baseline_year": 2025},
        "shifts": {
            name: {"title": name, "from": since, "to": until, "supervisor": "s", "route": "r"}
            for name, (since, until) in shifts.items()
        },
        "process_units": {"hall": {"title": "Hall"}, "yard": {"title": "Yard"}},
        "devices": {"plc": device()},
        "points": dict(points),
    }
    return Plant.model_validate({**plain, **more})


def readings(rows: Iterable[Row], received: float | None = None) -> Readings:
    """A batch of readings, received when they were taken unless a minute is given."""
    listed = list(rows)
    names = tuple(dict.fromkeys(row[0] for row in listed))
    time = np.array([at(row[1]) for row in listed], np.int64)
    value = np.array([row[2] for row in listed], np.float64)
    quality = np.array(
        [row[3] if len(row) > 3 else Quality.GOOD if np.isfinite(row[2]) else Quality.BAD for row in listed], np.uint8
    )
    return Readings.build(
        names,
        np.array([names.index(row[0]) for row in listed], np.int32),
        time,
        time if received is None else np.full(len(time), at(received), np.int64),
        value,
        quality,
    )


def stored_readings(frames: list[pl.DataFrame], points: Sequence[str], start_us: int, end_us: int) -> pl.DataFrame:
    """The rows of some points with start_us <= time < end_us."""
    table = newest(TABLES["readings"], pl.concat([TABLES["readings"].empty(), *frames]))
    time = pl.col("time").cast(pl.Int64)
    return table.filter(pl.col("point").is_in(list(points)) & (time >= start_us) & (time < end_us))


class MemoryStore:
    """What the engine asks of a historian, in memory; `fail_next` makes a commit fail as a full disk would."""

    def __init__(self) -> None:
        self.heads: dict[str, int] = {}
        self.rows: dict[tuple[str, str, int], bytes] = {}
        self.frames: dict[str, list[pl.DataFrame]] = {}
        self.ledger: list[Any] = []
        self.fail_next = False

    def head(self, key: str) -> int:
        """A number of the head; 0 when never written."""
        return self.heads.get(key, 0)

    def partitions(self) -> list[str]:
        """The units whose state is stored."""
        return sorted({unit for unit, _, _ in self.rows})

    def state(self, unit: str) -> list[tuple[str, int, bytes]]:
        """The stored state rows of one unit."""
        return [(kind, start, body) for (name, kind, start), body in self.rows.items() if name == unit]

    def commit(
        self,
        results: Mapping[str, pl.DataFrame],
        state: Iterable[StateRow],
        position: int,
        settled_us: int,
        ledger: Iterable[Any] = (),
        heads: Mapping[str, int] | None = None,
    ) -> None:
        """Stores everything, or nothing."""
        if self.fail_next:
            self.fail_next = False
            raise StorageError("disk full")
        for name, frame in results.items():
            self.frames.setdefault(name, []).append(frame)
        for unit, kind, start, body in state:
            if body is None:
                self.rows.pop((unit, kind, start), None)
            else:
                self.rows[unit, kind, start] = body
        self.ledger += list(ledger)
        self.heads |= {"position": position, "settled": settled_us, **(heads or {})}

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Entries of a ledger."""
        return [
            {"name": name, "time": time, "by": by, "why": why, "position": position, **json.loads(body)}
            for of, name, time, by, why, body, position in self.ledger
            if of == kind
        ]

    def readings_of(self, points: Sequence[str], start_us: int, end_us: int) -> pl.DataFrame:
        """Stored readings of some points."""
        return stored_readings(self.frames.get("readings", []), points, start_us, end_us)

    def table(self, name: str) -> pl.DataFrame:
        """One row a key: the newest."""
        table = TABLES[name]
        return newest(table, pl.concat([table.empty(), *self.frames.get(name, [])])).sort(table.key)


class Run:
    """One plant's step, fed message by message; everything is checkpointed before it is read."""

    def __init__(self, described: Plant, store: Any = None) -> None:
        self.plan: PlantPlan = compile_plant(described, "config")
        self.store = MemoryStore() if store is None else store
        self.engine = Engine(self.plan, self.store)
        self.position = self.engine.position

    def message(self, kind: Any, body: dict[str, Any], batch: Readings | None = None) -> Message:
        """The next message of the journal."""
        self.position += 1
        return Message(self.position, kind, body, batch)

    def tick(self, minute: float) -> None:
        """Plant time goes on."""
        self.engine.process([self.message("tick", {"time": at(minute)})])

    def read(self, rows: Iterable[Row], tick: float | None = None) -> None:
        """A tick (at the newest reading's minute unless given), then readings, in one batch."""
        listed = list(rows)
        now = tick if tick is not None else max(row[1] for row in listed)
        self.engine.process(
            [self.message("tick", {"time": at(now)}), self.message("readings", {}, readings(listed, now))]
        )

    def accept(self, body: dict[str, Any]) -> None:
        """A person accepts a baseline."""
        self.engine.process([self.message("baseline", body)])

    def settle(self, minute: float) -> None:
        """A tick so late that nothing holds a minute before `minute` back any more, in steps of a day."""
        self.tick(minute + 60)

    def table(self, name: str) -> pl.DataFrame:
        """A table's rows so far."""
        self.engine.checkpoint()
        found: pl.DataFrame = self.store.table(name)
        return found

    def facts(self, name: str) -> dict[int, dict[str, Any]]:
        """A point's minute facts by minute since START."""
        rows = self.table("facts").filter(pl.col("point") == name).iter_rows(named=True)
        return {(to_us(row["minute"]) - START) // MINUTE: row for row in rows}

    def amounts(self, name: str, first: int, end: int) -> list[float | None]:
        """A point's amounts over the minutes [first, end); None where there is none."""
        facts = self.facts(name)
        return [facts[minute]["amount"] if minute in facts else None for minute in range(first, end)]

    def total(self, name: str) -> float:
        """The sum of all of a point's amounts."""
        return float(self.table("facts").filter(pl.col("point") == name)["amount"].sum())

    def notices(self, name: str | None = None) -> list[str]:
        """The findings told of a point, in order of time."""
        frame = self.table("notices")
        frame = frame if name is None else frame.filter(pl.col("point") == name)
        return frame.sort("start", "finding")["finding"].to_list()

    def kpi(self, name: str, window: str, end: float) -> dict[str, Any] | None:
        """A KPI's row for the window that ends at a minute since START."""
        frame = self.table("kpi").filter(
            (pl.col("kpi") == name) & (pl.col("window") == window) & (pl.col("end").cast(pl.Int64) == at(end))
        )
        return frame.row(0, named=True) if len(frame) else None


def point_plan(kind: str = "counter", unit: str = "kWh", **more: Any) -> PointPlan:
    """The plan of a point alone."""
    described = plant({"p": point(kind, unit, **more)})
    return compile_plant(described, "config").points["p"]


def judged(plan: PointPlan, rows: list[tuple[float, float]]) -> tuple[Series, list[str]]:
    """A series of (minute, value) judged in one go, and what was found."""
    batch = readings([("p", minute, value) for minute, value in rows])
    none = np.zeros(len(batch), np.bool_)
    columns = Columns.received(np.zeros(len(batch), np.int64), batch.time, batch.value, none, none).sorted()
    series = columns.series(0, len(columns))
    _, findings = judge(plan, series, 0)
    return series, [finding.name for finding in findings]


class UnitRun:
    """The step of unit "hall" alone: minute facts without KPIs, quick enough for many examples."""

    def __init__(self, described: Plant) -> None:
        self.plan = compile_plant(described, "config").units["hall"]
        self.state = UnitState()
        self.found: dict[str, Minutes] = {}
        self.notices: list[str] = []
        self.tick_us: int | None = None
        self.frames: list[pl.DataFrame] = []

    def readings_of(self, points: Sequence[str], start_us: int, end_us: int) -> Readings:
        """What was received before."""
        return readings_from(tuple(points), stored_readings(self.frames, points, start_us, end_us))

    def step(self, batch: Readings, now: float, arrivals: list[float] | None = None) -> None:
        """A batch of readings, each with the tick before it (all the last one unless given), up to a tick."""
        self.tick_us = max(at(now), self.tick_us or 0)
        rows = np.array([at(one) for one in arrivals or [now] * len(batch)], np.int64)
        before = self.state.position
        messages = UnitMessages(before + 1, before, batch, rows, self.tick_us, self.tick_us)
        results = step_unit(self.plan, self.state, messages, self.readings_of)
        self.frames.append(readings_frame(results.readings))
        for block in results.facts:
            for number, name in enumerate(block.names):
                if name in self.found:
                    self.found[name].put(block.of(number))
                else:
                    self.found[name] = block.of(number).copy()
        for frame in results.frames.get("notices", []):
            self.notices += frame["finding"].to_list()

    def restart(self) -> None:
        """The process dies and comes back with what it had stored."""
        stored: dict[tuple[str, int], bytes] = getattr(self, "stored", {})
        for _, kind, start, body in self.state.checkpoint():
            if body is None:
                stored.pop((kind, start), None)
            else:
                stored[kind, start] = body
        self.stored = stored
        self.state = UnitState.restore([(kind, start, body) for (kind, start), body in stored.items()])
