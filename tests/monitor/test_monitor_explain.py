"""`keepclean explain` in words: windows of the plant's own, products, and formulas of every kind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from monitor.cli import app
from monitor.describe import describe
from monitor.explain import tree
from pipeline.explain import Raw, Story

KINDS = Path(__file__).parents[1] / "cases/plant/sound_kinds/plant.yaml"
EXAMPLE = Path(__file__).parents[2] / "examples/electroplating/plant.yaml"


def told(path: Path, kpi: str, window: str = "1h", product: str = "") -> str:
    """The story of a row without facts, as the terminal shows it."""
    row = {
        "kpi": kpi,
        "scope": "site",
        "product": product,
        "window": window,
        "start": datetime(2026, 3, 2, tzinfo=UTC),
        "end": datetime(2026, 3, 3, tzinfo=UTC),
        "value": 1.0,
        "unit": "kW",
        "reason": "",
        "low": 1.0,
        "high": 1.0,
        "coverage": 1.0,
        "quality": "good",
        "target": None,
        "distance": None,
        "numerator": 1.0,
        "denominator": None,
        "factors": "",
        "config": "c",
    }
    story = Story(row, 1.0, True, [], [], [], Raw({}, {}, None, None), (), None, [], [])
    screen = Console(width=400)
    with screen.capture() as found:
        screen.print(tree(describe(path).plan, story), highlight=False)
    return found.get()


@pytest.mark.parametrize(
    ("kpi", "text"),
    [
        ("peak_load", "formula: highest quarter hour of Σ (Electricity), as an amount per hour"),
        ("shared_water", "Allocated to Area: its share, by Area among Area, Pieces"),
        ("cod_at_reference_drainage", "the smaller of Σ (Wastewater) and Σ (Area × 200 L of reference drainage)"),
        ("oil_used", "stock drawn from Oil tank"),
        ("power_cost", "whole months only"),
    ],
)
def test_the_formula_names_what_is_peculiar(kpi: str, text: str) -> None:
    """Promise 5: a peak, a share, a bound, a stock, a demand charge are said, by the titles of their points."""
    assert text in told(KINDS, kpi)


def test_the_product_and_the_period_are_named() -> None:
    """A row of a product says of which; a window of the plant's own has its titles."""
    assert "scope site, product area (Area · 面积), window 1h: " in told(KINDS, "shared_water", product="area")
    assert "window heating_season (Heating season · 采暖季): " in told(EXAMPLE, "peak_load", "heating_season")
    assert "product" not in told(EXAMPLE, "peak_load")


def test_a_window_that_the_plant_does_not_have_is_refused() -> None:
    """With the windows that there are, the plant's own among them; no data are needed for that."""
    done = CliRunner().invoke(app, ["explain", str(EXAMPLE), "peak_load", "--window", "winter"])
    assert done.exit_code == 2
    said = " ".join(done.output.replace("│", " ").split())
    assert "there is no window 'winter'" in said and "audit, heating_season" in said
