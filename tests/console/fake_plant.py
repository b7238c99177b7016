"""A made-up plant for the console's tests: a history of made-up frames, a clock, acts and a demo that only note.

Run as a program it serves the console on a loopback port, prints the address and what it was asked to do, one JSON
line each, and ends when its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from fake_frames import (
    NOW,
    ONSET,
    example_plant,
    made_up_alarms,
    made_up_blocks,
    made_up_drifts,
    made_up_facts,
    made_up_kpis,
    made_up_notices,
    made_up_readings,
)

from console.sources import Context
from historian.tables import TABLES
from plant.calendar import Calendar
from plant.clock import PlantClock, to_datetime
from plant.model import Plant
from plant.reading import DAY, HOUR, MINUTE

# 2026-04-06 10:00:00 UTC: not the plant's time
REAL = 1_775_469_600_000_000


class FakeHistory:
    """Frames made once; `latest_kpis` moves with the clock."""

    def __init__(self, plant: Plant, clock: PlantClock) -> None:
        self.plant, self.clock = plant, clock
        self.asked = 0
        makers: dict[str, Callable[[], pl.DataFrame]] = {
            "kpi": lambda: made_up_kpis(plant),
            "blocks": lambda: made_up_blocks(plant),
            "drift": made_up_drifts,
            "alarms": made_up_alarms,
            "notices": made_up_notices,
            "readings": lambda: made_up_readings(plant),
            "facts": lambda: made_up_facts(plant),
        }
        self.frame = cache(lambda name: makers[name]())

    def table(
        self,
        name: str,
        start_us: int | None = None,
        end_us: int | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> pl.DataFrame:
        self.asked += 1
        table, found = TABLES[name], self.frame(name)
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
        newest = self.frame("kpi").sort("end").unique(["kpi", "scope", "product", "window"], keep="last")
        moving = pl.when(pl.col("window") == "1h").then(pl.col("value") * wave).otherwise(pl.col("value"))
        return newest.with_columns(value=moving)

    def latest_readings(self) -> pl.DataFrame:
        self.asked += 1
        return self.frame("readings").with_columns(time=pl.col("time") + self.elapsed())

    def elapsed(self) -> timedelta:
        """How far plant time has moved on since NOW, in whole minutes."""
        return timedelta(minutes=(self.clock.now_us() - NOW) // MINUTE)

    def baselines(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "baseline": name,
                "fit": {
                    "names": [driver.point for driver in one.drivers],
                    "coefficients": [0.0161 * (place + 1) for place in range(len(one.drivers))],
                    "intercept": 0.0412,
                    "n": 672,
                    "cv_rmse": 0.058,
                    "held_out_cv_rmse": 0.062,
                    "held_out_nmbe": -0.0021,
                },
                "span": [NOW - 35 * DAY, NOW - 7 * DAY],
                "by": "scenario",
                "why": "first 28 days of the demo",
            }
            for name, one in list(self.plant.baselines.items())[:-1]
        ]


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
                "kind": "step",
                "onset_us": ONSET + 4 * MINUTE,
                "end_us": None,
                "size_per_hour": 0.6,
                "unit": "m3",
                "point": "zn_rinse1_water",
            },
            {
                "fault": "steam_trap_open",
                "target": "zn_steam",
                "kind": "step",
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
        "targets": [{"name": name, "title": {"en": name, "zh": name}, "point": name} for name in targets],
        "while_running": True,
    }


def status(plant: Plant, now_us: int = NOW) -> dict[str, Any]:
    """What `monitor` would say of the processes."""
    devices: list[dict[str, Any]] = [
        {
            "device": name,
            "protocol": device.protocol,
            "last_success": now_us - 20_000_000,
            "latency_ms": 4.21 if device.protocol == "modbus" else None,
            "latency_median_ms": 4.03 if device.protocol == "modbus" else None,
            "readings": 18_400,
            "readings_per_s": 0.05,
            "lag_s": 0.0042,
            "successes": 6_130,
            "errors": 0,
            "error_rate": 0.0,
            "last_error": "",
            "last_error_at": None,
            "retained": 0,
            "rejected": {"count": 0, "sample": "", "reason": ""},
        }
        for name, device in plant.devices.items()
    ]
    devices[3] |= {
        "last_success": now_us - 3 * HOUR,
        "errors": 190,
        "last_error": "no answer within 1 s (4 tries, next in 64 s)",
        "last_error_at": now_us - 30_000_000,
        "error_rate": 1.0,
        "latency_ms": 12.5,
        "readings_per_s": 0.0,
    }
    devices[5] |= {
        "errors": 3,
        "error_rate": 0.05,
        "rejected": {"count": 3, "sample": '{"zn": <script>alert(1)</script>', "reason": "not JSON"},
        "lag_s": 312.0,
    }
    return {
        "position": 184_312,
        "served": 184_309,
        "backlog": 3,
        "journal_bytes": 48_234_111,
        "data_bytes": 412_000_000,
        "disk_limit_bytes": 50 * 1024**3,
        "disk_free_bytes": 812 * 1024**3,
        "standstill_s": 0.0,
        "report_age_s": 1.2,
        "time": now_us,
        "real_time": REAL,
        "speed": 60.0,
        "broker": {
            "url": "mqtt://127.0.0.1:1883",
            "connected": True,
            "protocol": "MQTT 5",
            "session_present": True,
            "connections": 2,
            "dropped": 0,
            "last_error": "",
            "doubts": ["the broker has dropped 12 messages that did not fit into its queues"],
        },
        "journal": {
            "position": 184_312,
            "commits": 52_000,
            "readings": 310_400,
            "messages": 103_500,
            "last_commit": now_us - 6_000_000,
            "commit_ms": 1.24,
            "waiting": 2,
            "storage_error": "",
            "trim_error": "",
            "damage": "",
            "used_bytes": 48_000_000,
            "budget_bytes": 4 * 1024**3,
            "paused": False,
        },
        "devices": devices,
    }


class FakeDesk:
    """A desk of corrections that keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def listed(self) -> list[dict[str, Any]]:
        return self.rows[::-1]

    def correct(self, body: dict[str, Any]) -> int:
        number = len(self.rows) + 1
        told = {key: str(body[key]) for key in ("from", "to", "by", "why", "evidence")}
        self.rows.append(
            {**told, "correction": number, "points": body["points"], "says": body["kind"], "withdrawn": ""}
        )
        return number

    def withdraw(self, number: int, by: str, why: str) -> int:
        self.rows[number - 1]["withdrawn"] = f"{by}: {why}"
        return number


def context(demo: FakeDemo | None, acts: Any, *, speed: float = 60.0) -> Context:
    """A console's context on made-up data."""
    plant = example_plant()
    clock = PlantClock(NOW, PlantClock.real().anchor_monotonic_s, speed)
    return Context(
        plant,
        Calendar(plant),
        clock,
        FakeHistory(plant, clock),
        acts,
        lambda: status(plant, clock.now_us()),
        demo,
        FakeDesk(),
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
