"""A small plant with two shifts, one option and three baselines, and drift rows to go with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from historian.tables import DRIFT

MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
"""08:00 in Shanghai: two hours into the early shift."""


def description() -> dict[str, Any]:
    """The plant as its description would declare it."""
    text = {"en": "Something", "zh": "某物"}
    return {
        "format": "keepclean/1",
        "site": {"id": "works", "name": {"en": "The works", "zh": "工厂"}, "time_zone": "Asia/Shanghai"},
        "audit": {"name": text, "period": ["2025-07-01", "2026-06-30"], "baseline_year": 2024},
        "shifts": {
            "early": {"title": text, "from": "06:00", "to": "14:00", "supervisor": "Li", "route": "early"},
            "late": {"title": text, "from": "14:00", "to": "22:00", "supervisor": "Wang", "route": "late"},
        },
        "process_units": {
            "plating": {"title": {"en": "Plating", "zh": "电镀"}},
            "nickel": {"title": {"en": "Nickel line", "zh": "镀镍线"}, "within": "plating"},
        },
        "devices": {"hand": {"protocol": "manual", "title": text}},
        "points": {
            name: {"title": text, "in": "nickel", "kind": "counter", "unit": "m3", "from": "hand", "read": name}
            for name in ("rinse_water", "steam", "permeate")
        },
        "baselines": {
            "rinse": {
                "title": {"en": "Rinse 1 water", "zh": "一级水洗用水"},
                "scope": "nickel",
                "response": "rinse_water",
                "likely_cause": {"en": "a rinse valve left open", "zh": "水洗阀未关"},
                "first_check": {"en": "the hand valve at rinse 1", "zh": "一级水洗手动阀"},
            },
            "steam": {"title": text, "scope": "nickel", "response": "steam", "likely_cause": text, "first_check": text},
            "ro": {
                "title": text,
                "scope": "site",
                "response": "permeate",
                "drift": "fall",
                "likely_cause": text,
                "first_check": text,
            },
        },
        "kpis": {
            "water": {
                "title": {"en": "Fresh water per m²", "zh": "单位面积新鲜水"},
                "numerator": [{"point": "rinse_water"}],
                "unit": "m3",
            }
        },
        "options": {
            "counterflow": {
                "title": {"en": "Counter-current rinsing", "zh": "逆流漂洗"},
                "kind": "low_cost",
                "scope": "nickel",
                "commissioned": "2025-11-01",
                "kpi": "water",
                "promised": 12000,
                "promised_unit": "m3",
                "baselines": ["rinse"],
            }
        },
        "alarms": {
            "routes": {"early": {"to": ["log"]}, "late": {"to": ["log"], "language": "zh"}},
        },
    }


def us(hours: float) -> int:
    """Plant time so many hours after the Monday's 08:00 local [µs UTC]."""
    return int((MONDAY + timedelta(hours=hours)).timestamp()) * 1_000_000


def drift(name: str = "d1", **changes: Any) -> dict[str, Any]:
    """One drift row."""
    return {
        "drift": name,
        "kpi": "rinse",
        "scope": "nickel",
        "onset": MONDAY,
        "onset_low": MONDAY - timedelta(minutes=10),
        "onset_high": MONDAY + timedelta(minutes=10),
        "found": MONDAY + timedelta(hours=2),
        "cleared": None,
        "size_per_hour": 0.6,
        "size_low": 0.5,
        "size_high": 0.7,
        "unit": "m3",
        "cost_per_day": 130.0,
        "direction": "rise",
        "state": "open",
        "evidence": "chart above its limit for 3 blocks",
        "revision": 1,
        **changes,
    }


def drifts(*rows: dict[str, Any]) -> pl.DataFrame:
    """Drift rows as a frame of table `drift`."""
    return pl.DataFrame(list(rows), schema=DRIFT.schema)
