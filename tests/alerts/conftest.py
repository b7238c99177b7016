"""The small plant of the alarm tests as a fixture."""

from __future__ import annotations

import pytest
from alerts_plant import description

from plant.model import Plant


@pytest.fixture
def plant() -> Plant:
    """The small plant."""
    return Plant.model_validate(description())
