"""`keepclean explain`: prints the story of a KPI value as a tree, or as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from console import formula as kpi_formula
from console.words import Words
from pipeline.explain import Story, TermStory
from pipeline.plans import PlantPlan
from pipeline.recompute_readings import FOREVER
from plant.clock import to_datetime
from plant.model import Kpi
from plant.reading import MINUTE

SHOWN = 10


def tree(plan: PlantPlan, story: Story) -> Tree:
    """The story as a tree, root first: value, formula, terms, facts, readings, configuration."""
    row = story.row
    kpi = plan.plant.kpis[row["kpi"]]
    root = Tree(
        f"[bold]{kpi.title.en}[/bold] · {kpi.title.zh} = [bold]{_number(row['value'])} {row['unit']}[/bold]"
        + (f"   (unknown: {row['reason']})" if row["value"] is None else "")
    )
    span = f"{_time(plan, row['start'])} … {_time(plan, row['end'])}"
    root.add(f"scope {row['scope']}{_product(plan, row)}, window {_window(plan, row)}: {span}")
    root.add(
        f"between {_number(row['low'])} and {_number(row['high'])}: coverage {row['coverage']:.1%}, {row['quality']}"
    )
    if row["target"] is not None:
        root.add(f"near-term target {_number(row['target'])} {row['unit']}, distance {_number(row['distance'])} %")
    words = Words("en", plan.plant)
    formula = root.add(escape(f"formula: {kpi_formula.formula(kpi, words)}"))
    for note in kpi_formula.notes(kpi, words):
        formula.add(escape(note))
    for name, terms in (("numerator", story.numerator), ("denominator", story.denominator)):
        if terms:
            stored = row[name]
            branch = formula.add(f"Σ {name} = {_number(stored)} {_counted(kpi, name)}")
            for term in terms:
                _add_term(plan, branch, term, story)
    _add_editions(plan, root, story)
    version = root.add(f"configuration {row['config']}")
    for entry in story.versions:
        version.add(f"in force since {_time(plan, to_datetime(entry['time']))}, {entry['why']} by {entry['by']}")
    _add_corrections(plan, root, story)
    _add_verdict(plan, root, story)
    return root


def _add_term(plan: PlantPlan, branch: Tree, story: TermStory, whole: Story) -> None:
    term = story.term
    times = f"{term.times:g} × " if term.times != 1 else ""
    leaf = branch.add(f"{times}{term.point} as {term.as_} = {_number(story.total)}")
    for name, sums in story.points.items():
        point = plan.plant.points[name]
        amount = f"{_number(sums['amount'])} {plan.points[name].amount_unit}" if math.isfinite(sums["amount"]) else ""
        mean = f"mean {_number(sums['mean'])} {point.unit}" if math.isfinite(sums["mean"]) else ""
        facts = leaf.add(
            f"{name} ({point.kind.value}, {point.title.en}): {', '.join(part for part in (amount, mean) if part)}; "
            f"coverage {sums['coverage']:.1%}, estimated {sums['estimated']:.1%}"
        )
        facts.add(f"{whole.raw.counted.get(name, 0)} readings from {point.device} ({point.read})")
        if late := whole.raw.late.get(name, 0):
            facts.add(f"{late} of them came too late to be counted live; a recompute counted them")


def _add_editions(plan: PlantPlan, root: Tree, story: Story) -> None:
    """Which factor editions the window used, and how much of it each was used for."""
    if len(story.editions) < 2:
        if story.row["factors"]:
            root.add(f"factor editions: {story.row['factors']}")
        return
    branch = root.add(f"factor editions: the window uses {_all(len(story.editions))}")
    for part in story.editions:
        share = "" if part.share is None else f": {part.share:.1%} of the numerator"
        span = f"{_time(plan, to_datetime(part.start))} … {_time(plan, to_datetime(part.end))}"
        branch.add(f"{', '.join(part.editions) or 'none in force'}, {span}{share}")


def _all(number: int) -> str:
    return "both" if number == 2 else f"all {number}"


def _add_corrections(plan: PlantPlan, root: Tree, story: Story) -> None:
    """What persons put right within the window, and whether the stored value was written because of it."""
    branch = root.add("corrections: none" if not story.corrections else "corrections")
    for one in story.corrections:
        span = f"{_time(plan, to_datetime(one.start))} … {_time(plan, to_datetime(one.end))}"
        leaf = branch.add(f"{one.name}: {', '.join(one.points)}, {span}: {one.says()}")
        leaf.add(f"by {one.by} at {_time(plan, to_datetime(one.time))}: {one.why}")
        if one.evidence:
            leaf.add(f"evidence: {one.evidence}")
    if story.revised is not None:
        act, by, why = (story.revised[key] for key in ("act", "by", "why"))
        what = {"correct": "correction", "withdraw": "withdrawal", "recompute": "recompute"}[act]
        root.add(f"worked out again by {what} {story.revised['position']} of {by}: {why}")


def _add_verdict(plan: PlantPlan, root: Tree, story: Story) -> None:
    raw = story.raw
    if raw.first is None:
        root.add("raw readings: none are kept of this window; facts could not be checked against them")
    elif raw.kept_from is not None and raw.kept_from > story.row["start"].timestamp() * 1e6:
        since = _time(plan, to_datetime(raw.kept_from))
        root.add(f"raw readings are kept from {since} on; facts of before could not be checked against them")
    else:
        root.add(f"raw readings from {_time(plan, to_datetime(raw.first))} on")
    if story.agrees and not story.disagreements:
        root.add("[green]recomputed from stored facts and readings: agrees[/green]")
        return
    if not story.agrees:
        root.add(
            f"[red]recomputed from stored facts: {_number(story.recomputed)} {story.row['unit']}: "
            "this DISAGREES with the stored value[/red]"
        )
    for odd in story.disagreements[:SHOWN]:
        root.add(
            f"[red]fact {odd.point} at {_time(plan, to_datetime(odd.minute * MINUTE))}: stored {odd.column} "
            f"{_number(odd.stored)}, its readings give {_number(odd.recomputed)}[/red]"
        )
    if len(story.disagreements) > SHOWN:
        root.add(f"[red]… and {len(story.disagreements) - SHOWN} more facts[/red]")


def plain(story: Story) -> dict[str, Any]:
    """The story as JSON values; times in RFC 3339 UTC."""
    found = asdict(story)
    found["row"] = {
        key: value.isoformat() if isinstance(value, datetime) else value for key, value in story.row.items()
    }
    for odd in found["disagreements"]:
        odd["minute"] = to_datetime(odd["minute"] * MINUTE).isoformat()
    raw = found.pop("raw")
    found |= {"readings": raw["counted"], "readings_late": raw["late"]}
    found |= {"raw_from": _moment(raw["first"]), "raw_kept_from": _moment(raw["kept_from"])}
    for one in found["corrections"]:
        one |= {key: _moment(one[key]) for key in ("start", "end", "time")}
        one["joins"] = [[_moment(at), closing, opening] for at, closing, opening in one["joins"]]
    for part in found["editions"]:
        part |= {key: _moment(part[key]) for key in ("start", "end")}
    for side in ("numerator", "denominator"):
        found[side] = [
            {"term": one.term.model_dump(by_alias=True, exclude_none=True), "total": one.total, "points": one.points}
            for one in getattr(story, side)
        ]
    cleaned: dict[str, Any] = _no_nan(found)
    return cleaned


def _moment(time_us: int | None) -> str | None:
    # kept_from lies beyond all times when nothing is kept
    return None if time_us is None or time_us >= FOREVER else to_datetime(time_us).isoformat()


def _no_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _no_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_no_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _counted(kpi: Kpi, side: str) -> str:
    """Which part of a sum is stored: that of known minutes, a product's share of it, or what bounds it."""
    text = "over the minutes in which every term is known"
    if side == "numerator" and kpi.allocate is not None:
        text += ", the product's share"
    if side == "denominator" and kpi.no_more_than:
        text += ", at most what bounds it"
    return text


def _window(plan: PlantPlan, row: dict[str, Any]) -> str:
    """The window's name, and the titles of a period of the plant's own."""
    period = plan.plant.periods.get(row["window"])
    return f"{row['window']}" + (f" ({escape(period.title.en)} · {escape(period.title.zh)})" if period else "")


def _product(plan: PlantPlan, row: dict[str, Any]) -> str:
    name = row["product"]
    product = plan.plant.products.get(name)
    titles = f" ({escape(product.title.en)} · {escape(product.title.zh)})" if product else ""
    return f", product {name}{titles}" if name else ""


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.6g}"


def _time(plan: PlantPlan, moment: datetime) -> str:
    return f"{moment.astimezone(plan.zone):%Y-%m-%d %H:%M}"
