"""Minute amounts that derive from other minutes: loads, cooling, contents, masses, normalised flows and concentrations.

Arrays are float64[n], one element a minute, nan where unknown; an unknown input makes an unknown amount.
"""

from __future__ import annotations

import numpy as np

from plant.reading import Values

WATER_HEAT_KWH_PER_M3_K = 1.163
TCF_REFERENCE_K = 298.0
AIR_OXYGEN = 21.0


def product(amount: Values, factor: Values, times: float = 1.0) -> Values:
    """Energy, CO2 or cost: an amount times its carrier's factor or price of the minute.

    Arguments: `amount` [unit], `factor` [kgce, kg CO2 or currency per unit]. Returns [kgce, kg CO2 or currency].
    """
    return amount * factor * times


def load(concentration: Values, flow: Values) -> Values:
    """Pollutant load of each minute, 10⁻³·C·Q [kg].

    Arguments: `concentration` [mg/L], `flow` the minute's volume [m3]. Multiplied minute by minute and then summed,
    never mean concentration times total volume (HJ/T 92-2002).

    >>> load(np.array([200.0]), np.array([0.5])).tolist()
    [0.1]
    """
    return concentration * flow * 1e-3


def reference_drainage(amount: Values, per_unit: Values | float) -> Values:
    """Water that a standard allows for what was made, Y·Q_ref [m3].

    Arguments: `amount` made [unit], `per_unit` the standard's drainage [L/unit], for plating 200 L/m2 of a single layer
    and 500 of several. A plant that drains more is judged by the concentration that its load would have in this water.
    Source: GB 21900-2008 (电镀污染物排放标准), clause 4.2.

    >>> reference_drainage(np.array([1000.0]), 200.0).tolist()
    [200.0]
    """
    return amount * per_unit * 1e-3


def content(amount: Values, share: Values) -> Values:
    """What a material holds of a substance in each minute, m·w [unit of the amount].

    Arguments: `amount` of the material [unit], `share` of the substance in it [1]. A VOC balance is used × content −
    recovered × content − destroyed. Source: GB 37822-2019 (挥发性有机物无组织排放控制标准).

    >>> content(np.array([50.0]), np.array([0.42])).tolist()
    [21.0]
    """
    return amount * share


def water_density(temperature: Values) -> Values:
    """Density of water at atmospheric pressure [kg/m3], 0 to 150 °C; unknown outside.

    Argument: `temperature` [°C]. Source: Kell 1975, J. Chem. Eng. Data 20(1), 97–105, equation 16.

    >>> water_density(np.array([25.0, 90.0])).round(2).tolist()
    [997.04, 965.32]
    """
    t = temperature
    over = 999.83952 + t * (
        16.945176 + t * (-7.9870401e-3 + t * (-46.170461e-6 + t * (105.56302e-9 - t * 280.54253e-12)))
    )
    return np.where((t >= 0.0) & (t <= 150.0), over / (1 + 16.879850e-3 * t), np.nan)


def water_mass(volume: Values, temperature: Values) -> Values:
    """Mass of hot water or condensate of each minute, V·ρ(T) [kg].

    Arguments: `volume` [m3], `temperature` [°C]. Condensate return is Rb = Vbr·ρ/(D·h), the mass that comes back over
    the mass of steam sent out. Source: GB/T 7119-2018 (节水型企业评价导则).

    >>> water_mass(np.array([2.0]), np.array([90.0])).round(1).tolist()
    [1930.6]
    """
    return volume * water_density(temperature)


