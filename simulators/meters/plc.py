"""The shop's three PLCs, after the integrator's register lists: holding registers, 0-based."""

from simulators.meters.base import Meter, Register

_HOLDING = frozenset({3})
_U32 = 2.0**32
LINES = ("zn", "ni", "cr")


def _utility(address: int, field: str) -> Register:
    return Register(address, field, "f32", order="low first")


def _counted(address: int, field: str, times: float) -> Register:
    return Register(address, field, "u32", times, "low first", _U32)


PLATING_PLC = Meter(
    "integrator",
    "plating PLC",
    _HOLDING,
    ((0, 31),),
    tuple(
        register
        for index, line in enumerate(LINES)
        for register in (
            Register(2 * index, f"{line}_area", "u32", 10.0, limit=_U32),
            Register(6 + 2 * index, f"{line}_rectifier_ah", "u32", 1.0, limit=_U32),
            Register(12 + index, f"{line}_mode", "i16"),
            Register(15 + index, f"{line}_bath_temp", "i16", 10.0),
            Register(20 + 2 * index, f"{line}_steam", "u32", 10.0, limit=_U32),
        )
    ),
)

UTILITY_PLC = Meter(
    "integrator",
    "utility PLC",
    _HOLDING,
    ((100, 129),),
    (
        _utility(100, "gas_flow"),
        _counted(102, "gas", 100.0),
        _utility(104, "steam_flow"),
        _counted(106, "boiler_steam", 10.0),
        _utility(108, "steam_pressure"),
        _utility(110, "steam_temp"),
        _counted(112, "feedwater", 1000.0),
        _counted(114, "condensate", 1000.0),
        _utility(116, "air_flow"),
        _counted(118, "compressed_air", 10.0),
        _utility(120, "air_pressure"),
        _utility(122, "chw_flow"),
        _utility(124, "chw_supply_temp"),
        _utility(126, "chw_return_temp"),
    ),
)

RO_PLC = Meter(
    "integrator",
    "RO PLC",
    _HOLDING,
    ((0, 15),),
    (
        Register(0, "ro_feed_flow", "u16", 100.0),
        Register(1, "ro_permeate_flow", "u16", 100.0),
        Register(2, "ro_concentrate_flow", "u16", 100.0),
        Register(3, "ro_feed_pressure", "u16", 100.0),
        Register(4, "ro_permeate_pressure", "u16", 100.0),
        Register(5, "ro_concentrate_pressure", "u16", 100.0),
        Register(6, "ro_feed_temp", "i16", 10.0),
        Register(7, "ro_feed_conductivity", "u16"),
        Register(8, "ro_permeate_conductivity", "u16", 10.0),
        Register(10, "ro_permeate", "u32", 1000.0, limit=_U32),
    ),
)
