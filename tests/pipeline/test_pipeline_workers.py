"""A short form of `make soak ARGS=workers`: the step in worker processes that are killed, against one process."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from benchmarks.fleet import Fleet
from benchmarks.workers import batches, one_round, works_case

pytestmark = pytest.mark.server


def test_workers_killed_at_random_give_the_answer_of_one_process(tmp_path: Path) -> None:
    """Promise 2: fed by process unit, killed at any instant, sent again what follows the last checkpoint."""
    done = one_round(works_case(3), seed=3, folder=tmp_path, workers=2, kills=0.25, most=20)
    assert done.breaches == []
    assert done.counts["kills"] >= 2
    assert done.counts["sent_again"] >= 2
    assert min(done.rows.values()) > 0


def test_a_worker_given_stale_state_refuses(tmp_path: Path) -> None:
    """Promise 2: state of an earlier checkpoint is not stepped, nothing of it is published, and the rest goes on."""
    case, many = works_case(1), tmp_path / "many"
    runs = batches(case.messages, Random(1), 8)
    fleet = Fleet(case.plant, many, workers=2, chance=Random(1), kills=0.0, stores=1.0)
    for run in runs[:3]:
        fleet.step(run)
    for number, worker in enumerate(fleet.workers):
        fleet.back_up(worker, tmp_path / f"older-{number}")
    fleet.step(runs[3])
    for number, worker in enumerate(fleet.workers):
        assert fleet.put_back(worker, runs[4], tmp_path / f"older-{number}")
    assert fleet.counts["stale_refused"] == 2
    fleet.step(runs[4])
    fleet.close()
    assert len(fleet.table("facts")) > 0
