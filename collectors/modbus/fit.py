"""Whether what a device answered to a profile looks like a meter of that kind. A sign, never a proof."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from collectors.modbus.probe import Probe, Seen
from collectors.profile_fields import Profile, SunspecProfile
from plant.errors import DeviceError

Verdict = Literal["fits", "does not fit", "cannot tell"]

# low voltage, and medium voltage as a meter behind voltage transformers shows it [V]
VOLTAGES = ((80.0, 500.0), (2_800.0, 40_500.0))
FREQUENCIES = ((45.0, 65.0),)
FACTORS = ((-1.001, 1.001),)
# a counter is read as kWh, m3 or their thousandths; beyond this it is another meaning of the registers
ENERGY_MOST = 1e13
ANY_MOST = 1e12
SHARE_LEAST = 0.8
PHASES_APART = 1.3


@dataclass(frozen=True)
class Fit:
    """A profile beside a device: how many of its fields were answered, and how many look right.

    `signs` says whether voltages and frequency, which rubbish seldom looks like, are those of a grid; None where there
    are none. `refused` says why nothing was read.
    """

    profile: str
    title: str
    fields: int
    answered: int = 0
    plausible: int = 0
    signs: bool | None = None
    refused: str = ""

    @property
    def verdict(self) -> Verdict:
        """`cannot tell` for a profile without any voltage or frequency that would give a wrong one away."""
        if self.answered < SHARE_LEAST * self.fields or self.plausible < SHARE_LEAST * self.fields:
            return "does not fit"
        if self.signs is None:
            return "cannot tell"
        return "fits" if self.signs else "does not fit"


def plausible(one: Seen) -> bool:
    """Whether a field's value is one that such a quantity has; a device's own "not available" is."""
    if one.value is None:
        return one.why == "not available"
    if isinstance(one.value, str):
        return True
    if (limits := _limits(one)) is not None:
        return any(low <= one.value <= high for low, high in limits)
    if one.unit in ("Wh", "kWh", "MWh", "varh", "kvarh", "m3", "L"):
        return (one.value >= 0 or "net" in one.name or "reactive" in one.name) and abs(one.value) < ENERGY_MOST
    return math.isfinite(one.value) and abs(one.value) < ANY_MOST and (one.value == 0 or abs(one.value) > 1e-9)


def _limits(one: Seen) -> tuple[tuple[float, float], ...] | None:
    if one.unit == "V":
        return VOLTAGES
    if one.unit == "Hz":
        return FREQUENCIES
    return FACTORS if "power_factor" in one.name else None


def judge(name: str, profile: Profile | SunspecProfile, seen: Sequence[Seen]) -> Fit:
    """How well a profile explains what a device answered."""
    return Fit(
        name,
        f"{profile.make} {profile.model}",
        len(seen),
        sum(one.answered for one in seen),
        sum(plausible(one) for one in seen),
        _signs(seen),
    )


def _signs(seen: Sequence[Seen]) -> bool | None:
    """Whether there is a voltage or a frequency and all are those of a grid; a phase may be dead, all may not.

    Voltages of phases are alike, and those between phases are: an unbalanced grid's differ by some hundredths.
    """
    if not any(one.unit in ("V", "Hz") for one in seen):
        return None
    frequencies = [one for one in seen if one.unit == "Hz" and one.value is not None]
    voltages = [one for one in seen if one.unit == "V" and one.value]
    phases = [float(one.value or 0) for one in voltages if re.fullmatch(r"voltage_l\d", one.name)]
    alike = not phases or max(phases) <= PHASES_APART * min(phases)
    return bool(frequencies or voltages) and all(plausible(one) for one in (*frequencies, *voltages)) and alike


async def attempt(probe: Probe, name: str, profile: Profile | SunspecProfile) -> Fit:
    """Reads a profile's fields and judges them. Raises DeviceError when nobody answers at all."""
    try:
        return judge(name, profile, await probe.read(profile))
    except DeviceError as error:
        if error.retryable:
            raise
        return Fit(name, f"{profile.make} {profile.model}", len(profile.fields), refused=str(error))


def ranked(fits: Sequence[Fit]) -> list[Fit]:
    """The best first: those that fit, then by the share of fields that look right."""
    order: dict[Verdict, int] = {"fits": 0, "cannot tell": 1, "does not fit": 2}
    return sorted(fits, key=lambda fit: (order[fit.verdict], -fit.plausible / fit.fields, fit.profile))
