"""Boiler, compressor and chiller: gas from steam, power from air, power from cooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.catalogue import AIR_LEAK_KW, AIR_LEAK_M3_MIN
from simulators.shop_lines import Lines

Values = NDArray[np.float64]

STEAM_ENTHALPY_KJ_KG = 2756.0  # dry saturated, 6 bar absolute
WATER_KJ_KG_K = 4.19
GAS_MJ_M3 = 35.588
BOILER_EFFICIENCY = 0.90
BLOWDOWN = 0.03
CONDENSATE_RETURN = 0.62
CONDENSATE_C = 82.0
BUILDING_STEAM_KG_H, BUILDING_STEAM_KG_H_M2_H = 120.0, 0.35
BUILDING_PER_K = 0.012
BUILDING_REFERENCE_C = 10.0

AIR_BASE_M3_MIN, AIR_M3_MIN_PER_M2_H = 3.3, 0.030
KW_PER_M3_MIN = AIR_LEAK_KW / AIR_LEAK_M3_MIN
COMPRESSOR_IDLE_KW = 3.0

COOLING_BASE_KW, COOLING_PER_DC_KW, COOLING_KW_PER_M2_H = 34.0, 0.55, 0.34
COOLING_PER_K, COP_PER_K, COP = 0.006, 0.012, 3.0
WATER_KWH_M3_K = 1.163
CHILLED_C, CHILLED_RISE_K = 12.0, 5.0


@dataclass(frozen=True)
class Utilities:
    """Amounts per minute and levels; `kwh` is compressor and chiller together, `makeup_m3` softened water bought."""

    amounts: Mapping[str, Values]
    levels: Mapping[str, Values]
    kwh: Values
    makeup_m3: Values
    blowdown_m3: Values
    steam_lost_m3: Values


def run_utilities(
    lines: Lines,
    pace_m2_h: Values,
    scale: float,
    outdoor: Values,
    water_temp: Values,
    noise: Mapping[str, Values],
    extra: Mapping[str, Values],
) -> Utilities:
    """One block of the utilities; `extra`: `compressed_air` [m3/min] leaked, `chiller_kwh` as a share of its power."""
    zero = np.zeros(len(outdoor))

    expected = BUILDING_STEAM_KG_H * scale + BUILDING_STEAM_KG_H_M2_H * pace_m2_h
    expected = expected * (1 + BUILDING_PER_K * (BUILDING_REFERENCE_C - outdoor))
    usual = (lines.steam_kg - lines.trap_kg) * 60 + expected
    building = np.maximum(expected + usual * noise["building"], 0.1 * expected)
    steam = lines.steam_kg + building / 60
    feedwater = steam * (1 + BLOWDOWN) / 1000
    condensate = CONDENSATE_RETURN * (steam - lines.trap_kg) * (1 + 0.1 * noise["condensate"]) / 1000
    feed_temp = (condensate * CONDENSATE_C + (feedwater - condensate) * water_temp) / feedwater
    useful_kj = steam * STEAM_ENTHALPY_KJ_KG + 0.25 * steam * BLOWDOWN * STEAM_ENTHALPY_KJ_KG
    heat_kj = useful_kj - feedwater * 1000 * WATER_KJ_KG_K * feed_temp
    gas = heat_kj / 1000 / (GAS_MJ_M3 * BOILER_EFFICIENCY * (1 + 0.1 * noise["burner"]))

    air = (AIR_BASE_M3_MIN * scale + AIR_M3_MIN_PER_M2_H * pace_m2_h) * np.maximum(1 + noise["air"], 0.12)
    air = air + extra.get("compressed_air", zero)
    compressor_kw = COMPRESSOR_IDLE_KW * scale * (1 + 0.5 * noise["compressor"]) + KW_PER_M3_MIN * air

    cooling = COOLING_BASE_KW * scale + COOLING_KW_PER_M2_H * pace_m2_h + COOLING_PER_DC_KW * lines.dc_kw
    cooling = cooling * (1 + COOLING_PER_K * (outdoor - 10)) * np.maximum(1 + noise["cooling"], 0.12)
    cop = COP * (1 - COP_PER_K * (outdoor - 10)) * (1 + 0.1 * noise["chiller"])
    chiller_kw = cooling / cop * (1 + extra.get("chiller_kwh", zero))
    rise = CHILLED_RISE_K * (1 + 0.2 * noise["rise"])
    supply = CHILLED_C + 3.0 * noise["supply"]

    amounts = {
        "boiler_steam": steam,
        "gas": gas,
        "feedwater": feedwater,
        "condensate": condensate,
        "compressed_air": air,
        "compressor_kwh": compressor_kw / 60,
        "chiller_kwh": chiller_kw / 60,
        "cooling_kwh": cooling / 60,
        "chiller_extra_kwh": cooling / cop * extra.get("chiller_kwh", zero) / 60,
    }
    levels = {
        "gas_flow": gas * 60,
        "steam_flow": steam * 60,
        "steam_pressure": 5.0 + 0.8 * noise["steam_pressure"],
        "steam_temp": 158.8 + 6.0 * noise["steam_pressure"],
        "air_flow": air,
        "air_pressure": 7.0 - 0.7 * noise["air"],
        "chw_flow": cooling / (WATER_KWH_M3_K * rise),
        "chw_supply_temp": supply,
        "chw_return_temp": supply + rise,
        "compressor_kw": compressor_kw,
        "chiller_kw": chiller_kw,
    }
    blowdown = steam * BLOWDOWN / 1000
    lost = feedwater - condensate - blowdown
    return Utilities(amounts, levels, (compressor_kw + chiller_kw) / 60, feedwater - condensate, blowdown, lost)
