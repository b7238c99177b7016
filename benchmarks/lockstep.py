"""How fast days go the whole way in lock step with the simulated shop, and a minute of life through the step."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "monitor"))

from plant_runs import Plant, described, scenario  # noqa: E402 (the path is set just above)

RUNS = 3
DAYS = 5
MINUTES = 120


def history(folder: Path) -> float:
    """Readings per second of some days in lock step: simulator, decoding, journal, step, storage."""
    plant = Plant.begin(described(folder / "plant"), folder / "data", scenario(faults=[]))
    began = time.monotonic()
    plant.advance(DAYS * 24 * 60)
    seconds = time.monotonic() - began
    readings = len(plant.table("readings", columns=["received"]))
    plant.close()
    return readings / seconds


def minute(folder: Path) -> float:
    """Milliseconds of one plant minute of 95 points: journal, step and checkpoint, after a day of history."""
    plant = Plant.begin(described(folder / "plant"), folder / "data", scenario(faults=[]))
    plant.advance(24 * 60)
    each = []
    for _ in range(MINUTES):
        began = time.monotonic()
        plant.advance(1)
        each.append(time.monotonic() - began)
    plant.close()
    return median(each) * 1e3


def measure() -> list[tuple[str, str, list[float]]]:
    """What was measured, its unit, and the value of each run."""
    found = []
    for name, unit, one in (("history in lock step", "readings/s", history), ("a minute of life", "ms", minute)):
        values = []
        for _ in range(RUNS):
            folder = Path(tempfile.mkdtemp(prefix="keepclean-bench-"))
            try:
                values.append(one(folder))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        found.append((name, unit, values))
    return found
