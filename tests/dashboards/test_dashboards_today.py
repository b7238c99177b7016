"""What today's drifts have cost: today by the plant's clock, whatever range the board shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from influx_server import Influx, as_grafana_sends_it, fill

from dashboards.boards import site as board_site
from historian.tables import TABLES
from plant.model import Plant


def tile(plant: Plant) -> dict[str, Any]:
    """The panel of today's cost."""
    (found,) = (one for one in board_site.build(plant, "en")["panels"] if one["title"] == "Drifts today: cost")
    assert isinstance(found, dict)
    return found


def shown(influx: Influx, plant: Plant, now: datetime) -> float | None:
    """The number in the tile at a time: the last value, None for none."""
    series = influx.query(as_grafana_sends_it(tile(plant)["targets"][0]["query"], now - timedelta(days=300), now))
    found: float | None = series[0]["values"][-1][1] if series else None
    return found


def test_the_tile_does_not_follow_the_range(plant: Plant) -> None:
    """Neither Grafana's filter nor its own idea of a time range stands in it; of two days the last one is shown."""
    panel = tile(plant)
    query = panel["targets"][0]["query"]
    assert "$timeFilter" not in query and "__from" not in query and panel.get("timeFrom") is None
    assert "tz('Asia/Shanghai')" in query
    assert panel["options"]["reduceOptions"]["calcs"] == ["last"]


@pytest.mark.server
@pytest.mark.parametrize(
    ("zone", "midnight", "length"),
    [
        ("Asia/Shanghai", datetime(2026, 3, 3, 16, tzinfo=UTC), 24),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        ("America/New_York", datetime(2026, 7, 1, 4, tzinfo=UTC), 24),
    ],
)
def test_today_begins_at_the_plant_s_midnight(
    influx: Influx, plant: Plant, zone: str, midnight: datetime, length: int
) -> None:
    """An hour that ended with it is yesterday's; a day on which clocks change, of 23 or 25 hours, is one; a day
    without a drift shows nothing, however much drifted yesterday."""
    there = plant.site.model_copy(update={"time_zone": zone})
    moved = plant.model_copy(update={"site": there})
    hours = [number for number in range(-30, 26) if number not in (1, 2)]
    rows = [
        {
            "baseline": "zn_rinse1",
            "scope": "zinc",
            "start": midnight + timedelta(hours=number - 1),
            "end": midnight + timedelta(hours=number),
            "residual": 1.0,
            "cost": 100.0 if number <= 0 else 1.0,
            "state": "drift",
            "revision": 1,
        }
        for number in hours
    ]
    fill(influx, moved, {"blocks": pl.DataFrame(rows, schema=TABLES["blocks"].schema)})
    assert shown(influx, moved, midnight + timedelta(hours=2, minutes=30)) is None
    assert shown(influx, moved, midnight + timedelta(hours=4, minutes=5)) == 2.0
    assert shown(influx, moved, midnight + timedelta(hours=length, minutes=-1)) == length - 3
