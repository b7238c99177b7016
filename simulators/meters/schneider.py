"""Schneider Electric iEM3255: holding registers, register number − 1 on the wire (user manual DOCA0005)."""

from simulators.meters.base import Meter, Register

IEM3255 = Meter(
    "Schneider Electric",
    "iEM3255",
    frozenset({3}),
    ((2999, 3119), (3203, 3303)),
    (
        Register(3027, "voltage_l1_n", "f32"),
        Register(3029, "voltage_l2_n", "f32"),
        Register(3031, "voltage_l3_n", "f32"),
        Register(3059, "active_power", "f32"),
        Register(3083, "power_factor", "f32"),
        Register(3109, "frequency", "f32"),
        Register(3203, "energy_import", "i64", 1000.0, limit=1e12),
    ),
)
