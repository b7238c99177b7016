"""Janitza UMG 604: float32, high word first, from 19000 on (Modbus address list, "frequently required readings")."""

from simulators.meters.base import Meter, Register

UMG604 = Meter(
    "Janitza",
    "UMG 604",
    frozenset({3, 4}),
    ((19000, 19121),),
    (
        Register(19000, "voltage_l1_n", "f32"),
        Register(19002, "voltage_l2_n", "f32"),
        Register(19004, "voltage_l3_n", "f32"),
        Register(19026, "active_power", "f32", 1000.0),
        Register(19050, "frequency", "f32"),
        Register(19060, "energy_total", "f32", 1000.0),
        Register(19068, "energy_import", "f32", 1000.0),
    ),
)
