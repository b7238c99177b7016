"""Devices in trouble beside sound ones, at full size: what it costs the others."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from collectors_beats import beat, shared_line

pytestmark = [pytest.mark.server, pytest.mark.alone]


def test_two_hundred_devices_keep_their_beat(tmp_path: Path) -> None:
    """Promise 6: of 200 devices one is silent, one answers after 5 s, one answers rubbish, one closes every connection;
    the others' 99th-percentile interval error stays under a tenth of the interval.

    Whatever a device did to the others it would do every time; what a busy machine does, it does once: three tries.
    """
    tries = []
    for seed in (4, 5, 6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        tries.append(beat(folder, seed))
        assert tries[-1]["intervals"] >= 196 * 6
        assert tries[-1]["points_in_trouble_with_values"] == 0
        if tries[-1]["p99"] < 0.1:
            return
    pytest.fail(f"the beat was not kept: {tries}")


@pytest.mark.parametrize("way", ["tcp", "rtu"])
def test_a_silent_unit_costs_its_line_a_tenth_at_most(tmp_path: Path, way: Literal["tcp", "rtu"]) -> None:
    """Promise 6: on a line of eight units one is silent; the line loses a tenth of its time at most, the others keep
    their polls (all but what a busy machine may cost)."""
    found = shared_line(tmp_path, seed=4, way=way)
    assert found["silent_asked"] >= (3 if way == "tcp" else 1), found
    assert found["line_lost"] <= 0.1, found
    assert found["polls_missed"] <= 0.05 * found["polls_of_others"], found
