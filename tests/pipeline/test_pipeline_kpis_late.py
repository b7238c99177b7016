"""What a KPI says of itself: late production, few known minutes, a beginning before the data."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_builders import Run, kpi, plant, point

from plant.model import Plant


def row(run: Run, name: str, window: str, end: float) -> dict[str, Any]:
    """A KPI's row, which must be there."""
    found = run.kpi(name, window, end)
    assert found is not None, (name, window, end)
    return found


def batches() -> Plant:
    """Electricity by the minute, production booked every half hour, and a counter of pieces."""
    return plant(
        {
            "kwh": point("counter", "kWh", per_hour=[0, 600]),
            "booked": point("interval", "kg", span="30 min", per_hour=[0, 600]),
            "area": point("counter", "m2", per_hour=[0, 600]),
        },
        kpis={
            "late": kpi([{"point": "kwh"}], [{"point": "booked"}]),
            "dead": kpi([{"point": "kwh"}], [{"point": "area"}]),
        },
    )


def test_a_kpi_that_waits_for_late_production_says_so() -> None:
    """Consumption comes before its product is booked: that is neither "no data" nor a low coverage, and passes."""
    # kwh and area by the minute, area until 01:00; booked at 00:30 and 01:00, that of 01:30 comes at 03:00
    run = Run(batches())
    for hour in range(3):
        span = range(hour * 60, hour * 60 + 60)
        rows: list[Any] = [("kwh", i, float(i)) for i in span] + [("area", i, float(i)) for i in span if i <= 60]
        if hour == 1:
            rows += [("booked", 30.0, 30.0), ("booked", 60.0, 30.0)]
        run.read(rows, tick=hour * 60 + 60)
    run.settle(175)
    assert row(run, "late", "1h", 60)["value"] == pytest.approx(1)
    waits = row(run, "late", "1h", 90)
    assert (waits["value"], waits["reason"]) == (None, "waits for late production")
    assert row(run, "late", "15min", 75)["reason"] == "waits for late production"
    dead = row(run, "dead", "15min", 90)
    assert (dead["value"], dead["reason"]) == (None, "no data")
    run.read([("booked", 90.0, 30.0), ("booked", 120.0, 60.0)], tick=240)
    after = row(run, "late", "1h", 90)
    assert (after["value"], after["reason"]) == (pytest.approx(1), "")


def test_production_that_never_comes_is_missing_at_last() -> None:
    """What is a day late cannot come any more: then it is missing, not late."""
    run = Run(batches())
    for hour in range(31):
        rows: list[Any] = [("kwh", i, float(i)) for i in range(hour * 60, hour * 60 + 60)]
        rows += [("booked", 30.0, 30.0), ("booked", 60.0, 30.0)] if hour == 1 else []
        run.read(rows, tick=hour * 60 + 60)
    run.settle(31 * 60)
    assert row(run, "late", "1h", 20 * 60)["reason"] == "waits for late production"
    assert row(run, "late", "1h", 30 * 60)["reason"] == "no data"


def test_a_ratio_of_few_known_minutes_is_not_good() -> None:
    """Below nine tenths of a window a value is estimated, suspect parts make it suspect, numbers are exact decimals."""
    described = plant(
        {"kwh": point("counter", "kWh", per_hour=[0, 600]), "area": point("counter", "m2", per_hour=[0, 600])},
        kpis={"k": kpi([{"point": "kwh"}], [{"point": "area"}], coverage_limit=0.5)},
    )
    run = Run(described)
    rows = [("kwh", float(i), round(i / 10, 1)) for i in range(121)]
    rows += [("area", float(i), float(i)) for i in range(105)]
    run.read(rows, tick=121)
    run.settle(120)
    found = row(run, "k", "1h", 120)
    assert 0.5 < found["coverage"] < 0.9
    assert (found["quality"], found["value"]) == ("estimated", pytest.approx(0.1))
    good = row(run, "k", "1h", 60)
    assert (good["quality"], good["numerator"], good["denominator"]) == ("good", 6.0, 60.0)
    assert repr(row(run, "k", "15min", 45)["numerator"]) == "1.5"


def test_a_sum_that_begins_before_the_data_is_scaled() -> None:
    """A window of which the first minutes were never measured is estimated from the others, and has no bounds."""
    run = Run(plant({"kwh": point("counter", "kWh", per_hour=[0, 600])}, kpis={"k": kpi([{"point": "kwh"}])}))
    run.read([("kwh", float(i), float(i)) for i in range(5, 400)], tick=400)
    run.settle(399)
    found = row(run, "k", "day", 300)
    assert (found["value"], found["numerator"], found["quality"]) == (300, 295, "estimated")
    assert (found["low"], found["high"]) == (None, None)
