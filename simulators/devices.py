"""Which meter stands where: port, unit id, the signal behind each field, and what its counters had run up before."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.meters.abb import B23
from simulators.meters.base import Meter
from simulators.meters.carlo_gavazzi import EM24
from simulators.meters.eastron import SDM120, SDM630
from simulators.meters.endress_hauser import PROMAG400, PROMAG400_ON_LITRES
from simulators.meters.janitza import UMG604
from simulators.meters.plc import LINES, PLATING_PLC, RO_PLC, UTILITY_PLC
from simulators.meters.schneider import IEM3255
from simulators.meters.siemens import PAC3200

GRID = {
    "voltage_l1_n": "grid_voltage_ln",
    "voltage_l2_n": "grid_voltage_ln",
    "voltage_l3_n": "grid_voltage_ln",
    "voltage_ln": "grid_voltage_ln",
    "voltage_ll": "mains_voltage",
    "frequency": "grid_frequency",
    "power_factor": "mains_pf",
}


@dataclass(frozen=True)
class Device:
    """A meter or PLC on a port; `signals` maps its fields to the shop's signals, `ratio` divides what it shows."""

    name: str
    meter: Meter
    port: int
    unit: int
    signals: dict[str, str]
    ratio: float = 1.0

    @property
    def first_point(self) -> str:
        """The signal that the device is there for."""
        return next(iter(self.signals.values()))


def _energy(name: str, meter: Meter, port: int, kwh: str, kw: str, ratio: float = 1.0) -> Device:
    own = {"energy_import": kwh, "energy_total": kwh, "active_power": kw}
    fields = {register.field for register in meter.registers}
    return Device(
        name, meter, port, 1, {field: signal for field, signal in (own | GRID).items() if field in fields}, ratio
    )


def _plc(name: str, meter: Meter, port: int) -> Device:
    return Device(name, meter, port, 1, {register.field: register.field for register in meter.registers})


def _mains() -> Device:
    plain = _energy("mains_meter", PAC3200, 15027, "mains_kwh", "mains_kw")
    reactive = {"energy_reactive_import": "mains_kvarh", "reactive_power": "mains_kvar"}
    return Device(plain.name, plain.meter, plain.port, plain.unit, plain.signals | reactive)


_STAGES = [f"{line}_rinse{stage}" for line in LINES for stage in (1, 2)]

DEVICES: tuple[Device, ...] = (
    _energy("zn_rectifier_meter", SDM630, 15021, "zn_rectifier_kwh", "zn_rectifier_kw"),
    _energy("ni_rectifier_meter", IEM3255, 15022, "ni_rectifier_kwh", "ni_rectifier_kw"),
    _energy("cr_rectifier_meter", EM24, 15023, "cr_rectifier_kwh", "cr_rectifier_kw"),
    _energy("zn_aux_meter", B23, 15024, "zn_aux_kwh", "zn_aux_kw"),
    _energy("ni_aux_meter", SDM630, 15025, "ni_aux_kwh", "ni_aux_kw"),
    _energy("cr_aux_meter", SDM120, 15026, "cr_aux_kwh", "cr_aux_kw"),
    _mains(),
    _energy("compressor_meter", UMG604, 15028, "compressor_kwh", "compressor_kw", 20.0),
    _energy("chiller_meter", EM24, 15029, "chiller_kwh", "chiller_kw"),
    _energy("ro_meter", SDM120, 15030, "ro_kwh", "ro_kw"),
    *(
        Device(
            f"{stage}_meter",
            PROMAG400_ON_LITRES,
            15031,
            1 + index,
            {"volume": f"{stage}_water", "flow": f"{stage}_flow"},
        )
        for index, stage in enumerate(_STAGES)
    ),
    Device("city_water_meter", PROMAG400, 15032, 1, {"volume": "city_water", "flow": "city_water_flow"}),
    _plc("plating_plc", PLATING_PLC, 15033),
    _plc("utility_plc", UTILITY_PLC, 15034),
    _plc("ro_plc", RO_PLC, 15035),
)