def at_reference_oxygen(concentration: Values, oxygen: Values, reference: Values | float) -> Values:
    """A flue gas's concentration at reference oxygen, ρ·(21 − O₂,ref)/(21 − O₂) [unit of the concentration].

    Arguments: `concentration` [mg/m3], `oxygen` measured and `reference` [% by volume]. Unknown where the gas holds as
    much oxygen as air: nothing burns. Source: GB 13271-2014 (锅炉大气污染物排放标准), clause 5.2.

    >>> at_reference_oxygen(np.array([40.0, 40.0]), np.array([6.0, 21.0]), 3.5).round(3).tolist()
    [46.667, nan]
    """
    burning = oxygen < AIR_OXYGEN
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(burning, concentration * (AIR_OXYGEN - reference) / (AIR_OXYGEN - oxygen), np.nan)


def cooling(flow: Values, supply: Values, back: Values) -> Values:
    """Cooling that chilled water took up in each minute, V·(T_return − T_supply)·ρc/60 [kWh].

    Arguments: `flow` mean of the minute [m3/h], `supply` and `back` temperatures [°C]. ρc is 1.163 kWh/(m3·K), water of
    4.19 kJ/(kg·K) and 1000 kg/m3, within 0.2 % from 4 to 20 °C. A negative difference counts negative, so that noise
    of the thermometers at low load cancels in a sum. Source: AHRI 550/590, net refrigerating capacity.

    >>> round(float(cooling(np.array([60.0]), np.array([7.0]), np.array([12.0]))[0]), 3)
    5.815
    """
    return flow * (back - supply) * (WATER_HEAT_KWH_PER_M3_K / 60)


def temperature_correction(temperature: Values) -> Values:
    """Permeability of a polyamide membrane against 25 °C: e^{k(1/298 − 1/(273+T))}, k 2640 from 25 °C, else 3020.

    Argument: `temperature` of the feed [°C]. Returns [1]; published tables print its inverse. Source: DuPont FilmTec
    Reverse Osmosis Technical Manual, temperature correction factor.

    >>> (1 / temperature_correction(np.array([10.0, 25.0, 29.0]))).round(3).tolist()
    [1.711, 1.0, 0.889]
    """
    steepness = np.where(temperature >= 25.0, 2640.0, 3020.0)
    factor: Values = np.exp(steepness * (1 / TCF_REFERENCE_K - 1 / (273.0 + temperature)))
    return factor


def net_driving_pressure(feed: Values, concentrate: Values, permeate: Values, osmotic: Values | float = 0.0) -> Values:
    """Net driving pressure, (P_feed + P_concentrate)/2 − P_permeate − Δπ [bar] (ASTM D4516).

    Arguments: pressures [bar]; `osmotic`, the difference of mean osmotic pressures [bar], is 0 unless given: a feed of
    city water (500 µS/cm) has about 0.3 bar, a tenth of a bar more or less over the seasons, which cancels in the ratio
    to a design pressure stated in the same way.

    >>> net_driving_pressure(np.array([10.0]), np.array([8.0]), np.array([0.5])).tolist()
    [8.5]
    """
    return (feed + concentrate) / 2 - permeate - osmotic


def normalised_flow(
    permeate: Values,
    temperature: Values,
    feed_pressure: Values,
    concentrate_pressure: Values,
    permeate_pressure: Values,
    design_pressure: Values | float,
) -> Values:
    """Permeate of each minute as it would be at 25 °C and design pressure, V/TCF·NDP_design/NDP [m3] (ASTM D4516).

    Arguments: `permeate` the minute's volume [m3], `temperature` of the feed [°C], pressures [bar],
    `design_pressure` the net driving pressure of the design [bar]. A minute without permeate is 0 (the unit rests);
    permeate without a positive driving pressure is a measuring fault: nan.
    """
    driving = net_driving_pressure(feed_pressure, concentrate_pressure, permeate_pressure)
    with np.errstate(divide="ignore", invalid="ignore"):
        flow: Values = permeate / temperature_correction(temperature) * (design_pressure / driving)
    unknown = np.isnan(driving + temperature + permeate)
    return np.where(unknown | ((driving <= 0) & (permeate != 0)), np.nan, np.where(permeate == 0, 0.0, flow))
