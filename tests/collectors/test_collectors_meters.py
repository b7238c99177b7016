"""docs/meters.md: the table of profiles and the examples in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collectors.meters import renewed
from collectors.profile import parse

DOCUMENT = (Path(__file__).parents[2] / "docs" / "meters.md").read_text(encoding="utf-8")


def test_the_table_of_profiles_is_what_the_profiles_say() -> None:
    """docs/meters.md holds what `python -m collectors.meters` writes."""
    assert renewed(DOCUMENT) == DOCUMENT


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_the_examples_are_profiles(example: str) -> None:
    """Whoever copies an example has a profile without a fault."""
    assert parse(example, Path("docs/meters.md")).fields
