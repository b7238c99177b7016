"""What a check says beside faults."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from plant.advice import advise
from plant.load import load

HERE = Path(__file__).parent.parent


def test_counters_are_asked_for_what_an_hour_can_bring() -> None:
    """A zero read must not become a baseline that books a lifetime's total: who has not said so is asked."""
    (sentence,) = advise(load(HERE / "cases" / "plant" / "sound" / "plant.yaml"))
    assert sentence.startswith("3 counters without 'per_hour' (gas, area, water)")
    assert advise(load(HERE.parent / "examples" / "electroplating" / "plant.yaml")) == []


def test_certificates_are_named_before_they_end() -> None:
    """An auditor's evidence lapses silently: who checks within 30 days of it is told, and who checks afterwards."""
    plant = load(HERE.parent / "examples" / "electroplating" / "plant.yaml")
    assert advise(plant, date(2026, 8, 30)) == []
    (soon,) = advise(plant, date(2026, 8, 31))
    assert soon.startswith("calibration ends within 30 days: ") and "on 2026-09-30" in soon
    assert advise(plant, date(2026, 9, 30)) == [soon]
    (over,) = advise(plant, date(2026, 10, 1))
    assert over.startswith("the calibration of 1 meter has expired (")
