"""Minute amounts that derive from other minutes: pollutant load, cooling, normalised reverse-osmosis flow, products.

Arrays are float64[n], one element a minute, nan where unknown; an unknown input makes an unknown amount.
"""

from __future__ import annotations

import numpy as np

from plant.reading import Values

WATER_HEAT_KWH_PER_M3_K = 1.163
TCF_REFERENCE_K = 298.0


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
    design_pressure: float,
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
