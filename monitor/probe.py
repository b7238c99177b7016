"""`keepclean probe`: one device read once, as a table or as JSON; or which of the built-in profiles fits it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from collectors.modbus.fit import Fit, attempt, ranked
from collectors.modbus.probe import IDS, Probe, Seen, Target
from collectors.profile import builtin, load
from collectors.profile_fields import Profile, SunspecProfile
from plant.errors import DeviceError
from plant.model import Serial

KINDS = {1: "coil", 2: "input bit", 3: "holding", 4: "input"}
DIGITS = 7
_T = TypeVar("_T")


def read_device(
    where: Target, serial: Serial | None, profile: Profile | SunspecProfile, timeout_s: float
) -> list[Seen]:
    """Every field of a profile. Raises DeviceError, in words that say what to look at, when the device is not there."""

    async def once() -> list[Seen]:
        async with Probe(where, serial, timeout_s) as probe:
            return await probe.read(profile)

    return _told(where, serial, once)


def fit_profiles(where: Target, serial: Serial | None, timeout_s: float, screen: Console) -> list[Fit]:
    """Every built-in profile beside a device, the best first. Raises DeviceError when the device is not there."""

    async def each() -> list[Fit]:
        found = []
        async with Probe(where, serial, timeout_s) as probe:
            for name in builtin():
                profile = load(name, Path())
                with screen.status(f"trying {name}"):
                    try:
                        found.append(await attempt(probe, name, profile))
                    except DeviceError as error:
                        # a device may leave registers that it does not have unanswered
                        if not found and not await probe.answers(where.device_id):
                            raise
                        title = f"{profile.make} {profile.model}"
                        found.append(Fit(name, title, len(profile.fields), refused=str(error)))
        return ranked(found)

    return _told(where, serial, each)


def scan(where: Target, serial: Serial | None, timeout_s: float, screen: Console) -> list[int]:
    """The ids that answer on a line. Raises DeviceError when the line itself cannot be reached."""

    async def each() -> list[int]:
        found: list[int] = []
        async with Probe(where, serial, timeout_s) as probe:
            with screen.status("") as status:
                for device_id in IDS:
                    status.update(f"id {device_id} of {IDS[-1]}; answered: {_listed(found) or 'none yet'}")
                    if await probe.answers(device_id):
                        found.append(device_id)
        return found

    return _told(where, serial, each)


def _told(where: Target, serial: Serial | None, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    try:
        return asyncio.run(work())
    except DeviceError as error:
        raise DeviceError(explained(error, where, serial), retryable=error.retryable) from error


def explained(error: DeviceError, where: Target, serial: Serial | None) -> str:
    """What a failure means at a device, and what to look at."""
    text, asked = str(error), f"{where.address} id {where.device_id}"
    if "cannot be reached" in text:
        if where.address.startswith(("/", "COM")):
            return f"{text}\n    hint: is the adapter plugged in, and may this user open it (group dialout)?"
        return f"{text}\n    hint: is the address right, the device on, and no firewall between?"
    if "no answer" in text:
        if serial is not None or where.address.startswith("rtu"):
            hint = "is the id right (--scan tries all), are baud rate and parity, and A and B not swapped?"
        else:
            hint = "somebody listens there: is the id right (--scan tries all)? RTU behind a serial server is rtu://…"
        return f"{asked}: {text}\n    hint: {hint}"
    if "not Modbus TCP" in text:
        return f"{asked}: {text}\n    hint: RTU behind a serial server is written rtu://host:port/id"
    if "exception 10" in text or "exception 11" in text:
        return f"{asked}: {text}\n    hint: the gateway is there, the device behind it is not (--scan tries all ids)"
    return f"{asked}: {text}"


def table(seen: Sequence[Seen], title: str) -> Table:
    """The fields as a table: where they are, the raw words, the value or why there is none."""
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in ("field", "title", "registers", "reference", "raw", "value"):
        shown.add_column(column, overflow="fold", no_wrap=column in ("field", "registers"))
    for one in seen:
        last = f"-{one.address + one.count - 1}" if one.count > 1 else ""
        place = f"{KINDS[one.function]} {one.address}{last}"
        value = f"[bold]{_written(one)}[/bold]" if one.value is not None else f"[yellow]{one.why}[/yellow]"
        shown.add_row(one.name, one.title.en, place, one.reference, _hex(one), value)
    return shown


def fits_table(fits: Sequence[Fit]) -> Table:
    """How well each profile fits, the best first; those of which nothing was answered only as a number."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in ("profile", "make and model", "answered", "look right", "verdict"):
        shown.add_column(column, overflow="fold", no_wrap=column == "profile")
    colours = {"fits": "green", "cannot tell": "yellow", "does not fit": "dim"}
    answered = [fit for fit in fits if fit.answered]
    for fit in answered:
        verdict = f"[{colours[fit.verdict]}]{fit.verdict}[/]"
        shown.add_row(fit.profile, fit.title, f"{fit.answered}/{fit.fields}", f"{fit.plausible}/{fit.fields}", verdict)
    if len(answered) < len(fits):
        shown.caption = f"and {len(fits) - len(answered)} profiles none of whose registers were answered"
    return shown


