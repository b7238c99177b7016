"""A made-up plant day for the console's tests: frames in the tables' schemas, a clock, acts and a demo that only note.

Run as a program it serves the console on a loopback port, prints the address and what it was asked to do, one JSON
line each, and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from console.sources import Context
from historian.tables import ALARMS, BLOCKS, DRIFT, FACTS, KPI, NOTICES, READINGS, TABLES, Table
from plant.calendar import Calendar
from plant.clock import PlantClock, to_datetime, to_us
from plant.model import Plant
from plant.reading import DAY, HOUR, MINUTE

ROOT = Path(__file__).parents[2]
NOW = to_us(datetime(2026, 4, 6, 2, 17, tzinfo=UTC))
ONSET = NOW - 30 * HOUR
DRIFT_NAME = "zn_rinse1@2026-04-04T20:17"
SECOND_DRIFT = "compressor@2026-04-05T21:02"
STEPS = {"1h": HOUR // 4, "shift": HOUR, "day": 4 * HOUR, "7d": 6 * HOUR, "30d": DAY // 2, "month": DAY}
SPANS = {"1h": 2 * DAY, "shift": 8 * DAY, "day": 31 * DAY, "7d": 30 * DAY, "30d": 10 * DAY, "month": 36 * DAY}


def example_plant() -> Plant:
    """The electroplating shop as it is described."""
    text = (ROOT / "examples/electroplating/plant.yaml").read_text(encoding="utf-8")
    return Plant.model_validate(yaml.safe_load(text))


def frame(table: Table, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows in a table's schema; what a row leaves out is null."""
    full = [{name: row.get(name) for name in table.schema} for row in rows]
    return pl.DataFrame(full, schema=table.schema, orient="row")


def kpi_row(
    kpi: str, scope: str, window: str, start: int, end: int, value: float | None, **more: Any
) -> dict[str, Any]:
    """One row of table kpi."""
    row = {
        "kpi": kpi,
        "scope": scope,
        "product": "",
        "window": window,
        "start": to_datetime(start),
        "end": to_datetime(end),
        "value": value,
        "coverage": 0.995 if value is not None else 0.62,
        "quality": "good",
        "reason": "" if value is not None else "coverage 62 % is below 90 %: no reading of cod_in since 06:10",
        "settled": end < NOW - 3 * MINUTE,
        "config": "9f2c41d07be3a86f",
        "factors": "CN-2023",
        "revision": end // MINUTE,
    }
    return {**row, **more}


def drift_row(
    name: str, kpi: str, scope: str, onset: int, found: int, size: float, unit: str, **more: Any
) -> dict[str, Any]:
    """One row of table drift."""
    row = {
        "drift": name,
        "kpi": kpi,
        "scope": scope,
        "onset": to_datetime(onset),
        "onset_low": to_datetime(onset - 14 * MINUTE),
        "onset_high": to_datetime(onset + 9 * MINUTE),
        "found": to_datetime(found),
        "size_per_hour": size,
        "size_low": size * 0.88,
        "size_high": size * 1.12,
        "unit": unit,
        "cost_per_day": size * 24 * 7.4,
        "direction": "rise",
        "state": "open",
        "evidence": "one-sided CUSUM 9.4 over its limit 7.1 after 3 blocks of 1 h; held-out CV(RMSE) 6.2 %",
        "revision": 1,
    }
    return {**row, **more}


def alarm_row(alarm: str, drift: str, scope: str, time: int, to_state: str, **more: Any) -> dict[str, Any]:
    """One row of table alarms."""
    row = {
        "alarm": alarm,
        "drift": drift,
        "scope": scope,
        "priority": "medium",
        "time": to_datetime(time),
        "from_state": "normal",
        "to_state": to_state,
        "by": "",
        "shift": "night",
        "note": "",
        "revision": 1,
    }
    return {**row, **more}


