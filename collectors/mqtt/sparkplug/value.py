"""What the value of a Sparkplug metric is as a number."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

from collectors.mqtt.columns import BAD_AT_SOURCE, NOT_A_NUMBER, NOT_AVAILABLE, SOUND, STALE_AT_SOURCE

INT8, INT64, UINT8, UINT64 = 1, 4, 5, 8
FLOAT, DOUBLE, BOOLEAN = 9, 10, 11
_GOOD, _STALE = 192, 500
_BITS = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}


def number(metric: Any, datatype: int) -> tuple[float, int]:
    """The value of a metric of a datatype and its finding.

    Integers come in fields without sign, as two's complement of 32 or 64 bits or of the datatype's own width; one that
    does not fit its datatype is not a number, and neither is one whose datatype nobody has said.
    """
    if metric.is_null:
        return nan, NOT_AVAILABLE
    quality = _quality(metric) if metric.HasField("properties") else SOUND
    if quality:
        return nan, quality
    field = metric.WhichOneof("value")
    if field is None:
        return nan, NOT_AVAILABLE
    value: float | None = None
    if field in ("double_value", "float_value"):
        if datatype in (FLOAT, DOUBLE):
            value = getattr(metric, field)
    elif field in ("int_value", "long_value"):
        if INT8 <= datatype <= UINT64:
            value = whole(getattr(metric, field), datatype, 32 if field == "int_value" else 64)
    elif field == "boolean_value" and datatype == BOOLEAN:
        value = float(metric.boolean_value)
    return (value, SOUND) if value is not None and isfinite(value) else (nan, NOT_A_NUMBER)


def whole(raw: int, datatype: int, field_bits: int) -> float | None:
    """An integer of a datatype from the field of 32 or 64 bits that holds it; None when it cannot be one.

    >>> whole(0xFF, 1, 32), whole(0xFFFFFFFF, 1, 32), whole(0x1FF, 1, 32), whole(255, 5, 32)
    (-1.0, -1.0, None, 255.0)
    """
    bits = _BITS[datatype]
    if datatype <= INT64:
        half = 1 << (bits - 1)
        if raw < half:
            return float(raw)
        for width in (bits, 32, field_bits):
            if (1 << width) - half <= raw < 1 << width:
                return float(raw - (1 << width))
        return None
    return float(raw) if raw < 1 << bits else None


def _quality(metric: Any) -> int:
    """The finding of the property "Quality" (6.4.8): 192 is good, 500 stale, all else bad."""
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if key == b"Quality":
            code = value.long_value if value.HasField("long_value") else value.int_value
            return SOUND if code == _GOOD else STALE_AT_SOURCE if code == _STALE else BAD_AT_SOURCE
    return SOUND
