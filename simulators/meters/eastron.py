"""Eastron SDM630-Modbus V2 and SDM120-Modbus: input registers, float32, high word first (protocol documents)."""

from simulators.meters.base import Meter, Register

_INPUT = frozenset({4})

SDM630 = Meter(
    "Eastron",
    "SDM630-Modbus V2",
    _INPUT,
    ((0x0000, 0x018F),),
    (
        Register(0x0000, "voltage_l1_n", "f32"),
        Register(0x0002, "voltage_l2_n", "f32"),
        Register(0x0004, "voltage_l3_n", "f32"),
        Register(0x0034, "active_power", "f32", 1000.0),
        Register(0x003E, "power_factor", "f32"),
        Register(0x0046, "frequency", "f32"),
        Register(0x0048, "energy_import", "f32", limit=1e7),
        Register(0x0156, "energy_total", "f32", limit=1e7),
    ),
)

SDM120 = Meter(
    "Eastron",
    "SDM120-Modbus",
    _INPUT,
    ((0x0000, 0x015B),),
    (
        Register(0x0000, "voltage_l1_n", "f32"),
        Register(0x000C, "active_power", "f32", 1000.0),
        Register(0x001E, "power_factor", "f32"),
        Register(0x0046, "frequency", "f32"),
        Register(0x0048, "energy_import", "f32", limit=1e6),
        Register(0x0156, "energy_total", "f32", limit=1e6),
    ),
)
