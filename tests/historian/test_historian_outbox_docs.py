"""docs/influx.md names every measurement with its tags and fields, and keeps to the example's numbers."""

from __future__ import annotations

from pathlib import Path

from historian.influx.line_protocol import DESCRIBED, FORMS, SPOOLED
from pipeline.windows import NAMES
from plant.load import load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/influx.md").read_text(encoding="utf-8")


def rows(heading: str, number: int = 0) -> dict[str, list[str]]:
    """The rows of a table after a heading, by their first cell."""
    below = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [part for part in below.split("\n\n") if part.startswith("|")][number].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells[2:]}


def test_the_schema_is_as_the_code_has_it() -> None:
    """Measurements, tags and fields, each under its kind."""
    for number, forms in enumerate((FORMS, DESCRIBED, SPOOLED)):
        found = rows("What is written", number)
        assert {*found} == {*forms}
        for name, form in forms.items():
            flags = (*form.booleans, *(flag for flag, _ in form.flags))
            kinds = (form.tags, form.floats, form.texts, flags, form.instants)
            assert found[name][2:] == [", ".join(kind) for kind in kinds], name


def test_the_bounds_on_series_are_the_examples() -> None:
    """The formulas with the example's numbers put in."""
    plant = load(ROOT / "examples/electroplating/plant.yaml")
    windows, shifts = len([*NAMES, *plant.periods]) - 1, len(plant.shifts)
    found = {name: cells[1] for name, cells in rows("How many series").items()}
    assert {*found} == {*FORMS, *SPOOLED}
    kpis, scopes = len(plant.kpis), len(plant.process_units) + 1
    assert found["facts"] == found["readings"] == f"{len(plant.points)}"
    assert found["kpi"] == f"{kpis} × ({windows} + 7 × {shifts}) = {kpis * (windows + 7 * shifts):,}"
    assert found["blocks"] == found["drift"] == f"{len(plant.baselines)}"
    assert found["alarms"] == f"{scopes} × 3 × 5 × {shifts + 1} = {scopes * 15 * (shifts + 1):,}"
    assert found["notices"].startswith(f"{len(plant.points) + 1} × ")
