"""A plant with nothing in it, for tests of what its data do, and when these begin."""

from __future__ import annotations

from datetime import UTC, datetime

from plant.model import Plant

START = datetime(2026, 3, 2, tzinfo=UTC)
PLANT = Plant.model_validate(
    {
        "format": "keepclean/1",
        "site": {"id": "works", "name": "Works", "time_zone": "Asia/Shanghai"},
        "audit": {"name": "Audit", "period": ["2025-07-01", "2026-06-30"], "baseline_year": 2024},
        "devices": {},
        "points": {},
    }
)
