"""Endress+Hauser Promag 400 (Modbus): floats in the factory's byte order 1-0-3-2, register number − 1 on the wire.

Volume flow is register 2009, totaliser 1 register 2610 (description of device parameters, Modbus register information).
"""

from simulators.meters.base import Meter, Register

LITRES_PER_MINUTE = 0.06  # [m3/h]


def _promag(flow_unit: float) -> Meter:
    """A Promag that shows m3/h, whose signal comes in a unit of `flow_unit` [m3/h]."""
    return Meter(
        "Endress+Hauser",
        "Promag 400",
        frozenset({3, 4}),
        ((2000, 2139), (2600, 2620), (2800, 2820)),
        (
            Register(2008, "flow", "f32", times=flow_unit, order="low first"),
            Register(2609, "volume", "f32", order="low first", limit=1e8),
        ),
    )


PROMAG400 = _promag(1.0)
PROMAG400_ON_LITRES = _promag(LITRES_PER_MINUTE)
