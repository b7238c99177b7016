"""Made-up results of the electroplating shop for the console's tests, in the schemas of the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from historian.tables import ALARMS, BLOCKS, DRIFT, FACTS, KPI, NOTICES, READINGS, Table
from plant.calendar import Calendar
from plant.clock import to_datetime, to_us
from plant.model import Plant
from plant.reading import DAY, HOUR, MINUTE

ROOT = Path(__file__).parents[2]
NOW = to_us(datetime(2026, 4, 6, 2, 17, tzinfo=UTC))
ONSET = NOW - 30 * HOUR
DRIFT_NAME = "zn_rinse1@2026-04-04T20:17"
SECOND_DRIFT = "compressor@2026-04-05T21:02"
STEPS = {
    "1h": HOUR // 4,
    "shift": HOUR,
    "day": 4 * HOUR,
    "7d": 6 * HOUR,
    "30d": DAY // 2,
    "month": DAY,
    "heating_season": DAY,
}
SPANS = {
    "1h": 2 * DAY,
    "shift": 8 * DAY,
    "day": 31 * DAY,
    "7d": 30 * DAY,
    "30d": 10 * DAY,
    "month": 36 * DAY,
    "heating_season": 60 * DAY,
}


@cache
def example_plant() -> Plant:
    """The electroplating shop as it is described."""
    text = (ROOT / "examples/electroplating/plant.yaml").read_text(encoding="utf-8")
    return Plant.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))


def frame(table: Table, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows in a table's schema; what a row leaves out is null."""
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in table.schema}, schema=table.schema)


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
        "reason": "" if value is not None else "coverage below limit",
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
        "evidence": "CUSUM k=0.25: 9.4 > 7.1 σ, k=1: 3.2 of 4.6 σ after 3 blocks of 1 h",
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


def made_up_kpis(plant: Plant) -> pl.DataFrame:
    draw = np.random.default_rng(7)
    calendar = Calendar(plant)
    rows = []
    for name, kpi in plant.kpis.items():
        base = kpi.target.near_term * draw.uniform(0.92, 1.07) if kpi.target else draw.uniform(1, 9)
        for window, step in STEPS.items():
            season = calendar.named("heating_season", NOW - 30 * DAY)
            last = season.end if window == "heating_season" and season else NOW
            ends = np.arange((last - SPANS[window]) // step * step + step, last // step * step + 1, step)
            ends[-1] = last if window == "heating_season" else ends[-1]
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
                    "heating_season": season.start if season else end - DAY,
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


def made_up_blocks(plant: Plant) -> pl.DataFrame:
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
                    "chart": None if missing else min(statistic / 7.1, 3.0),
                    "limit": 1.0,
                    "cumulative": total[block],
                    "unit": "m3" if "rinse" in name else "kWh",
                    "coverage": 0.4 if missing else 1.0,
                    "state": "in control",
                    "revision": 1,
                }
            )
    return frame(BLOCKS, rows)


def made_up_drifts() -> pl.DataFrame:
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


def made_up_alarms() -> pl.DataFrame:
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


def made_up_notices() -> pl.DataFrame:
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


def made_up_readings(plant: Plant) -> pl.DataFrame:
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


def made_up_facts(plant: Plant) -> pl.DataFrame:
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
