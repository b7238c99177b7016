"""The shop as a whole: one block of minutes from weather and production to lines, utilities, water and the mains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.reading import MINUTE
from simulators.faults import LOW_OUTPUT, WINTER_WATER, Faults
from simulators.meters.plc import LINES
from simulators.noise import Noise
from simulators.scenario import Scenario
from simulators.shop_lines import run_lines
from simulators.shop_production import RACK_M2, produce, racks
from simulators.shop_time import LocalTime, Minutes
from simulators.shop_utilities import run_utilities
from simulators.shop_water import SUMP_M3, run_water
from simulators.shop_weather import weather

Values = NDArray[np.float64]

REST_KW, REST_KWH_M2 = 70.0, 0.30  # ventilation, drying ovens, lighting, offices
MAINS_KW, MAINS_KWH_M2 = 142.0, 1.18  # the usual whole, by which the ovens' swings are sized
POWER_FACTOR = 0.92

STREAMS = (
    *(
        f"{line}_{cause}"
        for line in LINES
        for cause in ("pace", "ah", "aux", "heat", "rinse1", "rinse2", "bath", "metal")
    ),
    *("building", "condensate", "burner", "air", "compressor", "cooling", "chiller", "rise", "supply"),
    *("steam_pressure", "ro_pressure", "ro_membrane", "conductivity", "reuse", "other_water", "lift_pump"),
    *("ww_power", "cod", "sludge", "chemicals", "treatment", "ph", "weather", "humidity", "water_temp"),
    *("rest", "power_factor", "grid"),
)

# Meters that add up many independent causes would stray less than the scenario states; these causes make up for it.
RESTLESS = {"building": 0.2, "other_water": 0.25, "lift_pump": 0.6, "rest": 0.1}


@dataclass(frozen=True)
class Block:
    """What happened in a block of n minutes.

    `amounts` (n) per minute and `levels` (n, a minute's mean) by the shop's own names; `totals` (n+1) are running
    amounts at the minutes' edges since the scenario's start. `racks` per line: (minute, fraction of it).
    """

    start_us: int
    time: Minutes
    amounts: Mapping[str, Values]
    levels: Mapping[str, Values]
    totals: Mapping[str, Values]
    racks: Mapping[str, tuple[NDArray[np.intp], Values]]

    def __len__(self) -> int:
        return len(self.time)


class Shop:
    """The resumable model; blocks of any length give the same minutes."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._local = LocalTime(scenario.zone, scenario.start_us)
        self._noise = Noise(scenario.seed, STREAMS, scenario.noise, scenario.start_us // MINUTE)
        self._totals: dict[str, float] = {}
        self._sump = SUMP_M3 * scenario.scale
        self.minute = scenario.start_us // MINUTE

    def advance(self, minutes: int, faults: Faults) -> Block:
        """The next `minutes` minutes of the shop under these faults."""
        scenario, scale = self._scenario, self._scenario.scale
        time = self._local.minutes(self.minute, minutes)
        streams = self._noise.block(self.minute, time.day)
        noise = {**streams.mixed}
        for cause, share in RESTLESS.items():
            noise[cause] = noise[cause] + share * streams.calm[cause]
        extra = faults.extra(time.epoch)
        zero = np.zeros(minutes)
        sky = weather(time, streams.calm, extra.get(WINTER_WATER, zero))
        made = produce(scenario.seed, scale, time, noise, extra.get(LOW_OUTPUT, zero))
        lines = run_lines(made, scale, sky.outdoor, noise, extra)
        pace = made.total_m2_h
        utilities = run_utilities(lines, pace, scale, sky.outdoor, sky.water, noise, extra)
        water = run_water(lines, utilities, made.area, scale, sky.water, noise, extra, self._sump)

        subs = lines.ac_kwh + utilities.kwh + water.kwh
        rest = (REST_KW * scale + REST_KWH_M2 * pace) / 60
        usual = (MAINS_KW * scale + MAINS_KWH_M2 * pace) / 60
        rest = np.maximum(rest + usual * 0.93 * noise["rest"], 0.1 * rest)
        mains = subs + rest
        factor = np.clip(POWER_FACTOR + 0.05 * noise["power_factor"], 0.8, 0.99)
        kvarh = mains * np.sqrt(1 - factor**2) / factor
        volts = 400.0 * (1 + 0.04 * noise["grid"])

        amounts = {**lines.amounts, **utilities.amounts, **water.amounts}
        amounts |= {"mains_kwh": mains, "mains_kvarh": kvarh, "rest_kwh": rest, "steam_lost": utilities.steam_lost_m3}
        levels = {**lines.levels, **utilities.levels, **water.levels}
        levels |= {
            "mains_kw": mains * 60,
            "mains_kvar": kvarh * 60,
            "mains_pf": factor,
            "mains_voltage": volts,
            "grid_voltage_ln": volts / np.sqrt(3.0),
            "grid_frequency": 50.0 + 0.1 * noise["grid"],
            "outdoor_temp": sky.outdoor,
            "outdoor_humidity": sky.humidity,
        }
        totals = {
            name: np.cumsum(np.concatenate(([self._totals.get(name, 0.0)], amount))) for name, amount in amounts.items()
        }
        block = Block(
            self.minute * MINUTE,
            time,
            amounts,
            levels,
            totals,
            {line: racks(totals[f"{line}_area"], RACK_M2 * scale) for line in LINES},
        )
        self.minute += minutes
        self._sump = water.sump_m3
        self._totals = {name: float(total[-1]) for name, total in totals.items()}
        return block

    def state(self) -> dict[str, Any]:
        """What has to be kept to go on."""
        return {"minute": self.minute, "totals": self._totals, "sump": self._sump, "noise": self._noise.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a kept state."""
        self.minute, self._sump = int(state["minute"]), float(state["sump"])
        self._totals = dict(state["totals"])
        self._noise.restore(state["noise"])
