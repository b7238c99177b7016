"""`keepclean baseline`: a new version of a baseline beside the one in force, and a person's word that accepts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from historian.reader import Reader
from journal.journal import Journal
from journal.message import encode_body
from pipeline.fitting import propose as fit
from pipeline.plans import PlantPlan
from plant.clock import to_datetime
from plant.errors import KeepcleanError

FIGURES = ("n", "intercept", "sigma", "cv_rmse", "held_out_cv_rmse", "held_out_nmbe")


class NoBaseline(KeepcleanError):
    """A baseline that cannot be proposed or accepted, and why."""


@dataclass(frozen=True)
class Proposal:
    """A fitted body for the journal, and the one in force (None: none is)."""

    body: dict[str, Any]
    in_force: dict[str, Any] | None


def propose(
    plan: PlantPlan, reader: Reader, name: str, span: tuple[int | None, int | None], by: str, why: str
) -> Proposal:
    """Fits a baseline on [from, to) [µs UTC], or on the span of the one in force. Raises NoBaseline."""
    if name not in plan.plant.baselines:
        raise NoBaseline(f"there is no baseline '{name}'; there are {', '.join(plan.plant.baselines)}")
    in_force = next((entry for entry in reader.baselines() if entry["baseline"] == name), None)
    start, end = (given or (in_force["span"][i] if in_force else None) for i, given in enumerate(span))
    if start is None or end is None:
        raise NoBaseline(f"no baseline '{name}' is in force: say on which days to fit it, with --from and --to")
    try:
        bodies, refused = fit(plan, reader, [name], start, end, reader.head("tick"), by, why)
    except ValueError as error:
        raise NoBaseline(str(error)) from error
    if not bodies:
        raise NoBaseline(f"no baseline for {name}: {refused[name]}")
    return Proposal(bodies[0], in_force)


def accept(data: Path, proposal: Proposal) -> int:
    """Puts a proposal in force; its position. Raises NoBaseline when nobody stands for it."""
    if not (proposal.body["by"].strip() and proposal.body["why"].strip()):
        raise NoBaseline("a baseline is accepted by a person: say who with --by NAME, and why with --why TEXT")
    journal = Journal(data / "journal")
    try:
        return journal.append([("baseline", encode_body(proposal.body))])
    finally:
        journal.close()


def table(plan: PlantPlan, proposal: Proposal) -> Table:
    """Both versions side by side."""
    found = Table(title=f"baseline {proposal.body['baseline']}")
    for column in ("", "in force", "proposed"):
        found.add_column(column)
    both = (proposal.in_force, proposal.body)
    found.add_row("fitted on", *(_span(plan, body) for body in both))
    for figure in FIGURES:
        found.add_row(figure, *(f"{body['fit'][figure]:.6g}" if body else "" for body in both))
    names = {name: None for body in both if body for name in body["fit"]["names"]}
    for name in names:
        found.add_row(f"per {name}", *(_coefficient(body, name) for body in both))
    found.add_row(
        "limits [σ]", *(", ".join(f"{limit:.3g}" for limit in body["limits"]) if body else "" for body in both)
    )
    return found


def _span(plan: PlantPlan, body: dict[str, Any] | None) -> str:
    if body is None:
        return "none"
    return " … ".join(f"{to_datetime(edge).astimezone(plan.zone):%Y-%m-%d}" for edge in body["span"])


def _coefficient(body: dict[str, Any] | None, name: str) -> str:
    if body is None or name not in body["fit"]["names"]:
        return ""
    return f"{body['fit']['coefficients'][body['fit']['names'].index(name)]:.6g}"
