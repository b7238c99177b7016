"""What a check says beside faults."""

from __future__ import annotations

from pathlib import Path

from plant.advice import advise
from plant.load import load

HERE = Path(__file__).parent.parent


def test_counters_are_asked_for_what_an_hour_can_bring() -> None:
    """A zero read must not become a baseline that books a lifetime's total: who has not said so is asked."""
    (sentence,) = advise(load(HERE / "cases" / "plant" / "sound" / "plant.yaml"))
    assert sentence.startswith("3 counters without 'per_hour' (gas, area, water)")
    assert advise(load(HERE.parent / "examples" / "electroplating" / "plant.yaml")) == []
