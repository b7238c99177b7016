"""The whole way, simulated meters to drift, in lock step: step faults are found, data faults are not drifts."""

from __future__ import annotations

import polars as pl
import pytest
from plant_runs import Plant
from typer.testing import CliRunner

from monitor.cli import app
from plant.clock import to_datetime, to_us
from plant.reading import MINUTE
from simulators.catalogue import find_offer
from simulators.truth import read_amounts

pytestmark = pytest.mark.plant

HOUR_MINUTES = 60


def drift_of(plant: Plant, baseline: str) -> pl.DataFrame:
    """The drifts of one chart that were not taken back."""
    rows = plant.table("drift", where={"kpi": baseline})
    return rows.filter(pl.col("state") != "withdrawn")


@pytest.mark.parametrize(
    ("fault", "target", "baseline", "hours"),
    [
        ("rinse_valve", "ni_rinse1", "ni_rinse1", 6),
        ("steam_trap", "chrome", "cr_steam", 10),
        ("air_leak", "compressed_air", "compressor", 10),
    ],
)
def test_a_step_fault_is_found_at_its_own_meter(
    plant: Plant, fault: str, target: str, baseline: str, hours: int
) -> None:
    """A fault is found at the meter it sits at, its onset within the hour and its size within 30 %."""
    plant.advance(9 * HOUR_MINUTES + 17)
    before = set(plant.table("drift")["drift"])
    truth = plant.simulator.switch(fault, target)
    plant.advance(hours * HOUR_MINUTES)
    plant.advance(2 * HOUR_MINUTES)
    found = drift_of(plant, baseline).filter(~pl.col("drift").is_in(sorted(before)))
    assert len(found) == 1, plant.table("drift")
    row = found.row(0, named=True)
    assert to_us(row["found"]) - truth.onset_us <= (hours + 1) * HOUR_MINUTES * MINUTE
    assert abs(to_us(row["onset"]) - truth.onset_us) <= 60 * MINUTE
    size = find_offer(fault).per_hour
    assert row["size_per_hour"] == pytest.approx(size, rel=0.3)
    alarms = plant.table("alarms", where={"drift": row["drift"]})
    assert alarms["to_state"].to_list()[0] == "unacknowledged"


def test_a_mended_fault_clears_its_drift_and_one_drift_is_one_alarm(plant: Plant) -> None:
    """One drift is one alarm until its chart says that it has returned; acknowledged, it is then normal again."""
    plant.advance(8 * HOUR_MINUTES)
    plant.simulator.switch("rinse_valve", "cr_rinse2")
    plant.advance(12 * HOUR_MINUTES)
    (name,) = drift_of(plant, "cr_rinse2")["drift"].to_list()
    (alarm,) = plant.table("alarms", where={"drift": name})["alarm"].to_list()
    plant.act({"act": "acknowledge", "alarm": alarm, "by": "local user", "note": "valve is stuck"})
    plant.simulator.switch("rinse_valve", "cr_rinse2", on=False)
    plant.advance(18 * HOUR_MINUTES)
    assert drift_of(plant, "cr_rinse2")["state"].to_list() == ["cleared"]
    states = plant.table("alarms", where={"alarm": alarm}).sort("time")["to_state"].to_list()
    assert states == ["unacknowledged", "acknowledged", "normal"]


def test_data_faults_are_notices_and_no_drift(plant: Plant) -> None:
    """Promise 3: a reset counter, a frozen meter and an hour without data never become a drift nor a saving."""
    before = plant.table("drift")
    plant.advance(9 * HOUR_MINUTES)
    plant.simulator.switch("counter_reset", "ni_rectifier_kwh")
    plant.simulator.switch("frozen_meter", "cr_rinse1_meter")
    plant.simulator.switch("missing_hour", "mains_meter")
    begun = plant.now
    plant.advance(8 * HOUR_MINUTES)
    plant.advance(4 * HOUR_MINUTES)
    notices = plant.table("notices", start_us=(begun - 60) * MINUTE)
    found = {(row["point"], row["finding"]) for row in notices.iter_rows(named=True)}
    assert ("ni_rectifier_kwh", "reset") in found
    assert ("cr_rinse1_water", "frozen") in found
    assert ("mains_kwh", "gap") in found
    assert plant.table("drift")["drift"].to_list() == before["drift"].to_list()
    frozen = plant.table(
        "facts",
        start_us=(begun + 60) * MINUTE,
        end_us=(begun + 300) * MINUTE,
        where={"point": "cr_rinse1_water"},
    )
    assert len(frozen) == 240
    assert frozen["coverage"].max() == 0.0


def test_the_same_plant_restarted_gives_the_same_answer(month: Plant, plant: Plant) -> None:
    """Promise 2: a restart from the checkpoint in the middle changes nothing."""
    other = month.copy(plant.data.parent / "other")
    plant.advance(7 * HOUR_MINUTES)
    plant.advance(5 * HOUR_MINUTES)
    other.advance(7 * HOUR_MINUTES)
    again = other.copy(plant.data.parent / "again")
    other.close()
    again.advance(5 * HOUR_MINUTES)
    since = (plant.now - 12 * HOUR_MINUTES) * MINUTE
    for table, without in (("facts", ["revision"]), ("kpi", ["revision"]), ("blocks", ["revision"])):
        one, two = (run.table(table, start_us=since).drop(without) for run in (plant, again))
        assert one.equals(two), table
    again.close()


def test_counters_are_conserved_and_true(plant: Plant) -> None:
    """Promise 4: over a week every counter's minutes sum to the truth within 0.1 %, by `export` and truth file."""
    start = plant.simulator.now_us
    plant.advance((7 * 24 + 2) * HOUR_MINUTES)
    span = (start + 60 * MINUTE, start + (7 * 24 + 1) * 60 * MINUTE)
    counters = [name for name, point in plant.described.plant.points.items() if point.kind == "counter"]
    out = plant.data.parent / "facts.parquet"
    ends = [to_datetime(moment).isoformat() for moment in span]
    command = ["export", str(plant.described.path), "--table", "facts", "--data", str(plant.data)]
    command += ["--from", ends[0], "--to", ends[1], "--format", "parquet", "--out", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    facts = pl.read_parquet(out).filter(pl.col("point").is_in(counters))
    sums = dict(facts.group_by("point").agg(pl.col("amount").sum()).iter_rows())
    for name in counters:
        true = read_amounts(plant.data / "truth.sqlite", name, *span)
        assert sums[name] == pytest.approx(true, rel=1e-3, abs=2 * plant.described.plant.points[name].resolution), name
    assert to_datetime(span[0]) == facts["minute"].min()