class FakeHistory:
    """Frames made once; `latest_kpis` moves with the clock."""

    def __init__(self, plant: Plant, clock: PlantClock) -> None:
        self.plant, self.clock = plant, clock
        self.asked = 0
        self.frames = {
            "kpi": _kpis(plant),
            "blocks": _blocks(plant),
            "drift": _drifts(),
            "alarms": _alarms(),
            "notices": _notices(),
            "readings": _readings(plant),
            "facts": _facts(plant),
        }

    def table(
        self,
        name: str,
        start_us: int | None = None,
        end_us: int | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> pl.DataFrame:
        self.asked += 1
        table, found = TABLES[name], self.frames[name]
        if name == "facts":
            found = found.with_columns(minute=pl.col("minute") + self.elapsed())
        if start_us is not None:
            found = found.filter(pl.col(table.day) >= to_datetime(start_us))
        if end_us is not None:
            found = found.filter(pl.col(table.day) < to_datetime(end_us))
        for key, value in (where or {}).items():
            found = found.filter(pl.col(key).is_in([value] if isinstance(value, str) else list(value)))
        return found.sort(table.key)

    def latest_kpis(self) -> pl.DataFrame:
        self.asked += 1
        wave = 1 + 0.01 * np.sin(self.clock.now_us() / (7 * MINUTE))
        newest = self.frames["kpi"].sort("end").unique(["kpi", "scope", "product", "window"], keep="last")
        moving = pl.when(pl.col("window") == "1h").then(pl.col("value") * wave).otherwise(pl.col("value"))
        return newest.with_columns(value=moving)

    def latest_readings(self) -> pl.DataFrame:
        self.asked += 1
        return self.frames["readings"].with_columns(time=pl.col("time") + self.elapsed())

    def elapsed(self) -> timedelta:
        """How far plant time has moved on since NOW, in whole minutes."""
        return timedelta(minutes=(self.clock.now_us() - NOW) // MINUTE)

    def baselines(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "names": [driver.point for driver in one.drivers],
                "coefficients": [0.0161 * (place + 1) for place in range(len(one.drivers))],
                "intercept": 0.0412,
                "n": 672,
                "cv_rmse": 0.058,
                "held_out_cv_rmse": 0.062,
                "held_out_nmbe": -0.0021,
                "span_start_us": NOW - 35 * DAY,
                "span_end_us": NOW - 7 * DAY,
                "by": "scenario",
                "why": "first 28 days of the demo",
            }
            for name, one in list(self.plant.baselines.items())[:-1]
        ]


def _kpis(plant: Plant) -> pl.DataFrame:
    draw = np.random.default_rng(7)
    calendar = Calendar(plant)
    rows = []
    for name, kpi in plant.kpis.items():
        base = kpi.target.near_term * draw.uniform(0.92, 1.07) if kpi.target else draw.uniform(1, 9)
        for window, step in STEPS.items():
            ends = np.arange((NOW - SPANS[window]) // step * step + step, NOW + 1, step)
            noise = draw.normal(0, 0.03, len(ends))
            for end, deviation in zip(ends.tolist(), noise.tolist(), strict=True):
                value: float | None = base * (1 + deviation)
                if name in ("fresh_water_per_m2", "zn_rinse_water_per_stage") and end > ONSET:
                    value = base * (1.16 + deviation)
                if name == "cod_generated_per_m2" and end > NOW - 5 * HOUR and window in ("1h", "shift"):
                    value = None
                start = {
                    "shift": (calendar.shift(end - 1) or calendar.day(end - 1)).start,
                    "day": calendar.day(end - 1).start,
                    "month": calendar.month(end - 1).start,
                }.get(window, end - {"1h": HOUR, "7d": 7 * DAY, "30d": 30 * DAY}.get(window, 0))
                rows.append(
                    kpi_row(
                        name,
                        kpi.scope,
                        window,
                        start,
                        end,
                        value,
                        unit=kpi.unit,
                        low=value and value * 0.99,
                        high=value and value * 1.015,
                        expected=base * (1 + deviation / 3) if window != "month" else None,
                        target=kpi.target.near_term if kpi.target else None,
                        grade="II" if kpi.target and kpi.target.grades and window in ("month", "30d", "day") else "",
                    )
                )
    return frame(KPI, rows)


def _blocks(plant: Plant) -> pl.DataFrame:
    draw = np.random.default_rng(11)
    rows = []
    for name, baseline in plant.baselines.items():
        expected = 4 + 2 * np.sin(np.arange(14 * 24) / 24 * 2 * np.pi)
        actual = expected * draw.normal(1, 0.06, len(expected))
        first = NOW // HOUR * HOUR - 14 * DAY
        if name == "zn_rinse1":
            actual[(first + np.arange(len(actual)) * HOUR) > ONSET] += 0.6
        total = np.cumsum(actual - expected)
        statistic = 0.0
        for block in range(len(actual)):
            z = (actual[block] - expected[block]) / 0.25
            statistic = max(0.0, statistic + z - 0.5)
            missing = 100 <= block < 104
            rows.append(
                {
                    "baseline": name,
                    "scope": baseline.scope,
                    "start": to_datetime(first + block * HOUR),
                    "end": to_datetime(first + (block + 1) * HOUR),
                    "actual": None if missing else actual[block],
                    "expected": None if missing else expected[block],
                    "residual": None if missing else actual[block] - expected[block],
                    "z": None if missing else z,
                    "chart": None if missing else min(statistic, 30.0),
                    "limit": 7.1,
                    "cumulative": total[block],
                    "unit": "m3" if "rinse" in name else "kWh",
                    "coverage": 0.4 if missing else 1.0,
                    "state": "in control",
                    "revision": 1,
                }
            )
    return frame(BLOCKS, rows)


def _drifts() -> pl.DataFrame:
    ended = NOW - 3 * HOUR
    return frame(
        DRIFT,
        [
            drift_row(DRIFT_NAME, "zn_rinse1", "zinc", ONSET, ONSET + 3 * HOUR, 0.592, "m3"),
            drift_row(SECOND_DRIFT, "compressor", "compressed_air", NOW - 5 * HOUR, NOW - 100 * MINUTE, 17.9, "kWh"),
            drift_row(
                "ni_steam@past",
                "ni_steam",
                "nickel",
                NOW - 20 * HOUR,
                NOW - 16 * HOUR,
                33.1,
                "kg",
                state="cleared",
                cleared=to_datetime(ended),
            ),
            drift_row(
                "cr_rinse1@fall", "cr_rinse1", "chrome", NOW - 9 * HOUR, NOW - 4 * HOUR, -0.2, "m3", direction="fall"
            ),
        ],
    )


def _alarms() -> pl.DataFrame:
    return frame(
        ALARMS,
        [
            alarm_row("alarm:rinse", DRIFT_NAME, "zinc", ONSET + 3 * HOUR, "unacknowledged", priority="high"),
            alarm_row("alarm:air", SECOND_DRIFT, "compressed_air", NOW - 100 * MINUTE, "unacknowledged"),
            alarm_row(
                "alarm:air",
                SECOND_DRIFT,
                "compressed_air",
                NOW - 80 * MINUTE,
                "acknowledged",
                from_state="unacknowledged",
                by="local user",
                note="leak heard near line 2",
            ),
            alarm_row("alarm:steam", "ni_steam@past", "nickel", NOW - 16 * HOUR, "unacknowledged"),
            alarm_row(
                "alarm:steam",
                "ni_steam@past",
                "nickel",
                NOW - 15 * HOUR,
                "acknowledged",
                from_state="unacknowledged",
                by="local user",
                note="trap 3 replaced",
            ),
            alarm_row("alarm:steam", "ni_steam@past", "nickel", NOW - 3 * HOUR, "normal", from_state="acknowledged"),
        ],
    )


def _notices() -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "point": "cod_in",
            "start": NOW - 4 * HOUR,
            "end": None,
            "finding": "frozen",
            "evidence": "182.4 for 244 min while ww_total moved",
        },
        {
            "point": "ni_rinse2_water",
            "start": NOW - 2 * DAY,
            "end": NOW - 2 * DAY,
            "finding": "reset",
            "evidence": "from 8123.4 to 0.012, then 0.031",
        },
        {
            "point": "gas",
            "start": NOW - 3 * DAY,
            "end": NOW - 3 * DAY + HOUR,
            "finding": "gap",
            "evidence": "no reading for 61 min; the amount is known, its minutes are estimated",
        },
    ]
    for row in rows:
        row["start"] = to_datetime(row["start"])
        row["end"] = None if row["end"] is None else to_datetime(row["end"])
        row["revision"] = 1
    return frame(NOTICES, rows)


