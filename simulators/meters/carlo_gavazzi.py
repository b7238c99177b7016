"""Carlo Gavazzi EM24-DIN: INT32 with the low word first, functions 3 and 4 (EM24-DIN serial communication protocol)."""

from simulators.meters.base import Meter, Register

EM24 = Meter(
    "Carlo Gavazzi",
    "EM24-DIN",
    frozenset({3, 4}),
    ((0x0000, 0x0061),),
    (
        Register(0x0000, "voltage_l1_n", "i32", 10.0, "low first"),
        Register(0x0002, "voltage_l2_n", "i32", 10.0, "low first"),
        Register(0x0004, "voltage_l3_n", "i32", 10.0, "low first"),
        Register(0x0028, "active_power", "i32", 10_000.0, "low first"),
        Register(0x0035, "power_factor", "i16", 1000.0),
        Register(0x0037, "frequency", "i16", 10.0),
        Register(0x003E, "energy_import", "i32", 10.0, "low first", limit=1e9),
    ),
)
