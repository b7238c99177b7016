"""The commands by which a person puts the past right: correct, corrections, withdraw, recompute, baseline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.describe import Described
from monitor.options import DataFolder, PlantFile, data_of, local_time, sound
from monitor.terminal import fail, out
from plant.errors import KeepcleanError

if TYPE_CHECKING:
    from monitor.correct import Desk

By = Annotated[str, typer.Option(help="Who says so.")]
Why = Annotated[str, typer.Option(help="Why, in a sentence.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (correct, corrections, withdraw, recompute, baseline):
        app.command()(command)


def correct(
    plant: PlantFile,
    kind: Annotated[str, typer.Argument(help="scale, exclude, amount, reading, sample or exchange.", metavar="KIND")],
    since: Annotated[str, typer.Option("--from", help="Since when: RFC 3339, or local time or date of the plant.")],
    until: Annotated[
        str | None, typer.Option("--to", help="Until when; not included. A single value needs none.")
    ] = None,
    point: Annotated[list[str] | None, typer.Option(help="A point; may be given several times.")] = None,
    device: Annotated[str | None, typer.Option(help="All amounts and rates that a device measures.")] = None,
    factor: Annotated[float | None, typer.Option(help="scale: what values are multiplied by.")] = None,
    ratio_was: Annotated[float | None, typer.Option(help="scale: the CT ratio that was wrong.")] = None,
    ratio_is: Annotated[float | None, typer.Option(help="scale: the right one.")] = None,
    really_in: Annotated[str | None, typer.Option(help="scale: the unit that the values really were in.")] = None,
    in_meter: Annotated[
        bool, typer.Option("--in-meter", help="scale: the meter itself counted wrongly; its display goes on.")
    ] = False,
    amount: Annotated[float | None, typer.Option(help="amount: of the whole span, in the point's amount unit.")] = None,
    value: Annotated[float | None, typer.Option(help="reading, sample: the value, in the point's unit.")] = None,
    closing: Annotated[float | None, typer.Option(help="exchange: what the old meter showed last.")] = None,
    opening: Annotated[float | None, typer.Option(help="exchange: what the new meter showed first.")] = None,
    by: By = "",
    why: Why = "",
    evidence: Annotated[str, typer.Option(help="What it rests on: a photo, a form, a calibration sheet.")] = "",
    data: DataFolder = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would touch; write nothing.")] = False,
) -> None:
    """Put the past right: a wrong scale, a bad span, a known amount, a hand-read or laboratory value, an exchange."""
    from monitor.correct import Refused

    described, desk = _open(plant, data)
    plan = described.plan
    start = local_time(since, plan.zone)
    names = list(point or [])
    if device is not None:
        names += _of_device(described, device)
    end = local_time(until, plan.zone) if until else 0 if kind == "sample" else start + 1
    if not until and kind in ("scale", "exclude", "amount"):
        raise typer.BadParameter(f"'{kind}' is about a span: say until when with --to")
    body: dict[str, Any] = {"kind": kind, "points": list(dict.fromkeys(names)), "from": start, "to": end}
    body |= {"by": by, "why": why, "evidence": evidence}
    if kind == "scale":
        body |= {**_scale(described, names, factor, ratio_was, ratio_is, really_in), "in_meter": in_meter}
    body |= {key: number for key, number in (("amount", amount), ("value", value)) if number is not None}
    if kind == "exchange" and closing is not None and opening is not None:
        body["joins"] = [[start, closing, opening]]
    try:
        if dry_run:
            if found := desk.objections(body):
                raise Refused(found)
        else:
            number = desk.correct(body)
    except KeepcleanError as error:
        fail(error)
    touched = desk.preview(body)
    out.print(
        f"{len(body['points'])} point(s), {touched.readings:,} readings, {touched.facts:,} minutes are concerned",
        highlight=False,
    )
    for name in touched.baselines:
        out.print(
            f"it lies within the span that baseline {name} was fitted on: once it is recomputed look at a new version"
            f" with  keepclean baseline {plant} {name}  and accept it there",
            highlight=False,
            soft_wrap=True,
        )
    if dry_run:
        out.print("nothing was written")
    else:
        _sent(number, f"correction {number}; take it back with  keepclean withdraw {plant} {number}")


def corrections(
    plant: PlantFile, data: DataFolder = None, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """List what was put right, by whom and why."""
    from monitor import correct as desk_of

    described, desk = _open(plant, data)
    rows = desk_of.listed(described.plan, desk.entries())
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    elif rows:
        out.print(desk_of.table(rows))
    else:
        out.print("nothing was ever corrected")


def withdraw(
    plant: PlantFile,
    number: Annotated[int, typer.Argument(help="The correction's number.", metavar="CORRECTION")],
    by: By = "",
    why: Why = "",
    data: DataFolder = None,
) -> None:
    """Take a correction back: everything is as it was before."""
    _, desk = _open(plant, data)
    try:
        _sent(desk.withdraw(number, by, why), f"correction {number} is withdrawn")
    except KeepcleanError as error:
        fail(error)


def recompute(
    plant: PlantFile,
    since: Annotated[str, typer.Option("--from", help="RFC 3339, or local time or date of the plant.")],
    by: By = "",
    why: Why = "",
    data: DataFolder = None,
) -> None:
    """Work everything out again from a time on: readings that came too late to be counted are counted now."""
    described, desk = _open(plant, data)
    try:
        number = desk.recompute(local_time(since, described.plan.zone), by, why)
    except KeepcleanError as error:
        fail(error)
    _sent(number, f"everything from {since} on is worked out again")


def baseline(
    plant: PlantFile,
    name: Annotated[str, typer.Argument(help="The baseline's name in the description.", metavar="BASELINE")],
    since: Annotated[
        str | None, typer.Option("--from", help="First day; that of the one in force when left out.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="The day after the last one.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Put it in force.")] = False,
    by: By = "",
    why: Why = "",
    data: DataFolder = None,
) -> None:
    """Fit a baseline anew and show it beside the one in force; accept it when it is the better one."""
    from monitor import baselines as fitting

    described, desk = _open(plant, data)
    zone = described.plan.zone
    span = (local_time(since, zone) if since else None, local_time(until, zone) if until else None)
    try:
        proposed = fitting.propose(described.plan, desk.reader, name, span, by, why)
        out.print(fitting.table(described.plan, proposed))
        if accept:
            number = fitting.accept(desk.data, proposed)
            _sent(number, f"baseline {name} is in force, accepted by {by}")
    except KeepcleanError as error:
        fail(error)


def _open(plant: Path, data: Path | None) -> tuple[Described, Desk]:
    from monitor.correct import Desk

    described = sound(plant)
    try:
        return described, Desk(described.plan, data_of(plant, data))
    except KeepcleanError as error:
        fail(error)


def _sent(number: int, text: str) -> None:
    out.print(f"{text} (message {number}); serve works on it, or will when it starts", highlight=False, soft_wrap=True)


def _of_device(described: Described, device: str) -> list[str]:
    if device not in described.plant.devices:
        raise typer.BadParameter(f"there is no device '{device}'; there are {', '.join(described.plant.devices)}")
    return [name for name, point in described.plan.points.items() if point.device == device and point.summable]


def _scale(
    described: Described,
    names: list[str],
    factor: float | None,
    was: float | None,
    right: float | None,
    really_in: str | None,
) -> dict[str, float]:
    """The factor of a wrong scale, as two numbers: dividing by the old ratio afterwards leaves the value exact."""
    given = [one is not None for one in (factor, was if right is not None else None, really_in)]
    if sum(given) != 1 or (was is None) != (right is None):
        raise typer.BadParameter("say --factor, or --ratio-was with --ratio-is, or --really-in")
    if factor is not None:
        return {"times": factor, "over": 1.0}
    if was is not None and right is not None:
        return {"times": right, "over": was}
    from plant.units import conversion

    units = {described.plan.points[name].unit for name in names if name in described.plan.points}
    if len(units) != 1:
        raise typer.BadParameter("--really-in is about points of one unit")
    try:
        return {"times": conversion(str(really_in), units.pop()), "over": 1.0}
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