def _readings(plant: Plant) -> pl.DataFrame:
    draw = np.random.default_rng(3)
    rows = []
    for place, (name, _) in enumerate(plant.points.items()):
        age = 4 * HOUR if name == "cod_in" else draw.integers(5, 60) * 1_000_000
        if place == 17:
            continue
        rows.append(
            {
                "time": to_datetime(NOW - int(age)),
                "received": to_datetime(NOW - int(age) + 300_000),
                "point": name,
                "value": float(draw.uniform(1, 5000)),
                "quality": "bad" if name == "cod_in" else "good",
                "finding": "frozen" if name == "cod_in" else "",
            }
        )
    return frame(READINGS, rows)


def _facts(plant: Plant) -> pl.DataFrame:
    minutes = [to_datetime(NOW // MINUTE * MINUTE - back * MINUTE) for back in range(2, 70)]
    rows = [
        {
            "point": name,
            "minute": minute,
            "amount": 1.0,
            "unit": "kWh",
            "coverage": 0.3 if name == "cod_in" else 1.0,
            "estimated": 0.0,
            "quality": "good",
            "revision": 1,
        }
        for name in plant.points
        for minute in minutes
    ]
    return frame(FACTS, rows)


class FakeDemo:
    """A demo that notes what it is asked and pretends to be at work."""

    speed = 60.0

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.on: list[dict[str, Any]] = []
        self.ahead: dict[str, float] | None = None

    def catalogue(self) -> list[dict[str, Any]]:
        return [
            _fault(
                "rinse_valve_open",
                "step",
                "Rinse valve left open",
                "清洗阀未关",
                "Ten litres a minute run through one rinse stage whether there is a rack or not.",
                "某级清洗槽每分钟多流 10 升。",
                ["zn_rinse1_water", "zn_rinse2_water", "ni_rinse1_water"],
            ),
            _fault(
                "steam_trap_open",
                "step",
                "Steam trap blown open",
                "疏水阀直通",
                "A 1/8″ trap lets 34 kg of steam an hour through.",
                "每小时泄漏蒸汽 34 kg。",
                ["zn_steam", "ni_steam"],
            ),
            _fault(
                "air_leak",
                "step",
                "Compressed-air leak",
                "压缩空气泄漏",
                "A 1/4″ hole: 2.9 m³ a minute, 18.7 kW.",
                "6 mm 孔，每分钟 2.9 立方米。",
                ["compressed_air"],
            ),
            _fault(
                "chiller_fouling",
                "slow",
                "Chiller fouling",
                "冷水机组结垢",
                "Power rises by 35 % in 30 days.",
                "30 天内功率上升 35 %。",
                ["chiller"],
            ),
            _fault(
                "frozen_meter",
                "data",
                "Frozen meter",
                "仪表冻结",
                "The meter goes on answering with its last value.",
                "仪表持续返回最后一个值。",
                ["zn_rinse1_meter"],
            ),
        ]

    def active(self) -> list[dict[str, Any]]:
        return self.on

    def switch(self, fault: str, target: str, size: float, on: bool) -> None:
        self.note({"switch": fault, "target": target, "size": size, "on": on})
        self.on = [entry for entry in self.on if (entry["fault"], entry["target"]) != (fault, target)]
        if on:
            self.on = [*self.on, {"fault": fault, "target": target, "size": size}]

    def truth(self) -> list[dict[str, Any]]:
        return [
            {
                "fault": "rinse_valve_open",
                "target": "zn_rinse1_water",
                "onset_us": ONSET + 4 * MINUTE,
                "end_us": None,
                "size_per_hour": 0.6,
                "unit": "m3",
                "point": "zn_rinse1_water",
            },
            {
                "fault": "steam_trap_open",
                "target": "zn_steam",
                "onset_us": NOW - 30 * MINUTE,
                "end_us": None,
                "size_per_hour": 34.4,
                "unit": "kg",
                "point": "zn_steam",
            },
        ]

    def advance(self, days: int) -> None:
        self.note({"advance": days})
        self.ahead = {"done": 7.5, "total": float(days)}

    def progress(self) -> dict[str, float] | None:
        return self.ahead

    def note(self, entry: dict[str, Any]) -> None:
        self.asked.append(entry)


def _fault(fault: str, kind: str, en: str, zh: str, about_en: str, about_zh: str, targets: list[str]) -> dict[str, Any]:
    return {
        "fault": fault,
        "kind": kind,
        "title": {"en": en, "zh": zh},
        "description": {"en": about_en, "zh": about_zh},
        "targets": targets,
    }


def status(plant: Plant, now_us: int = NOW) -> dict[str, Any]:
    """What `monitor` would say of the processes."""
    devices = [{"device": name, "state": "ok", "last_us": now_us - 20_000_000, "error": ""} for name in plant.devices]
    devices[3] |= {
        "state": "silent",
        "last_us": now_us - 3 * HOUR,
        "error": "no answer within 1 s (4 tries, next in 64 s)",
    }
    return {
        "position": 184_312,
        "served": 184_309,
        "backlog": 3,
        "journal_bytes": 48_234_111,
        "data_bytes": 412_000_000,
        "disk_limit_bytes": 50 * 1024**3,
        "disk_free_bytes": 812 * 1024**3,
        "broker": {"state": "connected", "url": "mqtt://127.0.0.1:1883"},
        "devices": devices,
    }


def context(demo: FakeDemo | None, acts: Any, *, speed: float = 60.0) -> Context:
    """A console's context on made-up data."""
    plant = example_plant()
    clock = PlantClock(NOW, PlantClock.real().anchor_monotonic_s, speed)
    return Context(
        plant, Calendar(plant), clock, FakeHistory(plant, clock), acts, lambda: status(plant, clock.now_us()), demo
    )


def main() -> None:
    """Serves until standard input closes; each act and each switch is a JSON line on standard output."""
    from console.app import listen, serve

    def say(entry: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(entry) + "\n")
        sys.stdout.flush()

    class LoudDemo(FakeDemo):
        def note(self, entry: dict[str, Any]) -> None:
            say(entry)

    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    listener = listen("127.0.0.1", 0 if len(sys.argv) < 2 else int(sys.argv[1]))
    say({"port": listener.getsockname()[1]})
    asyncio.run(serve(context(LoudDemo(), say), listener, stop))


if __name__ == "__main__":
    main()