def conclusion(fits: Sequence[Fit]) -> str:
    """What the table means, in a sentence."""
    best = [fit.profile for fit in fits if fit.verdict == "fits"]
    if not best:
        return (
            "No built-in profile fits. A profile of your own is a page of YAML: see docs/meters.md"
            " (and check the id: some gateways answer for another device)."
        )
    if len(best) == 1:
        return (
            f"{best[0]} fits: voltages and frequency look right where it expects them. That is a sign, no proof:"
            " compare make, model and a value with the meter's own display."
        )
    return (
        f"{', '.join(best)} fit alike; values do not tell them apart. Take the one that the meter's label names, and"
        " compare a value with its display."
    )


def plain(where: Target, profile: str, seen: Sequence[Seen]) -> dict[str, Any]:
    """The same as JSON has it; raw words as hex."""
    fields = [
        {
            "name": one.name,
            "title": one.title.en,
            "function": one.function,
            "address": one.address,
            "count": one.count,
            "reference": one.reference,
            "words": [f"{word:04X}" for word in one.words],
            "value": one.value,
            "unit": one.unit,
            "why": one.why,
        }
        for one in seen
    ]
    return {"address": where.address, "device_id": where.device_id, "profile": profile, "fields": fields}


def plain_fits(where: Target, fits: Sequence[Fit]) -> dict[str, Any]:
    """The fits as JSON has them."""
    found = [
        {
            "profile": fit.profile,
            "verdict": fit.verdict,
            "fields": fit.fields,
            "answered": fit.answered,
            "plausible": fit.plausible,
            "why": fit.refused,
        }
        for fit in fits
    ]
    return {"address": where.address, "device_id": where.device_id, "profiles": found}


def ids_found(found: Sequence[int]) -> str:
    """What a scan brought, in a sentence."""
    if len(found) == len(IDS):
        return "Every id is answered: this device (or gateway) does not look at the id. 1 will do."
    return f"Answered: {_listed(found)}." if found else "No id from 1 to 247 is answered."


def _listed(found: Sequence[int]) -> str:
    return ", ".join(map(str, found))


def _hex(one: Seen) -> str:
    return " ".join(f"{word:X}" if one.function in (1, 2) else f"{word:04X}" for word in one.words)


def _written(one: Seen) -> str:
    if isinstance(one.value, str):
        return f"'{one.value}'"
    unit = "" if one.unit == "1" else f" {one.unit}"
    return f"{one.value:,.{DIGITS}g}{unit}" if abs(one.value or 0) < 1e6 else f"{one.value:,.1f}{unit}"
