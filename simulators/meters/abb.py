"""ABB B23: holding registers, high word first, energies as 64 bit of 0.01 kWh (user manual 2CMC485003M0201)."""

from simulators.meters.base import Meter, Register

B23 = Meter(
    "ABB",
    "B23",
    frozenset({3}),
    ((0x5000, 0x502F), (0x5B00, 0x5B43)),
    (
        Register(0x5000, "energy_import", "u64", 100.0, limit=1e10),
        Register(0x5B00, "voltage_l1_n", "u32", 10.0),
        Register(0x5B02, "voltage_l2_n", "u32", 10.0),
        Register(0x5B04, "voltage_l3_n", "u32", 10.0),
        Register(0x5B14, "active_power", "i32", 100_000.0),
        Register(0x5B2C, "frequency", "u16", 100.0),
        Register(0x5B3A, "power_factor", "i16", 1000.0),
    ),
)
