"""Promise 9: the past can be put right by a person, as if it had been right from the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline_corrected import PER_DAY, Works, history, same

TABLES_ALIKE = ("facts", "kpi", "blocks", "drift")


@pytest.mark.plant
def test_a_wrong_ct_ratio_put_right_equals_one_that_was_right_from_the_start(tmp_path: Path) -> None:
    """Promise 9: twenty days at half the amount, one correction: facts, KPIs and drifts are as they should have been.

    day      0 … 8        9 … 28            29 … 34
    meter    right        half              right
    plant    240 kW       240, from day 20 on 300, from day 31 on 240
    """
    true = history(35, dict.fromkeys(range(20, 31), 60.0))
    wrong = {**true, "kwh": true["kwh"].copy()}
    wrong["kwh"][9 * PER_DAY : 29 * PER_DAY] *= 0.5
    was, right = Works(tmp_path / "was"), Works(tmp_path / "right")
    was.feed(wrong, baseline_day=8)
    right.feed(true, baseline_day=8)
    was.correct("scale", ["kwh"], 9 * 1440, 29 * 1440, times=200.0, over=100.0)
    for name in TABLES_ALIKE:
        same(was, right, name)
    # and both go on alike
    more = history(37, dict.fromkeys(range(20, 31), 60.0))
    for works in (was, right):
        works.feed(more, first=35)
    for name in TABLES_ALIKE:
        same(was, right, name)
