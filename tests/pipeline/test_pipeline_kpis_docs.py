"""docs/kpis.md names every kind of term, every window and every reason that there is."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from pipeline.figures import REASONS
from pipeline.windows import NAMES
from plant.model import Term

TEXT = (Path(__file__).parents[2] / "docs" / "kpis.md").read_text(encoding="utf-8")
KINDS = get_args(Term.model_fields["as_"].annotation)


@pytest.mark.parametrize(
    "word", [*(f"`{kind}`" for kind in (*KINDS, *NAMES)), *(f"| {reason} |" for reason in REASONS if reason)]
)
def test_the_page_names_what_there_is(word: str) -> None:
    """A kind, window or reason that is added stands on the page, as the first thing of a row."""
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    assert any(word in line.partition(" | ")[0] + " |" for line in rows)


def test_its_description_of_every_kind_is_sound() -> None:
    """The description that the page sends its reader to uses every kind of term."""
    described = (Path(__file__).parents[1] / "cases" / "plant" / "sound_kinds" / "plant.yaml").read_text(
        encoding="utf-8"
    )
    assert "sound_kinds" in TEXT
    used = {"stock", "demand", "water_mass", "content", "reference_oxygen", "energy", "cost", "load", "hours"}
    assert [kind for kind in used if f"as: {kind}" not in described] == []