GATEWAYS = {
    "wastewater_station": "ww_total",
    "site_gateway": "reuse_water",
    "event_gateway": "zn_racks",
    "laboratory": "cr_in",
}

# What each counter had run up when the scenario begins, in its own unit and about right for the age of its meter.
LIFETIMES: dict[str, float] = {
    "zn_rectifier_kwh": 31_500.0,
    "ni_rectifier_kwh": 118_400.0,
    "cr_rectifier_kwh": 70_250.0,
    "zn_aux_kwh": 84_300.0,
    "ni_aux_kwh": 33_900.0,
    "cr_aux_kwh": 27_100.0,
    "mains_kwh": 4_812_000.0,
    "mains_kvarh": 1_730_000.0,
    "compressor_kwh": 92_000.0,
    "chiller_kwh": 241_000.0,
    "ro_kwh": 8_600.0,
    "zn_rinse1_water": 3_481.0,
    "zn_rinse2_water": 3_207.0,
    "ni_rinse1_water": 2_958.0,
    "ni_rinse2_water": 3_316.0,
    "cr_rinse1_water": 1_844.0,
    "cr_rinse2_water": 2_075.0,
    "city_water": 12_730.0,
    "zn_area": 611_000.0,
    "ni_area": 587_000.0,
    "cr_area": 602_500.0,
    "zn_rectifier_ah": 30_100_000.0,
    "ni_rectifier_ah": 50_200_000.0,
    "cr_rectifier_ah": 26_800_000.0,
    "zn_steam": 1_910_000.0,
    "ni_steam": 2_004_000.0,
    "cr_steam": 1_701_000.0,
    "gas": 704_000.0,
    "boiler_steam": 9_450_000.0,
    "feedwater": 9_820.0,
    "condensate": 5_760.0,
    "compressed_air": 6_940_000.0,
    "ro_permeate": 21_300.0,
    "ww_total": 96_400.0,
    "ww_kwh": 73_500.0,
    "reuse_water": 31_200.0,
}

# What a counter of a shop of size 1 gains in a day, roughly; only a planned rollover needs it.
PER_DAY: dict[str, float] = {
    "zn_rectifier_kwh": 329.0,
    "ni_rectifier_kwh": 488.0,
    "cr_rectifier_kwh": 306.0,
    "zn_aux_kwh": 377.0,
    "ni_aux_kwh": 409.0,
    "cr_aux_kwh": 286.0,
    "mains_kwh": 6940.0,
    "mains_kvarh": 2950.0,
    "chiller_kwh": 758.0,
    "ro_kwh": 45.0,
    "zn_rinse1_water": 16.3,
    "zn_rinse2_water": 16.3,
    "ni_rinse1_water": 16.8,
    "ni_rinse2_water": 16.8,
    "cr_rinse1_water": 16.7,
    "cr_rinse2_water": 16.8,
    "city_water": 144.0,
    "zn_area": 976.0,
    "ni_area": 1007.0,
    "cr_area": 1006.0,
    "zn_rectifier_ah": 48_200.0,
    "ni_rectifier_ah": 86_500.0,
    "cr_rectifier_ah": 44_800.0,
    "zn_steam": 4040.0,
    "ni_steam": 4140.0,
    "cr_steam": 3460.0,
    "gas": 1257.0,
    "boiler_steam": 15_800.0,
    "feedwater": 16.3,
    "condensate": 9.8,
    "compressed_air": 10_150.0,
    "ro_permeate": 39.7,
}


def _limits() -> dict[str, float | None]:
    """The value at which each counter returns to zero, in its own unit [None: not in the life of a meter]."""
    limits: dict[str, float | None] = dict.fromkeys(LIFETIMES)
    for device in DEVICES:
        for register in device.meter.registers:
            signal = device.signals.get(register.field, "")
            if signal in limits and register.limit is not None:
                limits[signal] = register.limit / register.times * device.ratio
    return limits


COUNTERS: dict[str, float | None] = _limits()
