"""What is wrong with a correction that a person proposes: all of it at once, with hints, before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pipeline.corrections import KINDS, Correction, Corrections
from pipeline.minutes import STEP
from pipeline.plans import PlantPlan
from plant.clock import to_datetime
from plant.model import Kind
from plant.reading import MINUTE

TOTALISERS = frozenset({Kind.COUNTER, Kind.NET})
READ_BY_HAND = frozenset({*TOTALISERS, Kind.LEVEL})
ALONE = frozenset({"amount", "reading", "sample", "exchange"})
FROM_FACTS = frozenset({"amount", "exclude"})


@dataclass(frozen=True)
class Objection:
    """One thing that is wrong, and what to do instead."""

    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message}\n    hint: {self.hint}" if self.hint else self.message


@dataclass(frozen=True)
class Kept:
    """What is stored: the plant's time now, and from when on readings are kept where older ones were deleted (None:
    all are) [µs UTC]."""

    now_us: int
    raw_from_us: int | None


def check(
    plan: PlantPlan, known: Corrections, body: Mapping[str, Any], kept: Kept, in_meter: bool = False
) -> list[Objection]:
    """Everything that is wrong with a correction's body; `known` are those in force, `in_meter` says that the meter
    itself counted wrongly."""
    found = _person(body)
    if body["kind"] not in KINDS:
        return [*found, Objection(f"there is no correction of kind '{body['kind']}'", f"kinds are {', '.join(KINDS)}")]
    names = [name for name in body["points"] if name in plan.points]
    for name in body["points"]:
        if name not in plan.points:
            near = get_close_matches(name, plan.points, n=3)
            found.append(Objection(f"there is no point '{name}'", f"did you mean {' or '.join(near)}?" if near else ""))
    if not body["points"]:
        found.append(Objection("it names no point", "name one with --point, or all that a device counts with --device"))
    elif body["kind"] in ALONE and len(body["points"]) > 1:
        found.append(Objection(f"'{body['kind']}' is about one point, not {len(body['points'])}"))
    found += _span(plan, body, kept)
    for name in names:
        found += _numbers(plan, body, name, in_meter)
        found += _contradictions(plan, known, body, name)
    return found


def _person(body: Mapping[str, Any]) -> list[Objection]:
    missing = [what for what in ("by", "why") if not str(body.get(what) or "").strip()]
    hints = {"by": "say who corrects it with --by NAME", "why": "say why with --why TEXT"}
    return [Objection(f"it does not say {'who' if what == 'by' else 'why'}", hints[what]) for what in missing]


def _span(plan: PlantPlan, body: Mapping[str, Any], kept: Kept) -> list[Objection]:
    start, end, found = body["from"], body["to"], []
    if end <= start:
        found.append(Objection(f"it ends ({_time(plan, end)}) before it begins ({_time(plan, start)})"))
    if max(end - 1, start) > kept.now_us:
        now = _time(plan, kept.now_us)
        found.append(Objection(f"it reaches beyond now ({now})", "correct what has happened; then correct the cause"))
    raw = kept.raw_from_us
    if raw is not None and start < raw:
        since = _time(plan, raw)
        if body["kind"] not in FROM_FACTS:
            hint = "what a span amounted to ('amount') or that it is not used ('exclude') can still be told"
            text = f"readings are kept from {since} on; beyond the retention of readings only facts can be corrected"
            found.append(Objection(text, hint))
        elif end > raw:
            found.append(Objection(f"readings are kept from {since} on", f"make two corrections, parted at {since}"))
    if body["kind"] == "amount" and (start % MINUTE or end % MINUTE):
        found.append(Objection("an amount is told of whole minutes", "write both times without seconds"))
    return found


def _numbers(plan: PlantPlan, body: Mapping[str, Any], name: str, in_meter: bool) -> list[Objection]:
    """Whether the numbers can be what the point measures."""
    point, kind, found = plan.points[name], body["kind"], []
    wanted = {
        "scale": ("times", "over"),
        "amount": ("amount",),
        "reading": ("value",),
        "sample": ("value",),
    }.get(kind, ())
    numbers: dict[str, Any] = {key: body.get(key) for key in wanted}
    joins = [number for join in body.get("joins", ()) for number in join[1:]]
    if any(not _finite(number) for number in (*numbers.values(), *joins)) or (kind == "exchange" and not joins):
        return [Objection(f"'{kind}' needs {_needed(kind)}")]
    if kind == "scale" and (numbers["times"] <= 0 or numbers["over"] <= 0):
        found.append(Objection("a factor or ratio is greater than 0"))
    elif kind == "scale" and numbers["times"] == numbers["over"]:
        found.append(Objection("the factor is 1: nothing would change"))
    if kind == "scale" and in_meter and point.kind not in TOTALISERS:
        found.append(Objection(f"{name} is no totaliser ({point.kind.value}): it has no display that goes on"))
    if kind == "exchange" and point.kind not in TOTALISERS:
        found.append(Objection(f"{name} is no totaliser ({point.kind.value}): an exchange needs closing and opening"))
    if kind == "amount":
        if not point.summable:
            hint = "a hand-read value of a level is a 'reading', a laboratory's a 'sample'"
            found.append(Objection(f"{name} has no amount: it is a {point.kind.value}", hint))
        minutes = (body["to"] - body["from"]) / MINUTE
        low, high = (bound * minutes for bound in (point.low, point.high))
        if not low - STEP <= numbers["amount"] <= high + STEP:
            text = f"{numbers['amount']:g} {point.amount_unit} is not what {name} can bring in that time"
            found.append(Objection(text, f"declared are {low:g} to {high:g}"))
    if kind == "sample" and point.kind is not Kind.SAMPLE:
        found.append(Objection(f"{name} is no laboratory value: it is a {point.kind.value}"))
    if kind == "reading" and point.kind not in READ_BY_HAND:
        hint = "of counters and levels a value can be read by hand; of others tell the 'amount' or a 'sample'"
        found.append(Objection(f"{name} is a {point.kind.value}", hint))
    if kind in ("reading", "sample") and point.range:
        low, high = point.range
        if not low <= numbers["value"] <= high:
            found.append(Objection(f"{numbers['value']:g} {point.unit} is not within {low:g} to {high:g}"))
    return found


def _needed(kind: str) -> str:
    return {
        "scale": "a factor: --factor, or --ratio-was and --ratio-is",
        "amount": "the amount of the whole span: --amount",
        "exchange": "what the old meter showed last and the new one first: --closing and --opening",
    }.get(kind, "a value: --value")


def _finite(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)


def _contradictions(plan: PlantPlan, known: Corrections, body: Mapping[str, Any], name: str) -> list[Objection]:
    found = []
    for one in known.touching([name], body["from"], body["to"]):
        same = one.kind == body["kind"] and one.kind != "exclude"
        facts = one.facts and body.get("facts", False)
        if same or facts:
            span = f"{_time(plan, one.start)} to {_time(plan, one.end)}"
            text = f"correction {one.name} ({one.says()}, by {one.by}) already corrects {name} from {span}"
            found.append(Objection(text, f"withdraw it first: keepclean withdraw {one.name}"))
    return found


def _time(plan: PlantPlan, time_us: int) -> str:
    return f"{to_datetime(time_us).astimezone(plan.zone):%Y-%m-%d %H:%M}"


def baselines_within(plan: PlantPlan, fitted: list[dict[str, Any]], correction: Correction) -> list[str]:
    """The baselines in force whose span holds something that the correction changes."""
    found = []
    for entry in fitted:
        baseline = plan.plant.baselines.get(entry["baseline"])
        if baseline is not None:
            points = [baseline.response, *(driver.point for driver in baseline.drivers)]
            if correction.touches(points, *entry["span"]):
                found.append(str(entry["baseline"]))
    return found
