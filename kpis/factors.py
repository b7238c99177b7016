"""Dated factors of a carrier: kgce and CO2 per unit, from a fuel's calorific value or from the plant's factor list.

References
----------
GB/T 2589-2020 (综合能耗计算通则): 1 kgce = 29.3076 MJ; comprehensive energy E = Σ Eᵢ·kᵢ.
GHG Protocol, Corporate Standard, scope 1 and 2; Scope 2 Guidance (2015): location-based and market-based.
NDRC guidelines for enterprises' greenhouse-gas accounting: CO2 = activity · NCV · CC · OF · 44/12.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from kpis.local import local_days
from plant.model import Fuel, Plant
from plant.reading import Times, Values

MJ_PER_KGCE = 29.3076
CO2_PER_CARBON = 44 / 12

Quantity = Literal["energy", "co2_direct", "co2_location", "co2_market"]


class Dated(Protocol):
    """An entry that holds from a date on, or always when it has none."""

    @property
    def since(self) -> date | None:
        """The first local day on which the entry holds."""
        ...


Entry = TypeVar("Entry", bound=Dated)


def in_force(entries: Iterable[Entry], day: date) -> Entry | None:
    """The entry that holds on a local day: the youngest that began by then; None when none had begun.

    An entry without a date always held. Of two that begin on one day the later in the list counts.
    """
    found: Entry | None = None
    for entry in entries:
        began = entry.since or date.min
        if began <= day and (found is None or began >= (found.since or date.min)):
            found = entry
    return found


def fuel_energy(fuel: Fuel) -> float:
    """Coal equivalent of a fuel from its calorific value [kgce per unit] (GB/T 2589-2020).

    >>> gas = Fuel(title="gas", unit="m3", ncv=35.588, carbon_content=15.3, oxidation=0.99, source="supplier")
    >>> round(fuel_energy(gas), 4)
    1.2143
    """
    return fuel.ncv / MJ_PER_KGCE


def fuel_co2(fuel: Fuel) -> float:
    """CO2 from burning a fuel, NCV·CC·OF·44/12 [kg CO2 per unit] (NDRC; NCV in MJ per unit, CC in t C/TJ).

    >>> gas = Fuel(title="gas", unit="m3", ncv=38.931, carbon_content=15.3, oxidation=0.99, source="supplier")
    >>> round(fuel_co2(gas), 4)
    2.1622
    """
    return fuel.ncv * fuel.carbon_content * 1e-3 * fuel.oxidation * CO2_PER_CARBON


def energy_factor(plant: Plant, carrier: str, day: date) -> tuple[float, str]:
    """Coal equivalent of a carrier on a local day [kgce per unit] and the edition it comes from.

    Unknown (nan, "") when nothing is in force. Source: GB/T 2589-2020.
    """
    return _factor(plant, carrier, "energy", day)


def co2_direct_factor(plant: Plant, carrier: str, day: date) -> tuple[float, str]:
    """Scope 1 CO2 of a carrier on a local day [kg CO2 per unit] and its edition; (nan, "") when none is in force."""
    return _factor(plant, carrier, "co2_direct", day)


def co2_location_factor(plant: Plant, carrier: str, day: date) -> tuple[float, str]:
    """Scope 2 CO2, location-based, on a local day [kg CO2 per unit] and its edition; (nan, "") when none."""
    return _factor(plant, carrier, "co2_location", day)


def co2_market_factor(plant: Plant, carrier: str, day: date) -> tuple[float, str]:
    """Scope 2 CO2, market-based, on a local day [kg CO2 per unit] and its edition; (nan, "") when none."""
    return _factor(plant, carrier, "co2_market", day)


def factor_series(
    plant: Plant, carrier: str, quantity: Quantity, minutes: Times, zone: ZoneInfo
) -> tuple[Values, tuple[str, ...]]:
    """The factor of each minute, by the local day that it falls on, and the editions used, in order of time.

    Arguments: `minutes` int64[n], the minutes' starts [µs UTC]. Returns float64[n] [kgce or kg CO2 per unit of the
    carrier] and the editions. A minute without a factor is nan: unknown, never 0.
    """
    days, index = local_days(minutes, zone)
    found = [_factor(plant, carrier, quantity, day) for day in days]
    values = np.array([value for value, _ in found], np.float64)
    editions = dict.fromkeys(edition for _, edition in found if edition)
    return values[index], tuple(editions)


def _factor(plant: Plant, carrier: str, quantity: Quantity, day: date) -> tuple[float, str]:
    """A fuel's energy and direct CO2 derive from its one calorific value; everything else is listed."""
    if carrier in plant.fuels and quantity in ("energy", "co2_direct"):
        fuel = in_force(plant.fuels[carrier], day)
        if fuel is None:
            return math.nan, ""
        value = fuel_energy(fuel) if quantity == "energy" else fuel_co2(fuel)
        return value, f"{carrier}: NCV {fuel.ncv:g} MJ/{fuel.unit} ({fuel.source})"
    listed = (entry for entry in plant.factors if (entry.carrier, entry.quantity) == (carrier, quantity))
    factor = in_force(listed, day)
    return (math.nan, "") if factor is None else (factor.value, factor.edition)
