"""The three plating lines: rectifiers from Ah and volts, auxiliaries, bath heating by steam, two rinse stages each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.meters.plc import LINES
from simulators.shop_production import Production

Values = NDArray[np.float64]

STEAM_KJ_KG = 2086.0  # latent heat at 6 bar absolute, given up in the coils
FLOOR = 0.12  # a valve or a coil never quite closes


@dataclass(frozen=True)
class LineData:
    """What one line needs: electrochemistry of its deposit and its heat, air and water."""

    ah_m2: float
    volts: float
    bath_temp: float
    heat_base_kw: float
    heat_kwh_m2: float
    aux_base_kw: float
    aux_kwh_m2: float
    metal_g_m2: float


# Ah/m2 and volts: Zn 8 um, Ni 10 um, Cr 0.3 um at 15 % current efficiency.
DATA: Mapping[str, LineData] = {
    "zn": LineData(49.3, 6.0, 32.0, 20.0, 0.77, 12.0, 0.090, 4.0),
    "ni": LineData(85.6, 5.0, 55.0, 23.0, 0.70, 13.5, 0.085, 6.0),
    "cr": LineData(44.5, 6.0, 42.0, 17.0, 0.64, 9.0, 0.070, 8.0),
}
RECTIFIER_EFFICIENCY = 0.90
RECTIFIER_IDLE_KW = 0.3
HEAT_PER_K = 0.006
REFERENCE_C = 15.0
RINSE_L_M2 = 16.0
RINSE_IDLE_L_MIN = 0.5
EVAPORATION_L_MIN = 0.22
DRAG_OUT_L_M2 = 0.12


@dataclass(frozen=True)
class Lines:
    """Amounts per minute and levels of the lines, and sums; `trap_kg` is lost, `usual_rinse_m3` without open valves."""

    amounts: Mapping[str, Values]
    levels: Mapping[str, Values]
    dc_kw: Values
    ac_kwh: Values
    steam_kg: Values
    trap_kg: Values
    rinse_m3: Values
    usual_rinse_m3: Values
    evaporation_m3: Values
    drag_out_m3: Values


def run_lines(
    production: Production,
    scale: float,
    outdoor: Values,
    noise: Mapping[str, Values],
    extra: Mapping[str, Values],
) -> Lines:
    """One block of the lines.

    `extra` holds the faults' part per minute: `zn_steam` [kg/h] and so on, `zn_rinse1_water` [L/min] and so on.
    """
    zero = np.zeros(len(outdoor))
    amounts: dict[str, Values] = {}
    levels: dict[str, Values] = {}
    dc_kw, ac_kwh, steam, traps, rinse, usual, evaporation, drag_out = (zero,) * 8
    for line in LINES:
        data, area = DATA[line], production.area[line]
        ah = data.ah_m2 * area * _factor(noise[f"{line}_ah"])
        dc_kwh = ah * data.volts / 1000
        kwh = dc_kwh / RECTIFIER_EFFICIENCY + RECTIFIER_IDLE_KW * scale / 60
        aux = (data.aux_base_kw * scale / 60 + data.aux_kwh_m2 * area) * _factor(noise[f"{line}_aux"])
        demand_kw = data.heat_base_kw * scale + data.heat_kwh_m2 * area * 60
        demand_kw = demand_kw * (1 + HEAT_PER_K * (REFERENCE_C - outdoor)) * _factor(noise[f"{line}_heat"])
        trap = extra.get(f"{line}_steam", zero) / 60
        kg = demand_kw * 60 / STEAM_KJ_KG + trap
        amounts |= {
            f"{line}_area": area,
            f"{line}_rectifier_ah": ah,
            f"{line}_rectifier_kwh": kwh,
            f"{line}_aux_kwh": aux,
            f"{line}_steam": kg,
        }
        levels |= {
            f"{line}_rectifier_kw": kwh * 60,
            f"{line}_aux_kw": aux * 60,
            f"{line}_mode": production.mode[line],
            f"{line}_bath_temp": data.bath_temp + 3.0 * noise[f"{line}_bath"],
        }
        drag_out = drag_out + DRAG_OUT_L_M2 * area / 1000
        for stage in (1, 2):
            litres = (RINSE_L_M2 * area + RINSE_IDLE_L_MIN * scale) * _factor(noise[f"{line}_rinse{stage}"])
            evaporation = evaporation + np.minimum(EVAPORATION_L_MIN / 2 * scale, 0.2 * litres) / 1000
            usual = usual + litres / 1000
            litres = litres + extra.get(f"{line}_rinse{stage}_water", zero)
            amounts[f"{line}_rinse{stage}_water"] = litres / 1000
            levels[f"{line}_rinse{stage}_flow"] = litres
            rinse = rinse + litres / 1000
        dc_kw, ac_kwh = dc_kw + dc_kwh * 60, ac_kwh + kwh + aux
        steam, traps = steam + kg, traps + trap
    return Lines(amounts, levels, dc_kw, ac_kwh, steam, traps, rinse, usual, evaporation, drag_out)


def _factor(noise: Values) -> Values:
    return np.maximum(1 + noise, FLOOR)
