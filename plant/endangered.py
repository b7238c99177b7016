"""Which options a drift endangers."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from plant.model import Plant


def endangered(plant: Plant, watched: str, onset: datetime | None = None) -> list[str]:
    """The options that a drift of baseline or KPI `watched` endangers: those commissioned by its onset."""
    zone = ZoneInfo(plant.site.time_zone)
    return [
        name
        for name, option in plant.options.items()
        if (watched in option.baselines or watched == option.kpi)
        and (onset is None or option.commissioned <= onset.astimezone(zone).date())
    ]
