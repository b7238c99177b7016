"""`make soak`, the part of the plant's faults: many seeds in lock step; docs/proof/faults.json.

Each seed has a 29-day state of its own (baselines fitted on days 1 to 28), from which it goes three ways: thirty days
without a fault, a rinse valve left open, and each data fault.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "monitor")]

from plant_runs import Plant, described, fitted, scenario  # noqa: E402 (the path is set just above)

from benchmarks.proof import write  # noqa: E402
from plant.clock import to_us  # noqa: E402
from plant.reading import HOUR, MINUTE  # noqa: E402

STAGES = ("zn_rinse1", "zn_rinse2", "ni_rinse1", "ni_rinse2", "cr_rinse1", "cr_rinse2")
RINSE_PER_HOUR = 0.6
DAYS_QUIET = 30
HOURS_RINSE = 7
HOURS_DATA = 14


@dataclass
class Found:
    """What became of one seed."""

    seed: int
    false_alarms: list[str]
    stage: str
    rinse_hours: float | None
    rinse_onset_error_min: float | None
    rinse_size_error: float | None
    elsewhere: list[str]
    data_drifts: list[str]
    data_notices: list[str]
    seconds: float


def drifts(plant: Plant, since_us: int) -> pl.DataFrame:
    """Drifts found since a time, but those taken back."""
    return plant.table("drift").filter((pl.col("found").cast(pl.Int64) > since_us) & (pl.col("state") != "withdrawn"))


def one_seed(seed: int) -> Found:
    """One seed, three ways."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="keepclean-soak-"))
    try:
        month = fitted(described(folder / "plant"), folder / "month", scenario(seed=seed, faults=[]))
        start = month.simulator.now_us
        stage = STAGES[seed % len(STAGES)]
        rinse = month.copy(folder / "rinse")
        data = month.copy(folder / "data")
        hours, onset, size, elsewhere = _rinse(rinse, stage)
        data_drifts, notices = _data(data)
        month.advance(DAYS_QUIET * 24 * 60)
        quiet = drifts(month, start)["drift"].to_list()
        for plant in (month, rinse, data):
            plant.close()
        return Found(
            seed, quiet, stage, hours, onset, size, elsewhere, data_drifts, notices, round(time.monotonic() - began, 1)
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rinse(plant: Plant, stage: str) -> tuple[float | None, float | None, float | None, list[str]]:
    """A valve left open from an hour that the seed decides: hours to detection, onset error [min], size error."""
    seed = plant.simulator.scenario.seed
    plant.advance(6 * 60 + 37 * seed % (12 * 60))
    before = plant.simulator.now_us
    truth = plant.simulator.switch("rinse_valve", stage)
    plant.advance(HOURS_RINSE * 60)
    found = drifts(plant, before)
    own = found.filter(pl.col("kpi") == stage)
    others = found.filter(~pl.col("kpi").is_in([stage, "city_water", "wastewater"]))["drift"].to_list()
    if not len(own):
        return None, None, None, others
    row = own.sort("found").row(0, named=True)
    return (
        round((to_us(row["found"]) - truth.onset_us) / HOUR, 2),
        round((to_us(row["onset"]) - truth.onset_us) / MINUTE, 1),
        round(row["size_per_hour"] / RINSE_PER_HOUR - 1, 3),
        others,
    )


def _data(plant: Plant) -> tuple[list[str], list[str]]:
    """A reset, a frozen meter, an hour without data, a jumping clock: drifts (there should be none) and notices."""
    plant.advance(8 * 60)
    begun = plant.simulator.now_us
    for fault, target in (
        ("counter_reset", "ni_rectifier_kwh"),
        ("frozen_meter", "cr_rinse1_meter"),
        ("missing_hour", "mains_meter"),
        ("clock_jump", "site_gateway"),
    ):
        plant.simulator.switch(fault, target)
    plant.advance(HOURS_DATA * 60)
    notices = plant.table("notices", start_us=begun - HOUR)
    names = sorted({f"{row['point']}: {row['finding']}" for row in notices.iter_rows(named=True)})
    return drifts(plant, begun)["drift"].to_list(), names


def main() -> int:
    """Runs the seeds and writes the proof."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--first", type=int, default=101)
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    seeds = list(range(chosen.first, chosen.first + chosen.seeds))
    found: list[Found] = []
    with ProcessPoolExecutor(chosen.workers) as pool:
        for one in pool.map(one_seed, seeds):
            found.append(one)
            sys.stdout.write(
                f"seed {one.seed}: {len(one.false_alarms)} false, rinse {one.stage} {one.rinse_hours} h, "
                f"onset {one.rinse_onset_error_min} min, size {one.rinse_size_error}, data drifts {one.data_drifts}, "
                f"{one.seconds} s\n"
            )
            sys.stdout.flush()
    command = f"python -m benchmarks.faults --first {seeds[0]} --seeds {len(seeds)}"
    write("faults", command, summary(seeds, found))
    return 0


def summary(seeds: list[int], found: list[Found]) -> dict[str, Any]:
    """Counts over all seeds, and each seed's own."""
    good = [
        one
        for one in found
        if one.rinse_hours is not None
        and one.rinse_hours <= 6
        and abs(one.rinse_onset_error_min or 0) <= 30
        and abs(one.rinse_size_error or 0) <= 0.2
    ]
    hours = [one.rinse_hours for one in found if one.rinse_hours is not None]
    return {
        "seeds": seeds,
        "rinse valve left open, +10 L/min: found within 6 h, onset within 30 min, size within 20 %": len(good),
        "hours to detection, median": median(hours) if hours else None,
        "drift alarms in 30 days without a fault, mean over all charts": mean(len(one.false_alarms) for one in found),
        "drift alarms in 30 days without a fault, most": max(len(one.false_alarms) for one in found),
        "drifts raised by data faults, beyond those that the same days bring without": sum(
            len(set(one.data_drifts) - set(one.false_alarms)) for one in found
        ),
        "each": [asdict(one) for one in found],
    }


if __name__ == "__main__":
    sys.exit(main())
