"""The oracle's own sanity, and the product against it: one month with every pitfall, answered twice."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from oracle_readings import END_US, START_US, at, month
from oracle_run import answer, frame

pytestmark = pytest.mark.plant


@pytest.fixture(scope="module")
def readings() -> pl.DataFrame:
    """The raw month."""
    return month()


@pytest.fixture(scope="module")
def oracle(readings: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """What the definitions give."""
    return answer(readings, tmp_path_factory.mktemp("oracle"))


def test_the_oracle_conserves_what_a_counter_counted(oracle: duckdb.DuckDBPyConnection) -> None:
    """Promise 4, of the oracle itself: minutes and gaps of a point sum to its accepted steps, bit for bit."""
    steps = frame(
        oracle, f"select point, sum(amount)::bigint as total from steps where until <= {END_US} group by point"
    )
    either = "select point, amount from facts union all select point, amount from gaps"
    parts = frame(oracle, f"select point, sum(amount)::bigint as total from ({either}) group by point")
    both = steps.join(parts, on="point", suffix="_parts")
    assert len(both) == 13
    assert both["total"].to_list() == both["total_parts"].to_list()


def test_the_oracle_meets_every_pitfall(oracle: duckdb.DuckDBPyConnection) -> None:
    """The month holds what it says it holds, so that an agreement means something."""
    kinds = frame(oracle, "select what, count(*) as n from steps where what <> 'rise' group by what order by what")
    assert dict(kinds.iter_rows()) == {"exchange": 1, "reset": 2, "rollover": 24, "undeclared": 3}
    counts = "select count(*) filter (future) as future, count(*) filter (late) as late from arrived"
    assert frame(oracle, counts).row(0) == (80, 214)
    assert START_US < at(29, 1) < END_US  # the night in which summer time begins
    assert frame(oracle, "select point from frozen")["point"].to_list() == ["bath_kwh"]
