"""Siemens SENTRON PAC3200: float32 measurands by offset, energies as float64 of Wh (system manual, Modbus appendix)."""

from simulators.meters.base import Meter, Register

PAC3200 = Meter(
    "Siemens",
    "SENTRON PAC3200",
    frozenset({3, 4}),
    ((1, 243), (797, 857)),
    (
        Register(1, "voltage_l1_n", "f32"),
        Register(3, "voltage_l2_n", "f32"),
        Register(5, "voltage_l3_n", "f32"),
        Register(55, "frequency", "f32"),
        Register(57, "voltage_ln", "f32"),
        Register(59, "voltage_ll", "f32"),
        Register(65, "active_power", "f32", 1000.0),
        Register(67, "reactive_power", "f32", 1000.0),
        Register(69, "power_factor", "f32"),
        Register(801, "energy_import", "f64", 1000.0, limit=1e12),
        Register(817, "energy_reactive_import", "f64", 1000.0, limit=1e12),
    ),
)
