"""Which factor editions a KPI used over a window: a window across a change of edition used both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import numpy as np

from kpis.factors import co2_direct_factor, co2_location_factor, co2_market_factor, energy_factor
from pipeline.series import Ints
from plant.calendar import Calendar
from plant.model import Kpi, Plant

Quantity = Literal["energy", "co2_direct", "co2_location", "co2_market"]
_FACTORS = {
    "energy": energy_factor,
    "co2_direct": co2_direct_factor,
    "co2_location": co2_location_factor,
    "co2_market": co2_market_factor,
}


@dataclass(frozen=True)
class Editions:
    """`bounds` [µs UTC] part time into stretches; `names` are the editions in force in each."""

    bounds: Ints
    names: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, plant: Plant, kpi: Kpi, calendar: Calendar) -> Editions:
        """The editions that a KPI's terms use, stretch by stretch."""
        used = sorted(
            {
                (plant.points[term.point].carrier or "", term.as_)
                for term in kpi.terms()
                if term.as_ in get_args(Quantity)
            }
        )
        days = {factor.since for factor in plant.factors if (factor.carrier, factor.quantity) in used}
        days |= {fuel.since for carrier, _ in used for fuel in plant.fuels.get(carrier, [])}
        changes = sorted(day for day in days if day is not None)
        names = []
        for day in [date.min, *changes]:
            found = [_FACTORS[quantity](plant, carrier, day)[1] for carrier, quantity in used]
            names.append(tuple(dict.fromkeys(name for name in found if name)))
        return cls(np.array([calendar.midnight(day) for day in changes], np.int64), tuple(names))

    def texts(self, starts: Ints, ends: Ints) -> list[str]:
        """The editions used in each window [start, end), in order of time."""
        low = np.searchsorted(self.bounds, starts, "right").tolist()
        high = np.searchsorted(self.bounds, ends - 1, "right").tolist()
        return [
            "; ".join(dict.fromkeys(name for stretch in self.names[i : j + 1] for name in stretch))
            for i, j in zip(low, high, strict=True)
        ]
