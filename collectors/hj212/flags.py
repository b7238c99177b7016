"""Data flags as quality: what a station itself says of a value.

HJ 212-2017, 6.6.4 (table 8), and HJ/T 212-2005 (P, and 0 to 3 of air stations). Only N says that the instrument works.

- T, over the measuring range, is *suspect*: the water was measured, and is at least that dirty; leaving it out would
  hide the worst minutes and make the load too small.
- Everything else is *bad*: a stopped, maintained, faulty or calibrating instrument did not measure the water (a
  calibration measures the standard solution), a value set by hand is nobody's measurement, and behind a broken line
  between instrument and data logger stands an old value or none. Annex C (tables C.16 to C.18) carries a flag of one
  such value into the whole minute, hour or day of a wastewater station, whose mean then is no mean of the water alone.
- A flag that neither edition knows (the table may be extended) is bad too: it is not N.
- No flag at all says nothing against the value, which is then good.
"""

from __future__ import annotations

from plant.reading import Quality

UNKNOWN = "unknown flag"
FLAGS: dict[str, tuple[Quality, str]] = {
    "": (Quality.GOOD, ""),
    "N": (Quality.GOOD, ""),
    "F": (Quality.BAD, "stopped"),
    "M": (Quality.BAD, "maintenance"),
    "S": (Quality.BAD, "set by hand"),
    "D": (Quality.BAD, "fault"),
    "C": (Quality.BAD, "calibrating"),
    "T": (Quality.SUSPECT, "over range"),
    "B": (Quality.BAD, "communication error"),
    "P": (Quality.BAD, "power failure"),
    "0": (Quality.BAD, "calibrating"),
    "1": (Quality.GOOD, ""),
    "2": (Quality.BAD, "fault"),
    "3": (Quality.GOOD, ""),
}


def judge(flag: str) -> tuple[Quality, str]:
    """The quality and the finding that a flag stands for."""
    return FLAGS.get(flag.upper(), (Quality.BAD, UNKNOWN))
