"""Water: reverse osmosis, wastewater with its sump, reuse, pollutants, and the city water that makes up the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.meters.plc import LINES
from simulators.shop_lines import DATA, Lines
from simulators.shop_utilities import Utilities

Values = NDArray[np.float64]

# Reverse osmosis: permeate = permeability x temperature factor x net driving pressure.
RO_M3_H_BAR = 0.27
RO_NDP_BAR = 10.0
RO_OSMOTIC_BAR, RO_PERMEATE_BAR, RO_LOSS_BAR = 0.4, 0.5, 0.8
RO_RECOVERY = 0.70
RO_REFERENCE_K, RO_BELOW_25, RO_ABOVE_25 = 298.0, 3020.0, 2640.0
RO_WARMED_K = 2.0
RO_PUMP_EFFICIENCY, RO_IDLE_KW = 0.55, 0.5
FEED_US_CM, REJECTION = 420.0, 0.972

OTHER_BASE_M3_H, OTHER_M3_PER_M2 = 1.7, 0.009  # scrubbers, floors, sanitary, cooling tower
OTHER_EVAPORATED = 0.12
REUSE_SHARE = 0.28
SUMP_M3, SUMP_PER_MIN = 60.0, 1 / 1440
WW_NOISE = 0.55
WW_BASE_KW, WW_KWH_M3 = 1.6, 0.85
COD_G_M2, COD_TREATED = 11.0, 0.16
SLUDGE_KG_M2, CHEMICALS_KG_M2 = 0.045, 0.062


def temperature_factor(celsius: Values) -> Values:
    """Permeability of an RO membrane relative to 25 degC: exp(3020 (1/298 - 1/(273+T))), 2640 above 25 degC [1]."""
    exponent = np.where(celsius <= 25, RO_BELOW_25, RO_ABOVE_25)
    return np.exp(exponent * (1 / RO_REFERENCE_K - 1 / (273 + celsius)))


@dataclass(frozen=True)
class Water:
    """Amounts per minute and levels; `kwh` is RO and wastewater station together, `sump_m3` what the sump holds."""

    amounts: Mapping[str, Values]
    levels: Mapping[str, Values]
    kwh: Values
    sump_m3: float


def run_water(
    lines: Lines,
    utilities: Utilities,
    area: Mapping[str, Values],
    scale: float,
    water_temp: Values,
    noise: Mapping[str, Values],
    extra: Mapping[str, Values],
    sump_m3: float,
) -> Water:
    """One block of the water side; `extra`: `ro_permeate_flow` as a share of the permeability lost."""
    zero = np.zeros(len(water_temp))
    pace = (area["zn"] + area["ni"] + area["cr"]) * 60

    ndp = RO_NDP_BAR * np.maximum(1 + 0.95 * noise["ro_pressure"], 0.2)
    feed_temp = water_temp + RO_WARMED_K
    lost = extra.get("ro_permeate_flow", zero)
    permeate = (
        RO_M3_H_BAR * scale * temperature_factor(feed_temp) * ndp * (1 - lost) * (1 + 0.15 * noise["ro_membrane"])
    )
    feed = permeate / RO_RECOVERY
    feed_bar = ndp + RO_OSMOTIC_BAR + RO_PERMEATE_BAR + RO_LOSS_BAR / 2
    ro_kw = feed * feed_bar / 36 / RO_PUMP_EFFICIENCY + RO_IDLE_KW * scale
    feed_us = FEED_US_CM * (1 + 0.2 * noise["conductivity"])
    permeate_us = feed_us * 1.5 * (1 - REJECTION) * RO_NDP_BAR / ndp

    other = OTHER_BASE_M3_H * scale + OTHER_M3_PER_M2 * pace
    demand = lines.usual_rinse_m3 * 60 + other
    reuse = REUSE_SHARE * demand * np.maximum(1 + noise["reuse"], 0.1)
    other = np.maximum(other + demand * 0.75 * noise["other_water"], 0.1 * other)
    city = lines.rinse_m3 * 60 + other + (feed - permeate) + utilities.makeup_m3 * 60 - reuse

    drained = (
        (lines.rinse_m3 - lines.evaporation_m3 - lines.drag_out_m3 + utilities.blowdown_m3) * 60
        + other * (1 - OTHER_EVAPORATED)
        + (feed - permeate)
    )
    # the lift pump follows the inflow with its own noise; what it leaves or takes is the sump's, slowly levelled out
    pulled = -drained * WW_NOISE * noise["lift_pump"]
    content, last = _sump(sump_m3, pulled / 60, SUMP_M3 * scale)
    wastewater = drained - pulled + (content - SUMP_M3 * scale) * SUMP_PER_MIN * 60
    ww_kw = (WW_BASE_KW * scale + WW_KWH_M3 * wastewater) * np.maximum(1 + 0.6 * noise["ww_power"], 0.2)

    cod_kg = COD_G_M2 * pace / 60 / 1000 * (1 + noise["cod"]) + 0.03 * scale / 60
    cod_in = np.clip(cod_kg * 60 / np.maximum(wastewater, 0.3 * scale) * 1000, 5, 1500)
    amounts = {
        "ro_permeate": permeate / 60,
        "ro_lost": permeate * lost / (1 - lost) / 60,
        "ro_feed": feed / 60,
        "ro_concentrate": (feed - permeate) / 60,
        "ro_kwh": ro_kw / 60,
        "ww_total": wastewater / 60,
        "ww_kwh": ww_kw / 60,
        "reuse_water": reuse / 60,
        "city_water": city / 60,
        "other_water": other / 60,
        "evaporation": lines.evaporation_m3 + other * OTHER_EVAPORATED / 60,
        "drag_out": lines.drag_out_m3,
        "makeup": utilities.makeup_m3,
        "blowdown": utilities.blowdown_m3,
        "cod": cod_in * wastewater / 60 / 1000,
        "sludge": SLUDGE_KG_M2 * pace / 60 * (1 + noise["sludge"]),
        "chemicals": CHEMICALS_KG_M2 * pace / 60 * (1 + noise["chemicals"]),
    }
    for line in LINES:
        amounts[f"{line}_metal"] = DATA[line].metal_g_m2 * area[line] / 1000 * (1 + noise[f"{line}_metal"])
    levels = {
        "city_water_flow": city,
        "ww_flow": wastewater,
        "reuse_flow": reuse,
        "cod_in": cod_in,
        "cod_out": cod_in * COD_TREATED * (1 + 0.4 * noise["treatment"]),
        "ww_ph": 7.6 + 2.5 * noise["ph"],
        "ro_kw": ro_kw,
        "ro_feed_flow": feed,
        "ro_permeate_flow": permeate,
        "ro_concentrate_flow": feed - permeate,
        "ro_feed_pressure": feed_bar,
        "ro_permeate_pressure": zero + RO_PERMEATE_BAR,
        "ro_concentrate_pressure": feed_bar - RO_LOSS_BAR,
        "ro_feed_temp": feed_temp,
        "ro_feed_conductivity": feed_us,
        "ro_permeate_conductivity": permeate_us,
        "city_water_temp": water_temp,
    }
    return Water(amounts, levels, (ro_kw + ww_kw) / 60, last)


def _sump(before_m3: float, added_m3: Values, level_m3: float) -> tuple[Values, float]:
    """The sump's content before each minute, and after the last: it gains `added` and is levelled towards `level`."""
    content, contents = before_m3, []
    for added in added_m3.tolist():
        contents.append(content)
        content += added + SUMP_PER_MIN * (level_m3 - content)
    return np.array(contents), content
